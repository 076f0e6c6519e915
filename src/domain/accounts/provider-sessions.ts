import { audit } from '../admin/audit.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { dueSessionIds, findProviderTokens } from './accounts.queries.ts';
import { claimDueSession, deleteSession, renewSession, updateUser } from './accounts.repository.ts';
import type { Role } from '#contract/accounts.ts';
import type { Ctx } from '../context.ts';
import type { SecretBox } from '../ports.ts';
import type { UserSessionsTable } from './accounts.table.ts';

/** Seconds one process has a renewal to itself: longer than the provider may take to answer. After a crash others take over. */
const CLAIM_LIFE = 30;

/** What an outside provider gave at a sign-in or renewal, for the server alone. */
export interface ProviderTokens {
  refresh_token: string | null;
  id_token: string | null;
}

/** Seals the tokens for the session of a person. */
export function sealProviderTokens(
  secrets: SecretBox,
  user_id: string,
  { refresh_token, id_token }: ProviderTokens,
): Pick<UserSessionsTable, 'refresh_token_encrypted' | 'id_token_encrypted'> {
  const seal = (text: string | null, column: string) =>
    text === null ? null : secrets.seal(text, { user_id, table: 'user_sessions', column });
  return {
    refresh_token_encrypted: seal(refresh_token, 'refresh_token_encrypted'),
    id_token_encrypted: seal(id_token, 'id_token_encrypted'),
  };
}

/**
 * The tokens of a session in the clear; one that is not there, or whose key is not, is null.
 * @throws Error when one was changed, or belongs elsewhere
 */
export async function openProviderTokens(
  ctx: Ctx,
  { session_id, user_id }: { session_id: string; user_id: string },
): Promise<ProviderTokens> {
  const row = await findProviderTokens(ctx.db, session_id);
  const open = (sealed: string | null | undefined, column: string) =>
    sealed ? ctx.secrets.open(sealed, { user_id, table: 'user_sessions', column }) : null;
  return {
    refresh_token: open(row?.refresh_token_encrypted, 'refresh_token_encrypted'),
    id_token: open(row?.id_token_encrypted, 'id_token_encrypted'),
  };
}

/** A session whose renewal is this caller's alone until `claimed_until` (epoch seconds). */
export interface ClaimedSession {
  session_id: string;
  claimed_until: number;
  user_id: string;
  subject: string;
  email: string | null;
  /** Stored; counts where the provider names none. */
  role: Role;
  realm_role: Role | null;
}

/** Takes the renewal of a session that is due; null when it is not, or another process has it. */
export async function claimRenewal(ctx: Ctx, session_id: string): Promise<ClaimedSession | null> {
  const now = epochSeconds(ctx.clock);
  const claimed_until = now + CLAIM_LIFE;
  const row = await inTransaction(ctx, ({ trx }) => claimDueSession(trx, { session_id, now, claimed_until }));
  return row === undefined ? null : { session_id, claimed_until, ...row };
}

/** Which of these sessions are due to be renewed. */
export async function dueSessions(ctx: Ctx, session_ids: readonly string[]): Promise<string[]> {
  return dueSessionIds(ctx.db, session_ids, epochSeconds(ctx.clock));
}

export interface Renewal extends ProviderTokens {
  /** When to ask again, epoch seconds. */
  refresh_due_at: number;
  /** Null: the provider names none of ours. Undefined: it could not be told, so it stays. */
  realm_role: Role | null | undefined;
  email: string | undefined;
}

/**
 * Stores what the provider answered: the tokens (one it did not replace stays), the role and the e-mail; open sockets of the
 * session follow a changed role before this resolves. A session that ended meanwhile stays ended.
 */
export async function storeRenewal(ctx: Ctx, claim: ClaimedSession, renewal: Renewal): Promise<void> {
  const { user_id, session_id } = claim;
  const sealed = sealProviderTokens(ctx.secrets, user_id, renewal);
  const realm_role = renewal.realm_role === undefined ? claim.realm_role : renewal.realm_role;
  await inTransaction(ctx, async (tx) => {
    const isStored = await renewSession(tx.trx, claim, {
      refresh_due_at: renewal.refresh_due_at,
      realm_role,
      ...(sealed.refresh_token_encrypted === null ? {} : { refresh_token_encrypted: sealed.refresh_token_encrypted }),
      ...(sealed.id_token_encrypted === null ? {} : { id_token_encrypted: sealed.id_token_encrypted }),
    });
    if (!isStored) return;
    if (renewal.email !== undefined && renewal.email !== claim.email) {
      await updateUser(tx.trx, user_id, { email: renewal.email });
    }
    if (realm_role !== claim.realm_role) {
      // API tokens, which bring no role of their own, go by what the provider said last.
      await updateUser(tx.trx, user_id, { provider_role: realm_role });
      tx.publish({
        name: 'session.role_changed',
        payload: { user_id, session_id, role: realm_role ?? claim.role, provider_role: realm_role },
      });
    }
  });
}

/** Gives a claim back; the session goes on and is due again at `refresh_due_at` (epoch seconds). */
export async function postponeRenewal(ctx: Ctx, claim: ClaimedSession, refresh_due_at: number): Promise<void> {
  await inTransaction(ctx, ({ trx }) => renewSession(trx, claim, { refresh_due_at }));
}

/** The provider's session is over, so ours is: its sockets close before this resolves. */
export async function endUnrenewedSession(ctx: Ctx, { session_id, user_id }: ClaimedSession): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    if ((await deleteSession(tx.trx, { id: session_id })) === undefined) return;
    await audit(tx, {
      action: 'session.ended',
      actor_id: null,
      target_id: user_id,
      details: { reason: 'ended by the provider' },
    });
    tx.publish({
      name: 'access.ended',
      payload: { user_id, which: { kind: 'session', session_id }, reason: 'expired' },
    });
  });
}
