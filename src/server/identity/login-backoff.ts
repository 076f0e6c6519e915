import { isIPv6 } from 'node:net';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { DomainError } from '#domain/errors.ts';
import { foldUsername } from '#domain/accounts/accounts.rules.ts';
import { hashSecret } from '../ids.ts';

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

/** A household or machine owns a whole IPv6 /56, so that is what counts as one address (trust.md E8). */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  // The URL parser gives the shortest form, from which the groups can be counted.
  const [left = '', right] = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1).split('::');
  const head = left.split(':').filter(Boolean);
  const tail = (right ?? '').split(':').filter(Boolean);
  const groups =
    right === undefined ? head : [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return groups.slice(0, 3).join(':') + ':' + (groups[3] ?? '0').padStart(4, '0').slice(0, 2);
}

/** A backoff in this process's memory. */
export function createLoginBackoff(): LoginBackoff {
  const failures = new RateLimiterMemory({ keyPrefix: 'failures', points: FREE_FAILURES, duration: MEMORY });
  const waits = new RateLimiterMemory({ keyPrefix: 'waits', points: 1, duration: MEMORY });
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
