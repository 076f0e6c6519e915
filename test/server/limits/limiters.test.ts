import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DomainError } from '#domain/errors.ts';
import { createGuard } from '#server/limits/guard.ts';
import { createLimiterFactory, createLimiters } from '#server/limits/limiters.ts';
import { ENDPOINT_LIMITS, LIMITS, PACKETS, UNKNOWN_EVENT_COST } from '#server/limits/limits.ts';
import { createTokenBucket } from '#rooms/token-bucket.ts';
import type { Actor } from '#domain/context.ts';
import type { LimitName } from '#server/limits/limits.ts';
import type { IncomingMessage } from 'node:http';

const NAMES = Object.keys(LIMITS) as LimitName[];
const refusal = (asked: Promise<unknown>): Promise<DomainError | null> =>
  asked.then(
    () => null,
    (error: unknown) => {
      if (!(error instanceof DomainError)) throw error;
      return error;
    },
  );

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 1, 12) });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('limits in memory', () => {
  test.each(NAMES)('[HT8] %s: as many as the table says, then too_many until its time is over', async (name) => {
    const limiters = createLimiters(createLimiterFactory(null));
    const { points, seconds } = LIMITS[name];
    for (let i = 0; i < points; i++) await limiters.take(name, 'ana');
    const refused = await refusal(limiters.take(name, 'ana'));
    expect(refused).toMatchObject({ code: 'too_many', retryAfter: seconds });
    expect(refused?.message).toContain(`${seconds} seconds`);
    // Nobody else is held up.
    await limiters.take(name, 'ben');
    await vi.advanceTimersByTimeAsync(seconds * 1000 - 1);
    expect((await refusal(limiters.take(name, 'ana')))?.retryAfter).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await limiters.take(name, 'ana');
  });

  test('[HT8] the defaults are these', () => {
    const table = Object.entries(LIMITS).map(([name, { points, seconds }]) => [name, points, seconds]);
    expect(table).toEqual([
      ['person', 1_000, 10],
      ['media', 2_000, 10],
      ['scrobbler', 50, 10],
      ['scrobbler_address', 30, 10],
      ['import', 20, 86_400],
      ['stranger', 300, 60],
      ['page', 1_200, 60],
      ['sign_in', 300, 60],
      ['password', 300, 60],
      ['handshake', 6_000, 60],
      ['people_search', 20, 60],
      ['ticket', 600, 60],
      ['api_token', 300, 60],
      ['confirmation', 20, 60],
      ['flood', 1, 10],
    ]);
    expect([PACKETS, UNKNOWN_EVENT_COST]).toEqual([{ per_second: 20, burst: 60 }, 10]);
    expect(ENDPOINT_LIMITS).toMatchObject({
      'users.search': 'people_search',
      'playlists.ticket': 'ticket',
      'auth.tokens.create': 'api_token',
      'auth.password': 'confirmation',
      'listen.import': 'import',
    });
  });

  test('[HT9] what is counted afterwards refuses once the limit is reached, and costs nothing to ask', async () => {
    const limiters = createLimiters(createLimiterFactory(null));
    for (let i = 0; i < LIMITS.stranger.points - 1; i++) await limiters.count('stranger', '192.0.2.1');
    limiters.refuseSpent('stranger', '192.0.2.1');
    await limiters.count('stranger', '192.0.2.1');
    expect(() => limiters.refuseSpent('stranger', '192.0.2.1')).toThrow(/^Too many calls without a valid sign-in/);
    limiters.refuseSpent('stranger', '192.0.2.2');
    await vi.advanceTimersByTimeAsync(60_000);
    limiters.refuseSpent('stranger', '192.0.2.1');
  });

  test('[HT9] ten thousand and more addresses are not kept beyond their time', async () => {
    const limiters = createLimiters(createLimiterFactory(null), {
      ...LIMITS,
      stranger: { ...LIMITS.stranger, points: 1 },
    });
    for (let i = 0; i < 10_000; i++) await limiters.count('stranger', `old ${i}`);
    await vi.advanceTimersByTimeAsync(60_000);
    await limiters.count('stranger', 'new');
    expect(() => limiters.refuseSpent('stranger', 'new')).toThrow(DomainError);
    for (let i = 0; i < 10_000; i++) limiters.refuseSpent('stranger', `old ${i}`);
  });

  test('[OP25] a hundred thousand addresses take bounded memory, push out nobody’s counter, and are all counted', async () => {
    const newLimiter = createLimiterFactory(null);
    const limiter = newLimiter({ keyPrefix: 'x', points: 3, duration: 60 });
    const counters = (limiter as unknown as { _memoryStorage: { _storage: Map<string, unknown> } })._memoryStorage
      ._storage;
    for (let i = 0; i < 3; i++) await limiter.consume('known before');
    for (let i = 0; i < 100_000; i++) await limiter.consume(`address ${i}`).catch(() => undefined);
    expect(counters.size).toBeGreaterThan(50_000);
    expect(counters.size).toBeLessThanOrEqual(50_000 + 4_096);
    await expect(limiter.consume('known before')).rejects.toMatchObject({ consumedPoints: 4 });
    // A newcomer is counted, with others.
    for (let i = 0; i < 3; i++) await limiter.consume('newcomer').catch(() => undefined);
    await expect(limiter.consume('newcomer')).rejects.toMatchObject({ isFirstInDuration: false });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(counters.size).toBe(0);
    await limiter.consume('newcomer');
  });

  test('[OP25] more spent addresses than are kept are refused all the same', async () => {
    const limiters = createLimiters(createLimiterFactory(null), {
      ...LIMITS,
      stranger: { ...LIMITS.stranger, points: 1 },
    });
    for (let i = 0; i < 15_000; i++) await limiters.count('stranger', `${i}`);
    for (const key of ['0', '9999', '14999']) expect(() => limiters.refuseSpent('stranger', key)).toThrow(DomainError);
  });

  test('[GW9] a block lasts as long as its limit says', async () => {
    const limiters = createLimiters(createLimiterFactory(null));
    await limiters.refuseBlocked('flood', 'ana');
    await limiters.block('flood', 'ana');
    expect(await refusal(limiters.refuseBlocked('flood', 'ana'))).toMatchObject({ code: 'too_many', retryAfter: 10 });
    await limiters.refuseBlocked('flood', 'ben');
    await vi.advanceTimersByTimeAsync(10_000);
    await limiters.refuseBlocked('flood', 'ana');
  });
});

describe('who may go on trying', () => {
  const ana: Actor = {
    user_id: 'ana',
    username: 'ana',
    role: 'user',
    provider_role: null,
    credential: { kind: 'session', session_id: 'x', auth_time: 0 },
  };
  const from = (address: string) => ({ socket: { remoteAddress: address } }) as unknown as IncomingMessage;
  const nobody = () => Promise.reject(new DomainError('unauthenticated', 'no'));
  function setUp(points: number) {
    const limiters = createLimiters(createLimiterFactory(null), {
      ...LIMITS,
      stranger: { points, seconds: 60, of: 'calls' },
    });
    return createGuard(limiters, (req) => req.socket.remoteAddress ?? '');
  }

  test('[HT9] after too many failures no credential of that address is looked at, whatever it is', async () => {
    const guard = setUp(3);
    for (let i = 0; i < 3; i++) {
      expect((await refusal(guard(from('192.0.2.1'), `bad ${i}`, nobody)))?.code).toBe('unauthenticated');
    }
    const find = vi.fn(() => Promise.resolve(ana));
    expect(await refusal(guard(from('192.0.2.1'), 'not seen before', find))).toMatchObject({
      code: 'too_many',
      retryAfter: 60,
    });
    expect((await refusal(guard(from('192.0.2.1'), undefined, find)))?.code).toBe('too_many');
    expect(find).not.toHaveBeenCalled();
    expect(await guard(from('192.0.2.2'), 'not seen before', find)).toBe(ana);
  });

  test('[HT9] a credential that was good before is not held up by others at the same address', async () => {
    const guard = setUp(2);
    expect(await guard(from('192.0.2.1'), 'good', () => Promise.resolve(ana))).toBe(ana);
    for (let i = 0; i < 2; i++) await refusal(guard(from('192.0.2.1'), 'bad', nobody));
    expect(await guard(from('192.0.2.1'), 'good', () => Promise.resolve(ana))).toBe(ana);
    // Once it is not good any more it is one of the others.
    expect((await refusal(guard(from('192.0.2.1'), 'good', nobody)))?.code).toBe('unauthenticated');
    expect((await refusal(guard(from('192.0.2.1'), 'good', nobody)))?.code).toBe('too_many');
  });

  test('[HT9] being disabled, foreign, or asked while the provider is down is nobody’s guess', async () => {
    const guard = setUp(1);
    for (const code of ['account_disabled', 'foreign_origin', 'provider_unavailable'] as const) {
      for (let i = 0; i < 3; i++) {
        const asked = guard(from('192.0.2.1'), 'x', () => Promise.reject(new DomainError(code, '')));
        expect((await refusal(asked))?.code).toBe(code);
      }
    }
  });

  test('[HT9] five thousand good credentials are remembered, the ones not seen for longest forgotten', async () => {
    const guard = setUp(1);
    for (let i = 0; i <= 5_000; i++) await guard(from('192.0.2.1'), `good ${i}`, () => Promise.resolve(ana));
    await refusal(guard(from('192.0.2.1'), 'bad', nobody));
    expect((await refusal(guard(from('192.0.2.1'), 'good 0', () => Promise.resolve(ana))))?.code).toBe('too_many');
    expect(await guard(from('192.0.2.1'), 'good 1', () => Promise.resolve(ana))).toBe(ana);
  });
});

describe('a bucket', () => {
  test('[GW8] a burst, then the steady rate, and no more saved up than the burst', () => {
    const bucket = createTokenBucket({ per_second: 20, burst: 60 }, 0);
    const takes = (nowMs: number) => {
      let taken = 0;
      while (bucket.take(nowMs)) taken++;
      return taken;
    };
    expect(takes(0)).toBe(60);
    // The one that was refused was taken too.
    expect(takes(1_050)).toBe(20);
    expect(takes(1_000_000)).toBe(60);
  });

  test('[GW8] a costly one takes several', () => {
    const bucket = createTokenBucket({ per_second: 20, burst: 60 }, 0);
    for (let i = 0; i < 6; i++) expect(bucket.take(0, 10)).toBe(true);
    expect(bucket.take(0)).toBe(false);
  });
});
