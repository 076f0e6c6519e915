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

/** Where we keep and read files. */
export interface Files {
  /** Absolute folders of the library, as set; they may be missing. */
  musicDirs: readonly string[];
  /** Our own folder: covers, keys. */
  dataDir: string;
}

/** Live playlist documents, provided by the rooms. */
export interface PlaylistDocs {
  /**
   * Edits a live document as `user_id`, through the same room and storage as everybody's edits; resolves once stored and passed on.
   * `edit` must be synchronous.
   */
  transact<T>(playlist_id: string, user_id: string, edit: (doc: Y.Doc) => T): Promise<T>;
}

export function epochSeconds(clock: Clock): number {
  return Math.floor(clock.nowMs() / 1000);
}
