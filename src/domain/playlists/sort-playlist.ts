import { generateNKeysBetween } from 'fractional-indexing';
import { orderOf, readList } from '#contract/playlist-doc.ts';
import { sortPlaylist as endpoint } from '#contract/playlists.ts';
import { sortKey } from '../library/library.rules.ts';
import { requireListRight } from './playlists.access.ts';
import { orderValues } from './sort.rules.ts';
import type { SortBy } from '#contract/playlists.ts';
import type { EntryTextValue } from '#contract/playlist-doc.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type { SortValue } from './sort.rules.ts';

/**
 * [PL28] Puts a list in order as one edit of its document; equals keep their order, what is not known comes last either way. The list
 * is kept as it was, and an entry that comes in meanwhile stays behind those that were sorted.
 * @throws DomainError not_found, forbidden
 */
export async function sortPlaylist(
  ctx: Ctx,
  actor: Actor,
  { id, by, descending }: Input<typeof endpoint>,
): Promise<Reply<typeof endpoint>> {
  await requireListRight(ctx.db, actor, endpoint, id);
  const values = await valuesOf(ctx, id, by);
  const checkpoint_id = ctx.ids.id();
  const moved = await ctx.playlistDocs.transact(
    id,
    actor.user_id,
    (doc) => {
      const list = readList(doc).map(({ entry_id }) => entry_id);
      const sorted = orderValues(list, values, descending);
      const moving = sorted.filter((entry_id, i) => list[i] !== entry_id).length;
      if (moving === 0) return 0;
      const keys = generateNKeysBetween(null, null, sorted.length);
      sorted.forEach((entry_id, i) => {
        const key = keys[i];
        if (key !== undefined && orderOf(doc).get(entry_id) !== key) orderOf(doc).set(entry_id, key);
      });
      return moving;
    },
    { act: { kind: 'sorted', details: { by, descending }, checkpoint: { id: checkpoint_id, reason: 'before_sort' } } },
  );
  return { moved, checkpoint_id: moved === 0 ? null : checkpoint_id };
}

/** What each entry is sorted by; null when that is not known. */
async function valuesOf(ctx: Ctx, playlist_id: string, by: SortBy): Promise<Map<string, SortValue>> {
  const rows = await ctx.db
    .selectFrom('playlist_tracks')
    .leftJoin('tracks', 'tracks.id', 'playlist_tracks.track_id')
    .select([
      'playlist_tracks.entry_id',
      'playlist_tracks.text_json',
      'playlist_tracks.added_at',
      'tracks.title_sort',
      'tracks.artist_sort',
      'tracks.album_sort',
      'tracks.duration',
      'tracks.year',
    ])
    .where('playlist_tracks.playlist_id', '=', playlist_id)
    .execute();
  return new Map(
    rows.map((row): [string, SortValue] => {
      const text = row.text_json === null ? null : (JSON.parse(row.text_json) as EntryTextValue);
      const { title, artist, album } = text ?? {};
      switch (by) {
        case 'title':
          return [row.entry_id, row.title_sort ?? (title === undefined ? null : sortKey(title, artist ?? null))];
        case 'artist':
          return [row.entry_id, row.artist_sort ?? sortKey(artist ?? null, album ?? null, title ?? null)];
        case 'album':
          return [row.entry_id, row.album_sort ?? sortKey(album ?? null, artist ?? null, title ?? null)];
        case 'duration':
          return [row.entry_id, row.duration ?? (text?.duration_ms === undefined ? null : text.duration_ms / 1000)];
        case 'year':
          return [row.entry_id, row.year];
        case 'added_at':
          return [row.entry_id, row.added_at];
      }
    }),
  );
}
