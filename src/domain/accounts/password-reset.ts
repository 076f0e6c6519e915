import { audit } from '../admin/audit.ts';
import { DomainError, notFound } from '../errors.ts';
import { hashSecret } from '../hash-secret.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { LOCAL_ISSUER } from './ensure-user.ts';
import { insertResetLink } from './accounts.repository.ts';
import type { Actor, Ctx } from '../context.ts';

/** Seconds a reset link works. */
const LINK_LIFE = 24 * 3600;

/**
 * A one-time link's secret by which a person sets a new password, in place of an earlier one of theirs; only its hash is
 * kept. `actor` null: the operator at the command line. `expires_at` is in epoch seconds.
 * @throws DomainError `not_found`; `unprocessable` for an account of an outside provider; `conflict` for a disabled one.
 */
export async function createPasswordReset(
  ctx: Ctx,
  actor: Actor | null,
  input: { user_id: string },
): Promise<{ token: string; expires_at: number }> {
  const token = ctx.ids.secret();
  const created_at = epochSeconds(ctx.clock);
  const expires_at = created_at + LINK_LIFE;
  await inTransaction(ctx, async (tx) => {
    const user = await tx.trx
      .selectFrom('users')
      .select(['id', 'issuer', 'subject', 'is_active'])
      .where('id', '=', input.user_id)
      .executeTakeFirst();
    if (user === undefined) throw notFound('person');
    if (user.issuer !== LOCAL_ISSUER) {
      throw new DomainError(
        'unprocessable',
        'This account signs in at the OpenID provider: its password is set there, not here.',
      );
    }
    if (user.is_active !== 1) {
      throw new DomainError('conflict', 'This account is disabled: let it in again before its password is reset.');
    }
    await insertResetLink(tx.trx, { hash: hashSecret(token), account_id: user.subject, created_at, expires_at });
    await audit(tx, { action: 'password_reset.created', actor_id: actor?.user_id ?? null, target_id: user.id });
  });
  return { token, expires_at };
}
