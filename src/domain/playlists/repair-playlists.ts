import * as Y from 'yjs';
import { metaOf, readList } from '#contract/playlist-doc.ts';
import { notFound } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { documentUpdate } from './create-playlist.ts';
import { documentOf } from './document.ts';
import { projectChanges } from './project-tracks.ts';
import type { EntryTextValue } from '#contract/playlist-doc.ts';
import type { Ctx, TxCtx } from '../context.ts';

/** `sound`: rows and document say the same; `repaired`: they do now; `unreadable`: the log has a gap, so nothing was touched. */
export type RepairOutcome = 'sound' | 'repaired' | 'unreadable';

/** Every list there is. */
export async function allPlaylistIds(ctx: Ctx): Promise<string[]> {
  const rows = await ctx.db.selectFrom('user_playlists').select('id').orderBy('created_at').orderBy('id').execute();
  return rows.map((row) => row.id);
}

/** Keeps a list to this transaction: no edit of it is stored meanwhile. @throws DomainError not_found */
async function hold({ trx }: TxCtx, playlist_id: string) {
  const list = await trx
    .updateTable('user_playlists')
    .set((eb) => ({ version: eb.ref('version') }))
    .where('id', '=', playlist_id)
    .returningAll()
    .executeTakeFirst();
  if (list === undefined) throw notFound('playlist');
  return list;
}

async function logOf({ trx }: TxCtx, playlist_id: string): Promise<{ updates: Uint8Array[]; last_seq: number }> {
  const rows = await trx
    .selectFrom('playlist_updates')
    .select(['seq', 'bytes'])
    .where('playlist_id', '=', playlist_id)
    .orderBy('seq')
    .execute();
  return { updates: rows.map((row) => row.bytes), last_seq: rows.at(-1)?.seq ?? 0 };
}

/** The document of a log; null when it cannot be read. A list without any log was never one. */
function readable(ctx: Ctx, playlist_id: string, updates: readonly Uint8Array[]): Y.Doc | null {
  if (updates.length === 0) return null;
  try {
    return documentOf(updates);
  } catch (error) {
    ctx.log.warn('the log of a playlist cannot be read', {
      playlist_id,
      reason: error instanceof Error ? error.message : '',
    });
    return null;
  }
}

/**
 * [PL31] Verifies a list's rows against its document and the ledger, and builds them anew where they differ.
 * @throws DomainError not_found
 */
export async function repairPlaylist(ctx: Ctx, playlist_id: string): Promise<RepairOutcome> {
  return inTransaction(ctx, async (tx) => {
    const list = await hold(tx, playlist_id);
    const { updates } = await logOf(tx, playlist_id);
    const doc = readable(ctx, playlist_id, updates);
    if (doc === null) return 'unreadable';
    try {
      const isRight = (await rowsOf(tx, playlist_id)) === (await rowsFrom(tx, list, doc));
      if (isRight) return 'sound';
      const version = await rebuildRows(tx, playlist_id, doc);
      tx.publish({ name: 'playlist.changed', payload: { playlist_id, version } });
      return 'repaired';
    } finally {
      doc.destroy();
    }
  });
}

/** What the rows of a list say, as one text to compare. */
async function rowsOf({ trx }: TxCtx, playlist_id: string): Promise<string> {
  const tracks = await trx
    .selectFrom('playlist_tracks')
    .select(['entry_id', 'order_key', 'track_id', 'text_json', 'added_by_user_id', 'added_at'])
    .where('playlist_id', '=', playlist_id)
    .orderBy('place')
    .orderBy('entry_id')
    .execute();
  const list = await trx
    .selectFrom('user_playlists')
    .select(['name', 'description', 'track_count', 'total_duration'])
    .where('id', '=', playlist_id)
    .executeTakeFirstOrThrow();
  return textOf(list, tracks);
}

function textOf(
  list: { name: string; description: string; track_count: number; total_duration: number },
  tracks: readonly {
    entry_id: string;
    order_key: string | null;
    track_id: string | null;
    text_json: string | null;
    added_by_user_id: string | null;
    added_at: number;
  }[],
): string {
  return JSON.stringify([
    [list.name, list.description, list.track_count, Math.round(list.total_duration)],
    ...tracks.map((row) => [
      row.entry_id,
      row.order_key,
      row.track_id,
      row.text_json,
      row.added_by_user_id,
      row.added_at,
    ]),
  ]);
}

/** What the rows of a list should say. An entry the ledger lacks makes them differ. */
async function rowsFrom(
  { trx }: TxCtx,
  list: { id: string; name: string; description: string },
  doc: Y.Doc,
): Promise<string> {
  const ledger = new Map(
    (await trx.selectFrom('playlist_entries').selectAll().where('playlist_id', '=', list.id).execute()).map((row) => [
      row.entry_id,
      row,
    ]),
  );
  const entries = readList(doc);
  const durations = new Map<string, number>();
  const ids = [...new Set([...ledger.values()].flatMap((row) => row.track_id ?? []))];
  for (let i = 0; i < ids.length; i += 500) {
    const some = ids.slice(i, i + 500);
    const rows = await trx.selectFrom('tracks').select(['id', 'duration']).where('id', 'in', some).execute();
    for (const row of rows) durations.set(row.id, row.duration ?? 0);
  }
  const tracks = entries.flatMap(({ entry_id, order_key }) => {
    const row = ledger.get(entry_id);
    return row === undefined ? [] : [{ ...row, entry_id, order_key }];
  });
  const total_duration = tracks.reduce((sum, row) => sum + (durations.get(row.track_id ?? '') ?? 0), 0);
  const name = metaOf(doc).get('name');
  return textOf(
    {
      // A document without a name leaves the one the list has.
      name: name === undefined || name === '' ? list.name : name,
      description: metaOf(doc).get('description') ?? list.description,
      track_count: entries.length,
      total_duration,
    },
    tracks,
  );
}

/** Builds a list's rows anew from its document and the ledger. @returns the list's version after it */
async function rebuildRows(tx: TxCtx, playlist_id: string, doc: Y.Doc): Promise<number> {
  await tx.trx
    .updateTable('playlist_entries')
    .set({ is_live: 0, order_key: null })
    .where('playlist_id', '=', playlist_id)
    .where('is_live', '=', 1)
    .execute();
  const name = metaOf(doc).get('name');
  const description = metaOf(doc).get('description');
  const { version } = await projectChanges(tx, playlist_id, {
    upserted: readList(doc).map(({ entry_id, track_id, text, order_key }) => ({
      entry_id,
      track_id,
      text: text ?? null,
      order_key,
      // Who added what the ledger does not know is nobody's word to take.
      set_by: null,
    })),
    removed: [],
    ...(name === undefined || name === '' ? {} : { name }),
    ...(description === undefined ? {} : { description }),
  });
  return version;
}

export interface Renewal {
  epoch: number;
  /** The rows, when the log could not be read any more. */
  from: 'document' | 'rows';
}

/**
 * [PL30] Begins a list's document anew with its present content and none of its past: what was overwritten or removed is in no log
 * any more, and copies of the earlier document are not taken back. With `forgets` the readable history, the checkpoints and the
 * ledger's word on removed entries go too, as an erasure needs it. Open copies close with 4409.
 * @throws DomainError not_found
 */
export async function renewPlaylist(
  ctx: Ctx,
  { playlist_id, forgets }: { playlist_id: string; forgets: boolean },
): Promise<Renewal> {
  return inTransaction(ctx, async (tx) => {
    await hold(tx, playlist_id);
    const { updates, last_seq } = await logOf(tx, playlist_id);
    const doc = readable(ctx, playlist_id, updates);
    if (doc !== null) {
      await rebuildRows(tx, playlist_id, doc);
      doc.destroy();
    }
    const list = await tx.trx
      .updateTable('user_playlists')
      .set((eb) => ({ epoch: eb('epoch', '+', 1), version: eb('version', '+', 1) }))
      .where('id', '=', playlist_id)
      .returning(['name', 'description', 'epoch'])
      .executeTakeFirstOrThrow();
    await retireClients(tx, { playlist_id, epoch: list.epoch - 1 }, updates);
    await replaceLog(tx, { playlist_id, last_seq, ...list });
    if (forgets) await forgetPast(tx, playlist_id);
    tx.publish({ name: 'playlist.superseded', payload: { playlist_id } });
    return { epoch: list.epoch, from: doc === null ? 'rows' : 'document' };
  });
}

/** Every client id that ever wrote: whoever names one of them holds an old copy. */
async function retireClients(
  { trx }: TxCtx,
  { playlist_id, epoch }: { playlist_id: string; epoch: number },
  updates: readonly Uint8Array[],
): Promise<void> {
  const leased = await trx
    .deleteFrom('playlist_clients')
    .where('playlist_id', '=', playlist_id)
    .returning('client_id')
    .execute();
  const client_ids = new Set(leased.map((row) => row.client_id));
  for (const bytes of updates) for (const client_id of clientsIn(bytes)) client_ids.add(client_id);
  const all = [...client_ids];
  for (let i = 0; i < all.length; i += 500) {
    await trx
      .insertInto('playlist_retired_clients')
      .values(all.slice(i, i + 500).map((client_id) => ({ playlist_id, client_id, epoch })))
      .onConflict((conflict) => conflict.columns(['playlist_id', 'client_id']).doNothing())
      .execute();
  }
}

function clientsIn(update: Uint8Array): number[] {
  try {
    return [...Y.parseUpdateMeta(update).to.keys()];
  } catch (error) {
    // Of bytes that are none of Yjs's no client has a copy; people's own ids are known by their leases besides.
    if (error instanceof Error) return [];
    throw error;
  }
}

async function replaceLog(
  { trx, clock }: TxCtx,
  list: { playlist_id: string; last_seq: number; name: string; description: string },
): Promise<void> {
  const { playlist_id, last_seq } = list;
  const rows = await trx
    .selectFrom('playlist_tracks')
    .selectAll()
    .where('playlist_id', '=', playlist_id)
    .orderBy('place')
    .orderBy('entry_id')
    .execute();
  const now = epochSeconds(clock);
  const bytes = documentUpdate(
    {
      ...list,
      entries: rows.map((row) => ({
        entry_id: row.entry_id,
        track_id: row.track_id,
        text: row.text_json === null ? null : (JSON.parse(row.text_json) as EntryTextValue),
        order_key: row.order_key,
        set_by: row.added_by_user_id,
        added_at: row.added_at,
      })),
    },
    now,
  );
  await trx.deleteFrom('playlist_updates').where('playlist_id', '=', playlist_id).execute();
  await trx
    .insertInto('playlist_updates')
    .values({ playlist_id, seq: Math.max(last_seq, 1), kind: 'snapshot', bytes, user_id: null, created_at: now })
    .execute();
}

async function forgetPast({ trx }: TxCtx, playlist_id: string): Promise<void> {
  await trx.deleteFrom('playlist_changes').where('playlist_id', '=', playlist_id).execute();
  await trx.deleteFrom('playlist_checkpoints').where('playlist_id', '=', playlist_id).execute();
  await trx.deleteFrom('playlist_entries').where('playlist_id', '=', playlist_id).where('is_live', '=', 0).execute();
}
