import { hashSecret } from '../hash-secret.ts';
import { RECOVERY_CODES, newRecoveryCode, readRecoveryCode } from './totp.rules.ts';
import type { TxCtx } from '../context.ts';

type Trx = TxCtx['trx'];

/**
 * What is kept of a recovery code. A fast hash is enough: 79 random bits cannot be tried out, unlike a password. The
 * account is in it, so that one try does not serve for all accounts of a stolen table.
 */
function hashRecoveryCode(account_id: string, plain: string): string {
  return hashSecret(`${account_id}\n${plain}`);
}

/** Makes fresh recovery codes in place of the account's old ones; they are not to be had again. */
export async function replaceRecoveryCodes(trx: Trx, account_id: string): Promise<string[]> {
  const codes = Array.from({ length: RECOVERY_CODES }, newRecoveryCode);
  await trx.deleteFrom('recovery_codes').where('account_id', '=', account_id).execute();
  await trx
    .insertInto('recovery_codes')
    .values(
      codes.map((code) => ({
        account_id,
        code_hash: hashRecoveryCode(account_id, readRecoveryCode(code) ?? code),
        used_at: null,
      })),
    )
    .execute();
  return codes;
}

/** Uses a recovery code up in one statement, so that of two at once one gets in; false when it is not there or was used. */
export async function takeRecoveryCode(
  trx: Trx,
  by: { account_id: string; plain: string; now: number },
): Promise<boolean> {
  const taken = await trx
    .updateTable('recovery_codes')
    .set({ used_at: by.now })
    .where('account_id', '=', by.account_id)
    .where('code_hash', '=', hashRecoveryCode(by.account_id, by.plain))
    .where('used_at', 'is', null)
    .returning('account_id')
    .executeTakeFirst();
  return taken !== undefined;
}

/** Notes the time step of an accepted code in one statement; false when that step or a later one was taken already. */
export async function takeTotpStep(
  trx: Trx,
  by: { account_id: string; sealed_secret: string; step: number },
): Promise<boolean> {
  const taken = await trx
    .updateTable('local_accounts')
    .set({ totp_last_step: by.step })
    .where('id', '=', by.account_id)
    // The secret the code was checked with: one that was replaced meanwhile vouches for nothing.
    .where('totp_secret_encrypted', '=', by.sealed_secret)
    .where((eb) => eb.or([eb('totp_last_step', 'is', null), eb('totp_last_step', '<', by.step)]))
    .returning('id')
    .executeTakeFirst();
  return taken !== undefined;
}

/** Takes an account's second factor off, begun or confirmed, with its recovery codes; says whether one was confirmed. */
export async function clearSecondFactor(trx: Trx, account_id: string): Promise<boolean> {
  const wasOn = await trx
    .selectFrom('local_accounts')
    .select('id')
    .where('id', '=', account_id)
    .where('totp_confirmed_at', 'is not', null)
    .executeTakeFirst();
  await trx
    .updateTable('local_accounts')
    .set({ totp_secret_encrypted: null, totp_confirmed_at: null, totp_last_step: null })
    .where('id', '=', account_id)
    .execute();
  await trx.deleteFrom('recovery_codes').where('account_id', '=', account_id).execute();
  await trx.deleteFrom('pending_second_factors').where('account_id', '=', account_id).execute();
  return wasOn !== undefined;
}
