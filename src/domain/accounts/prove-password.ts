import { DomainError } from '../errors.ts';
import { PASSWORD_MAX } from './accounts.rules.ts';
import { LOCAL_ISSUER } from './ensure-user.ts';
import { verifyPassword } from './password-hash.ts';
import type { Actor, Ctx } from '../context.ts';

/** A guess at a password or code under way, counted as failed until it is known better. */
export interface Guess {
  /** It was not wrong: as if it had not been made. */
  undo(): Promise<void>;
  /** It was right and the last one asked for: earlier failures of this name from here are forgotten. */
  succeeded(): Promise<void>;
}

/** Slows guessing down; provided by the server. */
export interface Guesses {
  /**
   * Counts a guess before it is made, so that many at once cannot get past the limit.
   * @throws DomainError `too_many` while whoever asks has to wait.
   */
  begin(who: {
    username: string;
    /** An address, or what stands for one browser. */
    from: string;
    /** From where that person signed in before. */
    isKnown: boolean;
    what: 'password' | 'code';
  }): Promise<Guess>;
}

/**
 * The caller's own account of the embedded provider.
 * @throws DomainError `unprocessable` when it lives at an outside provider.
 */
export async function requireLocalAccount(ctx: Ctx, actor: Actor) {
  const account = await ctx.db
    .selectFrom('users')
    .innerJoin('local_accounts', 'local_accounts.id', 'users.subject')
    .select([
      'local_accounts.id',
      'local_accounts.username',
      'local_accounts.password_hash',
      'local_accounts.totp_secret_encrypted',
      'local_accounts.totp_confirmed_at',
    ])
    .where('users.id', '=', actor.user_id)
    .where('users.issuer', '=', LOCAL_ISSUER)
    .executeTakeFirst();
  if (account !== undefined) return account;
  throw new DomainError(
    'unprocessable',
    'You sign in with an outside service: your password and second factor are kept there. Change them in your account at that service.',
  );
}

/**
 * Has the caller prove that they know their password, with the same patience as signing in.
 * @returns their account
 * @throws DomainError `forbidden` for a wrong password, `too_many`, `unprocessable` with an outside provider.
 */
export async function provePassword(ctx: Ctx, guesses: Guesses, actor: Actor, password: string) {
  const account = await requireLocalAccount(ctx, actor);
  const { credential } = actor;
  const guess = await guesses.begin({
    username: account.username,
    // Whoever holds a stolen session does not hold the person up elsewhere.
    from: credential.kind === 'session' ? `session:${credential.session_id}` : `${credential.kind}:${actor.user_id}`,
    isKnown: true,
    what: 'password',
  });
  let isRight: boolean;
  try {
    isRight = await verifyPassword(account.password_hash, password.slice(0, PASSWORD_MAX * 2));
  } catch (error) {
    await guess.undo();
    throw error;
  }
  if (!isRight) {
    const message = 'That is not your current password.';
    throw new DomainError('forbidden', message, { errors: [{ path: 'current_password', message }] });
  }
  await guess.succeeded();
  return account;
}
