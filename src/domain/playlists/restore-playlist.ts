import { entriesOf, metaOf, orderOf } from '#contract/playlist-doc.ts';
import { restorePlaylist as endpoint } from '#contract/playlists.ts';
import { notFound } from '../errors.ts';
import { requireListRight } from './playlists.access.ts';
import { ledgerEntries } from './playlists.queries.ts';
import type { EntryTextValue, EntryValue } from '#contract/playlist-doc.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type * as Y from 'yjs';

/** A list as it is to be again. */
interface Wanted {
  name: string;
  description: string;
  /** Order keys by entry. */
  places: ReadonlyMap<string, string | null>;
  /** What the ledger has of those entries. */
  entries: ReadonlyMap<string, EntryValue>;
}

/**
 * [PL29] Brings a list back to a checkpoint, or to the last one at or before `at` (epoch seconds), by edits of its document as the
 * actor's: whoever has it open sees them come. Who added what stays the ledger's. The list is kept as it was, so that another restore
 * undoes this one.
 * @throws DomainError not_found, forbidden
 */
export async function restorePlaylist(
  ctx: Ctx,
  actor: Actor,
  { id, checkpoint_id, at }: Input<typeof endpoint>,
): Promise<Reply<typeof endpoint>> {
  await requireListRight(ctx.db, actor, endpoint, id);
  let query = ctx.db.selectFrom('playlist_checkpoints').selectAll().where('playlist_id', '=', id);
  if (checkpoint_id !== undefined) query = query.where('id', '=', checkpoint_id);
  if (at !== undefined) query = query.where('created_at', '<=', at);
  const checkpoint = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(1).executeTakeFirst();
  if (checkpoint === undefined) throw notFound('checkpoint');
  const places = new Map(JSON.parse(checkpoint.places_json) as [string, string | null][]);
  const wanted: Wanted = {
    name: checkpoint.name,
    description: checkpoint.description,
    places,
    entries: await entryValues(ctx, id, [...places.keys()]),
  };
  const undo_checkpoint_id = ctx.ids.id();
  const { isChanged, ...counts } = await ctx.playlistDocs.transact(id, actor.user_id, (doc) => bringBack(doc, wanted), {
    act: {
      kind: 'restored',
      details: { checkpoint_id: checkpoint.id },
      checkpoint: { id: undo_checkpoint_id, reason: 'before_restore' },
    },
  });
  return {
    checkpoint_id: checkpoint.id,
    at: checkpoint.created_at,
    undo_checkpoint_id: isChanged ? undo_checkpoint_id : null,
    ...counts,
  };
}

async function entryValues(ctx: Ctx, playlist_id: string, entry_ids: string[]): Promise<Map<string, EntryValue>> {
  const ledger = await ledgerEntries(ctx.db, playlist_id, entry_ids);
  return new Map(
    ledger.map(({ entry_id, track_id, text_json, added_by_user_id, added_at }) => [
      entry_id,
      {
        track_id,
        added_by: added_by_user_id,
        added_at,
        ...(text_json === null ? {} : { text: JSON.parse(text_json) as EntryTextValue }),
      },
    ]),
  );
}

/** Changes what is another than wanted, and nothing else. */
function bringBack(
  doc: Y.Doc,
  { name, description, places, entries: values }: Wanted,
): { isChanged: boolean; added: number; removed: number; moved: number } {
  const [meta, entries, order] = [metaOf(doc), entriesOf(doc), orderOf(doc)];
  const counts = { added: 0, removed: 0, moved: 0 };
  for (const entry_id of [...entries.keys()]) {
    if (places.has(entry_id)) continue;
    entries.delete(entry_id);
    order.delete(entry_id);
    counts.removed++;
  }
  for (const [entry_id, key] of places) {
    const isThere = entries.has(entry_id);
    const value = values.get(entry_id);
    // The ledger forgets only what had to be erased: that does not come back.
    if (!isThere && value === undefined) continue;
    if (!isThere && value !== undefined) {
      entries.set(entry_id, value);
      counts.added++;
    }
    if ((order.get(entry_id) ?? null) === key) continue;
    if (key === null) order.delete(entry_id);
    else order.set(entry_id, key);
    if (isThere) counts.moved++;
  }
  let isRenamed = false;
  for (const [field, value] of Object.entries({ name, description })) {
    if ((meta.get(field) ?? '') === value) continue;
    meta.set(field, value);
    isRenamed = true;
  }
  return { isChanged: isRenamed || counts.added + counts.removed + counts.moved > 0, ...counts };
}
