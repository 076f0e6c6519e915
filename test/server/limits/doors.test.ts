import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LIMITS } from '#server/limits/limits.ts';
import { gatewayClient, restClient } from '../../support/clients.ts';
import { AMPLE } from '../../support/ample.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { makeFolders, startServer } from '../../support/server.ts';
import { openWorld, rawSocket } from '../../support/world.ts';
import type { Problem } from '#contract/problems.ts';
import type { RunningServer } from '#server/create-server.ts';
import type { LimitName } from '#server/limits/limits.ts';
import type { StartOptions, Folders } from '../../support/server.ts';
import type { Someone, World } from '../../support/world.ts';

const [SQLITE] = DIALECTS;
/** Ample limits but for one or two. */
const onlyFew = (few: Partial<Record<LimitName, number>>): Pick<StartOptions, 'limits'> => ({
  limits: {
    ...AMPLE.limits,
    ...Object.fromEntries(
      Object.entries(few).map(([name, points]) => [name, { ...LIMITS[name as LimitName], points }]),
    ),
  },
});

/** A refused call: a problem that says when to come back. */
async function expectTooMany(response: Response, withinSeconds: number): Promise<void> {
  expect(response.status).toBe(429);
  const retryAfter = Number(response.headers.get('retry-after'));
  expect(retryAfter).toBeGreaterThanOrEqual(1);
  expect(retryAfter).toBeLessThanOrEqual(withinSeconds);
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(response.headers.get('cache-control')).toBe('private, no-store');
  const problem = (await response.json()) as Problem;
  expect(problem).toMatchObject({ code: 'too_many', status: 429, type: 'urn:stepheybot:problem:too_many' });
  expect(problem.detail).toMatch(/Try again in (a second|\d+ seconds)\.$/);
}

/** What a refused upgrade is answered, as bytes of HTTP. */
async function upgradeAnswer(url: string, path: string, headers: Record<string, string> = {}): Promise<string> {
  const { port, host } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n` +
      Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('') +
      '\r\n',
  );
  await once(socket, 'close');
  return text;
}

describe('limits at the doors', () => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  async function open(options: Partial<StartOptions>): Promise<void> {
    world = await openWorld(SQLITE!, options);
    [ana, ben] = [await world.someone('ana'), await world.someone('ben')];
  }
  const asAna = (path: string, init: RequestInit = {}) =>
    fetch(`${world.url}/api/v1${path}`, { ...init, headers: { authorization: `Bearer ${ana.token}` } });
  const statuses = async (count: number, ask: () => Promise<Response>) => {
    const found: number[] = [];
    for (let i = 0; i < count; i++) {
      const response = await ask();
      await response.arrayBuffer();
      found.push(response.status);
    }
    return found;
  };
  afterEach(() => world.close());

  test('[HT8] a person’s calls: refused beyond the limit, on every route, and nobody else is', async () => {
    // The first call of each made the person.
    await open(onlyFew({ person: 4 }));
    expect(await statuses(3, () => asAna('/playlists'))).toEqual([200, 200, 200]);
    for (const path of ['/playlists', '/user/profile', '/library/tracks', '/users/search?q=ana']) {
      await expectTooMany(await asAna(path), 10);
    }
    await expectTooMany(await asAna('/playlists', { method: 'POST', body: '{"name":"x"}' }), 10);
    expect((await ben.rest.call('GET', '/playlists')).status).toBe(200);
    // Files are counted on their own.
    expect((await asAna('/library/tracks/aaaaaaaaaaaaaaaaaaaaaa/cover')).status).toBe(404);
  });

  test('[HT8] media', async () => {
    await open(onlyFew({ media: 2 }));
    const path = '/library/tracks/aaaaaaaaaaaaaaaaaaaaaa';
    expect(await statuses(2, () => asAna(`${path}/cover`))).toEqual([404, 404]);
    await expectTooMany(await asAna(`${path}/stream`), 10);
    expect((await asAna('/playlists')).status).toBe(200);
  });

  test('[HT11] a thousand searches for people by a program find what twenty by hand do', async () => {
    await open({ limits: { person: AMPLE.limits.person } });
    let index = 0;
    const found = await statuses(1_000, () => asAna(`/users/search?q=${(index++).toString(36).padStart(3, 'a')}`));
    expect(found.filter((status) => status === 200)).toHaveLength(20);
    expect(found.filter((status) => status === 429)).toHaveLength(980);
    await expectTooMany(await asAna('/users/search?q=ben'), 60);
    expect((await ben.rest.call('GET', '/users/search?q=ana')).status).toBe(200);
  });

  test('[HT8] tickets and API tokens', async () => {
    await open(onlyFew({ ticket: 2, api_token: 2 }));
    const { id } = await ana.rest.post<{ id: string }>('/playlists', { name: 'x' });
    const ask = (path: string, body?: unknown) => ana.rest.call<Problem>('POST', path, body);
    const tries: [string, unknown][] = [
      [`/playlists/${id}/ticket`, undefined],
      ['/auth/tokens', { name: 'x', scopes: ['read'] }],
    ];
    for (const [path, body] of tries) {
      const found = [await ask(path, body), await ask(path, body), await ask(path, body)];
      expect([path, ...found.map((one) => one.status)]).toEqual([path, expect.any(Number), expect.any(Number), 429]);
      expect(found.slice(0, 2).every((one) => one.status < 300)).toBe(true);
      expect(found[2]?.headers.get('retry-after')).toMatch(/^\d+$/);
    }
  });

  test('[HT9] too many bad tokens from one address: no other is verified, at any door, and no key is fetched', async () => {
    await open(onlyFew({ stranger: 50 }));
    const { id } = await ana.rest.post<{ id: string }>('/playlists', { name: 'x' });
    const good = await gatewayClient(world.url, ana.token);
    const forged = async (kid: string) =>
      world.issuer.issueAccessToken({ sub: 'evil', username: 'evil' }, { header: { kid } });
    const fetched = world.issuer.jwksFetches;
    let index = 0;
    const asForger = async () =>
      fetch(`${world.url}/api/v1/playlists`, {
        headers: { authorization: `Bearer ${await forged(`kid ${index++}`)}` },
      });
    expect(await statuses(60, asForger)).toEqual([...Array<number>(50).fill(401), ...Array<number>(10).fill(429)]);
    await expectTooMany(await asForger(), 60);
    expect(world.issuer.jwksFetches - fetched).toBeLessThanOrEqual(1);
    // Nor is a cookie, a token of a fourth kind, or none at all.
    for (const headers of [
      { cookie: `sbm_session=${'a'.repeat(43)}` },
      { authorization: `Bearer sbm_${'a'.repeat(43)}` },
      {},
    ]) {
      await expectTooMany(await fetch(`${world.url}/api/v1/playlists`, { headers: headers as never }), 60);
    }
    const upgrade = await upgradeAnswer(world.url, `/yjs/${id}`, { authorization: `Bearer ${await forged('x')}` });
    expect(upgrade).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n/);
    expect(upgrade).toMatch(/\r\nRetry-After: \d+\r\n/);
    expect(upgrade).toContain('"code":"too_many"');
    expect(await rawSocket(world.url, `/yjs/${id}?ticket=${'a'.repeat(43)}`)).toBe(429);
    const refused = await gatewayClient(world.url, await forged('y')).catch(
      (error: { problem?: Problem }) => error.problem,
    );
    expect(refused).toMatchObject({ code: 'too_many', status: 429 });
    // Who was known before goes on, and comes in anew.
    expect((await asAna('/playlists')).status).toBe(200);
    expect((await good.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
    const again = await gatewayClient(world.url, ana.token);
    const list = await rawSocket(world.url, `/yjs/${id}`, { authorization: `Bearer ${ana.token}` });
    expect(typeof list).toBe('object');
    if (typeof list !== 'number') list.ws.terminate();
    good.close();
    again.close();
  });

  test('[HT12] handshakes of both protocols count together, and are refused before any WebSocket exists', async () => {
    await open(onlyFew({ handshake: 3 }));
    const path = '/socket.io/?EIO=4&transport=websocket';
    for (let i = 0; i < 2; i++) {
      const socket = await rawSocket(world.url, path);
      if (typeof socket === 'number') throw new Error(String(socket));
      socket.ws.terminate();
    }
    expect(await rawSocket(world.url, '/yjs/aaaaaaaaaaaaaaaaaaaaaa')).toBe(401);
    for (const address of [path, '/yjs/aaaaaaaaaaaaaaaaaaaaaa']) {
      const answer = await upgradeAnswer(world.url, address);
      expect(answer).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n/);
      expect(answer).toMatch(/\r\nRetry-After: \d+\r\n/);
      expect(answer).toMatch(/\r\nCache-Control: private, no-store\r\n/);
    }
    expect((await asAna('/playlists')).status).toBe(200);
  });
});

describe('limits of what is open to all', () => {
  let folders: Folders;
  let server: RunningServer;
  const start = async (options: Partial<StartOptions>) => {
    server = await startServer(folders, options);
  };
  beforeEach(() => {
    folders = makeFolders();
  });
  afterEach(async () => {
    await server.stop();
    folders.remove();
  });

  test.each<[LimitName, string, string, number]>([
    ['sign_in', 'GET', '/api/v1/auth/login', 303],
    ['sign_in', 'POST', '/api/v1/auth/login', 303],
    ['password', 'POST', '/oidc/interaction/abc', 403],
    ['page', 'GET', '/setup?token=x', 404],
    ['page', 'POST', '/setup', 403],
    ['page', 'GET', '/oidc/.well-known/openid-configuration', 200],
    ['page', 'GET', '/oidc/auth', 400],
    ['page', 'GET', '/api/v1/auth/callback', 400],
    ['page', 'GET', '/api/docs', 200],
    ['page', 'GET', '/api/v1/openapi.json', 200],
  ])('[HT13] %s: %s %s', async (name, method, path, status) => {
    await start(onlyFew({ [name]: 2 }));
    const ask = (headers: Record<string, string> = {}) =>
      fetch(`${server.url}${path}`, { method, headers, redirect: 'manual' });
    expect([(await ask()).status, (await ask()).status]).toEqual([status, status]);
    await expectTooMany(await ask({ accept: 'application/json' }), 60);
    const page = await ask({ accept: 'text/html' });
    expect([page.status, page.headers.get('content-type')]).toEqual([429, 'text/html; charset=utf-8']);
    expect(page.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toContain('Too many');
  });

  test('[HT13] what the server needs to be of use stays open: health, its pages’ looks, and its own token endpoint', async () => {
    await start(onlyFew({ page: 1, sign_in: 1, password: 1, stranger: 1 }));
    for (let i = 0; i < 5; i++) {
      for (const path of ['/healthz', '/readyz', '/oidc/pages.css']) {
        expect([path, (await fetch(`${server.url}${path}`)).status]).toEqual([path, 200]);
      }
      expect((await fetch(`${server.url}/oidc/token`, { method: 'POST' })).status).toBe(400);
    }
  });

  test('[HT10] a thousand tries to sign in under forged addresses are as limited as under one', async () => {
    await start({ limits: {} });
    const found = new Map<number, number>();
    for (let i = 0; i < 1_000; i++) {
      const forged = `${1 + (i % 200)}.${i % 251}.${i % 13}.${i % 255}`;
      const response = await fetch(`${server.url}/oidc/interaction/abc`, {
        method: 'POST',
        headers: { 'x-forwarded-for': forged, forwarded: `for=${forged}`, 'x-real-ip': forged },
      });
      await response.arrayBuffer();
      found.set(response.status, (found.get(response.status) ?? 0) + 1);
    }
    expect([...found]).toEqual([
      [403, LIMITS.password.points],
      [429, 1_000 - LIMITS.password.points],
    ]);
  });

  test('[HT10] behind a proxy that is trusted, each address counts for itself', async () => {
    await start({ ...onlyFew({ password: 2 }), env: { TRUST_PROXY: '1' } });
    const from = (address: string) =>
      fetch(`${server.url}/oidc/interaction/abc`, { method: 'POST', headers: { 'x-forwarded-for': address } });
    for (let i = 0; i < 2; i++) expect((await from('198.51.100.1')).status).toBe(403);
    expect((await from('198.51.100.1')).status).toBe(429);
    // What the caller itself wrote stands before what the proxy adds.
    expect((await from('203.0.113.7, 198.51.100.1')).status).toBe(429);
    expect((await from('198.51.100.2')).status).toBe(403);
    expect((await from('2001:db8:0:100::1')).status).toBe(403);
    expect((await from('2001:db8:0:1ff::2')).status).toBe(403);
    expect((await from('2001:db8:0:1aa::3')).status).toBe(429);
  });

  test('[HT13] an ordinary visit comes near none of the defaults', async () => {
    await start({ limits: {}, packets: { per_second: 20, burst: 60 } });
    const anonymous = restClient(server.url, 'x');
    expect((await anonymous.call('GET', '/auth/profile')).status).toBe(401);
    for (let i = 0; i < 20; i++) {
      const begun = await fetch(`${server.url}/api/v1/auth/login`, { redirect: 'manual' });
      expect(begun.status).toBe(303);
      const page = await fetch(begun.headers.get('location')!, { redirect: 'manual' });
      expect(page.status).toBe(303);
    }
  });
});
