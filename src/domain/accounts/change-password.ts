import { audit } from '../admin/audit.ts';
import { DomainError } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { newPasswordProblem } from './accounts.rules.ts';
import { endSignIns } from './end-sign-ins.ts';
import { hashPassword } from './password-hash.ts';
import { provePassword, requireLocalAccount } from './prove-password.ts';
import type { changePassword as endpoint } from '#contract/security.ts';
import type { Input } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Guesses } from './prove-password.ts';

/**
 * Changes the caller's password. Every other session of theirs and every access token ends before this returns; API
 * tokens stay.
 * @throws DomainError `invalid`, `forbidden` (wrong current password), `too_many`, `conflict` (changed meanwhile),
 * `unprocessable` with an outside provider.
 */
export async function changePassword(
  ctx: Ctx,
  actor: Actor,
  { current_password, new_password }: Input<typeof endpoint>,
  guesses: Guesses,
): Promise<void> {
  await requireLocalAccount(ctx, actor);
  const problem = newPasswordProblem(new_password, current_password);
  if (problem !== null) {
    const message = `The new password ${problem}.`;
    throw new DomainError('invalid', message, { errors: [{ path: 'new_password', message }] });
  }
  const account = await provePassword(ctx, guesses, actor, current_password);
  const password_hash = await hashPassword(new_password);
  await inTransaction(ctx, async (tx) => {
    const changed = await tx.trx
      .updateTable('local_accounts')
      .set({ password_hash, password_changed_at: epochSeconds(tx.clock) })
      .where('id', '=', account.id)
      // The one that was proved: of two changes at once, or a reset meanwhile, one counts and the other is told.
      .where('password_hash', '=', account.password_hash)
      .returning('id')
      .executeTakeFirst();
    if (changed === undefined) {
      throw new DomainError('conflict', 'Your password was changed in another place just now. Sign in with that one.');
    }
    await endSignIns(tx, {
      user_id: actor.user_id,
      account_id: account.id,
      except_session_id: actor.credential.kind === 'session' ? actor.credential.session_id : null,
    });
    await audit(tx, { action: 'password.changed', actor_id: actor.user_id, target_id: actor.user_id });
  });
}
