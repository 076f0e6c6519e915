import { epochSeconds } from '../ports.ts';
import type { EntryTextValue } from '#contract/playlist-doc.ts';
import type { TxCtx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { ExpressionBuilder } from 'kysely';

/** Rows of one statement; both databases take this many parameters. */
const CHUNK = 200;

export interface PlacedEntry {
  entry_id: string;
  track_id: string | null;
  text: EntryTextValue | null;
  order_key: string | null;
  /** Who set it in this edit; for an entry the ledger knows already, the ledger decides. */
  set_by: string | null;
}

/** What an edit changed in the document, as far as rows follow from it. */
export interface Change {
  /** Entries that are in the list now and were added, or placed anew. */
  upserted: readonly PlacedEntry[];
  removed: readonly string[];
  name?: string;
  description?: string;
}

function chunks<T>(items: readonly T[]): T[][] {
  const out: T[][] = [];
  for (let i = 0; i < items.length; i += CHUNK) out.push(items.slice(i, i + CHUNK));
  return out;
}

/**
 * Lets the rows follow the document.
 * @returns the playlist's new version, the epoch of its document, and whose it is
 */
export async function projectChanges(
  tx: TxCtx,
  playlist_id: string,
  change: Change,
): Promise<{ version: number; epoch: number; owner_id: string }> {
  const now = epochSeconds(tx.clock);
  for (const ids of chunks(change.removed)) {
    await tx.trx
      .updateTable('playlist_entries')
      .set({ is_live: 0, order_key: null })
      .where('playlist_id', '=', playlist_id)
      .where('entry_id', 'in', ids)
      .execute();
  }
  for (const part of chunks(change.upserted)) await upsertEntries(tx, playlist_id, part, now);

  const row = await tx.trx
    .updateTable('user_playlists')
    .set((eb) => ({
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.description === undefined ? {} : { description: change.description }),
      updated_at: now,
      version: eb('version', '+', 1),
      ...sumsOf(eb, playlist_id),
    }))
    .where('id', '=', playlist_id)
    .returning(['version', 'epoch', 'user_id as owner_id'])
    .executeTakeFirstOrThrow();
  return row;
}

function sumsOf(eb: ExpressionBuilder<Schema, 'user_playlists'>, playlist_id: string) {
  return {
    track_count: eb
      .selectFrom('playlist_tracks')
      .select(eb.fn.countAll<number>().as('n'))
      .where('playlist_id', '=', playlist_id),
    total_duration: eb
      .selectFrom('playlist_tracks')
      .innerJoin('tracks', 'tracks.id', 'playlist_tracks.track_id')
      .select((inner) => inner.fn.coalesce(inner.fn.sum<number>('tracks.duration'), inner.lit(0)).as('seconds'))
      .where('playlist_id', '=', playlist_id),
  };
}

/** Counts a list anew: what single edits keep by adding and taking away, and tracks that were read anew since. */
export async function countAnew(tx: TxCtx, playlist_id: string): Promise<void> {
  await tx.trx
    .updateTable('user_playlists')
    .set((eb) => sumsOf(eb, playlist_id))
    .where('id', '=', playlist_id)
    .execute();
}

async function upsertEntries(
  tx: TxCtx,
  playlist_id: string,
  entries: readonly PlacedEntry[],
  now: number,
): Promise<void> {
  await tx.trx
    .insertInto('playlist_entries')
    .values(
      entries.map(({ entry_id, track_id, text, set_by, order_key }) => ({
        playlist_id,
        entry_id,
        track_id,
        text_json: text === null ? null : JSON.stringify(text),
        added_by_user_id: set_by,
        added_at: now,
        is_live: 1,
        order_key,
      })),
    )
    // Who added it, and what it is, stays as the ledger has it.
    .onConflict((conflict) =>
      conflict
        .columns(['playlist_id', 'entry_id'])
        .doUpdateSet((eb) => ({ is_live: 1, order_key: eb.ref('excluded.order_key') })),
    )
    .execute();
}
