import * as Y from 'yjs';
import { entriesOf, metaOf, orderOf } from '#contract/playlist-doc.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { showPlaylist } from './playlists.queries.ts';
import { projectChanges } from './project-tracks.ts';
import type { createPlaylist as endpoint } from '#contract/playlists.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx, TxCtx } from '../context.ts';
import type { PlacedEntry } from './project-tracks.ts';

/** What a new list begins with. */
interface NewList {
  id: string;
  name: string;
  description: string;
  is_public: boolean;
  is_collaborative: boolean;
  copied_from_id: string | null;
  entries: readonly PlacedEntry[];
}

/** A fresh document that holds this, as one update; entries without a time of their own were added at `at`, in epoch seconds. */
export function documentUpdate(
  {
    name,
    description,
    entries,
  }: Pick<NewList, 'name' | 'description'> & { entries: readonly (PlacedEntry & { added_at?: number })[] },
  at: number,
): Uint8Array {
  const doc = new Y.Doc();
  doc.transact(() => {
    metaOf(doc).set('name', name);
    metaOf(doc).set('description', description);
    for (const { entry_id, track_id, text, order_key, set_by, added_at } of entries) {
      entriesOf(doc).set(entry_id, {
        track_id,
        added_by: set_by,
        added_at: added_at ?? at,
        ...(text === null ? {} : { text }),
      });
      if (order_key !== null) orderOf(doc).set(entry_id, order_key);
    }
  });
  const bytes = Y.encodeStateAsUpdate(doc);
  doc.destroy();
  return bytes;
}

/** Stores a new list of the actor's: its document, and the rows that follow from it. */
export async function insertPlaylist(tx: TxCtx, actor: Actor, list: NewList): Promise<void> {
  const { id, entries, is_public, is_collaborative, ...shown } = list;
  const now = epochSeconds(tx.clock);
  await tx.trx
    .insertInto('user_playlists')
    .values({
      id,
      user_id: actor.user_id,
      ...shown,
      is_public: is_public ? 1 : 0,
      is_collaborative: is_collaborative ? 1 : 0,
      cover_image_url: null,
      created_at: now,
      updated_at: now,
      track_count: 0,
      total_duration: 0,
      source_service: 'local',
      external_id: null,
      version: 1,
      epoch: 1,
    })
    .execute();
  await tx.trx
    .insertInto('playlist_updates')
    .values({
      playlist_id: id,
      seq: 1,
      kind: 'snapshot',
      bytes: documentUpdate(list, now),
      user_id: actor.user_id,
      created_at: now,
    })
    .execute();
  if (entries.length > 0) await projectChanges(tx, id, { upserted: entries, removed: [] });
}

/** Makes a playlist with its first document; the actor owns it. */
export async function createPlaylist(
  ctx: Ctx,
  actor: Actor,
  input: Input<typeof endpoint>,
): Promise<Reply<typeof endpoint>> {
  const id = ctx.ids.id();
  await inTransaction(ctx, (tx) => insertPlaylist(tx, actor, { ...input, id, copied_from_id: null, entries: [] }));
  return showPlaylist(ctx, actor, id, 'owner');
}
