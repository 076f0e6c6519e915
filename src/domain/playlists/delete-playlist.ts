import { deletePlaylist as endpoint } from '#contract/playlists.ts';
import { notFound } from '../errors.ts';
import { inTransaction } from '../unit-of-work.ts';
import { requireListRight } from './playlists.access.ts';
import type { Actor, Ctx } from '../context.ts';

/** Deletes a list and its document; open copies are closed. @throws DomainError not_found, forbidden */
export async function deletePlaylist(ctx: Ctx, actor: Actor, { id }: { id: string }): Promise<void> {
  await requireListRight(ctx.db, actor, endpoint, id);
  await inTransaction(ctx, async (tx) => {
    const row = await tx.trx
      .deleteFrom('user_playlists')
      .where('id', '=', id)
      .where('user_id', '=', actor.user_id)
      .returning('id')
      .executeTakeFirst();
    if (row === undefined) throw notFound('playlist');
    tx.publish({ name: 'playlist.deleted', payload: { playlist_id: id } });
  });
}
