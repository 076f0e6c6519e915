import { createHash, randomBytes } from 'node:crypto';
import type { Ids } from '#domain/ports.ts';

/** Ids and secrets from the system's random source. */
export const newIds: Ids = {
  id: () => randomBytes(16).toString('base64url'),
  secret: () => randomBytes(32).toString('base64url'),
};

/** What is stored of a secret, so that a copy of the database opens nothing. Secrets are random, so no salt is needed. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
