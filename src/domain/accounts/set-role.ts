import { DomainError } from '../errors.ts';
import { inTransaction } from '../unit-of-work.ts';
import { updateUser } from './accounts.repository.ts';
import { foldUsername } from './accounts.rules.ts';
import { requireAnotherAdministrator } from './administrators.ts';
import { LOCAL_ISSUER } from './ensure-user.ts';
import type { Role } from '#contract/accounts.ts';
import type { Ctx } from '../context.ts';

/**
 * Gives a person another role; it counts from their next request. Where an outside provider names a role at sign-in, that
 * one wins as long as the session lasts.
 * @throws DomainError `not_found`, `conflict` (the last administrator).
 */
export async function setRole(
  ctx: Ctx,
  input: { username: string; role: Role },
): Promise<{ user_id: string; username: string; previous: Role; is_local: boolean }> {
  return inTransaction(ctx, async (tx) => {
    const user = await tx.trx
      .selectFrom('users')
      .select(['id', 'username', 'role', 'issuer', 'subject'])
      .where('username_key', '=', foldUsername(input.username))
      .executeTakeFirst();
    if (user === undefined) throw new DomainError('not_found', `There is nobody called “${input.username}”.`);
    if (input.role !== 'admin') await requireAnotherAdministrator(tx, user.id);
    await updateUser(tx.trx, user.id, { role: input.role });
    if (user.role !== input.role) tx.publish({ name: 'role.changed', payload: { user_id: user.id, role: input.role } });
    const is_local = user.issuer === LOCAL_ISSUER;
    // The embedded provider tells its own copy at the next sign-in: it must not bring the old role back.
    if (is_local) {
      await tx.trx.updateTable('local_accounts').set({ role: input.role }).where('id', '=', user.subject).execute();
    }
    return { user_id: user.id, username: user.username, previous: user.role, is_local };
  });
}
