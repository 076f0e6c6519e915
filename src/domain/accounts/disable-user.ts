import { inTransaction } from '../unit-of-work.ts';
import { requireUserByName } from './accounts.queries.ts';
import { changeAccess } from './change-access.ts';
import type { Ctx } from '../context.ts';

export interface LockedUser {
  user_id: string;
  username: string;
  was_active: boolean;
}

/**
 * Locks the person of this name out, as the operator: no sign-in, token or session of theirs works from now on; what they
 * made stays. Twice is once. Their open sockets close when `access.ended` is heard, in the process that holds them.
 * @throws DomainError `not_found`, `conflict` (the last administrator).
 */
export function disableUser(ctx: Ctx, input: { username: string }): Promise<LockedUser> {
  return setActive(ctx, input.username, false);
}

/**
 * Lets the person of this name in again, as the operator; they sign in anew. Their API tokens work again.
 * @throws DomainError `not_found`.
 */
export function enableUser(ctx: Ctx, input: { username: string }): Promise<LockedUser> {
  return setActive(ctx, input.username, true);
}

async function setActive(ctx: Ctx, username: string, is_active: boolean): Promise<LockedUser> {
  const { id } = await requireUserByName(ctx.db, username);
  const before = await inTransaction(ctx, (tx) => changeAccess(tx, null, id, { is_active }));
  return { user_id: id, username: before.username, was_active: before.is_active === 1 };
}
