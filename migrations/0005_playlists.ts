import { byCodeUnit, bytes, epoch, flag, id, json, real } from './_columns.ts';
import type { Kysely } from 'kysely';

/** Playlists: who owns and edits them, the log of their documents, and the rows derived from those. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('user_playlists')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('is_public', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('is_collaborative', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('cover_image_url', 'text')
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addColumn('updated_at', epoch, (c) => c.notNull())
    .addColumn('track_count', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('total_duration', real, (c) => c.notNull().defaultTo(0))
    .addColumn('source_service', 'text', (c) => c.notNull().defaultTo('local'))
    .addColumn('external_id', 'text')
    .addColumn('version', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  await db.schema.createIndex('idx_user_playlists_user_id').on('user_playlists').column('user_id').execute();
  await db.schema.createIndex('idx_user_playlists_public').on('user_playlists').column('is_public').execute();

  await db.schema
    .createTable('playlist_tracks')
    .addColumn('playlist_id', id, (c) => c.notNull().references('user_playlists.id').onDelete('cascade'))
    .addColumn('entry_id', id, (c) => c.notNull().modifyEnd(byCodeUnit(db)))
    .addColumn('track_id', id, (c) => c.references('tracks.id'))
    .addColumn('text_json', json)
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('order_key', 'text', (c) => c.modifyEnd(byCodeUnit(db)))
    .addColumn('added_at', epoch, (c) => c.notNull())
    .addColumn('added_by_user_id', id, (c) => c.references('users.id').onDelete('set null'))
    .addPrimaryKeyConstraint('playlist_tracks_pk', ['playlist_id', 'entry_id'])
    .execute();
  await db.schema
    .createIndex('idx_playlist_tracks_playlist_id')
    .on('playlist_tracks')
    .columns(['playlist_id', 'position'])
    .execute();
  await db.schema.createIndex('idx_playlist_tracks_track_id').on('playlist_tracks').column('track_id').execute();

  await db.schema
    .createTable('playlist_entries')
    .addColumn('playlist_id', id, (c) => c.notNull().references('user_playlists.id').onDelete('cascade'))
    .addColumn('entry_id', id, (c) => c.notNull())
    .addColumn('track_id', id, (c) => c.references('tracks.id'))
    .addColumn('text_json', json)
    .addColumn('added_by_user_id', id, (c) => c.references('users.id').onDelete('set null'))
    .addColumn('added_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('playlist_entries_pk', ['playlist_id', 'entry_id'])
    .execute();

  await db.schema
    .createTable('playlist_collaborators')
    .addColumn('playlist_id', id, (c) => c.notNull().references('user_playlists.id').onDelete('cascade'))
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('added_at', epoch, (c) => c.notNull())
    .addColumn('added_by_user_id', id, (c) => c.references('users.id').onDelete('set null'))
    .addPrimaryKeyConstraint('playlist_collaborators_pk', ['playlist_id', 'user_id'])
    .execute();
  await db.schema
    .createIndex('idx_playlist_collaborators_user_id')
    .on('playlist_collaborators')
    .column('user_id')
    .execute();

  await db.schema
    .createTable('playlist_updates')
    .addColumn('playlist_id', id, (c) => c.notNull().references('user_playlists.id').onDelete('cascade'))
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('bytes', bytes, (c) => c.notNull())
    .addColumn('user_id', id, (c) => c.references('users.id').onDelete('set null'))
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('playlist_updates_pk', ['playlist_id', 'seq'])
    .execute();

  await db.schema
    .createTable('playlist_clients')
    .addColumn('playlist_id', id, (c) => c.notNull().references('user_playlists.id').onDelete('cascade'))
    .addColumn('client_id', 'bigint', (c) => c.notNull())
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('first_seen_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('playlist_clients_pk', ['playlist_id', 'client_id'])
    .execute();

  await db.schema
    .createTable('playlist_tickets')
    .addColumn('hash', 'text', (c) => c.primaryKey())
    .addColumn('playlist_id', id, (c) => c.notNull().references('user_playlists.id').onDelete('cascade'))
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('asker_json', json, (c) => c.notNull())
    .addColumn('expires_at', epoch, (c) => c.notNull())
    .execute();
}
