import type { Schema } from '../database.ts';
import type { Transaction } from 'kysely';
import type { UserBlocksTable } from './social.table.ts';

/** @returns false when they already did. */
export async function insertFollow(
  trx: Transaction<Schema>,
  follower_id: string,
  following_id: string,
  created_at: number,
): Promise<boolean> {
  const row = await trx
    .insertInto('user_follows')
    .values({ follower_id, following_id, created_at })
    .onConflict((conflict) => conflict.columns(['follower_id', 'following_id']).doNothing())
    .returning('follower_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** @returns false when they did not. */
export async function deleteFollow(
  trx: Transaction<Schema>,
  follower_id: string,
  following_id: string,
): Promise<boolean> {
  const row = await trx
    .deleteFrom('user_follows')
    .where('follower_id', '=', follower_id)
    .where('following_id', '=', following_id)
    .returning('follower_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** @returns false when it was there. */
export async function insertBlock(trx: Transaction<Schema>, block: UserBlocksTable): Promise<boolean> {
  const row = await trx
    .insertInto('user_blocks')
    .values(block)
    .onConflict((conflict) => conflict.columns(['blocker_id', 'blocked_id']).doNothing())
    .returning('blocker_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** @returns false when there was none. */
export async function deleteBlock(trx: Transaction<Schema>, blocker_id: string, blocked_id: string): Promise<boolean> {
  const row = await trx
    .deleteFrom('user_blocks')
    .where('blocker_id', '=', blocker_id)
    .where('blocked_id', '=', blocked_id)
    .returning('blocker_id')
    .executeTakeFirst();
  return row !== undefined;
}
