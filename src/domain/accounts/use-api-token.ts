import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { findApiToken } from './accounts.queries.ts';
import { touchApiToken, updateUser } from './accounts.repository.ts';
import { ACTIVITY_STEP } from './ensure-user.ts';
import { scopesOf } from './security.present.ts';
import type { Actor, Ctx } from '../context.ts';

/** Who a personal API token stands for, or null; its use is noted every few minutes. `is_active` is for the caller to judge. */
export async function useApiToken(ctx: Ctx, token_hash: string): Promise<(Actor & { is_active: boolean }) | null> {
  const now = epochSeconds(ctx.clock);
  const row = await findApiToken(ctx.db, token_hash, now);
  if (row === null) return null;
  if (row.is_active === 1 && now - (row.last_used_at ?? 0) >= ACTIVITY_STEP) {
    await inTransaction(ctx, async ({ trx }) => {
      await touchApiToken(trx, row.token_id, now);
      if (now - row.last_active >= ACTIVITY_STEP) await updateUser(trx, row.user_id, { last_active: now });
    });
  }
  return {
    user_id: row.user_id,
    username: row.username,
    role: row.provider_role ?? row.role,
    provider_role: row.provider_role,
    credential: {
      kind: 'api_token',
      token_id: row.token_id,
      scopes: scopesOf(row),
      expires_at: row.expires_at,
    },
    is_active: row.is_active === 1,
  };
}
