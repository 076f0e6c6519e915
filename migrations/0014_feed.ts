import { epoch, epochMs, id } from './_columns.ts';
import type { Kysely } from 'kysely';

/** What people did, for those who follow them; when they listen in private; whom they do not want to see. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // One row, whose lock is held to the commit: numbers are given in the order in which they become visible.
  await db.schema
    .createTable('feed_clock')
    .addColumn('id', 'smallint', (c) => c.primaryKey())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .execute();
  await (db as Kysely<{ feed_clock: { id: number; seq: number } }>)
    .insertInto('feed_clock')
    .values({ id: 1, seq: 0 })
    .execute();

  await db.schema
    .createTable('feed_items')
    .addColumn('seq', 'bigint', (c) => c.primaryKey())
    .addColumn('id', id, (c) => c.notNull().unique())
    .addColumn('actor_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('session_id', id, (c) => c.unique().references('listening_sessions.id').onDelete('cascade'))
    .addColumn('created_at', epoch, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('idx_feed_items_actor').on('feed_items').columns(['actor_id', 'seq']).execute();
  await db.schema.createIndex('idx_feed_items_created_at').on('feed_items').column('created_at').execute();

  await db.schema
    .createTable('private_sessions')
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('started_at_ms', epochMs, (c) => c.notNull())
    .addColumn('ends_at_ms', epochMs, (c) => c.notNull())
    .addPrimaryKeyConstraint('private_sessions_pk', ['user_id', 'started_at_ms'])
    .execute();

  await db.schema
    .createTable('user_blocks')
    .addColumn('blocker_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('blocked_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('user_blocks_pk', ['blocker_id', 'blocked_id'])
    .execute();
  await db.schema.createIndex('idx_user_blocks_blocked_id').on('user_blocks').column('blocked_id').execute();
}
