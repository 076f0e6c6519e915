import { audit } from '../admin/audit.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { LOCAL_ISSUER } from './ensure-user.ts';
import { takeRecoveryCode, takeTotpStep } from './second-factor.repository.ts';
import { openTotpSecret } from './second-factor.ts';
import { readRecoveryCode, readTotpCode, totpStepOf } from './totp.rules.ts';
import type { Ctx } from '../context.ts';

/** Seconds between the right password and the code. */
const PENDING_LIFE = 300;
/** Codes tried before the password is asked again. */
export const CODE_TRIES = 5;

export interface PendingSecondFactor {
  account_id: string;
  username: string;
  /** False: codes of the app cannot be checked, since the key of the secret is missing. Recovery codes can. */
  is_readable: boolean;
}

/** Remembers that a sign-in's password was right and its second factor is still to come; a second time begins anew. */
export async function awaitSecondFactor(
  ctx: Ctx,
  { interaction_uid, account_id }: { interaction_uid: string; account_id: string },
): Promise<void> {
  const change = { account_id, tries: 0, expires_at: epochSeconds(ctx.clock) + PENDING_LIFE };
  await inTransaction(ctx, ({ trx }) =>
    trx
      .insertInto('pending_second_factors')
      .values({ interaction_uid, ...change })
      .onConflict((conflict) => conflict.column('interaction_uid').doUpdateSet(change))
      .execute(),
  );
}

async function find(ctx: Ctx, interaction_uid: string) {
  return ctx.db
    .selectFrom('pending_second_factors as pending')
    .innerJoin('local_accounts', 'local_accounts.id', 'pending.account_id')
    .select(['pending.account_id', 'local_accounts.username', 'local_accounts.totp_secret_encrypted'])
    .where('pending.interaction_uid', '=', interaction_uid)
    .where('pending.expires_at', '>', epochSeconds(ctx.clock))
    .where('pending.tries', '<', CODE_TRIES)
    .where('local_accounts.totp_confirmed_at', 'is not', null)
    .where('local_accounts.is_active', '=', 1)
    .executeTakeFirst();
}

/** Whose second factor a sign-in waits for; null when it waits for none (any more). */
export async function findPendingSecondFactor(ctx: Ctx, interaction_uid: string): Promise<PendingSecondFactor | null> {
  const row = await find(ctx, interaction_uid);
  if (row === undefined || row.totp_secret_encrypted === null) return null;
  const is_readable = openTotpSecret(ctx, row.account_id, row.totp_secret_encrypted) !== null;
  return { account_id: row.account_id, username: row.username, is_readable };
}

export type CodeCheck =
  | { outcome: 'right'; account_id: string; by: 'totp' | 'recovery_code' }
  | { outcome: 'wrong' }
  /** A code of an app, which cannot be checked without its key. */
  | { outcome: 'unreadable' }
  /** Too late, too often, or the password is not the same any more: it is asked anew. */
  | { outcome: 'over' };

/**
 * Checks what a sign-in's person typed: a code of their app, each taken once, or a recovery code, which is used up. The try
 * is counted before it is made, so that many at once are no more than many in turn.
 */
export async function checkSecondFactor(
  ctx: Ctx,
  { interaction_uid, typed }: { interaction_uid: string; typed: string },
): Promise<CodeCheck> {
  const row = await find(ctx, interaction_uid);
  const sealed_secret = row?.totp_secret_encrypted ?? null;
  if (row === undefined || sealed_secret === null) return { outcome: 'over' };
  const { account_id } = row;
  const digits = readTotpCode(typed);
  const plain = readRecoveryCode(typed);
  let step: number | null = null;
  if (digits !== null) {
    const secret = openTotpSecret(ctx, account_id, sealed_secret);
    if (secret === null) return { outcome: 'unreadable' };
    step = totpStepOf(secret, digits, ctx.clock.nowMs());
  }
  return inTransaction(ctx, async (tx) => {
    const counted = await tx.trx
      .updateTable('pending_second_factors')
      .set((eb) => ({ tries: eb('tries', '+', 1) }))
      .where('interaction_uid', '=', interaction_uid)
      .where('account_id', '=', account_id)
      .where('expires_at', '>', epochSeconds(tx.clock))
      .where('tries', '<', CODE_TRIES)
      .returning('account_id')
      .executeTakeFirst();
    if (counted === undefined) return { outcome: 'over' };
    const by = await take();
    if (by === null) return { outcome: 'wrong' };
    await tx.trx.deleteFrom('pending_second_factors').where('interaction_uid', '=', interaction_uid).execute();
    return { outcome: 'right', account_id, by };

    async function take(): Promise<'totp' | 'recovery_code' | null> {
      if (step !== null && (await takeTotpStep(tx.trx, { account_id, sealed_secret: sealed_secret!, step })))
        return 'totp';
      if (plain === null || !(await takeRecoveryCode(tx.trx, { account_id, plain, now: epochSeconds(tx.clock) })))
        return null;
      const user = await tx.trx
        .selectFrom('users')
        .select('id')
        .where('issuer', '=', LOCAL_ISSUER)
        .where('subject', '=', account_id)
        .executeTakeFirst();
      const left = await tx.trx
        .selectFrom('recovery_codes')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('account_id', '=', account_id)
        .where('used_at', 'is', null)
        .executeTakeFirstOrThrow();
      await audit(tx, {
        action: 'recovery_code.used',
        actor_id: user?.id ?? null,
        target_id: user?.id ?? null,
        details: { left: Number(left.count) },
      });
      return 'recovery_code';
    }
  });
}
