import { writeMarks } from './favorites.repository.ts';
import type { TxCtx } from '../context.ts';

/** Gives a track a person's heart, or takes it, within what another slice does; their stars and notes stay. */
export async function setHeart(
  tx: Pick<TxCtx, 'trx' | 'clock' | 'publish'>,
  user_id: string,
  track_id: string,
  isLoved: boolean,
  favorited_at: number,
): Promise<void> {
  await writeMarks(tx, user_id, [{ track_id, is_favorite: isLoved, favorited_at }]);
}
