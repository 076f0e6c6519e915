import type { Transaction } from 'kysely';
import type { Schema } from './database.ts';
import type * as Y from 'yjs';

/** The time, so that tests own it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
}

/** Randomness, so that tests own it. */
export interface Ids {
  /** A fresh id of 128 random bits, 22 URL-safe characters. */
  id(): string;
  /** A secret of 256 random bits, 43 URL-safe characters. */
  secret(): string;
}

type Fields = Record<string, string | number | boolean | null | undefined>;
/** JSON lines; never a token, cookie, password, e-mail address or title among the fields. */
export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields, cause?: unknown): void;
}

/** What is stored in the same transaction as something else, or not at all. */
export type Beside = (trx: Transaction<Schema>) => Promise<void>;

/** Where we keep and read files. */
export interface Files {
  /** Absolute folders of the library, as set; they may be missing. */
  musicDirs: readonly string[];
  /** Our own folder: covers, keys. */
  dataDir: string;
}

/** Where a sealed text belongs: it opens nowhere else. */
export interface SecretPlace {
  user_id: string;
  table: string;
  column: string;
}

/** Seals secrets that must be read again, under keys that are not in the database. */
export interface SecretBox {
  /** Which key seals now; a sealed text begins with the id of its key and a dot. */
  readonly keyId: string;
  seal(text: string, place: SecretPlace): string;
  /** Null: the key it was sealed with is not here. @throws Error when it was changed or belongs elsewhere */
  open(sealed: string, place: SecretPlace): string | null;
  /** Puts a fresh key in front of the others; false where the operator keeps the keys (`SECRET_KEYS`). */
  addKey(): boolean;
}

/** Live playlist documents, provided by the rooms. */
export interface PlaylistDocs {
  /**
   * Edits a live document as `user_id`, through the same room and storage as everybody's edits; resolves once stored and passed on.
   * `edit` must be synchronous.
   */
  transact<T>(playlist_id: string, user_id: string, edit: (doc: Y.Doc) => T, more?: EditMore): Promise<T>;
}

/** What goes with an edit of a playlist's document. */
export interface EditMore {
  /** Names the edit as a whole, for the list's history, and has the list kept as it was before. */
  act?: PlaylistAct | undefined;
  /** Stored with what the edit changed; not when it changed nothing. */
  beside?: Beside | undefined;
}

/** An edit of many entries that people see as one. */
export interface PlaylistAct {
  kind: 'sorted' | 'restored';
  details: Readonly<Record<string, string | boolean>>;
  checkpoint: { id: string; reason: 'before_sort' | 'before_restore' };
}

export function epochSeconds(clock: Clock): number {
  return Math.floor(clock.nowMs() / 1000);
}
