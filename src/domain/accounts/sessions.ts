import { dropOldActs } from '../admin/audit.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { findSession } from './accounts.queries.ts';
import {
  deleteExpiredRecords,
  deleteExpiredSessions,
  deleteProviderSession,
  deleteSession,
  insertSession,
  touchSession,
  updateUser,
} from './accounts.repository.ts';
import { ACTIVITY_STEP } from './ensure-user.ts';
import type { Role } from '#contract/accounts.ts';
import type { Actor, Ctx, TxCtx } from '../context.ts';
import type { UserSessionsTable } from './accounts.table.ts';

/** Seconds a browser session lives after its last use. */
export const SESSION_LIFE = 30 * 24 * 3600;

export interface NewSession extends Partial<
  Pick<UserSessionsTable, 'refresh_token_encrypted' | 'id_token_encrypted' | 'refresh_due_at'>
> {
  user_id: string;
  secret_hash: string;
  provider_sid: string | null;
  realm_role: Role | null;
  device: string;
  auth_time: number;
  /** The session this browser had until now: it ends. */
  replaces_secret_hash: string | null;
}

/** Opens a browser session; a session planted or left in that browser before it ends with it. */
export async function createSession(ctx: Ctx, input: NewSession): Promise<{ session_id: string }> {
  return inTransaction(ctx, async (tx) => {
    const { replaces_secret_hash, ...session } = input;
    if (replaces_secret_hash !== null) await end(tx, { secret_hash: replaces_secret_hash });
    const now = epochSeconds(tx.clock);
    const id = tx.ids.id();
    await insertSession(tx.trx, {
      id,
      device_name: null,
      refresh_token_encrypted: null,
      id_token_encrypted: null,
      refresh_due_at: null,
      ...session,
      created_at: now,
      last_used_at: now,
      expires_at: now + SESSION_LIFE,
    });
    return { session_id: id };
  });
}

async function end(tx: TxCtx, by: { id: string } | { secret_hash: string }): Promise<string | null> {
  const ended = await deleteSession(tx.trx, by);
  if (ended === undefined) return null;
  tx.publish({
    name: 'access.ended',
    payload: { user_id: ended.user_id, which: { kind: 'session', session_id: ended.id }, reason: 'signed_out' },
  });
  return ended.provider_sid;
}

/** Ends one session, and the embedded provider's behind it; who listens to `access.ended` closes its sockets. */
export async function endSession(ctx: Ctx, session_id: string): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    const provider_sid = await end(tx, { id: session_id });
    if (provider_sid !== null) await deleteProviderSession(tx.trx, provider_sid);
  });
}

/** Who a session stands for, with what is for the caller to judge. */
export interface UsedSession extends Actor {
  is_active: boolean;
  /** When an outside provider is to be asked again, epoch seconds. */
  refresh_due_at: number | null;
}

/** Who a cookie's secret stands for, or null; use keeps the session alive. */
export async function useSession(ctx: Ctx, secret_hash: string): Promise<UsedSession | null> {
  const now = epochSeconds(ctx.clock);
  const row = await findSession(ctx.db, secret_hash, now);
  if (row === null) return null;
  if (row.is_active === 1 && now - row.last_used_at >= ACTIVITY_STEP) {
    await inTransaction(ctx, async ({ trx }) => {
      await touchSession(trx, row.session_id, { last_used_at: now, expires_at: now + SESSION_LIFE });
      await updateUser(trx, row.user_id, { last_active: now });
    });
  }
  return {
    user_id: row.user_id,
    username: row.username,
    role: row.realm_role ?? row.role,
    provider_role: row.realm_role,
    credential: { kind: 'session', session_id: row.session_id, auth_time: row.auth_time },
    is_active: row.is_active === 1,
    refresh_due_at: row.refresh_due_at,
  };
}

/** Removes sessions, attempts, links, provider records and acts written down that have run out. */
export async function sweepExpired(ctx: Ctx): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    const now = epochSeconds(tx.clock);
    for (const { id, user_id } of await deleteExpiredSessions(tx.trx, now)) {
      tx.publish({
        name: 'access.ended',
        payload: { user_id, which: { kind: 'session', session_id: id }, reason: 'expired' },
      });
    }
    await deleteExpiredRecords(tx.trx, now);
    await dropOldActs(tx.trx, now);
  });
}
