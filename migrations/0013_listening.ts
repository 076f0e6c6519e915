import { sql } from 'kysely';
import { byCodeUnit, epoch, epochMs, flag, id, json, real } from './_columns.ts';
import type { Kysely } from 'kysely';

/**
 * Listening as it was heard: music that is not in the library, when it was really on, by whose clock, and what statistics are
 * read from. `listening_sessions` is built anew, because SQLite cannot take a `not null` off a column.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('recordings')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('recording_key', 'text', (c) => c.notNull().unique())
    // Compared with `tracks.title_sort`, so of the same collation.
    .addColumn('match_key', 'text', (c) => c.notNull().modifyEnd(byCodeUnit(db)))
    .addColumn('title', 'text', (c) => c.notNull())
    .addColumn('artist', 'text', (c) => c.notNull())
    .addColumn('album', 'text')
    .addColumn('duration_ms', real)
    .addColumn('recording_mbid', 'text')
    .addColumn('isrc', 'text')
    .addColumn('search_text', 'text', (c) => c.notNull())
    .addColumn('track_id', id, (c) => c.references('tracks.id').onDelete('set null'))
    .addColumn('created_at', epoch, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('idx_recordings_match_key').on('recordings').column('match_key').execute();
  await db.schema.createIndex('idx_recordings_track_id').on('recordings').column('track_id').execute();

  await db.schema
    .createTable('listening_sessions_new')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    // No cascade: a track row is never deleted while somebody heard it.
    .addColumn('track_id', id, (c) => c.references('tracks.id'))
    .addColumn('recording_id', id, (c) => c.references('recordings.id'))
    .addColumn('client_session_id', 'text')
    .addColumn('external_key', 'text')
    .addColumn('started_at', epoch, (c) => c.notNull())
    .addColumn('ended_at', epoch)
    .addColumn('time_zone', 'text')
    .addColumn('utc_offset_s', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('local_day', 'integer', (c) => c.notNull())
    .addColumn('duration_played', real, (c) => c.notNull().defaultTo(0))
    .addColumn('completed', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('counted', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('skipped', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('is_hidden', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('source', 'text', (c) => c.notNull())
    .addColumn('scrobbled_listenbrainz', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('client_info_json', json, (c) => c.notNull().defaultTo('{}'))
    .addColumn('last_seq', 'integer', (c) => c.notNull().defaultTo(-1))
    .addColumn('revision', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('position_ms', real, (c) => c.notNull())
    .addColumn('reported_at_ms', epochMs, (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('rate', real, (c) => c.notNull().defaultTo(1))
    .addColumn('spans_json', json, (c) => c.notNull().defaultTo('[]'))
    .addColumn('wall_json', json, (c) => c.notNull().defaultTo('[]'))
    .addColumn('reports_json', json, (c) => c.notNull().defaultTo('[]'))
    .addColumn('inserted_at', epoch, (c) => c.notNull())
    .addCheckConstraint('listening_sessions_of_something', sql`track_id is not null or recording_id is not null`)
    .execute();
  // What was heard before is taken to have been heard in one go from its start: nothing finer was kept.
  await sql`
    insert into listening_sessions_new (
      id, user_id, track_id, client_session_id, started_at, ended_at, local_day, duration_played, completed, counted, source,
      scrobbled_listenbrainz, client_info_json, last_seq, position_ms, reported_at_ms, state, rate, spans_json, wall_json,
      inserted_at
    )
    select
      id, user_id, track_id, client_session_id, started_at, ended_at, started_at / 86400, duration_played, completed, counted,
      source, scrobbled_listenbrainz, client_info_json, last_seq, position_ms, reported_at_ms, state, rate, spans_json,
      case when duration_played > 0
        then '[[' || (started_at * 1000) || ',' || (started_at * 1000 + cast(duration_played * 1000 as bigint)) || ']]'
        else '[]' end,
      started_at
    from listening_sessions`.execute(db);
  await db.schema.dropTable('listening_sessions').execute();
  await db.schema.alterTable('listening_sessions_new').renameTo('listening_sessions').execute();
  for (const [name, columns] of [
    ['client', ['user_id', 'client_session_id']],
    ['external', ['user_id', 'external_key']],
  ] as const) {
    await db.schema
      .createIndex(`idx_listening_sessions_${name}`)
      .unique()
      .on('listening_sessions')
      .columns([...columns])
      .execute();
  }
  for (const [name, columns] of [
    // What was heard is in those that history is filtered along, so that a row is fetched only to be shown.
    ['user_id', ['user_id', 'counted', 'started_at', 'id', 'track_id', 'recording_id']],
    ['user_started_at', ['user_id', 'started_at', 'id', 'track_id', 'recording_id']],
    ['user_local_day', ['user_id', 'local_day']],
    ['track_path', ['track_id']],
    ['started_at', ['started_at']],
    ['user_track', ['user_id', 'track_id', 'counted', 'started_at', 'id']],
    ['user_source', ['user_id', 'source', 'counted', 'started_at', 'id']],
    ['recording_id', ['recording_id', 'user_id', 'counted', 'started_at', 'id']],
  ] as const) {
    await db.schema
      .createIndex(`idx_listening_sessions_${name}`)
      .on('listening_sessions')
      .columns([...columns])
      .execute();
  }

  await sql`create index idx_listening_sessions_skipped on listening_sessions (user_id, started_at, id)
    where skipped = 1`.execute(db);
  await sql`create index idx_listening_sessions_outside on listening_sessions (user_id, counted, started_at, id)
    where track_id is null`.execute(db);

  // Days of a person whose rollups are not what its sessions say any more.
  await db.schema
    .createTable('stale_days')
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('local_day', 'integer', (c) => c.notNull())
    .addColumn('marks', 'integer', (c) => c.notNull().defaultTo(1))
    .addPrimaryKeyConstraint('stale_days_pk', ['user_id', 'local_day'])
    .execute();
  await sql`
    insert into stale_days (user_id, local_day) select distinct user_id, local_day from listening_sessions`.execute(db);
  await db.schema
    .createTable('stale_zones')
    .addColumn('user_id', id, (c) => c.primaryKey().references('users.id').onDelete('cascade'))
    .addColumn('time_zone', 'text', (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('listen_sums')
    .addColumn('user_id', id, (c) => c.primaryKey().references('users.id').onDelete('cascade'))
    .addColumn('version', id, (c) => c.notNull())
    .addColumn('settled_at_ms', epochMs, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('listen_days')
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('local_day', 'integer', (c) => c.notNull())
    .addColumn('is_hidden', flag, (c) => c.notNull())
    .addColumn('listens', 'integer', (c) => c.notNull())
    .addColumn('heard_ms', 'bigint', (c) => c.notNull())
    .addColumn('plays', 'integer', (c) => c.notNull())
    .addColumn('skips', 'integer', (c) => c.notNull())
    .addColumn('hours_json', json, (c) => c.notNull())
    .addColumn('most_json', json)
    .addColumn('reaches_json', json, (c) => c.notNull())
    .addColumn('reached_from_json', json, (c) => c.notNull())
    .addColumn('things_json', json, (c) => c.notNull())
    .addPrimaryKeyConstraint('listen_days_pk', ['user_id', 'local_day', 'is_hidden'])
    .execute();
  await db.schema
    .createTable('listen_rollups')
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('kind', 'smallint', (c) => c.notNull())
    .addColumn('key', sql`text ${byCodeUnit(db)}`, (c) => c.notNull())
    .addColumn('is_hidden', flag, (c) => c.notNull())
    .addColumn('grain', 'smallint', (c) => c.notNull())
    .addColumn('bucket', 'integer', (c) => c.notNull())
    .addColumn('listens', 'integer', (c) => c.notNull())
    .addColumn('heard_ms', 'bigint', (c) => c.notNull())
    .addColumn('plays', 'integer', (c) => c.notNull())
    .addColumn('skips', 'integer', (c) => c.notNull())
    .addColumn('first_day', 'integer')
    .addPrimaryKeyConstraint('listen_rollups_pk', ['user_id', 'kind', 'key', 'is_hidden', 'grain', 'bucket'])
    .execute();
  await db.schema
    .createIndex('idx_listen_rollups_top')
    .on('listen_rollups')
    .columns(['user_id', 'is_hidden', 'grain', 'bucket', 'kind', 'listens', 'heard_ms', 'key'])
    .execute();
  await sql`create index idx_listen_rollups_first on listen_rollups (user_id, is_hidden, kind, first_day, key)
    where first_day is not null`.execute(db);
}
