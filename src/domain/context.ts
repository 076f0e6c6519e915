import type { Role } from '#contract/accounts.ts';
import type { Scope } from '#contract/security.ts';
import type { SqlDialect } from '#db/dialect.ts';
import type { Unit } from '#db/unit.ts';
import type { Schema } from './database.ts';
import type { DomainEvent, EventBus } from './events.ts';
import type { Playbacks } from './listens/playbacks.ts';
import type { Clock, Files, Ids, Log, PlaylistDocs, SecretBox } from './ports.ts';
import type { Kysely, Transaction } from 'kysely';

/** All a rule may touch. */
export interface Ctx {
  /** Reads only; writes go through `inTransaction`. */
  db: Kysely<Schema>;
  write<T>(fn: (trx: Transaction<Schema>) => Promise<T>): Promise<T>;
  /**
   * One unit of work whose statements are all known when its turn comes, which is not before `after` is settled; false when a
   * `mustChange` one changed nothing.
   */
  writeUnit(unit: Unit, after?: Promise<unknown>): Promise<boolean>;
  /** Resolves when a unit handed in now would not wait for those before it. */
  turnToWrite(): Promise<void>;
  dialect: SqlDialect;
  clock: Clock;
  ids: Ids;
  log: Log;
  events: EventBus;
  files: Files;
  secrets: SecretBox;
  playlistDocs: PlaylistDocs;
  /** The listening sessions under way in this process. */
  playbacks: Playbacks;
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
  /** An access token of the issuer. */
  | { kind: 'token'; sid: string | null; issued_at: number; expires_at: number; auth_time: number | null }
  /** A personal API token. */
  | { kind: 'api_token'; token_id: string; scopes: readonly Scope[]; expires_at: number | null };

/** Who asks. */
export interface Actor {
  user_id: string;
  username: string;
  /** The one that counts: `provider_role`, else the stored one. */
  role: Role;
  /** The role an outside provider named for this sign-in or token; null when it named none. */
  provider_role: Role | null;
  credential: Credential;
}
