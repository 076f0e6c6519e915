import * as Y from 'yjs';
import { metaOf } from '#contract/playlist-doc.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { showPlaylist } from './playlists.queries.ts';
import type { createPlaylist as endpoint } from '#contract/playlists.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';

/** Makes a playlist with its first document; the actor owns it. */
export async function createPlaylist(
  ctx: Ctx,
  actor: Actor,
  input: Input<typeof endpoint>,
): Promise<Reply<typeof endpoint>> {
  const id = ctx.ids.id();
  const now = epochSeconds(ctx.clock);
  const doc = new Y.Doc();
  doc.transact(() => {
    metaOf(doc).set('name', input.name);
    metaOf(doc).set('description', input.description);
  });
  const bytes = Y.encodeStateAsUpdate(doc);
  doc.destroy();
  await inTransaction(ctx, async (tx) => {
    await tx.trx
      .insertInto('user_playlists')
      .values({
        id,
        user_id: actor.user_id,
        name: input.name,
        description: input.description,
        is_public: input.is_public ? 1 : 0,
        is_collaborative: input.is_collaborative ? 1 : 0,
        cover_image_url: null,
        created_at: now,
        updated_at: now,
        track_count: 0,
        total_duration: 0,
        source_service: 'local',
        external_id: null,
        version: 1,
      })
      .execute();
    await tx.trx
      .insertInto('playlist_updates')
      .values({ playlist_id: id, seq: 1, kind: 'snapshot', bytes, user_id: actor.user_id, created_at: now })
      .execute();
  });
  return showPlaylist(ctx, actor, id, 'owner');
}
