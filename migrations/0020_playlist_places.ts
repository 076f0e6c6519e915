import { sql } from 'kysely';
import type { Kysely } from 'kysely';

/**
 * Playlists: `position` says which entry comes before which, with room between them, so that an edit writes the rows it
 * touches and no others; and an index by order key to find an entry's neighbours.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // '~' sorts behind every digit of an order key: entries without one come last.
  await sql`
    create index idx_playlist_tracks_place on playlist_tracks (playlist_id, (coalesce(order_key, '~')), entry_id)
  `.execute(db);
  await sql`update playlist_tracks set position = position * 1024`.execute(db);
}
