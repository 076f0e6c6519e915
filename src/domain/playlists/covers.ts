import { playlistCoverDoor, takePlaylistCoverDoor } from '#contract/doors.ts';
import { removePlaylistCover as removeEndpoint } from '#contract/playlists.ts';
import { notFound } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { isMemberOf, isShownTo, requireListRight } from './playlists.access.ts';
import { showPlaylist } from './playlists.queries.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { Input } from '#contract/endpoint.ts';
import type { Actor, Ctx, TxCtx } from '../context.ts';

/** Pixels of a side of the square that is kept. */
export const PLAYLIST_COVER_SIZE = 640;

/** Where a list's picture is; another picture has another address, so that no page shows an old one. */
export function coverAddress(playlist_id: string, cover_id: string): string {
  return `/api/v1/playlists/${playlist_id}/cover?v=${cover_id}`;
}

/** Writes the address of a list's picture, if the actor may edit it as this is written. @throws DomainError not_found */
async function setAddress(tx: TxCtx, actor: Actor, playlist_id: string, address: string | null): Promise<void> {
  const list = await tx.trx
    .updateTable('user_playlists')
    .set((eb) => ({
      cover_image_url: address,
      updated_at: epochSeconds(tx.clock),
      version: eb('version', '+', 1),
    }))
    .where('id', '=', playlist_id)
    .where(isMemberOf(actor.user_id, playlist_id, ['editor']))
    .returning('id')
    .executeTakeFirst();
  if (list === undefined) throw notFound('playlist');
  tx.publish({ name: 'playlist.details_changed', payload: { playlist_id } });
}

/** Whether the actor may give a list a picture, asked before one is read. @throws DomainError not_found, forbidden */
export async function requireCoverRight(ctx: Ctx, actor: Actor, playlist_id: string): Promise<void> {
  await requireListRight(ctx.db, actor, takePlaylistCoverDoor, playlist_id);
}

/** [PL25] Gives a list a picture, a webp already made harmless, in place of an earlier one. @throws DomainError not_found, forbidden */
export async function setCover(ctx: Ctx, actor: Actor, playlist_id: string, webp: Uint8Array): Promise<Playlist> {
  const role = await requireListRight(ctx.db, actor, takePlaylistCoverDoor, playlist_id);
  await inTransaction(ctx, async (tx) => {
    const cover = { id: tx.ids.id(), webp, created_at: epochSeconds(tx.clock) };
    await setAddress(tx, actor, playlist_id, coverAddress(playlist_id, cover.id));
    await tx.trx
      .insertInto('playlist_covers')
      .values({ playlist_id, ...cover })
      .onConflict((conflict) => conflict.column('playlist_id').doUpdateSet(cover))
      .execute();
  });
  return showPlaylist(ctx, actor, playlist_id, role);
}

/** Takes the picture off a list; without one nothing happens. @throws DomainError not_found, forbidden */
export async function removeCover(ctx: Ctx, actor: Actor, { id }: Input<typeof removeEndpoint>): Promise<void> {
  await requireListRight(ctx.db, actor, removeEndpoint, id);
  await inTransaction(ctx, async (tx) => {
    const gone = await tx.trx
      .deleteFrom('playlist_covers')
      .where('playlist_id', '=', id)
      .returning('id')
      .executeTakeFirst();
    if (gone !== undefined) await setAddress(tx, actor, id, null);
  });
}

/** [PL25] The picture of a list the actor may read, and its id. @throws DomainError not_found */
export async function cover(ctx: Ctx, actor: Actor, playlist_id: string): Promise<{ id: string; webp: Buffer }> {
  await requireListRight(ctx.db, actor, playlistCoverDoor, playlist_id);
  const row = await ctx.db
    .selectFrom('playlist_covers')
    .select(['id', 'webp'])
    .where(
      'playlist_id',
      'in',
      ctx.db
        .selectFrom('user_playlists')
        .select('id')
        .where('id', '=', playlist_id)
        .where(isShownTo(actor.user_id, 'user_playlists.id')),
    )
    .executeTakeFirst();
  if (row === undefined) throw notFound('picture');
  return { id: row.id, webp: Buffer.from(row.webp) };
}
