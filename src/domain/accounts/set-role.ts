import { inTransaction } from '../unit-of-work.ts';
import { changeAccess } from './change-access.ts';
import { requireUserByName } from './accounts.queries.ts';
import { LOCAL_ISSUER } from './ensure-user.ts';
import type { Role } from '#contract/accounts.ts';
import type { Ctx } from '../context.ts';

/**
 * Gives the person of this name another stored role, as the operator; it counts from their next request.
 * @throws DomainError `not_found`, `conflict` (the last administrator).
 */
export async function setRole(
  ctx: Ctx,
  input: { username: string; role: Role },
): Promise<{ user_id: string; username: string; previous: Role; is_local: boolean }> {
  const { id } = await requireUserByName(ctx.db, input.username);
  const before = await inTransaction(ctx, (tx) => changeAccess(tx, null, id, { role: input.role }));
  return {
    user_id: id,
    username: before.username,
    previous: before.role,
    is_local: before.issuer === LOCAL_ISSUER,
  };
}
