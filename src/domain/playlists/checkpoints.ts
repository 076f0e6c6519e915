import { epochSeconds } from '../ports.ts';
import type { CheckpointReason } from '#contract/playlists.ts';
import type { TxCtx } from '../context.ts';

/** Seconds between two checkpoints of a list that is being edited. */
export const CHECKPOINT_EVERY_SECONDS = 3_600;
/** So many entries removed at once are many, however long the list. */
const MANY_REMOVED = 10;
/** Above this part of a list they are many too, unless they can be counted on one hand. */
const MANY_REMOVED_PART = 0.2;
const FEW_REMOVED = 3;
/** Checkpoints a list keeps: two days of editing without a break, and weeks of usual use. */
const KEPT = 50;

/** [PL27] Whether this many entries one person takes away at once are worth a checkpoint, of a list that had `before`. */
export function isMassRemoval(removed: number, before: () => number): boolean {
  return removed >= MANY_REMOVED || (removed >= FEW_REMOVED && removed > before() * MANY_REMOVED_PART);
}

export interface NewCheckpoint {
  id: string;
  reason: CheckpointReason;
  /** Whose edit it is taken before; null for several people's. */
  user_id: string | null;
}

/**
 * [PL27] Keeps a list as its rows are now, which is as it was before the edit that this transaction stores; the oldest of more than
 * 50 goes. Of an empty list none is made in passing, because there is nothing to go back to.
 */
export async function takeCheckpoint(
  { trx, clock }: TxCtx,
  playlist_id: string,
  checkpoint: NewCheckpoint,
): Promise<void> {
  const rows = await trx
    .selectFrom('playlist_tracks')
    .select(['entry_id', 'order_key'])
    .where('playlist_id', '=', playlist_id)
    .orderBy('place')
    .orderBy('entry_id')
    .execute();
  if (rows.length === 0 && checkpoint.reason === 'hourly') return;
  const list = await trx
    .selectFrom('user_playlists')
    .select(['name', 'description'])
    .where('id', '=', playlist_id)
    .executeTakeFirst();
  // Deleted meanwhile: what is stored next finds that too.
  if (list === undefined) return;
  await trx
    .insertInto('playlist_checkpoints')
    .values({
      ...checkpoint,
      playlist_id,
      ...list,
      places_json: JSON.stringify(rows.map(({ entry_id, order_key }) => [entry_id, order_key])),
      track_count: rows.length,
      created_at: epochSeconds(clock),
    })
    .execute();
  await trx
    .deleteFrom('playlist_checkpoints')
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('playlist_checkpoints')
        .select('id')
        .where('playlist_id', '=', playlist_id)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(KEPT)
        .offset(KEPT),
    )
    .execute();
}
