import { renderSVG } from 'uqr';
import { audit } from '../admin/audit.ts';
import { DomainError } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { LOCAL_ISSUER } from './ensure-user.ts';
import { provePassword, requireLocalAccount } from './prove-password.ts';
import { clearSecondFactor, replaceRecoveryCodes, takeTotpStep } from './second-factor.repository.ts';
import { newTotpSecret, readTotpCode, totpStepOf, totpUri } from './totp.rules.ts';
import type { SecondFactor } from '#contract/security.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Guesses } from './prove-password.ts';

/** Where an account's secret belongs: sealed for this place, it opens nowhere else. */
const placeOf = (account_id: string) => ({
  user_id: account_id,
  table: 'local_accounts',
  column: 'totp_secret_encrypted',
});

/** The secret of an account's app; null when it cannot be read: its key is missing, or it was tampered with. */
export function openTotpSecret(ctx: Ctx, account_id: string, sealed: string): string | null {
  try {
    const secret = ctx.secrets.open(sealed, placeOf(account_id));
    if (secret === null) ctx.log.warn('a second factor cannot be checked: the key it was sealed with is missing');
    return secret;
  } catch (error) {
    ctx.log.error('a second factor cannot be checked: it was changed in the database', {}, error);
    return null;
  }
}

/** Whether signing in asks the caller for a code. */
export async function readSecondFactor(ctx: Ctx, actor: Actor): Promise<SecondFactor> {
  const row = await ctx.db
    .selectFrom('users')
    .innerJoin('local_accounts', 'local_accounts.id', 'users.subject')
    .select((eb) => [
      'local_accounts.totp_confirmed_at',
      eb
        .selectFrom('recovery_codes')
        .whereRef('recovery_codes.account_id', '=', 'local_accounts.id')
        .where('recovery_codes.used_at', 'is', null)
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .as('recovery_codes_left'),
    ])
    .where('users.id', '=', actor.user_id)
    .where('users.issuer', '=', LOCAL_ISSUER)
    .executeTakeFirst();
  if (row === undefined) return { is_available: false, is_enabled: false, enabled_at: null, recovery_codes_left: 0 };
  return {
    is_available: true,
    is_enabled: row.totp_confirmed_at !== null,
    enabled_at: row.totp_confirmed_at,
    recovery_codes_left: Number(row.recovery_codes_left),
  };
}

/**
 * A fresh secret for the caller's authenticator app, in place of one that was begun before; it counts once confirmed.
 * @throws DomainError `forbidden` (wrong password), `too_many`, `conflict` (already on), `unprocessable` with an outside
 * provider.
 */
export async function beginSecondFactor(
  ctx: Ctx,
  actor: Actor,
  { current_password }: { current_password: string },
  guesses: Guesses,
): Promise<{ secret: string; uri: string; qr_svg: string }> {
  const account = await provePassword(ctx, guesses, actor, current_password);
  const secret = newTotpSecret();
  const totp_secret_encrypted = ctx.secrets.seal(secret, placeOf(account.id));
  const begun = await inTransaction(ctx, ({ trx }) =>
    trx
      .updateTable('local_accounts')
      .set({ totp_secret_encrypted, totp_last_step: null })
      .where('id', '=', account.id)
      .where('totp_confirmed_at', 'is', null)
      .returning('id')
      .executeTakeFirst(),
  );
  if (begun === undefined) {
    throw new DomainError('conflict', 'Your second factor is on already. Turn it off first to set up another app.');
  }
  const uri = totpUri(secret, account.username);
  // Level M bears a smudged screen; a quiet zone of four modules as the standard asks (ISO/IEC 18004 §6.3.8).
  return { secret, uri, qr_svg: renderSVG(uri, { ecc: 'M', border: 4, pixelSize: 4 }) };
}

/**
 * Turns the second factor on by a code of the new secret. The codes returned are kept as hashes alone.
 * @throws DomainError `invalid` (wrong code), `conflict` (nothing begun, or on already), `unavailable` (the key of the
 * secret is gone), `unprocessable` with an outside provider.
 */
export async function confirmSecondFactor(
  ctx: Ctx,
  actor: Actor,
  { code }: { code: string },
): Promise<{ recovery_codes: string[] }> {
  const account = await requireLocalAccount(ctx, actor);
  const sealed_secret = account.totp_secret_encrypted;
  if (sealed_secret === null) throw new DomainError('conflict', 'Begin first: ask for a secret for your app.');
  if (account.totp_confirmed_at !== null) throw new DomainError('conflict', 'Your second factor is on already.');
  const secret = openTotpSecret(ctx, account.id, sealed_secret);
  if (secret === null) throw new DomainError('unavailable', 'That secret cannot be read any more. Begin again.');
  const digits = readTotpCode(code);
  const step = digits === null ? null : totpStepOf(secret, digits, ctx.clock.nowMs());
  if (step === null) {
    const message =
      'That is not the code your app shows now. Wait for the next one, and check the clock of your phone.';
    throw new DomainError('invalid', message, { errors: [{ path: 'code', message }] });
  }
  return inTransaction(ctx, async (tx) => {
    // Nobody is let in by the code that turned it on.
    const isTaken = await takeTotpStep(tx.trx, { account_id: account.id, sealed_secret, step });
    const confirmed = await tx.trx
      .updateTable('local_accounts')
      .set({ totp_confirmed_at: epochSeconds(tx.clock) })
      .where('id', '=', account.id)
      .where('totp_confirmed_at', 'is', null)
      .returning('id')
      .executeTakeFirst();
    if (!isTaken || confirmed === undefined) {
      throw new DomainError('conflict', 'This was done or begun anew in another place just now.');
    }
    const recovery_codes = await replaceRecoveryCodes(tx.trx, account.id);
    await audit(tx, { action: 'second_factor.enabled', actor_id: actor.user_id, target_id: actor.user_id });
    return { recovery_codes };
  });
}

/**
 * Fresh recovery codes; the old ones let nobody in any more.
 * @throws DomainError `forbidden` (wrong password), `too_many`, `conflict` (not on), `unprocessable` with an outside
 * provider.
 */
export async function renewRecoveryCodes(
  ctx: Ctx,
  actor: Actor,
  { current_password }: { current_password: string },
  guesses: Guesses,
): Promise<{ recovery_codes: string[] }> {
  const account = await provePassword(ctx, guesses, actor, current_password);
  return inTransaction(ctx, async (tx) => {
    // The row is kept to this transaction: turning off at the same time leaves no codes behind.
    const isOn = await tx.trx
      .updateTable('local_accounts')
      .set((eb) => ({ totp_confirmed_at: eb.ref('totp_confirmed_at') }))
      .where('id', '=', account.id)
      .where('totp_confirmed_at', 'is not', null)
      .returning('id')
      .executeTakeFirst();
    if (isOn === undefined) throw new DomainError('conflict', 'Your second factor is not on.');
    const recovery_codes = await replaceRecoveryCodes(tx.trx, account.id);
    await audit(tx, { action: 'recovery_codes.renewed', actor_id: actor.user_id, target_id: actor.user_id });
    return { recovery_codes };
  });
}

/**
 * Turns the caller's second factor off, or drops one that was begun. Off already is off.
 * @throws DomainError `forbidden` (wrong password), `too_many`, `unprocessable` with an outside provider.
 */
export async function endSecondFactor(
  ctx: Ctx,
  actor: Actor,
  { current_password }: { current_password: string },
  guesses: Guesses,
): Promise<void> {
  const account = await provePassword(ctx, guesses, actor, current_password);
  await inTransaction(ctx, async (tx) => {
    if (!(await clearSecondFactor(tx.trx, account.id))) return;
    await audit(tx, { action: 'second_factor.disabled', actor_id: actor.user_id, target_id: actor.user_id });
  });
}
