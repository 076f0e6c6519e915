import { revokedTokens } from '#domain/accounts/accounts.queries.ts';
import { roleFromClaims } from '#domain/accounts/accounts.rules.ts';
import { ensureUser } from '#domain/accounts/ensure-user.ts';
import { useSession } from '#domain/accounts/sessions.ts';
import { useApiToken } from '#domain/accounts/use-api-token.ts';
import { DomainError } from '#domain/errors.ts';
import { epochSeconds } from '#domain/ports.ts';
import { hashSecret } from '../ids.ts';
import { requireOwnRequest } from './origins.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { IncomingMessage } from 'node:http';
import type { Cookies } from './cookies.ts';
import type { Door } from './origins.ts';
import type { Answer, Remembered } from './remembered.ts';
import type { AccessClaims } from './verify-token.ts';

/** What a personal API token looks like: an access token never begins so. */
const API_TOKEN = /^sbm_[A-Za-z0-9_-]{43}$/;
/** ListenBrainz clients say "Token" (https://listenbrainz.readthedocs.io/en/latest/users/api/). */
const AUTHORIZATION = /^(Bearer|Token) +(\S+) *$/i;
/** A credential of ours, however badly written; another scheme is a proxy's own business. */
const OUR_SCHEME = /^\s*(Bearer|Token)\b/i;

interface Parts {
  ctx: Ctx;
  cookies: Cookies;
  remembered: Remembered;
  /** What `users.issuer` holds for this provider's people. */
  userIssuer: string;
  /** Whether roles come from the provider; those of our own accounts are read where they are kept. */
  hasProviderRoles: boolean;
  isOwnOrigin(origin: string): boolean;
  verifyToken(token: string): Promise<AccessClaims>;
  /** Asks an outside provider whether a session still stands, when that is due; null with the embedded one. */
  renew: ((session_id: string, isDue: boolean) => Promise<boolean>) | null;
}

export interface Authenticator {
  authenticate(req: IncomingMessage, door: Door): Promise<Actor>;
  authenticateToken(token: string): Promise<Actor>;
}

const disabled = () => new DomainError('account_disabled', 'This account has been disabled by an administrator.');

/** Finds out who a request is by: the one place, for all three doors. */
export function createAuthenticator(parts: Parts): Authenticator {
  const { ctx, cookies, remembered } = parts;

  async function byAccessToken(token: string): Promise<Answer> {
    const claims = await parts.verifyToken(token);
    const provider_role = parts.hasProviderRoles ? roleFromClaims(claims.realm_access?.roles) : null;
    const user = await ensureUser(ctx, {
      issuer: parts.userIssuer,
      subject: claims.sub,
      username: claims.preferred_username,
      email: claims.email,
      name: claims.name,
      is_sign_in: false,
    });
    const actor: Actor = {
      user_id: user.id,
      username: user.username,
      role: provider_role ?? user.role,
      provider_role,
      credential: {
        kind: 'token',
        sid: claims.sid ?? null,
        issued_at: claims.iat,
        expires_at: claims.exp,
        auth_time: claims.auth_time ?? null,
      },
    };
    const issued = { user_id: user.id, sid: claims.sid ?? null, issued_at: claims.iat };
    if ((await revokedTokens(ctx.db, [issued]))(issued)) {
      throw new DomainError('unauthenticated', 'This access token was ended by signing out.');
    }
    return { actor, ends_at: claims.exp };
  }

  async function byApiToken(token: string): Promise<Answer> {
    const found = await useApiToken(ctx, hashSecret(token));
    if (found === null) throw new DomainError('unauthenticated', 'This API token is not known here, or was revoked.');
    const { is_active, ...actor } = found;
    if (!is_active) throw disabled();
    const { credential } = actor;
    return { actor, ends_at: credential.kind === 'api_token' ? credential.expires_at : null };
  }

  async function bySession(secret: string): Promise<Answer> {
    let found = await useSession(ctx, hashSecret(secret));
    const due_at = found?.refresh_due_at ?? null;
    const isDue = due_at !== null && due_at <= epochSeconds(ctx.clock);
    if (parts.renew !== null && found?.credential.kind === 'session') {
      const hasAsked = await parts.renew(found.credential.session_id, isDue);
      // It may be over now, or stand for another role.
      if (hasAsked) found = await useSession(ctx, hashSecret(secret));
    }
    if (found === null) throw new DomainError('unauthenticated', 'This session is over. Sign in again.');
    const { is_active, refresh_due_at, ...actor } = found;
    if (!is_active) throw disabled();
    return { actor, ends_at: parts.renew === null ? null : refresh_due_at };
  }

  /** @param kind what the secret was handed over as: a cookie's is no token, whoever shows it */
  async function remember(
    kind: 'token' | 'session',
    secret: string,
    find: (secret: string) => Promise<Answer>,
  ): Promise<Actor> {
    const key = `${kind} ${hashSecret(secret)}`;
    const known = remembered.find(key, ctx.clock.nowMs());
    if (known !== null) return known;
    const askedAt = remembered.revision;
    const answer = await find(secret);
    remembered.keep(key, answer, askedAt);
    return answer.actor;
  }

  function authenticateToken(token: string): Promise<Actor> {
    return remember('token', token, API_TOKEN.test(token) ? byApiToken : byAccessToken);
  }

  return {
    authenticateToken,
    async authenticate(req, door) {
      const [, scheme, token] = AUTHORIZATION.exec(req.headers.authorization ?? '') ?? [];
      if (scheme !== undefined && token !== undefined) {
        if (scheme.toLowerCase() === 'token' && !API_TOKEN.test(token)) {
          throw new DomainError('unauthenticated', 'After "Token" comes a personal API token.');
        }
        return authenticateToken(token);
      }
      if (OUR_SCHEME.test(req.headers.authorization ?? '')) {
        throw new DomainError('unauthenticated', 'After "Bearer" comes one token and nothing else.');
      }
      const secret = cookies.readSession(req);
      if (secret === null) throw new DomainError('unauthenticated', 'Sign in, or send an access token.');
      requireOwnRequest(req, parts.isOwnOrigin, door);
      return remember('session', secret, bySession);
    },
  };
}
