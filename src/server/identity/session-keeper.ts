import {
  claimRenewal,
  dueSessions,
  endUnrenewedSession,
  openProviderTokens,
  postponeRenewal,
  storeRenewal,
} from '#domain/accounts/provider-sessions.ts';
import { roleFromClaims } from '#domain/accounts/accounts.rules.ts';
import { DomainError } from '#domain/errors.ts';
import { epochSeconds } from '#domain/ports.ts';
import { readAccessToken } from './access-token.ts';
import { atMost } from './patience.ts';
import { SessionOverError, SignInRefusedError } from './provider-client.ts';
import type { ClaimedSession } from '#domain/accounts/provider-sessions.ts';
import type { Ctx } from '#domain/context.ts';
import type { ProviderClient, Renewed } from './provider-client.ts';
import type { AccessClaims } from './verify-token.ts';

/** A request waits this long for the provider; then it is served, and the renewal goes on beside it. */
const PATIENCE_MS = 2_000;
/** While the provider cannot be used nobody asks it for this long, doubling up to the longest. */
const PAUSE_FIRST_MS = 5_000;
const PAUSE_LONGEST_MS = 5 * 60_000;
/** Seconds until a session is tried again whose own answer did not fit. */
const ODD_ANSWER_WAIT = 60;
/** Seconds until a session is looked at again whose tokens are sealed with a key that is not here. */
const LOCKED_WAIT = 3600;
/** Seconds an access token is taken to live when the provider does not say. */
const USUAL_LIFE = 300;
/** Sessions renewed at once for open sockets. */
const AT_ONCE = 4;

/**
 * Keeps sessions as long as the provider does: one that is used, or has a socket open, is renewed when its access token ends,
 * by one caller at a time in all processes. What nobody uses is left alone, and runs out at the provider.
 */
export interface SessionKeeper {
  /**
   * Renews a session that is due, or joins a renewal that is under way here; resolves when that is done or has taken 2 s, and
   * never rejects.
   * @returns whether there was anything to wait for, so that the session is to be looked at again
   */
  renew(session_id: string, isDue: boolean): Promise<boolean>;
  /** Renews those that are due, and waits. */
  renewAll(session_ids: readonly string[]): Promise<void>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

/** When the provider is to be asked again, epoch seconds: when the access token ends. */
export function renewalDueAt(ctx: Pick<Ctx, 'clock'>, access: AccessClaims | null, expiresIn: number | null): number {
  const now = epochSeconds(ctx.clock);
  return Math.max(now + 1, access?.exp ?? now + (expiresIn ?? USUAL_LIFE));
}

export function createSessionKeeper(parts: {
  ctx: Ctx;
  client: ProviderClient;
  verifyToken(token: string): Promise<AccessClaims>;
}): SessionKeeper {
  const { ctx, client } = parts;
  const underWay = new Map<string, Promise<void>>();
  /** By a clock that does not jump: nobody waits longer than the first. */
  const begunAtMs = new Map<string, number>();
  let failures = 0;
  let pausedUntilMs = Number.NEGATIVE_INFINITY;
  let hasToldOfKey = false;

  function pause(reason: string): void {
    const waitMs = Math.min(PAUSE_LONGEST_MS, PAUSE_FIRST_MS * 2 ** failures);
    failures += 1;
    pausedUntilMs = ctx.clock.nowMs() + waitMs;
    ctx.log.warn('sessions cannot be renewed; they go on meanwhile', { reason, retry_in: waitMs / 1000 });
  }

  /** The refresh token of a claimed session; null after saying when to look again, or ending what was tampered with. */
  async function refreshTokenOf(claim: ClaimedSession): Promise<string | null> {
    let token: string | null;
    try {
      ({ refresh_token: token } = await openProviderTokens(ctx, claim));
    } catch (error) {
      if (error instanceof DomainError) throw error;
      ctx.log.error('the stored tokens of a session were changed: it is ended', {}, error);
      await endUnrenewedSession(ctx, claim);
      return null;
    }
    if (token !== null) return token;
    if (!hasToldOfKey) ctx.log.error('the key of stored provider tokens is missing: their sessions go on unrenewed');
    hasToldOfKey = true;
    await postponeRenewal(ctx, claim, epochSeconds(ctx.clock) + LOCKED_WAIT);
    return null;
  }

  async function store(claim: ClaimedSession, renewed: Renewed): Promise<void> {
    const read = await readAccessToken(parts, renewed.accessToken, claim.subject);
    const access = read === 'unavailable' ? null : read;
    await storeRenewal(ctx, claim, {
      refresh_token: renewed.refreshToken,
      id_token: renewed.idToken,
      refresh_due_at: renewalDueAt(ctx, access, renewed.expiresIn),
      realm_role:
        read === 'unavailable'
          ? undefined
          : roleFromClaims((access?.realm_access ?? renewed.claims.realm_access)?.roles),
      email: renewed.claims.email ?? access?.email,
    });
  }

  async function renewClaimed(claim: ClaimedSession): Promise<void> {
    const token = await refreshTokenOf(claim);
    if (token === null) return;
    const now = epochSeconds(ctx.clock);
    try {
      const renewed = await client.renew(token);
      failures = 0;
      // OpenID Connect Core §12.2: it must be the same person.
      if (renewed.subject !== null && renewed.subject !== claim.subject) throw new SessionOverError('another subject');
      await store(claim, renewed);
    } catch (error) {
      if (error instanceof SessionOverError) {
        await endUnrenewedSession(ctx, claim);
      } else if (error instanceof DomainError && error.code === 'provider_unavailable') {
        pause('unreachable');
        await postponeRenewal(ctx, claim, now);
      } else if (error instanceof SignInRefusedError && /_client$/.test(error.reason)) {
        // invalid_client, unauthorized_client: our own settings, the same for every session.
        pause(error.reason);
        await postponeRenewal(ctx, claim, now);
      } else if (error instanceof SignInRefusedError) {
        ctx.log.warn('a session could not be renewed', { reason: error.reason });
        await postponeRenewal(ctx, claim, now + ODD_ANSWER_WAIT);
      } else throw error;
    }
  }

  async function renewIfDue(session_id: string): Promise<void> {
    if (ctx.clock.nowMs() < pausedUntilMs) return;
    const claim = await claimRenewal(ctx, session_id);
    if (claim !== null) await renewClaimed(claim);
  }

  /** One renewal of a session at a time; a failure is logged, since its session goes on. */
  function join(session_id: string): Promise<void> {
    const known = underWay.get(session_id);
    if (known !== undefined) return known;
    const mine = renewIfDue(session_id)
      .catch((error: unknown) =>
        error instanceof DomainError
          ? ctx.log.warn('a session could not be renewed', { code: error.code })
          : ctx.log.error('a session could not be renewed', {}, error),
      )
      .finally(() => {
        underWay.delete(session_id);
        begunAtMs.delete(session_id);
      });
    underWay.set(session_id, mine);
    begunAtMs.set(session_id, performance.now());
    return mine;
  }

  async function renewAll(session_ids: readonly string[]): Promise<void> {
    if (session_ids.length === 0 || ctx.clock.nowMs() < pausedUntilMs) return;
    const due = await dueSessions(ctx, session_ids);
    for (let i = 0; i < due.length; i += AT_ONCE) await Promise.all(due.slice(i, i + AT_ONCE).map(join));
  }

  return {
    async renew(session_id, isDue) {
      // While it is being asked the session does not look due: whoever comes then waits for the same answer.
      const beganMs = begunAtMs.get(session_id);
      const leftMs = beganMs === undefined ? PATIENCE_MS : beganMs + PATIENCE_MS - performance.now();
      if ((!isDue && beganMs === undefined) || leftMs <= 0) return false;
      await atMost(leftMs, join(session_id));
      return true;
    },
    renewAll,
    async close() {
      await Promise.all(underWay.values());
    },
  };
}
