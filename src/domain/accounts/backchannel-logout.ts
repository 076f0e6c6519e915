import { audit } from '../admin/audit.ts';
import { DomainError } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { findUserBySubject } from './accounts.queries.ts';
import { deleteSessionsOfProvider, insertOidcRecordOnce, revokeAccessTokens } from './accounts.repository.ts';
import type { Ctx } from '../context.ts';

/** Seconds a logout token is remembered beyond its end: it may still be taken by a clock that is behind. */
const MEMORY_GRACE = 60;

/** A checked logout token: OpenID Connect Back-Channel Logout 1.0 §2.4. */
export interface ProviderLogout {
  issuer: string;
  /** The hash of its `jti`. */
  token_hash: string;
  /** Epoch seconds, by the provider's clock. */
  issued_at: number;
  expires_at: number;
  sid: string | null;
  subject: string | null;
}

/**
 * Ends what the provider says is over: every session opened by its session `sid`, else every one of the subject; access
 * tokens issued so far with it. Sockets are closed before this resolves. What is unknown here changes nothing.
 * @throws DomainError `malformed` when the same token came before.
 */
export async function logoutByProvider(ctx: Ctx, logout: ProviderLogout): Promise<{ ended: number }> {
  const { issuer, sid, subject } = logout;
  return inTransaction(ctx, async (tx) => {
    const now = epochSeconds(tx.clock);
    // In one transaction with its effect: a token that ended nothing because we stopped half-way may come again.
    const isFirst = await insertOidcRecordOnce(tx.trx, {
      model: 'LogoutToken',
      id: logout.token_hash,
      expires_at: logout.expires_at + MEMORY_GRACE,
    });
    if (!isFirst) throw new DomainError('malformed', 'This logout token was used already.');
    const person = subject === null ? null : await findUserBySubject(tx.trx, { issuer, subject });
    const sessions = await deleteSessionsOfProvider(tx.trx, { issuer, sid, subject });
    const user_ids = new Set(sessions.map(({ user_id }) => user_id));
    if (person !== null) user_ids.add(person.id);
    if (sid !== null) {
      await revokeAccessTokens(tx.trx, { kind: 'sid', value: sid, now });
    } else if (person !== null) {
      // Tokens tell their time by the provider's clock.
      await revokeAccessTokens(tx.trx, { kind: 'user', value: person.id, now: Math.max(now, logout.issued_at) });
    }
    for (const { id, user_id } of sessions) {
      tx.publish({
        name: 'access.ended',
        payload: { user_id, which: { kind: 'session', session_id: id }, reason: 'signed_out' },
      });
    }
    for (const user_id of user_ids) {
      await audit(tx, {
        action: 'backchannel_logout',
        actor_id: null,
        target_id: user_id,
        details: { of: sid === null ? 'person' : 'session', sessions: sessions.length },
      });
      tx.publish({
        name: 'access.ended',
        payload: {
          user_id,
          which: sid === null ? { kind: 'sign_ins', except_session_id: null } : { kind: 'provider_session', sid },
          reason: 'signed_out',
        },
      });
    }
    return { ended: sessions.length };
  });
}
