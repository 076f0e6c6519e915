import { changeAccess } from '../accounts/change-access.ts';
import { inTransaction } from '../unit-of-work.ts';
import { readUser } from './users.queries.ts';
import type { AdminUser, changeUser as endpoint } from '#contract/admin.ts';
import type { Input } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';

/**
 * [AD3] Gives a person another stored role, or locks them out or in; returns once their open sockets follow.
 * @throws DomainError `not_found`, `conflict` (the last administrator).
 */
export async function changeUser(
  ctx: Ctx,
  actor: Actor,
  { id, ...change }: Input<typeof endpoint>,
): Promise<AdminUser> {
  await inTransaction(ctx, (tx) => changeAccess(tx, actor, id, change));
  return readUser(ctx, id);
}
