import { jwtVerify } from 'jose';
import { z } from 'zod';
import { DomainError } from '#domain/errors.ts';
import { hashSecret } from '../ids.ts';
import { KeysUnavailableError } from './jwks.ts';
import type { Clock, Log } from '#domain/ports.ts';
import type { KeyKeeper } from './jwks.ts';
import type { JWTVerifyGetKey } from 'jose';

/** Longer than any real access token; checked before anything is decoded. */
export const MAX_TOKEN_BYTES = 16 * 1024;
/** What tokens of the provider may be signed with: never `none`, never a shared secret. */
export const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];
export const EXP_TOLERANCE_S = 5;
export const IAT_TOLERANCE_S = 60;
/** Verified tokens kept until they end; beyond it the oldest is verified again. */
const KEPT = 5000;

/** An optional claim of the wrong type is treated as absent: providers differ, and none of these opens anything. */
const optional = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);

/** What a provider says about a person, in an ID token, an access token or its userinfo answer. */
export const IdentityClaims = z.object({
  preferred_username: optional(z.string().min(1).max(255)),
  email: optional(z.email().max(320)),
  name: optional(z.string().trim().min(1).max(80)),
  sid: optional(z.string().min(1).max(255)),
  auth_time: optional(z.int()),
  realm_access: optional(z.object({ roles: z.array(z.unknown()).max(1000) })),
});
export type IdentityClaims = z.infer<typeof IdentityClaims>;

const Claims = IdentityClaims.extend({
  sub: z.string().min(1).max(255),
  exp: z.number(),
  iat: z.number(),
  azp: z.string().optional(),
  client_id: z.string().optional(),
});
export type AccessClaims = z.infer<typeof Claims>;

export interface TokenRules {
  issuer: string;
  audience: string;
  allowedClients: readonly string[];
  /** Of an outside provider, whose keys change, or ours. */
  keys: KeyKeeper | JWTVerifyGetKey;
  clock: Clock;
  log: Log;
}

class RefusedToken extends Error {}

async function check(token: string, rules: TokenRules): Promise<AccessClaims> {
  const now = Math.floor(rules.clock.nowMs() / 1000);
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) throw new RefusedToken('too long');
  const { payload, protectedHeader } = await jwtVerify(token, rules.keys, {
    algorithms: ALGORITHMS,
    issuer: rules.issuer,
    audience: rules.audience,
    requiredClaims: ['exp', 'iat', 'sub'],
    clockTolerance: IAT_TOLERANCE_S,
    currentDate: new Date(now * 1000),
  });
  const typ = protectedHeader.typ?.toLowerCase().replace(/^application\//, '');
  if (typ !== 'at+jwt' && typ !== 'jwt') throw new RefusedToken('header typ');
  if (payload.typ !== undefined && payload.typ !== 'Bearer') throw new RefusedToken('payload typ');
  // Signs of an ID token or a logout token: never an access token (RFC 8725 §3.12).
  for (const name of ['nonce', 'at_hash', 'events']) {
    if (payload[name] !== undefined) throw new RefusedToken(`has ${name}`);
  }
  const claims = Claims.parse(payload);
  // jose's one tolerance serves iat and nbf; exp gets its own, smaller one.
  if (claims.exp + EXP_TOLERANCE_S <= now) throw new RefusedToken('expired');
  if (claims.iat > now + IAT_TOLERANCE_S) throw new RefusedToken('from the future');
  const parties = [claims.azp, claims.client_id].filter((party) => party !== undefined);
  if (parties.length === 0 || !parties.every((party) => rules.allowedClients.includes(party)))
    throw new RefusedToken('azp');
  return claims;
}

/**
 * Checks access tokens as contract.md §2 says. A good one is verified once and kept until it ends, or the provider's keys change.
 * The function it makes throws DomainError `unauthenticated`, or `provider_unavailable` while no key can be had.
 */
export function createTokenVerifier(rules: TokenRules): (token: string) => Promise<AccessClaims> {
  const kept = new Map<string, { claims: AccessClaims; revision: number }>();
  const keeper = 'revision' in rules.keys ? rules.keys : null;
  return async (token) => {
    const hash = hashSecret(token);
    const known = kept.get(hash);
    if (known !== undefined) {
      await keeper?.freshen();
      const isCurrent = known.claims.exp + EXP_TOLERANCE_S > rules.clock.nowMs() / 1000;
      if (isCurrent && known.revision === (keeper?.revision ?? 0)) return known.claims;
      kept.delete(hash);
    }
    const revision = keeper?.revision ?? 0;
    try {
      const claims = await check(token, rules);
      if (kept.size >= KEPT) {
        const oldest = kept.keys().next();
        if (!oldest.done) kept.delete(oldest.value);
      }
      kept.set(hash, { claims, revision });
      return claims;
    } catch (error) {
      if (error instanceof KeysUnavailableError) {
        throw new DomainError(
          'provider_unavailable',
          'The sign-in service cannot be reached, so this token cannot be checked.',
          {
            retryAfter: 10,
          },
        );
      }
      if (error instanceof DomainError) throw error;
      rules.log.debug('access token refused', {
        reason: error instanceof RefusedToken ? error.message : (error as Error).name,
      });
      throw new DomainError('unauthenticated', 'The access token is not valid here, or no longer.');
    }
  };
}
