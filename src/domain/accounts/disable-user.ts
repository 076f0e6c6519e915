import { DomainError } from '../errors.ts';
import { inTransaction } from '../unit-of-work.ts';
import { deleteProviderSession } from './accounts.repository.ts';
import { foldUsername } from './accounts.rules.ts';
import { requireAnotherAdministrator } from './administrators.ts';
import { LOCAL_ISSUER } from './ensure-user.ts';
import type { Ctx } from '../context.ts';

/**
 * Locks a person out: no sign-in, no token, no session of theirs works from now on; what they made stays. Twice is once.
 * Their open sockets close when `access.ended` is heard, in the process that holds them.
 * @throws DomainError `not_found`, `conflict` (the last administrator).
 */
export async function disableUser(
  ctx: Ctx,
  input: { username: string },
): Promise<{ user_id: string; username: string; was_active: boolean }> {
  return inTransaction(ctx, async (tx) => {
    const user = await tx.trx
      .selectFrom('users')
      .select(['id', 'username', 'is_active', 'issuer', 'subject'])
      .where('username_key', '=', foldUsername(input.username))
      .executeTakeFirst();
    if (user === undefined) throw new DomainError('not_found', `There is nobody called “${input.username}”.`);
    await requireAnotherAdministrator(tx, user.id);
    await tx.trx.updateTable('users').set({ is_active: 0 }).where('id', '=', user.id).execute();
    if (user.issuer === LOCAL_ISSUER) {
      await tx.trx.updateTable('local_accounts').set({ is_active: 0 }).where('id', '=', user.subject).execute();
    }
    // Ended for good: an account that is let in again one day must not wake up its old sessions.
    const sessions = await tx.trx
      .deleteFrom('user_sessions')
      .where('user_id', '=', user.id)
      .returning('provider_sid')
      .execute();
    for (const { provider_sid } of sessions) {
      if (provider_sid !== null) await deleteProviderSession(tx.trx, provider_sid);
    }
    tx.publish({
      name: 'access.ended',
      payload: { user_id: user.id, which: { kind: 'everything' }, reason: 'disabled' },
    });
    return { user_id: user.id, username: user.username, was_active: user.is_active === 1 };
  });
}
