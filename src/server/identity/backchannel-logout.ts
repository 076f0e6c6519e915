import express from 'express';
import { errors, jwtVerify } from 'jose';
import { z } from 'zod';
import { logoutByProvider } from '#domain/accounts/backchannel-logout.ts';
import { DomainError } from '#domain/errors.ts';
import { sendProblem } from '../http/problem.ts';
import { hashSecret } from '../ids.ts';
import { KeysUnavailableError } from './jwks.ts';
import { ALGORITHMS, EXP_TOLERANCE_S, IAT_TOLERANCE_S, MAX_TOKEN_BYTES } from './verify-token.ts';
import type { ProviderLogout } from '#domain/accounts/backchannel-logout.ts';
import type { Ctx } from '#domain/context.ts';
import type { Clock } from '#domain/ports.ts';
import type { Request, Response, Router } from 'express';
import type { JWTVerifyGetKey } from 'jose';

export const BACKCHANNEL_LOGOUT_PATH = '/api/v1/auth/backchannel-logout';
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** OpenID Connect Back-Channel Logout 1.0 §2.4, with what §2.6 forbids. */
const Claims = z
  .looseObject({
    iat: z.number(),
    exp: z.number(),
    jti: z.string().min(1).max(255),
    sub: z.string().min(1).max(255).optional(),
    sid: z.string().min(1).max(255).optional(),
    events: z.looseObject({ [EVENT]: z.record(z.string(), z.unknown()) }),
    nonce: z.undefined().optional(),
    /** Keycloak's own mark of what kind of token it is. */
    typ: z.literal('Logout').optional(),
  })
  .refine(({ sub, sid }) => sub !== undefined || sid !== undefined, 'sub or sid');

export interface LogoutTokenRules {
  issuer: string;
  /** A logout token is for the client, not for the API. */
  clientId: string;
  keys: JWTVerifyGetKey;
  clock: Clock;
}

class RefusedLogoutToken extends Error {}

/** @throws RefusedLogoutToken, or an error of jose or zod, when it is not to be believed */
async function check(token: string, rules: LogoutTokenRules): Promise<Omit<ProviderLogout, 'issuer'>> {
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) throw new RefusedLogoutToken('too long');
  const now = Math.floor(rules.clock.nowMs() / 1000);
  const { payload, protectedHeader } = await jwtVerify(token, rules.keys, {
    algorithms: ALGORITHMS,
    issuer: rules.issuer,
    audience: rules.clientId,
    requiredClaims: ['iat', 'exp', 'jti', 'events'],
    clockTolerance: IAT_TOLERANCE_S,
    currentDate: new Date(now * 1000),
  });
  const typ = protectedHeader.typ?.toLowerCase().replace(/^application\//, '');
  if (typ !== 'logout+jwt' && typ !== 'jwt') throw new RefusedLogoutToken('header typ');
  const claims = Claims.parse(payload);
  if (claims.exp + EXP_TOLERANCE_S <= now) throw new RefusedLogoutToken('expired');
  if (claims.iat > now + IAT_TOLERANCE_S) throw new RefusedLogoutToken('from the future');
  return {
    token_hash: hashSecret(`${rules.issuer}\n${claims.jti}`),
    issued_at: Math.floor(claims.iat),
    expires_at: Math.ceil(claims.exp),
    sid: claims.sid ?? null,
    subject: claims.sub ?? null,
  };
}

/** Which check a token failed, fit for the log: never what it holds. */
function reasonOf(error: unknown): string | null {
  if (error instanceof RefusedLogoutToken) return error.message;
  if (error instanceof z.ZodError) return `claim ${error.issues[0]?.path.join('.') || 'sub or sid'}`;
  return error instanceof errors.JOSEError ? error.code : null;
}

const readForm = express.urlencoded({ extended: false, limit: 2 * MAX_TOKEN_BYTES, parameterLimit: 10 });

function readToken(req: Request, res: Response): Promise<string> {
  return new Promise((resolve, reject) => {
    readForm(req, res, (error?: unknown) => {
      if (error !== undefined) return reject(error as Error);
      const body: unknown = req.body;
      const token = typeof body === 'object' && body !== null && 'logout_token' in body ? body.logout_token : undefined;
      if (typeof token === 'string') resolve(token);
      else reject(new DomainError('malformed', 'Send one form field logout_token.'));
    });
  });
}

/**
 * Where an outside provider says that one of its sessions is over. The token alone counts: no cookie is looked at, and no
 * origin. Without an outside provider (`rules` is null) nobody can say so.
 */
export function mountBackchannelLogout(router: Router, ctx: Ctx, rules: LogoutTokenRules | null): void {
  router.post(BACKCHANNEL_LOGOUT_PATH, async (req, res) => {
    res.setHeader('cache-control', 'no-store');
    try {
      const token = await readToken(req, res);
      if (rules === null) throw new DomainError('malformed', 'This server has no outside sign-in service.');
      const logout = await checkOrRefuse(ctx, token, rules);
      const { ended } = await logoutByProvider(ctx, { ...logout, issuer: rules.issuer });
      ctx.log.info('the sign-in service ended a session', { ended });
      res.status(200).end();
    } catch (error) {
      sendProblem(ctx, res, error);
    }
  });
}

async function checkOrRefuse(ctx: Ctx, token: string, rules: LogoutTokenRules) {
  try {
    return await check(token, rules);
  } catch (error) {
    if (error instanceof KeysUnavailableError) {
      throw new DomainError('provider_unavailable', 'The keys that would prove this cannot be fetched.', {
        retryAfter: 10,
      });
    }
    const reason = reasonOf(error);
    if (reason === null) throw error;
    ctx.log.warn('a logout token was refused', { reason });
    throw new DomainError('malformed', 'This is not a valid logout token.');
  }
}
