import { addPlaylistTracks, movePlaylistTracks, removePlaylistTracks } from '#contract/playlists.ts';
import { addEntries, entriesOf, MAX_ENTRIES, moveEntries, removeEntries } from '#contract/playlist-doc.ts';
import { DomainError } from '../errors.ts';
import { existingTrackIds } from '../library/library.queries.ts';
import { epochSeconds } from '../ports.ts';
import { requireListRight } from './playlists.access.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';

/**
 * Adds tracks in the given order, at the end or before an entry (one that is gone means the end).
 * @throws DomainError not_found, forbidden, unprocessable (a track the library never had), too_large
 */
export async function addTracks(
  ctx: Ctx,
  actor: Actor,
  { id, track_ids, before_entry_id }: Input<typeof addPlaylistTracks>,
): Promise<Reply<typeof addPlaylistTracks>> {
  await requireListRight(ctx.db, actor, addPlaylistTracks, id);
  const known = await existingTrackIds(ctx.db, track_ids);
  const unknown = track_ids.flatMap((track_id, i) =>
    known.has(track_id) ? [] : [{ path: `track_ids.${i}`, message: 'no such track' }],
  );
  if (unknown.length > 0) {
    throw new DomainError('unprocessable', 'Some of these tracks are not in the library.', {
      errors: unknown.slice(0, 20),
    });
  }
  const added_at = epochSeconds(ctx.clock);
  const added = track_ids.map((track_id) => ({
    entry_id: ctx.ids.id(),
    value: { track_id, added_by: actor.user_id, added_at },
  }));
  await ctx.playlistDocs.transact(id, actor.user_id, (doc) => {
    if (entriesOf(doc).size + added.length > MAX_ENTRIES) {
      throw new DomainError('too_large', `A playlist holds at most ${MAX_ENTRIES} entries.`);
    }
    addEntries(doc, added, before_entry_id ?? null);
  });
  return { entry_ids: added.map((entry) => entry.entry_id) };
}

/** Moves entries, keeping their order. @throws DomainError not_found, forbidden, unprocessable (none of them is there) */
export async function moveTracks(
  ctx: Ctx,
  actor: Actor,
  { id, entry_ids, before_entry_id }: Input<typeof movePlaylistTracks>,
): Promise<void> {
  await requireListRight(ctx.db, actor, movePlaylistTracks, id);
  const moved = await ctx.playlistDocs.transact(id, actor.user_id, (doc) =>
    moveEntries(doc, entry_ids, before_entry_id),
  );
  if (moved.length === 0) throw new DomainError('unprocessable', 'None of these entries is in the playlist.');
}

/** Removes entries; those already gone are no error. @throws DomainError not_found, forbidden */
export async function removeTracks(
  ctx: Ctx,
  actor: Actor,
  { id, entry_ids }: Input<typeof removePlaylistTracks>,
): Promise<void> {
  await requireListRight(ctx.db, actor, removePlaylistTracks, id);
  await ctx.playlistDocs.transact(id, actor.user_id, (doc) => removeEntries(doc, entry_ids));
}
