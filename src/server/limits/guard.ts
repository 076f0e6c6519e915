import { hash } from 'node:crypto';
import { DomainError } from '#domain/errors.ts';
import type { Actor } from '#domain/context.ts';
import type { IncomingMessage } from 'node:http';
import type { AddressOf } from './address.ts';
import type { Limiters } from './limiters.ts';

/** Credentials remembered to be good; more people than that do not share a server. */
const GOOD_KEPT = 5_000;

/** Stands before every look at a credential. @throws what `find` throws; DomainError `too_many`. */
export type Guard = (
  req: IncomingMessage,
  credential: string | undefined,
  find: () => Promise<Actor>,
) => Promise<Actor>;

/**
 * Counts the calls of nobody we know by address, and once there were too many lets no further credential of that address be
 * looked at, however often its bearer writes a new one. Callers whose credential proved good before are let through all the
 * same: many people may share an address with one who floods, behind a proxy all of them.
 */
export function createGuard(limiters: Limiters, addressOf: AddressOf): Guard {
  const good = new Set<string>();

  function remember(key: string): void {
    // Moved to the end, so that the first is the one not seen for longest.
    good.delete(key);
    good.add(key);
    if (good.size <= GOOD_KEPT) return;
    const [oldest] = good;
    if (oldest !== undefined) good.delete(oldest);
  }

  return async (req, credential, find) => {
    const address = addressOf(req);
    const key = credential === undefined ? null : hash('sha256', credential, 'base64');
    if (key === null || !good.has(key)) limiters.refuseSpent('stranger', address);
    try {
      const actor = await find();
      if (key !== null) remember(key);
      return actor;
    } catch (error) {
      if (error instanceof DomainError && error.code === 'unauthenticated') {
        if (key !== null) good.delete(key);
        await limiters.count('stranger', address);
      }
      throw error;
    }
  };
}
