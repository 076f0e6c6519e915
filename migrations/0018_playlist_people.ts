import { bytes, epoch, id, json } from './_columns.ts';
import type { Kysely } from 'kysely';

/** Playlists: invitations by link, covers, what was changed by whom, checkpoints to go back to, and epochs of the document. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('user_playlists')
    .addColumn('epoch', 'integer', (c) => c.notNull().defaultTo(1))
    .execute();
  // No reference: where a list came from is said even when that is gone.
  await db.schema.alterTable('user_playlists').addColumn('copied_from_id', id).execute();

  await db.schema
    .createTable('playlist_invites')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('playlist_id', id, (c) => c.notNull().references('user_playlists.id').onDelete('cascade'))
    .addColumn('code_hash', 'text', (c) => c.notNull().unique())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addColumn('expires_at', epoch, (c) => c.notNull())
    .addColumn('accepted_at', epoch)
    .addColumn('accepted_by', id, (c) => c.references('users.id').onDelete('set null'))
    .execute();
  await db.schema
    .createIndex('idx_playlist_invites_playlist_id')
    .on('playlist_invites')
    .columns(['playlist_id', 'created_at'])
    .execute();

  await db.schema
    .createTable('playlist_covers')
    .addColumn('playlist_id', id, (c) => c.primaryKey().references('user_playlists.id').onDelete('cascade'))
    .addColumn('id', id, (c) => c.notNull())
    .addColumn('webp', bytes, (c) => c.notNull())
    .addColumn('created_at', epoch, (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('playlist_changes')
    .addColumn('playlist_id', id, (c) => c.notNull().references('user_playlists.id').onDelete('cascade'))
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('part', 'integer', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('user_id', id, (c) => c.references('users.id').onDelete('set null'))
    .addColumn('entry_ids_json', json, (c) => c.notNull())
    .addColumn('details_json', json)
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('playlist_changes_pk', ['playlist_id', 'seq', 'part'])
    .execute();
  await db.schema
    .createIndex('idx_playlist_changes_created_at')
    .on('playlist_changes')
    .columns(['playlist_id', 'created_at'])
    .execute();

  await db.schema
    .createTable('playlist_checkpoints')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('playlist_id', id, (c) => c.notNull().references('user_playlists.id').onDelete('cascade'))
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('user_id', id, (c) => c.references('users.id').onDelete('set null'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('places_json', json, (c) => c.notNull())
    .addColumn('track_count', 'integer', (c) => c.notNull())
    .addColumn('created_at', epoch, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('idx_playlist_checkpoints_playlist_id')
    .on('playlist_checkpoints')
    .columns(['playlist_id', 'created_at'])
    .execute();

  await db.schema
    .createTable('playlist_retired_clients')
    .addColumn('playlist_id', id, (c) => c.notNull().references('user_playlists.id').onDelete('cascade'))
    .addColumn('client_id', 'bigint', (c) => c.notNull())
    .addColumn('epoch', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('playlist_retired_clients_pk', ['playlist_id', 'client_id'])
    .execute();
}
