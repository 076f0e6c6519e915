import { epoch, epochMs, flag, id, json, real } from './_columns.ts';
import type { Kysely } from 'kysely';

/** What people heard. The index names are the design document's; `track_path` in them became the track's id. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('listening_sessions')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    // No cascade: a track row is never deleted while somebody heard it.
    .addColumn('track_id', id, (c) => c.notNull().references('tracks.id'))
    .addColumn('client_session_id', 'text')
    .addColumn('started_at', epoch, (c) => c.notNull())
    .addColumn('ended_at', epoch)
    .addColumn('duration_played', real, (c) => c.notNull().defaultTo(0))
    .addColumn('completed', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('counted', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('source', 'text', (c) => c.notNull())
    .addColumn('scrobbled_listenbrainz', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('client_info_json', json, (c) => c.notNull().defaultTo('{}'))
    .addColumn('last_seq', 'integer', (c) => c.notNull().defaultTo(-1))
    .addColumn('position_ms', real, (c) => c.notNull())
    .addColumn('reported_at_ms', epochMs, (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('rate', real, (c) => c.notNull().defaultTo(1))
    .addColumn('spans_json', json, (c) => c.notNull().defaultTo('[]'))
    .execute();
  await db.schema
    .createIndex('idx_listening_sessions_client')
    .unique()
    .on('listening_sessions')
    .columns(['user_id', 'client_session_id'])
    .execute();
  await db.schema
    .createIndex('idx_listening_sessions_user_id')
    .on('listening_sessions')
    .columns(['user_id', 'counted', 'started_at', 'id'])
    .execute();
  await db.schema
    .createIndex('idx_listening_sessions_track_path')
    .on('listening_sessions')
    .column('track_id')
    .execute();
  await db.schema
    .createIndex('idx_listening_sessions_started_at')
    .on('listening_sessions')
    .column('started_at')
    .execute();
  await db.schema
    .createIndex('idx_listening_sessions_user_track')
    .on('listening_sessions')
    .columns(['user_id', 'track_id'])
    .execute();
}
