/**
 * Column types both databases understand. Frozen: applied migrations rely on it.
 * SQLite gives `bigint` integer affinity, `double precision` real affinity, and keeps bytes as bytes in any column.
 */
import { sql } from 'kysely';
import type { Kysely, RawBuilder } from 'kysely';

/** Opaque ids, 22 to 36 characters. */
export const id = 'text';
/** Seconds since the epoch. */
export const epoch = 'bigint';
/** Milliseconds since the epoch. */
export const epochMs = 'bigint';
/** 0 or 1. */
export const flag = 'smallint';
export const bytes = 'bytea';
/** JSON as text, parsed by a schema when read. */
export const json = 'text';
/** Numbers with a fraction, such as seconds of music. */
export const real = 'double precision';

/** Appended to a text column that must compare by code unit on both databases (SQLite does so by default). */
export function byCodeUnit(db: Kysely<unknown>): RawBuilder<unknown> {
  return db.getExecutor().adapter.supportsTransactionalDdl ? sql`collate "C"` : sql``;
}
