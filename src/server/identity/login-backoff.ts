import { DomainError } from '#domain/errors.ts';
import { foldUsername } from '#domain/accounts/accounts.rules.ts';
import { hashSecret } from '../ids.ts';
import { addressKey } from '../limits/address.ts';
import { createLimiterFactory } from '../limits/limiters.ts';
import type { LimiterFactory } from '../limits/limiters.ts';

/** Failures that cost no waiting, and for how long they are remembered (seconds). */
const FREE_FAILURES = 5;
const MEMORY = 15 * 60;
/** The first wait in seconds; each further failure doubles it, up to the memory itself. */
const FIRST_WAIT = 5;

/** Slows guessing at one account from one address; others, and the same person elsewhere, are not held up. */
export interface LoginBackoff {
  /** @throws DomainError `too_many` while the wait lasts. */
  check(username: string, address: string): Promise<void>;
  failed(username: string, address: string): Promise<void>;
  succeeded(username: string, address: string): Promise<void>;
}

/** A backoff in this process's memory, or wherever the limiters of `newLimiter` count. */
export function createLoginBackoff(newLimiter: LimiterFactory = createLimiterFactory(null)): LoginBackoff {
  const failures = newLimiter({ keyPrefix: 'failures', points: FREE_FAILURES, duration: MEMORY });
  const waits = newLimiter({ keyPrefix: 'waits', points: 1, duration: MEMORY });
  const keyOf = (username: string, address: string) => hashSecret(`${foldUsername(username)}\n${addressKey(address)}`);
  return {
    async check(username, address) {
      const wait = await waits.get(keyOf(username, address));
      if (wait === null || wait.msBeforeNext <= 0) return;
      const retryAfter = Math.ceil(wait.msBeforeNext / 1000);
      throw new DomainError('too_many', `Too many failed sign-ins. Try again in ${retryAfter} seconds.`, {
        retryAfter,
      });
    },
    async failed(username, address) {
      const key = keyOf(username, address);
      const { consumedPoints } = await failures.penalty(key);
      const over = consumedPoints - FREE_FAILURES;
      if (over >= 0) await waits.block(key, Math.min(MEMORY, FIRST_WAIT * 2 ** over));
    },
    async succeeded(username, address) {
      const key = keyOf(username, address);
      await Promise.all([failures.delete(key), waits.delete(key)]);
    },
  };
}
