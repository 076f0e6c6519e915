import { DomainError } from '#domain/errors.ts';
import type { Ctx } from '#domain/context.ts';
import type { AccessClaims } from './verify-token.ts';

/**
 * What the access token of a sign-in or renewal says: Keycloak puts roles into it alone. Null: one we cannot read (opaque,
 * lightweight, of somebody else) tells nothing. `unavailable`: the keys cannot be had, so nobody knows.
 */
export async function readAccessToken(
  { ctx, verifyToken }: { ctx: Ctx; verifyToken(token: string): Promise<AccessClaims> },
  token: string,
  subject: string,
): Promise<AccessClaims | null | 'unavailable'> {
  try {
    const claims = await verifyToken(token);
    return claims.sub === subject ? claims : null;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    if (error.code === 'provider_unavailable') return 'unavailable';
    ctx.log.warn('the access token of a sign-in carries no roles we can read', { code: error.code });
    return null;
  }
}
