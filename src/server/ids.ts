import { randomBytes } from 'node:crypto';
import type { Ids } from '#domain/ports.ts';

export { hashSecret } from '#domain/hash-secret.ts';

/** Ids and secrets from the system's random source. */
export const newIds: Ids = {
  id: () => randomBytes(16).toString('base64url'),
  secret: () => randomBytes(32).toString('base64url'),
};
