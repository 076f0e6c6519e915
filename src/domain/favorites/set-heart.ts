import { epochSeconds } from '../ports.ts';
import type { TxCtx } from '../context.ts';

/** Gives a track a person's heart, or takes it; their stars and notes stay. */
export async function setHeart(
  { trx, clock }: Pick<TxCtx, 'trx' | 'clock'>,
  user_id: string,
  track_id: string,
  isLoved: boolean,
  favorited_at: number = epochSeconds(clock),
): Promise<void> {
  if (isLoved) {
    await trx
      .insertInto('user_favorites')
      .values({ user_id, track_id, rating: null, favorited_at, notes: null })
      .onConflict((conflict) =>
        conflict.columns(['user_id', 'track_id']).doUpdateSet((eb) => ({
          // A heart that is there keeps the day it was given.
          favorited_at: eb.fn.coalesce('user_favorites.favorited_at', 'excluded.favorited_at'),
        })),
      )
      .execute();
    return;
  }
  await trx
    .updateTable('user_favorites')
    .set({ favorited_at: null })
    .where('user_id', '=', user_id)
    .where('track_id', '=', track_id)
    .execute();
  await trx
    .deleteFrom('user_favorites')
    .where('user_id', '=', user_id)
    .where('track_id', '=', track_id)
    .where('favorited_at', 'is', null)
    .where('rating', 'is', null)
    .where('notes', 'is', null)
    .execute();
}
