import { audit } from '../admin/audit.ts';
import { DomainError, notFound } from '../errors.ts';
import { hashSecret } from '../hash-secret.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { insertResetLink } from './accounts.repository.ts';
import { passwordProblem } from './accounts.rules.ts';
import { endSignIns } from './end-sign-ins.ts';
import { LOCAL_ISSUER } from './ensure-user.ts';
import { hashPassword } from './password-hash.ts';
import type { Schema } from '../database.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Kysely } from 'kysely';

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

const spent = () =>
  new DomainError('not_found', 'This link has already been used, was replaced by a newer one, or is too old.');

/** Whose password a link would set, if it still works for an account that may sign in. */
async function findReset(db: Kysely<Schema>, token: string, now: number) {
  return db
    .selectFrom('one_time_links')
    .innerJoin('local_accounts', 'local_accounts.id', 'one_time_links.account_id')
    .innerJoin('users', (join) =>
      join.onRef('users.subject', '=', 'local_accounts.id').on('users.issuer', '=', LOCAL_ISSUER),
    )
    .select(['local_accounts.id as account_id', 'local_accounts.username', 'users.id as user_id'])
    .where('one_time_links.hash', '=', hashSecret(token))
    .where('one_time_links.purpose', '=', 'reset')
    .where('one_time_links.expires_at', '>', now)
    .where('local_accounts.is_active', '=', 1)
    .executeTakeFirst();
}

/** The username a reset link is for; null for a link that does not work (any more). */
export async function usernameOfReset(ctx: Ctx, token: string): Promise<string | null> {
  return (await findReset(ctx.db, token, epochSeconds(ctx.clock)))?.username ?? null;
}

/**
 * Sets a new password by a link and uses the link up in the same transaction; whoever was signed in as that person is not
 * any more before this returns. A second factor stays.
 * @throws DomainError `not_found` for a link that does not work, `invalid` for the password: the link can be used again.
 */
export async function resetPassword(ctx: Ctx, token: string, password: string): Promise<{ username: string }> {
  // Before the work of hashing: only who holds a link causes it.
  if ((await findReset(ctx.db, token, epochSeconds(ctx.clock))) === undefined) throw spent();
  const problem = passwordProblem(password);
  if (problem !== null) {
    const message = `The password ${problem}.`;
    throw new DomainError('invalid', message, { errors: [{ path: 'password', message }] });
  }
  const password_hash = await hashPassword(password);
  return inTransaction(ctx, async (tx) => {
    const now = epochSeconds(tx.clock);
    const reset = await findReset(tx.trx, token, now);
    if (reset === undefined) throw spent();
    const { account_id, user_id, username } = reset;
    const taken = await tx.trx
      .deleteFrom('one_time_links')
      .where('hash', '=', hashSecret(token))
      .returning('hash')
      .executeTakeFirst();
    if (taken === undefined) throw spent();
    await tx.trx
      .updateTable('local_accounts')
      .set({ password_hash, password_changed_at: now })
      .where('id', '=', account_id)
      .execute();
    await endSignIns(tx, { user_id, account_id, except_session_id: null });
    await audit(tx, { action: 'password.reset', actor_id: user_id, target_id: user_id });
    return { username };
  });
}
