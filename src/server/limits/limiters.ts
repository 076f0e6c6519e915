import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { DomainError } from '#domain/errors.ts';
import { LIMITS } from './limits.ts';
import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import type { LimitName, Limits } from './limits.ts';
import type { SharedStore } from './shared-store.ts';

/** Makes counters that forget after `duration` seconds, shared between processes where there is a Redis. */
export type LimiterFactory = (options: { keyPrefix: string; points: number; duration: number }) => RateLimiterAbstract;

/** Beyond it, addresses known to be spent are looked through for those that are not any more. */
const SPENT_KEPT = 10_000;

/**
 * Counters in this process's memory, or with a store in Redis, with memory as insurance: while Redis is away each process
 * counts for itself from nothing, and nothing is ever unlimited or waits for it.
 */
export function createLimiterFactory(store: SharedStore | null): LimiterFactory {
  return (options) => {
    const memory = new RateLimiterMemory(options);
    if (store === null) return memory;
    return new RateLimiterRedis({
      ...options,
      keyPrefix: `sbm:${options.keyPrefix}`,
      storeClient: store.client,
      rejectIfRedisNotReady: true,
      // Who is over the limit costs Redis nothing more.
      inMemoryBlockOnConsumed: options.points + 1,
      insuranceLimiter: memory,
    });
  };
}

/** The limits of this server, by name; keys are person ids or addresses as `address.ts` makes them. */
export interface Limiters {
  /** Counts one. @throws DomainError `too_many` with `retryAfter`. */
  take(name: LimitName, key: string): Promise<void>;
  /** Counts one, and says what is left, for callers who are told so. */
  spend(name: LimitName, key: string): Promise<Spent>;
  /** Counts one afterwards, for what only counts when it failed; `refuseSpent` then speaks. */
  count(name: LimitName, key: string): Promise<void>;
  /** Costs nothing to ask. @throws DomainError `too_many` once `count` has reached the limit. */
  refuseSpent(name: LimitName, key: string): void;
  /** Shuts somebody out for the seconds of the limit. */
  block(name: LimitName, key: string): Promise<void>;
  /** @throws DomainError `too_many` while blocked. */
  refuseBlocked(name: LimitName, key: string): Promise<void>;
}

/** How a limit stands after one more. */
export interface Spent {
  limit: number;
  remaining: number;
  /** Until it is whole again (ms). */
  resetMs: number;
  isOver: boolean;
}

export function createLimiters(newLimiter: LimiterFactory, limits: Limits = LIMITS): Limiters {
  const names = Object.keys(limits) as LimitName[];
  const limiters = new Map(
    names.map((name) => [
      name,
      newLimiter({ keyPrefix: name, points: limits[name].points, duration: limits[name].seconds }),
    ]),
  );
  const limiterOf = (name: LimitName): RateLimiterAbstract => limiters.get(name)!;
  /** Until when (ms) a key of a counted limit has nothing left, as far as this process has seen. */
  const spent = new Map<string, number>();

  function tooMany(name: LimitName, waitMs: number): DomainError {
    const retryAfter = Math.max(1, Math.ceil(waitMs / 1000));
    const wait = retryAfter === 1 ? 'a second' : `${retryAfter} seconds`;
    return new DomainError('too_many', `Too many ${limits[name].of}. Try again in ${wait}.`, { retryAfter });
  }

  function sweepSpent(): void {
    const nowMs = Date.now();
    for (const [key, untilMs] of spent) if (untilMs <= nowMs) spent.delete(key);
  }

  return {
    async take(name, key) {
      try {
        await limiterOf(name).consume(key);
      } catch (rejected) {
        if (!(rejected instanceof RateLimiterRes)) throw rejected;
        throw tooMany(name, rejected.msBeforeNext);
      }
    },
    async spend(name, key) {
      const limit = limits[name].points;
      try {
        const { remainingPoints, msBeforeNext } = await limiterOf(name).consume(key);
        return { limit, remaining: remainingPoints, resetMs: msBeforeNext, isOver: false };
      } catch (rejected) {
        if (!(rejected instanceof RateLimiterRes)) throw rejected;
        return { limit, remaining: 0, resetMs: rejected.msBeforeNext, isOver: true };
      }
    },
    async count(name, key) {
      const { consumedPoints, msBeforeNext } = await limiterOf(name).penalty(key);
      if (consumedPoints < limits[name].points) return;
      if (spent.size >= SPENT_KEPT) sweepSpent();
      spent.set(`${name} ${key}`, Date.now() + msBeforeNext);
    },
    refuseSpent(name, key) {
      const untilMs = spent.get(`${name} ${key}`);
      if (untilMs === undefined) return;
      const leftMs = untilMs - Date.now();
      if (leftMs > 0) throw tooMany(name, leftMs);
      spent.delete(`${name} ${key}`);
    },
    async block(name, key) {
      await limiterOf(name).block(key, limits[name].seconds);
    },
    async refuseBlocked(name, key) {
      const found = await limiterOf(name).get(key);
      if (found === null || found.consumedPoints <= limits[name].points || found.msBeforeNext <= 0) return;
      throw tooMany(name, found.msBeforeNext);
    },
  };
}
