import { afterEach, describe, expect, test } from 'vitest';
import { DomainError } from '#domain/errors.ts';
import { createLoginBackoff } from '#server/identity/login-backoff.ts';
import { createLimiterFactory, createLimiters } from '#server/limits/limiters.ts';
import { LIMITS } from '#server/limits/limits.ts';
import { openSharedStore } from '#server/limits/shared-store.ts';
import { REDISES } from '../../support/redis.ts';
import type { SharedStore } from '#server/limits/shared-store.ts';
import type { TestRedis } from '../../support/redis.ts';

const LIMIT = { ...LIMITS, sign_in: { points: 3, seconds: 60, of: 'sign-ins' } };
const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'ok',
    (error: unknown) => {
      if (!(error instanceof DomainError)) throw error;
      return error.code;
    },
  );

describe.each(REDISES)('limits shared by $name', ({ open }) => {
  const logged: string[] = [];
  const note = (message: string, fields?: object) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const log = { debug: note, info: note, warn: note, error: note };
  let redis: TestRedis;
  const stores: SharedStore[] = [];

  /** One process of several. */
  async function process(): Promise<SharedStore> {
    const store = await openSharedStore(redis.url, log);
    stores.push(store);
    await expect.poll(() => store.isUp(), { timeout: 10_000 }).toBe(true);
    return store;
  }
  afterEach(async () => {
    for (const store of stores.splice(0)) store.close();
    redis.resume();
    await redis.stop();
    logged.length = 0;
  });

  test('[OP13] two processes count together', async () => {
    redis = await open();
    const [one, two] = [await process(), await process()].map((store) =>
      createLimiters(createLimiterFactory(store), LIMIT),
    );
    expect(await codeOf(one!.take('sign_in', 'x'))).toBe('ok');
    expect(await codeOf(two!.take('sign_in', 'x'))).toBe('ok');
    expect(await codeOf(one!.take('sign_in', 'x'))).toBe('ok');
    expect(await codeOf(two!.take('sign_in', 'x'))).toBe('too_many');
    expect(await codeOf(one!.take('sign_in', 'x'))).toBe('too_many');
    expect(await codeOf(one!.take('sign_in', 'y'))).toBe('ok');
    await one!.block('flood', 'ana');
    expect(await codeOf(two!.refuseBlocked('flood', 'ana'))).toBe('too_many');
    expect(await codeOf(two!.refuseBlocked('flood', 'ben'))).toBe('ok');
  });

  test('[OP13] failed sign-ins count together, and a success forgets them everywhere', async () => {
    redis = await open();
    const [one, two] = [await process(), await process()].map((store) =>
      createLoginBackoff(createLimiterFactory(store)),
    );
    for (let i = 0; i < 5; i++) await (i % 2 === 0 ? one! : two!).failed('ana', '192.0.2.1');
    expect(await codeOf(one!.check('ana', '192.0.2.1'))).toBe('too_many');
    expect(await codeOf(two!.check('ANA', '192.0.2.1'))).toBe('too_many');
    expect(await codeOf(two!.check('ana', '192.0.2.2'))).toBe('ok');
    await one!.succeeded('ana', '192.0.2.1');
    expect(await codeOf(two!.check('ana', '192.0.2.1'))).toBe('ok');
  });

  test('[OP14] Redis gone: each process counts for itself at once, sign-ins too; it comes back by itself', async () => {
    redis = await open();
    const store = await process();
    const limiters = createLimiters(createLimiterFactory(store), LIMIT);
    const backoff = createLoginBackoff(createLimiterFactory(store));
    await limiters.take('sign_in', 'x');
    await redis.stop();
    await expect.poll(() => store.isUp(), { timeout: 5_000 }).toBe(false);
    const startedMs = performance.now();
    const answers: string[] = [];
    for (let i = 0; i < 5; i++) answers.push(await codeOf(limiters.take('sign_in', 'x')));
    expect(answers).toEqual(['ok', 'ok', 'ok', 'too_many', 'too_many']);
    for (let i = 0; i < 5; i++) await backoff.failed('ana', '192.0.2.1');
    expect(await codeOf(backoff.check('ana', '192.0.2.1'))).toBe('too_many');
    await limiters.block('flood', 'ana');
    expect(await codeOf(limiters.refuseBlocked('flood', 'ana'))).toBe('too_many');
    await backoff.succeeded('ana', '192.0.2.1');
    expect(await codeOf(backoff.check('ana', '192.0.2.1'))).toBe('ok');
    // Nothing of all that waited for anybody.
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await redis.start();
    await expect.poll(() => store.isUp(), { timeout: 10_000 }).toBe(true);
    expect(await codeOf(limiters.take('sign_in', 'z'))).toBe('ok');
    expect(logged.filter((line) => line.startsWith('Redis cannot be used'))).toHaveLength(1);
    expect(logged.filter((line) => line.startsWith('Redis is back'))).toHaveLength(1);
  });

  test('[OP14] Redis that hangs is noticed and then not waited for', { timeout: 30_000 }, async () => {
    redis = await open();
    const store = await process();
    const limiters = createLimiters(createLimiterFactory(store), LIMIT);
    redis.hang();
    const startedMs = performance.now();
    expect(await codeOf(limiters.take('sign_in', 'x'))).toBe('ok');
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    await expect.poll(() => store.isUp(), { timeout: 5_000 }).toBe(false);
    const laterMs = performance.now();
    for (let i = 0; i < 100; i++) await codeOf(limiters.take('sign_in', `k${i}`));
    expect(performance.now() - laterMs).toBeLessThan(500);
    expect(await codeOf(limiters.take('sign_in', 'x'))).toBe('ok');
    expect(await codeOf(limiters.take('sign_in', 'x'))).toBe('ok');
    expect(await codeOf(limiters.take('sign_in', 'x'))).toBe('too_many');
    redis.resume();
    await expect.poll(() => store.isUp(), { timeout: 10_000 }).toBe(true);
  });

  test('[OP15] what is said about it names the host and never the password', async () => {
    redis = await open();
    await redis.stop();
    const url = redis.url.replace('redis://', 'redis://music:hunter22@');
    const store = await openSharedStore(url, log);
    stores.push(store);
    await expect.poll(() => logged.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(2);
    expect(logged[0]).toContain('shares rate limits between processes');
    expect(logged[1]).toContain('ECONNREFUSED');
    expect(logged[1]).toContain(new URL(url).host);
    expect(logged.join('\n')).not.toMatch(/hunter22|music:/);
  });
});
