import { DomainError, notFound } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { isBlocked } from './social.access.ts';
import { deleteBlock, deleteFollow, insertBlock } from './social.repository.ts';
import type { Actor, Ctx } from '../context.ts';

/**
 * Blocks a person: from then on each is to the other as if not there. Follows between the two are over, and neither is on a
 * playlist of the other any more. Twice is once.
 * @throws DomainError not_found (also for somebody who has blocked the actor), unprocessable (oneself)
 */
export async function blockUser(ctx: Ctx, actor: Actor, { user_id }: { user_id: string }): Promise<void> {
  if (user_id === actor.user_id) throw new DomainError('unprocessable', 'You cannot block yourself.');
  const pair = { blocker_id: actor.user_id, blocked_id: user_id };
  await inTransaction(ctx, async (tx) => {
    const { trx } = tx;
    const known = await trx
      .selectFrom('user_blocks')
      .select('created_at')
      .where('blocker_id', '=', actor.user_id)
      .where('blocked_id', '=', user_id)
      .executeTakeFirst();
    if (known !== undefined) return;
    const person = await trx
      .selectFrom('users')
      .select('id')
      .where('id', '=', user_id)
      .where('is_active', '=', 1)
      .where((eb) => eb.not(isBlocked(actor.user_id, 'users.id')))
      .executeTakeFirst();
    if (person === undefined) throw notFound('person');
    if (!(await insertBlock(trx, { ...pair, created_at: epochSeconds(tx.clock) }))) return;
    for (const [follower_id, following_id] of [
      [actor.user_id, user_id],
      [user_id, actor.user_id],
    ] as const) {
      if (await deleteFollow(trx, follower_id, following_id)) {
        tx.publish({ name: 'follow.removed', payload: { follower_id, following_id } });
      }
      const left = await trx
        .deleteFrom('playlist_collaborators')
        .where('user_id', '=', follower_id)
        .where('playlist_id', 'in', (eb) =>
          eb
            .selectFrom('user_playlists')
            .select('user_playlists.id')
            .where('user_playlists.user_id', '=', following_id),
        )
        .returning('playlist_id')
        .execute();
      for (const { playlist_id } of left) {
        tx.publish({ name: 'playlist.member_changed', payload: { playlist_id, user_id: follower_id, role: null } });
      }
    }
    tx.publish({ name: 'block.created', payload: pair });
  });
}

/** Takes a block back; it is no error if there is none. What it ended stays ended. */
export async function unblockUser(ctx: Ctx, actor: Actor, { user_id }: { user_id: string }): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    if (await deleteBlock(tx.trx, actor.user_id, user_id)) {
      tx.publish({ name: 'block.removed', payload: { blocker_id: actor.user_id, blocked_id: user_id } });
    }
  });
}
