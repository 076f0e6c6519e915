import { epochSeconds } from '../ports.ts';
import { DomainError, notFound } from '../errors.ts';
import { inTransaction } from '../unit-of-work.ts';
import { isBlocked } from './social.access.ts';
import { deleteFollow, insertFollow } from './social.repository.ts';
import type { Actor, Ctx } from '../context.ts';

/**
 * Follows a person; twice is once.
 * @throws DomainError not_found, unprocessable (oneself)
 */
export async function followUser(ctx: Ctx, actor: Actor, { user_id }: { user_id: string }): Promise<void> {
  if (user_id === actor.user_id) throw new DomainError('unprocessable', 'You cannot follow yourself.');
  await inTransaction(ctx, async (tx) => {
    const person = await tx.trx
      .selectFrom('users')
      .select('id')
      .where('id', '=', user_id)
      .where('is_active', '=', 1)
      .where((eb) => eb.not(isBlocked(actor.user_id, 'users.id')))
      .executeTakeFirst();
    if (person === undefined) throw notFound('person');
    const isNew = await insertFollow(tx.trx, actor.user_id, user_id, epochSeconds(tx.clock));
    if (isNew) {
      tx.publish({ name: 'follow.created', payload: { follower_id: actor.user_id, following_id: user_id } });
    }
  });
}

/** Stops following a person; it is no error not to have followed. */
export async function unfollowUser(ctx: Ctx, actor: Actor, { user_id }: { user_id: string }): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    if (await deleteFollow(tx.trx, actor.user_id, user_id)) {
      tx.publish({ name: 'follow.removed', payload: { follower_id: actor.user_id, following_id: user_id } });
    }
  });
}
