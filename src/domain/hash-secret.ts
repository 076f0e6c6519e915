import { createHash } from 'node:crypto';

/** What is stored of a secret, so that a copy of the database opens nothing. Secrets are random, so no salt is needed. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
