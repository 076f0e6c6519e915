import { DomainError } from '#domain/errors.ts';
import { foldUsername } from '#domain/accounts/accounts.rules.ts';
import { hashSecret } from '../ids.ts';
import type { Guesses } from '#domain/accounts/prove-password.ts';
import { addressKey } from '../limits/address.ts';
import { createLimiterFactory } from '../limits/limiters.ts';
import type { LimiterFactory } from '../limits/limiters.ts';

/** Failures that cost no waiting, and for how long they are remembered (seconds). */
const FREE_FAILURES = 5;
const MEMORY = 15 * 60;
/** The first wait in seconds; each further failure doubles it, up to the memory itself. */
const FIRST_WAIT = 5;
/** Failures of one name from anywhere, from which on strangers to it wait before their first try, and how long (seconds). */
const BUSY_FAILURES = 50;
const STRANGER_WAIT = 10;
/**
 * Wrong codes of one account from strangers that are taken in an hour. Whoever tries codes knows the password, and six
 * digits bear no more: three of a million are right at a time.
 */
const CODE_FAILURES = 10;
const CODE_MEMORY = 3600;

/**
 * Slows guessing at one account: from one address, and, when many addresses try it, from every address that the person has
 * not signed in from. It never locks anybody out: each wait ends, and a browser they know does not wait for others.
 */
export type LoginBackoff = Guesses;

const tooMany = (seconds: number) =>
  new DomainError('too_many', `Too many failed sign-ins. Try again in ${seconds} seconds.`, { retryAfter: seconds });

/**
 * A backoff in this process's memory, or wherever the limiters of `newLimiter` count.
 * @param onSlowed hears of a name at which guessing has begun to be slowed, once in a quarter of an hour
 */
export function createLoginBackoff(
  onSlowed: (username: string) => void = () => {},
  newLimiter: LimiterFactory = createLimiterFactory(null),
): LoginBackoff {
  const failures = newLimiter({ keyPrefix: 'failures', points: FREE_FAILURES, duration: MEMORY });
  const waits = newLimiter({ keyPrefix: 'waits', points: 1, duration: MEMORY });
  const everywhere = newLimiter({ keyPrefix: 'everywhere', points: BUSY_FAILURES, duration: MEMORY });
  const strangers = newLimiter({ keyPrefix: 'strangers', points: 1, duration: MEMORY });
  const codes = newLimiter({ keyPrefix: 'codes', points: CODE_FAILURES, duration: CODE_MEMORY });
  const told = newLimiter({ keyPrefix: 'told', points: 1, duration: MEMORY });

  const secondsLeft = (wait: { msBeforeNext: number } | null) =>
    wait === null ? 0 : Math.max(0, Math.ceil(wait.msBeforeNext / 1000));

  async function tellOnce(username: string, name: string): Promise<void> {
    const { consumedPoints } = await told.penalty(name);
    if (consumedPoints === 1) onSlowed(username);
  }

  const lines = new Map<string, Promise<unknown>>();
  /** One at a time for each key: looking and counting are several steps, between which nobody may slip. */
  async function inLine<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = lines.get(key) ?? Promise.resolve();
    const turn = before.then(work, work);
    const done = turn.catch(() => undefined);
    lines.set(key, done);
    try {
      return await turn;
    } finally {
      if (lines.get(key) === done) lines.delete(key);
    }
  }

  return {
    async begin({ username, from, isKnown, what }) {
      const name = hashSecret(foldUsername(username));
      const key = hashSecret(`${foldUsername(username)}\n${addressKey(from)}`);
      const isStrangersCode = what === 'code' && !isKnown;
      await inLine(isStrangersCode ? `codes ${name}` : key, async () => {
        const left = secondsLeft(await waits.get(key));
        if (left > 0) throw tooMany(left);
        const tried = isStrangersCode ? await codes.get(name) : null;
        if ((tried?.consumedPoints ?? 0) >= CODE_FAILURES) throw tooMany(Math.max(1, secondsLeft(tried)));
        const isBusy = !isKnown && ((await everywhere.get(name))?.consumedPoints ?? 0) >= BUSY_FAILURES;
        if (isBusy && (await strangers.get(key)) === null) {
          await strangers.penalty(key);
          await waits.block(key, STRANGER_WAIT);
          throw tooMany(STRANGER_WAIT);
        }
        if (isStrangersCode) await codes.penalty(name);
        const { consumedPoints } = await failures.penalty(key);
        const { consumedPoints: anywhere } = await everywhere.penalty(name);
        // Nothing is free for strangers to a name that many are trying.
        const over = isBusy ? Math.max(0, consumedPoints - 1) : consumedPoints - FREE_FAILURES;
        if (over >= 0) await waits.block(key, Math.min(MEMORY, FIRST_WAIT * 2 ** over));
        if (over >= 0 || anywhere >= BUSY_FAILURES) await tellOnce(username, name);
      });
      const notWrong = async () => {
        await waits.delete(key);
        await everywhere.reward(name);
        if (isStrangersCode) await codes.reward(name);
      };
      return {
        async undo() {
          await notWrong();
          await failures.reward(key);
        },
        async succeeded() {
          await notWrong();
          await failures.delete(key);
        },
      };
    },
  };
}

/** Uses of one-time links from one address that are free in `LINK_MEMORY` seconds: codes of 256 bits are not guessed, only tried. */
const LINK_TRIES = 40;
const LINK_MEMORY = 15 * 60;

/** Bounds how often one address tries links that do not work, or sends their forms. */
export interface LinkLimit {
  /** Counts a form before it is looked at. @throws DomainError `too_many` once the address is over the limit. */
  take(address: string): Promise<void>;
  /** Looks without counting. @throws DomainError `too_many` */
  check(address: string): Promise<void>;
  /** Counts a link that did not work; who is over the limit by it is told the next time. */
  missed(address: string): Promise<void>;
}

/** A limit in this process's memory, or wherever the limiters of `newLimiter` count. */
export function createLinkLimit(newLimiter: LimiterFactory = createLimiterFactory(null)): LinkLimit {
  const tries = newLimiter({ keyPrefix: 'links', points: LINK_TRIES, duration: LINK_MEMORY });
  const refuseFrom = (limit: number, used: { consumedPoints: number; msBeforeNext: number } | null) => {
    if (used === null || used.consumedPoints < limit) return;
    const retryAfter = Math.max(1, Math.ceil(used.msBeforeNext / 1000));
    const minutes = Math.ceil(retryAfter / 60);
    throw new DomainError('too_many', `Too many tries from here. Try again in ${minutes} minutes.`, { retryAfter });
  };
  return {
    take: async (address) => refuseFrom(LINK_TRIES + 1, await tries.penalty(addressKey(address))),
    check: async (address) => refuseFrom(LINK_TRIES, await tries.get(addressKey(address))),
    missed: async (address) => void (await tries.penalty(addressKey(address))),
  };
}
