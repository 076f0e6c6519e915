import { metaOf } from '#contract/playlist-doc.ts';
import { setVisibility, updatePlaylist as endpoint } from '#contract/playlists.ts';
import { notFound } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { requireListRight } from './playlists.access.ts';
import { showPlaylist } from './playlists.queries.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';

/**
 * Changes the named fields. Name and description are edits of the shared document; who may see the list is the owner's.
 * @throws DomainError not_found, forbidden
 */
export async function updatePlaylist(
  ctx: Ctx,
  actor: Actor,
  { id, name, description, is_public, is_collaborative }: Input<typeof endpoint>,
): Promise<Reply<typeof endpoint>> {
  const changesVisibility = is_public !== undefined || is_collaborative !== undefined;
  const role = await requireListRight(ctx.db, actor, changesVisibility ? setVisibility : endpoint, id);
  if (name !== undefined || description !== undefined) {
    await ctx.playlistDocs.transact(id, actor.user_id, (doc) => {
      if (name !== undefined) metaOf(doc).set('name', name);
      if (description !== undefined) metaOf(doc).set('description', description);
    });
  }
  if (changesVisibility) {
    await inTransaction(ctx, async (tx) => {
      const row = await tx.trx
        .updateTable('user_playlists')
        .set({
          ...(is_public === undefined ? {} : { is_public: is_public ? 1 : 0 }),
          ...(is_collaborative === undefined ? {} : { is_collaborative: is_collaborative ? 1 : 0 }),
          updated_at: epochSeconds(tx.clock),
        })
        .where('id', '=', id)
        .where('user_id', '=', actor.user_id)
        .returning('id')
        .executeTakeFirst();
      if (row === undefined) throw notFound('playlist');
      tx.publish({ name: 'playlist.visibility_changed', payload: { playlist_id: id } });
    });
  }
  return showPlaylist(ctx, actor, id, role);
}
