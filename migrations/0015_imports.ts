import { epoch, epochMs, id, json } from './_columns.ts';
import { sql } from 'kysely';
import type { Kysely } from 'kysely';

/** Long-running work that survives a crash, and listens that other programs know of. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('jobs')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('title', 'text', (c) => c.notNull())
    .addColumn('payload_json', json, (c) => c.notNull())
    .addColumn('report_json', json)
    .addColumn('done', 'bigint', (c) => c.notNull())
    .addColumn('total', 'bigint')
    .addColumn('problem', 'text')
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('due_at_ms', epochMs, (c) => c.notNull())
    .addColumn('lease', 'text')
    .addColumn('lease_ends_at_ms', epochMs)
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addColumn('started_at', epoch)
    .addColumn('finished_at', epoch)
    .execute();
  await db.schema.createIndex('idx_jobs_state').on('jobs').columns(['state', 'due_at_ms']).execute();
  await db.schema.createIndex('idx_jobs_user_id').on('jobs').columns(['user_id', 'created_at', 'id']).execute();

  await db.schema
    .createTable('job_rows')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('job_id', id, (c) => c.notNull().references('jobs.id').onDelete('cascade'))
    .addColumn('seq', 'integer', (c) => c.notNull())
    .addColumn('place', 'text', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('text', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('idx_job_rows_seq').on('job_rows').columns(['job_id', 'seq']).execute();
  await db.schema.createIndex('idx_job_rows_reason').on('job_rows').columns(['job_id', 'reason', 'seq']).execute();

  // A listen another program named that is a session we have: it is never taken for a second one.
  await db.schema
    .createTable('listen_aliases')
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('external_key', 'text', (c) => c.notNull())
    .addColumn('session_id', id, (c) => c.notNull().references('listening_sessions.id').onDelete('cascade'))
    // Which import said so; null: a program that submits.
    .addColumn('job_id', id)
    .addPrimaryKeyConstraint('listen_aliases_pk', ['user_id', 'external_key'])
    .execute();
  await db.schema.createIndex('idx_listen_aliases_session_id').on('listen_aliases').column('session_id').execute();

  // Hate, and love of what is not in the library; love of a track is a favourite.
  await db.schema
    .createTable('listen_feedback')
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('track_id', id, (c) => c.references('tracks.id').onDelete('set null'))
    .addColumn('recording_id', id, (c) => c.references('recordings.id').onDelete('set null'))
    .addColumn('recording_mbid', 'text')
    .addColumn('score', 'smallint', (c) => c.notNull())
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('listen_feedback_pk', ['user_id', 'subject'])
    .execute();
  await db.schema.createIndex('idx_listen_feedback_recording').on('listen_feedback').column('recording_id').execute();
  await db.schema.createIndex('idx_listen_feedback_mbid').on('listen_feedback').column('recording_mbid').execute();

  await db.schema
    .createTable('latest_imports')
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('service', 'text', (c) => c.notNull())
    .addColumn('ts', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('latest_imports_pk', ['user_id', 'service'])
    .execute();

  await db.schema.alterTable('tracks').addColumn('recording_mbid', 'text').execute();
  await db.schema.alterTable('tracks').addColumn('isrc', 'text').execute();
  await db.schema.createIndex('idx_tracks_recording_mbid').on('tracks').column('recording_mbid').execute();
  await db.schema.createIndex('idx_tracks_isrc').on('tracks').column('isrc').execute();
  // Known files are read once more, for the ids in their tags.
  await sql`update tracks set file_mtime_ms = -1`.execute(db);
}
