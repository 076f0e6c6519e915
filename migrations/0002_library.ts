import { byCodeUnit, epoch, epochMs, id, real } from './_columns.ts';
import type { Kysely } from 'kysely';

/** What music there is. Nothing a person did hangs on a file: tracks stay when their files go. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('artists')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('artist_key', 'text', (c) => c.notNull().unique())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('name_sort', 'text', (c) => c.notNull().modifyEnd(byCodeUnit(db)))
    .addColumn('search_text', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('idx_artists_name_sort').on('artists').columns(['name_sort', 'id']).execute();

  await db.schema
    .createTable('albums')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('album_key', 'text', (c) => c.notNull().unique())
    .addColumn('title', 'text', (c) => c.notNull())
    .addColumn('album_artist', 'text')
    .addColumn('year', 'integer')
    .addColumn('title_sort', 'text', (c) => c.notNull().modifyEnd(byCodeUnit(db)))
    .addColumn('search_text', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('idx_albums_title_sort').on('albums').columns(['title_sort', 'id']).execute();

  await db.schema
    .createTable('covers')
    .addColumn('hash', 'text', (c) => c.primaryKey())
    .addColumn('mime', 'text', (c) => c.notNull())
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('tracks')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('library_root', 'text', (c) => c.notNull())
    .addColumn('track_path', 'text', (c) => c.notNull())
    .addColumn('title', 'text', (c) => c.notNull())
    .addColumn('artist', 'text')
    .addColumn('album', 'text')
    .addColumn('album_artist', 'text')
    .addColumn('genre', 'text')
    .addColumn('year', 'integer')
    .addColumn('track_number', 'integer')
    .addColumn('disc_number', 'integer')
    .addColumn('duration', real)
    .addColumn('codec', 'text')
    .addColumn('container', 'text')
    .addColumn('album_id', id, (c) => c.references('albums.id').onDelete('set null'))
    .addColumn('artist_id', id, (c) => c.references('artists.id').onDelete('set null'))
    .addColumn('cover_hash', 'text', (c) => c.references('covers.hash').onDelete('set null'))
    .addColumn('cover_source', 'text')
    .addColumn('audio_hash', 'text', (c) => c.notNull())
    .addColumn('file_size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('file_mtime_ms', epochMs, (c) => c.notNull())
    .addColumn('search_text', 'text', (c) => c.notNull())
    .addColumn('title_sort', 'text', (c) => c.notNull().modifyEnd(byCodeUnit(db)))
    .addColumn('artist_sort', 'text', (c) => c.notNull().modifyEnd(byCodeUnit(db)))
    .addColumn('album_sort', 'text', (c) => c.notNull().modifyEnd(byCodeUnit(db)))
    .addColumn('added_at', epoch, (c) => c.notNull())
    .addColumn('updated_at', epoch, (c) => c.notNull())
    .addColumn('missing_since', epoch)
    .execute();
  await db.schema.createIndex('idx_tracks_path').on('tracks').columns(['library_root', 'track_path']).execute();
  await db.schema.createIndex('idx_tracks_track_path').on('tracks').column('track_path').execute();
  await db.schema.createIndex('idx_tracks_audio_hash').on('tracks').column('audio_hash').execute();
  await db.schema.createIndex('idx_tracks_title_sort').on('tracks').columns(['title_sort', 'id']).execute();
  await db.schema.createIndex('idx_tracks_artist_sort').on('tracks').columns(['artist_sort', 'id']).execute();
  await db.schema.createIndex('idx_tracks_album_sort').on('tracks').columns(['album_sort', 'id']).execute();
  await db.schema.createIndex('idx_tracks_album_id').on('tracks').column('album_id').execute();
  await db.schema.createIndex('idx_tracks_artist_id').on('tracks').column('artist_id').execute();

  await db.schema
    .createTable('track_genres')
    .addColumn('track_id', id, (c) => c.notNull().references('tracks.id').onDelete('cascade'))
    .addColumn('genre_key', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('track_genres_pk', ['track_id', 'genre_key'])
    .execute();
  await db.schema.createIndex('idx_track_genres_key').on('track_genres').columns(['genre_key', 'track_id']).execute();

  await db.schema
    .createTable('folder_images')
    .addColumn('library_root', 'text', (c) => c.notNull())
    .addColumn('folder', 'text', (c) => c.notNull())
    .addColumn('file_name', 'text', (c) => c.notNull())
    .addColumn('file_size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('file_mtime_ms', epochMs, (c) => c.notNull())
    .addColumn('cover_hash', 'text', (c) => c.references('covers.hash').onDelete('set null'))
    .addPrimaryKeyConstraint('folder_images_pk', ['library_root', 'folder'])
    .execute();

  await db.schema
    .createTable('scan_problems')
    .addColumn('library_root', 'text', (c) => c.notNull())
    .addColumn('track_path', 'text', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('file_size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('file_mtime_ms', epochMs, (c) => c.notNull())
    .addColumn('seen_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('scan_problems_pk', ['library_root', 'track_path'])
    .execute();
}
