import { DomainError } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { hasLocalAdmin, hasSetupLink } from './accounts.queries.ts';
import { replaceOneTimeLink, takeOneTimeLink } from './accounts.repository.ts';
import { createLocalAccount } from './create-local-account.ts';
import type { Ctx } from '../context.ts';
import type { NewLocalAccount } from './create-local-account.ts';

/** Seconds a first-run link works; every start of the server prints a new one. */
const LINK_LIFE = 24 * 3600;

const spent = () =>
  new DomainError(
    'not_found',
    'This link has already been used, or is too old. Each works once, for a day after the server was started.',
  );

/** Remembers the hash of a fresh first-run link, in place of any older one; false when an administrator is already there. */
export async function offerFirstAccount(ctx: Ctx, hash: string): Promise<boolean> {
  if (await hasLocalAdmin(ctx.db)) return false;
  const created_at = epochSeconds(ctx.clock);
  const link = { hash, purpose: 'setup' as const, created_at, expires_at: created_at + LINK_LIFE, account_id: null };
  await inTransaction(ctx, ({ trx }) => replaceOneTimeLink(trx, link));
  return true;
}

/** Whether a first-run link would still work. */
export async function isFirstAccountOffered(ctx: Ctx, hash: string): Promise<boolean> {
  return (await hasSetupLink(ctx.db, hash, epochSeconds(ctx.clock))) && !(await hasLocalAdmin(ctx.db));
}

/**
 * Makes the first account, an administrator, and uses the link up in the same transaction.
 * @throws DomainError `not_found` for a spent link, else as `createLocalAccount`.
 */
export async function createFirstAccount(
  ctx: Ctx,
  hash: string,
  input: Omit<NewLocalAccount, 'role'>,
): Promise<{ user_id: string; username: string }> {
  if (!(await isFirstAccountOffered(ctx, hash))) throw spent();
  return createLocalAccount(
    ctx,
    { ...input, role: 'admin' },
    {
      async first({ trx, clock }) {
        const isTaken = await takeOneTimeLink(trx, { hash, purpose: 'setup', now: epochSeconds(clock) });
        if (!isTaken || (await hasLocalAdmin(trx))) throw spent();
      },
    },
  );
}
