import { findPasswordHash } from './accounts.queries.ts';
import { PASSWORD_MAX } from './accounts.rules.ts';
import { pretendToVerify, verifyPassword } from './password-hash.ts';
import type { Ctx } from '../context.ts';

export type PasswordCheck =
  { outcome: 'right'; account_id: string; has_second_factor: boolean } | { outcome: 'wrong' } | { outcome: 'disabled' };

/**
 * Checks a local account's password. An unknown name costs the same time as a wrong password and has the same outcome;
 * that an account is disabled, or has a second factor, is told only to who knows its password.
 */
export async function checkPassword(ctx: Ctx, input: { username: string; password: string }): Promise<PasswordCheck> {
  const password = input.password.slice(0, PASSWORD_MAX * 2);
  const account = await findPasswordHash(ctx.db, input.username);
  if (account === null) {
    await pretendToVerify(password);
    return { outcome: 'wrong' };
  }
  if (!(await verifyPassword(account.password_hash, password))) return { outcome: 'wrong' };
  if (account.is_active !== 1) return { outcome: 'disabled' };
  return { outcome: 'right', account_id: account.id, has_second_factor: account.totp_confirmed_at !== null };
}
