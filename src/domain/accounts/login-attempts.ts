import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { insertLoginAttempt, takeAttempt } from './accounts.repository.ts';
import type { Ctx } from '../context.ts';
import type { LoginAttemptsTable } from './accounts.table.ts';

/** Seconds between leaving for the provider and coming back. */
export const ATTEMPT_LIFE = 600;

/** Remembers a sign-in under way. */
export async function beginLoginAttempt(ctx: Ctx, attempt: Omit<LoginAttemptsTable, 'expires_at'>): Promise<void> {
  const expires_at = epochSeconds(ctx.clock) + ATTEMPT_LIFE;
  await inTransaction(ctx, ({ trx }) => insertLoginAttempt(trx, { ...attempt, expires_at }));
}

/** Takes the attempt of this state and this browser out, once: a second, a foreign or a late taker gets null. */
export async function takeLoginAttempt(
  ctx: Ctx,
  by: { state_hash: string; browser_hash: string },
): Promise<LoginAttemptsTable | null> {
  const now = epochSeconds(ctx.clock);
  return (await inTransaction(ctx, ({ trx }) => takeAttempt(trx, { ...by, now }))) ?? null;
}
