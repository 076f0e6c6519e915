import { generateNKeysBetween } from 'fractional-indexing';
import { copyPlaylist as endpoint } from '#contract/playlists.ts';
import { notFound } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { insertPlaylist } from './create-playlist.ts';
import { isShownTo, requireListRight } from './playlists.access.ts';
import { coverAddress } from './covers.ts';
import { showPlaylist } from './playlists.queries.ts';
import type { EntryTextValue } from '#contract/playlist-doc.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx, TxCtx } from '../context.ts';

/**
 * [PL22] Makes a private list of the actor's with the entries, words and picture of one they may read; it says where it came from.
 * Entries get ids of their own, so that nothing done to one list touches the other.
 * @throws DomainError not_found, forbidden
 */
export async function copyPlaylist(
  ctx: Ctx,
  actor: Actor,
  { id: source_id, name }: Input<typeof endpoint>,
): Promise<Reply<typeof endpoint>> {
  await requireListRight(ctx.db, actor, endpoint, source_id);
  const id = ctx.ids.id();
  await inTransaction(ctx, async (tx) => {
    const source = await tx.trx
      .selectFrom('user_playlists')
      .select(['name', 'description'])
      .where('id', '=', source_id)
      .where(isShownTo(actor.user_id, 'user_playlists.id'))
      .executeTakeFirst();
    if (source === undefined) throw notFound('playlist');
    const rows = await tx.trx
      .selectFrom('playlist_tracks')
      .select(['track_id', 'text_json'])
      .where('playlist_id', '=', source_id)
      .orderBy('place')
      .orderBy('entry_id')
      .execute();
    const keys = generateNKeysBetween(null, null, rows.length);
    await insertPlaylist(tx, actor, {
      id,
      name: name ?? source.name,
      description: source.description,
      is_public: false,
      is_collaborative: false,
      copied_from_id: source_id,
      entries: rows.map(({ track_id, text_json }, i) => ({
        entry_id: tx.ids.id(),
        track_id,
        text: text_json === null ? null : (JSON.parse(text_json) as EntryTextValue),
        order_key: keys[i] ?? null,
        set_by: actor.user_id,
      })),
    });
    await copyCover(tx, source_id, id);
  });
  return showPlaylist(ctx, actor, id, 'owner');
}

async function copyCover({ trx, ids, clock }: TxCtx, from: string, to: string): Promise<void> {
  const cover = await trx
    .selectFrom('playlist_covers')
    .select('webp')
    .where('playlist_id', '=', from)
    .executeTakeFirst();
  if (cover === undefined) return;
  const cover_id = ids.id();
  await trx
    .insertInto('playlist_covers')
    .values({ playlist_id: to, id: cover_id, webp: cover.webp, created_at: epochSeconds(clock) })
    .execute();
  await trx
    .updateTable('user_playlists')
    .set({ cover_image_url: coverAddress(to, cover_id) })
    .where('id', '=', to)
    .execute();
}
