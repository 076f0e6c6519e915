import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DomainError } from '#domain/errors.ts';
import { createLoginBackoff } from '#server/identity/login-backoff.ts';
import { createLimiterFactory, createLimiters } from '#server/limits/limiters.ts';
import { LIMITS } from '#server/limits/limits.ts';
import { openSharedStore } from '#server/limits/shared-store.ts';
import { gatewayClient, restClient } from '../../support/clients.ts';
import { startIssuer } from '../../support/issuer.ts';
import { REDISES } from '../../support/redis.ts';
import { makeFolders, spawnServer } from '../../support/server.ts';
import type { Guess } from '#domain/accounts/prove-password.ts';
import type { LoginBackoff } from '#server/identity/login-backoff.ts';
import type { SharedStore } from '#server/limits/shared-store.ts';
import type { TestRedis } from '../../support/redis.ts';
import type { Folders, Program } from '../../support/server.ts';

const LIMIT = { ...LIMITS, sign_in: { points: 3, seconds: 60, of: 'sign-ins' } };
const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'ok',
    (error: unknown) => {
      if (!(error instanceof DomainError)) throw error;
      return error.code;
    },
  );

/** A guess that counts as failed. */
const guess = (backoff: LoginBackoff, username: string, from: string): Promise<Guess> =>
  backoff.begin({ username, from, isKnown: false, what: 'password' });
/** Whether a guess would be taken; it leaves no trace. */
const look = async (backoff: LoginBackoff, username: string, from: string): Promise<void> =>
  (await guess(backoff, username, from)).undo();

describe.each(REDISES)('limits shared by $name', ({ open }) => {
  const logged: string[] = [];
  const note = (message: string, fields?: object) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const log = { debug: note, info: note, warn: note, error: note };
  let redis: TestRedis;
  const stores: SharedStore[] = [];

  /** One process of several. */
  async function join(): Promise<SharedStore> {
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
    const [one, two] = [await join(), await join()].map((store) => createLimiters(createLimiterFactory(store), LIMIT));
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
    const [one, two] = [await join(), await join()].map((store) =>
      createLoginBackoff(undefined, createLimiterFactory(store)),
    );
    let last: Guess | undefined;
    for (let i = 0; i < 5; i++) last = await guess(i % 2 === 0 ? one! : two!, 'ana', '192.0.2.1');
    expect(await codeOf(look(one!, 'ana', '192.0.2.1'))).toBe('too_many');
    expect(await codeOf(look(two!, 'ANA', '192.0.2.1'))).toBe('too_many');
    expect(await codeOf(look(two!, 'ana', '192.0.2.2'))).toBe('ok');
    await last?.succeeded();
    expect(await codeOf(look(two!, 'ana', '192.0.2.1'))).toBe('ok');
  });

  test('[OP14] Redis gone: each process counts for itself at once, sign-ins too; it comes back by itself', async () => {
    redis = await open();
    const store = await join();
    const limiters = createLimiters(createLimiterFactory(store), LIMIT);
    const backoff = createLoginBackoff(undefined, createLimiterFactory(store));
    await limiters.take('sign_in', 'x');
    await redis.stop();
    await expect.poll(() => store.isUp(), { timeout: 5_000 }).toBe(false);
    const startedMs = performance.now();
    const answers: string[] = [];
    for (let i = 0; i < 5; i++) answers.push(await codeOf(limiters.take('sign_in', 'x')));
    expect(answers).toEqual(['ok', 'ok', 'ok', 'too_many', 'too_many']);
    let last: Guess | undefined;
    for (let i = 0; i < 5; i++) last = await guess(backoff, 'ana', '192.0.2.1');
    expect(await codeOf(look(backoff, 'ana', '192.0.2.1'))).toBe('too_many');
    await limiters.block('flood', 'ana');
    expect(await codeOf(limiters.refuseBlocked('flood', 'ana'))).toBe('too_many');
    await last?.succeeded();
    expect(await codeOf(look(backoff, 'ana', '192.0.2.1'))).toBe('ok');
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
    const store = await join();
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

describe.each(REDISES)('a server with $name', ({ open }) => {
  let folders: Folders;
  let redis: TestRedis;
  beforeEach(() => {
    folders = makeFolders();
  });
  afterEach(async () => {
    await redis.stop();
    folders.remove();
  });
  const healthOf = async (server: Program) =>
    (await (await fetch(`${server.url}/healthz`)).json()) as { status: string };

  test('[OP14] works without it, says that it is degraded, and recovers', { timeout: 60_000 }, async () => {
    redis = await open();
    await redis.stop();
    const issuer = await startIssuer();
    const server = await spawnServer(folders, { issuer, env: { REDIS_URL: redis.url, LOG_LEVEL: 'info' } });
    const token = await issuer.issueAccessToken({ sub: 'ana', username: 'ana', roles: ['user'] });
    const ana = restClient(server.url, token);
    const search = async () => (await ana.call('GET', '/users/search?q=ben')).status;

    expect(await healthOf(server)).toEqual({ status: 'degraded' });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    // Nothing is unlimited meanwhile.
    const alone: number[] = [];
    for (let i = 0; i < 21; i++) alone.push(await search());
    expect(alone).toEqual([...Array<number>(20).fill(200), 429]);
    const gateway = await gatewayClient(server.url, token);
    expect((await gateway.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);

    await redis.start();
    await expect.poll(() => healthOf(server), { timeout: 10_000 }).toEqual({ status: 'ok' });
    expect(await search()).toBe(200);
    // From here on another process counts with this one.
    const other = await spawnServer(
      { ...folders, dataDir: `${folders.dataDir}-2` },
      { issuer, env: { REDIS_URL: redis.url } },
    );
    await expect.poll(() => healthOf(other), { timeout: 10_000 }).toEqual({ status: 'ok' });
    const asNobody = async (program: Program) => (await fetch(`${program.url}/api/v1/playlists`)).status;
    for (let i = 0; i < LIMITS.stranger.points; i++) expect(await asNobody(server)).toBe(401);
    // It hears of that with the next failure of its own.
    expect([await asNobody(server), await asNobody(other), await asNobody(other)]).toEqual([429, 401, 429]);

    await redis.stop();
    await expect.poll(() => healthOf(server), { timeout: 10_000 }).toEqual({ status: 'degraded' });
    expect((await gateway.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
    expect((await ana.call('GET', '/playlists')).status).toBe(200);
    gateway.close();
    expect(await server.stop()).toBe(0);
    expect(await other.stop()).toBe(0);
    await issuer.close();
  });

  test('[OP16] stops at once, with Redis there, away, or hanging', async () => {
    redis = await open();
    for (const trouble of ['none', 'hangs', 'gone']) {
      const server = await spawnServer(folders, { env: { REDIS_URL: redis.url } });
      await expect.poll(() => healthOf(server), { timeout: 10_000 }).toEqual({ status: 'ok' });
      if (trouble === 'hangs') redis.hang();
      if (trouble === 'gone') await redis.stop();
      const startedMs = performance.now();
      expect(await server.stop()).toBe(0);
      expect(performance.now() - startedMs).toBeLessThan(5_000);
      redis.resume();
    }
  });
});

test('[OP17] without REDIS_URL nothing of Redis is loaded', async () => {
  const folders = makeFolders();
  const script = `
    import { createRequire } from 'node:module';
    const { createServer } = await import('#server/create-server.ts');
    const { readConfig } = await import('#server/config.ts');
    const { createLog } = await import('#server/log.ts');
    const server = await createServer({ config: readConfig(process.env), log: createLog('silent') });
    await (await fetch(server.url + '/api/v1/playlists')).text();
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    process.stdout.write(JSON.stringify({ express: loaded.some((file) => file.includes('/express/')), redis: loaded.filter((file) => file.includes('/ioredis/')).length }));
    await server.stop();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: path.resolve(import.meta.dirname, '../../..'),
    env: { PATH: process.env.PATH ?? '', PORT: '0', DATA_DIR: folders.dataDir, MUSIC_DIR: folders.musicDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'close');
  expect(JSON.parse(output)).toEqual({ express: true, redis: 0 });
  folders.remove();
});
