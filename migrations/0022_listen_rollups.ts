import { sql } from 'kysely';
import { byCodeUnit, epochMs, id } from './_columns.ts';
import type { Kysely } from 'kysely';

/**
 * One row a thing and span, with what others may see of it and all of it side by side, so that nobody's sums are put together
 * from two rows. They are derived: made anew from the sessions when they are next read.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.dropTable('listen_rollups').execute();
  await db.schema
    .createTable('listen_rollups')
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('kind', 'smallint', (c) => c.notNull())
    .addColumn('key', sql`text ${byCodeUnit(db)}`, (c) => c.notNull())
    .addColumn('grain', 'smallint', (c) => c.notNull())
    .addColumn('bucket', 'integer', (c) => c.notNull())
    .addColumn('listens', 'integer', (c) => c.notNull())
    .addColumn('heard_ms', epochMs, (c) => c.notNull())
    .addColumn('plays', 'integer', (c) => c.notNull())
    .addColumn('first_day', 'integer')
    .addColumn('own_listens', 'integer', (c) => c.notNull())
    .addColumn('own_heard_ms', epochMs, (c) => c.notNull())
    .addColumn('private_plays', 'integer', (c) => c.notNull())
    .addColumn('own_first_day', 'integer')
    .addPrimaryKeyConstraint('listen_rollups_pk', ['user_id', 'kind', 'key', 'grain', 'bucket'])
    .execute();
  await sql`create index idx_listen_rollups_top
    on listen_rollups (user_id, grain, bucket, kind, listens, heard_ms, key, private_plays)`.execute(db);
  // The few that look different to their owner.
  await sql`create index idx_listen_rollups_private
    on listen_rollups (user_id, grain, bucket, kind, own_listens, own_heard_ms, key, listens)
    where private_plays > 0`.execute(db);
  await sql`create index idx_listen_rollups_first on listen_rollups (user_id, kind, first_day, key)
    where first_day is not null`.execute(db);
  await sql`create index idx_listen_rollups_own_first on listen_rollups (user_id, kind, own_first_day, key)
    where own_first_day is not null`.execute(db);

  // Totals of all days, without the lists that are kept beside them; and the spelling of a genre.
  await sql`create index idx_listen_days_totals
    on listen_days (user_id, local_day, is_hidden, listens, heard_ms, plays, skips)`.execute(db);
  await sql`create index idx_track_genres_name on track_genres (genre_key, name)`.execute(db);

  await sql`delete from listen_days`.execute(db);
  await sql`delete from listen_sums`.execute(db);
  await sql`
    insert into stale_days (user_id, local_day)
    select distinct user_id, local_day from listening_sessions where true
    on conflict (user_id, local_day) do update set marks = stale_days.marks + 1`.execute(db);
}
