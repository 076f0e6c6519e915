import type { Role } from '#contract/accounts.ts';
import type { SqlDialect } from '#db/dialect.ts';
import type { Schema } from './database.ts';
import type { DomainEvent, EventBus } from './events.ts';
import type { Clock, Files, Ids, Log, PlaylistDocs } from './ports.ts';
import type { Kysely, Transaction } from 'kysely';

/** All a rule may touch. */
export interface Ctx {
  /** Reads only; writes go through `inTransaction`. */
  db: Kysely<Schema>;
  write<T>(fn: (trx: Transaction<Schema>) => Promise<T>): Promise<T>;
  dialect: SqlDialect;
  clock: Clock;
  ids: Ids;
  log: Log;
  events: EventBus;
  files: Files;
  playlistDocs: PlaylistDocs;
}

/** What a rule may touch inside a transaction: the database and the means to say what happened. */
export interface TxCtx {
  trx: Transaction<Schema>;
  clock: Clock;
  ids: Ids;
  /** Held until the commit; dropped with a rollback. */
  publish(event: DomainEvent): void;
}

/** By what a caller proved who they are. */
export type Credential =
  | { kind: 'session'; session_id: string; auth_time: number }
  | { kind: 'token'; sid: string | null; expires_at: number; auth_time: number | null };

/** Who asks. */
export interface Actor {
  user_id: string;
  username: string;
  role: Role;
  credential: Credential;
}
