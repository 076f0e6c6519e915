import { sql } from 'kysely';
import { byCodeUnit, flag } from './_columns.ts';
import type { Kysely } from 'kysely';

/**
 * Playlists: an entry is one row, which says who added it, and whether and where it is in the list now. What is in a list becomes a
 * view of those rows. Places are order keys alone: nothing has to be counted or spread out when somebody edits.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { supportsTransactionalDdl: isPostgres } = db.getExecutor().adapter;
  await db.schema
    .alterTable('playlist_entries')
    .addColumn('is_live', flag, (c) => c.notNull().defaultTo(0))
    .execute();
  await db.schema
    .alterTable('playlist_entries')
    .addColumn('order_key', 'text', (c) => c.modifyEnd(byCodeUnit(db)))
    .execute();
  // SQLite compares by code unit as it is.
  if (isPostgres) {
    await sql`alter table playlist_entries alter column entry_id type text collate "C"`.execute(db);
  }
  await sql`
    insert into playlist_entries
      (playlist_id, entry_id, track_id, text_json, added_by_user_id, added_at, order_key, is_live)
    select playlist_id, entry_id, track_id, text_json, added_by_user_id, added_at, order_key, 1
    from playlist_tracks where true
    on conflict (playlist_id, entry_id) do update set order_key = excluded.order_key, is_live = 1
  `.execute(db);
  await db.schema.dropTable('playlist_tracks').execute();
  // '~' sorts behind every digit of an order key: entries without one come last.
  await sql`
    create index idx_playlist_entries_place on playlist_entries (playlist_id, (coalesce(order_key, '~')), entry_id)
    where is_live = 1
  `.execute(db);
  await sql`
    create view playlist_tracks as
    select playlist_id, entry_id, track_id, text_json, order_key, coalesce(order_key, '~') as place, added_at, added_by_user_id
    from playlist_entries where is_live = 1
  `.execute(db);
  // Written with every turn of a room, and read by list: the key is in the order of time already.
  await db.schema.dropIndex('idx_playlist_changes_created_at').execute();
}
