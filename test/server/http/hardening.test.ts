import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as contracts from '#contract/security.ts';
import { createSession } from '#domain/accounts/sessions.ts';
import { hashSecret, newIds } from '#server/ids.ts';
import { liveRoutes } from '../../support/live-routes.ts';
import { putTracks } from '../../support/room.ts';
import { makeFolders, startServer } from '../../support/server.ts';
import type { RunningServer } from '#server/create-server.ts';
import type { LiveRoute } from '../../support/live-routes.ts';
import type { Folders } from '../../support/server.ts';

const CLIENT = path.resolve(import.meta.dirname, '../../../client');
const PAGE = readFileSync(path.join(CLIENT, 'src/app.html'), 'utf8').replaceAll(/%sveltekit\.\w+%/g, '');

/** Seconds of a signed-in browser's session, which a call by it may touch. */
const TOUCHED = new Set(['last_active', 'last_used_at', 'expires_at']);

describe('the REST door against browsers led astray', () => {
  let folders: Folders;
  let clientDir: string;
  let server: RunningServer;
  let cookie: string;
  let token: string;
  let user_id: string;
  let routes: LiveRoute[];
  let tracks: string[];

  beforeAll(async () => {
    folders = makeFolders();
    clientDir = path.join(folders.dataDir, '..', 'client');
    mkdirSync(path.join(clientDir, '_app/immutable'), { recursive: true });
    writeFileSync(path.join(clientDir, 'index.html'), PAGE);
    writeFileSync(path.join(clientDir, '_app/immutable/a.js'), '1');
    server = await startServer(folders, { clientDir });
    ({ user_id } = await server.identity.createLocalAccount({
      username: 'ana',
      role: 'admin',
      password: 'a long enough password',
    }));
    tracks = await putTracks(server.ctx, 1);
    const secret = newIds.secret();
    await createSession(server.ctx, {
      user_id,
      secret_hash: hashSecret(secret),
      provider_sid: null,
      realm_role: null,
      device: 'test',
      auth_time: Math.floor(Date.now() / 1000),
      replaces_secret_hash: null,
    });
    cookie = `sbm_session=${secret}`;
    const made = await fetch(`${server.url}/api/v1${contracts.createToken.path}`, {
      method: 'POST',
      headers: { cookie, origin: server.url, 'content-type': 'application/json' },
      body: '{"name":"x","scopes":["read","write"]}',
    });
    ({ token } = (await made.json()) as { token: string });
    routes = await liveRoutes(server);
  });
  afterAll(async () => {
    await server.stop();
    folders.remove();
  });

  /** Everything in the database, but for when somebody was last seen. */
  async function contents(): Promise<string> {
    const { db } = server.ctx;
    const tables = await db.introspection.getTables();
    const rows: unknown[] = [];
    for (const { name } of tables) {
      if (name === 'login_attempts' || name.startsWith('oidc_')) continue;
      rows.push([
        name,
        await db
          .selectFrom(name as 'users')
          .selectAll()
          .execute(),
      ]);
    }
    return JSON.stringify(rows, (key, value: unknown) => (TOUCHED.has(key) ? undefined : value));
  }

  const isUnsafe = ({ method }: LiveRoute) => method !== 'GET';

  test('[HT14] a page elsewhere can make a signed-in browser change nothing, on any route', async () => {
    const unsafe = routes.filter(isUnsafe);
    // The list is the server's own, and these are some of it.
    for (const known of [
      'POST /api/v1/auth/logout',
      'POST /api/v1/auth/login',
      'PUT /api/v1/user/profile',
      'POST /setup',
    ]) {
      expect(unsafe.map(({ method, pattern }) => `${method} ${pattern}`)).toContain(known);
    }
    const json = { 'content-type': 'application/json' };
    const table: [string, Record<string, string>][] = [
      ['cross-site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', ...json }],
      ['cross-site without Origin', { 'sec-fetch-site': 'cross-site', ...json }],
      ['an old browser elsewhere', { origin: 'https://evil.example', ...json }],
      ['a sibling', { origin: 'http://app.127.0.0.1', 'sec-fetch-site': 'same-site', ...json }],
      ['another port of this machine', { origin: 'http://127.0.0.1:1', 'sec-fetch-site': 'same-site', ...json }],
      ['our address under another scheme', { origin: server.url.replace('http', 'https'), ...json }],
      ['no headers', { ...json }],
      [
        'a form of text/plain',
        { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' },
      ],
      [
        'a form',
        { origin: 'null', 'sec-fetch-site': 'cross-site', 'content-type': 'application/x-www-form-urlencoded' },
      ],
      ['"null"', { origin: 'null', ...json }],
      ['a lie in one of the two', { origin: server.url, 'sec-fetch-site': 'cross-site', ...json }],
    ];
    const before = await contents();
    const found: [string, string, number][] = [];
    for (const [name, headers] of table) {
      for (const route of unsafe) {
        const response = await fetch(server.url + route.path, {
          method: route.method,
          headers: { cookie, ...headers },
          body: '{}',
          redirect: 'manual',
        });
        await response.arrayBuffer();
        expect(response.headers.getSetCookie()).toEqual([]);
        found.push([name, `${route.method} ${route.pattern}`, response.status]);
      }
    }
    // ListenBrainz' doors do not read the cookie at all: there the browser is nobody.
    const wanted = (pattern: string) => (pattern.includes(' /api/v1/1/') ? 401 : 403);
    expect(found.filter(([, pattern, status]) => status !== wanted(pattern))).toEqual([]);
    expect(found).toHaveLength(table.length * unsafe.length);
    expect(await contents()).toBe(before);
    expect((await fetch(`${server.url}/api/v1/auth/profile`, { headers: { cookie } })).status).toBe(200);
  });

  test('[HT14] with a token, which no browser adds by itself, the same calls are weighed as usual', async () => {
    const response = await fetch(`${server.url}/api/v1/user/preferences`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${token}`,
        cookie,
        origin: 'https://evil.example',
        'content-type': 'application/json',
      },
      body: '{"theme":"dark"}',
    });
    expect(response.status).toBe(200);
  });

  test('[HT15] reading changes nothing, on any route', async () => {
    const safe = routes.filter((route) => !isUnsafe(route));
    expect(safe.length).toBeGreaterThanOrEqual(20);
    const before = await contents();
    for (const route of safe) {
      for (const method of ['GET', 'HEAD']) {
        const response = await fetch(server.url + route.path, {
          method,
          headers: {
            cookie,
            'x-http-method-override': 'DELETE',
            'x-http-method': 'DELETE',
            'x-method-override': 'PUT',
          },
          redirect: 'manual',
        });
        await response.arrayBuffer();
        expect([route.pattern, response.status >= 500]).toEqual([route.pattern, false]);
      }
    }
    expect(await contents()).toBe(before);
  });

  test('[HT16] nothing private is kept by any cache: every route, answered and refused', async () => {
    const found: string[] = [];
    // Whatever would end the session or token this is done with.
    const isLast = ({ method, pattern }: LiveRoute) =>
      pattern.endsWith('/logout') || (method === 'DELETE' && /\/auth\/(sessions|tokens)$/.test(pattern));
    for (const route of routes) {
      for (const headers of [
        { cookie, origin: server.url },
        { authorization: `Bearer ${token}` },
        {},
        { cookie: 'sbm_session=x' },
      ]) {
        const response = await fetch(server.url + route.path, {
          method: isLast(route) ? 'GET' : route.method,
          headers,
          redirect: 'manual',
        });
        await response.arrayBuffer();
        const cached = response.headers.get('cache-control') ?? '';
        // Who may keep anything at all: these, which are the same for everybody.
        const isPublic = ['/api/v1/openapi.json', '/oidc/pages.css'].includes(route.path);
        const isPage = (response.headers.get('content-type') ?? '').startsWith('text/html') || response.status === 303;
        const wanted = isPublic ? /^(no-cache|public, max-age=3600)$/ : isPage ? /no-store/ : /^private, no-store$/;
        if (!wanted.test(cached)) found.push(`${route.method} ${route.pattern} ${response.status}: ${cached}`);
        if (route.path.startsWith('/api/')) {
          expect(response.headers.get('vary')).toMatch(/^Cookie, Authorization/);
        }
        // What any page may read is what it has a token for: a browser's cookie is nobody there.
        const isOpen = route.path.startsWith('/api/v1/1/');
        if (isOpen && !('authorization' in headers)) expect([400, 401]).toContain(response.status);
        expect(response.headers.get('cross-origin-resource-policy')).toBe(isOpen ? 'cross-origin' : 'same-origin');
        expect(response.headers.get('x-content-type-options')).toBe('nosniff');
        expect(response.headers.has('x-powered-by')).toBe(false);
        expect(response.headers.get('access-control-allow-origin')).toBe(isOpen ? '*' : null);
        expect(response.headers.has('access-control-allow-credentials')).toBe(false);
        expect(response.headers.has('etag')).toBe(false);
      }
    }
    expect(found).toEqual([]);
    const stream = await fetch(`${server.url}/api/v1/library/tracks/${tracks[0]}/stream`, { headers: { cookie } });
    // The test's track has no file, so this is a refusal; test/server/media.test.ts has the others.
    expect([stream.status, stream.headers.get('cache-control')]).toEqual([404, 'private, no-store']);
  });

  test('[HT17] every document forbids scripts and styles within it, frames, and what a player has no use for', async () => {
    const documents: [string, RequestInit, number][] = [
      ['/', {}, 200],
      ['/playlist/abc', {}, 200],
      ['/setup', {}, 404],
      ['/setup', { method: 'POST' }, 403],
      ['/invite', {}, 200],
      ['/reset', {}, 404],
      ['/api/docs', {}, 200],
      ['/oidc/auth', {}, 400],
      ['/oidc/interaction/abc', {}, 400],
      ['/api/v1/auth/callback', {}, 400],
    ];
    // A server of its own, whose one-time links nobody has tried yet.
    const others = makeFolders();
    const fresh = await startServer(others, { clientDir });
    for (const [address, init, status] of documents) {
      const response = await fetch(fresh.url + address, { ...init, headers: { accept: 'text/html' } });
      const html = await response.text();
      expect([address, response.status, response.headers.get('content-type')]).toEqual([
        address,
        status,
        expect.stringMatching(/^text\/html; ?charset=utf-8$/),
      ]);
      const policy = new Map(
        (response.headers.get('content-security-policy') ?? '').split(';').map((directive) => {
          const [name = '', ...sources] = directive.trim().split(/\s+/);
          return [name, sources] as const;
        }),
      );
      expect([...policy.values()].flat().join(' ')).not.toMatch(/unsafe|\*|https?:|data: *$/);
      expect(policy.get('frame-ancestors')).toEqual(["'none'"]);
      expect(policy.get('base-uri')).toEqual(["'none'"]);
      expect(policy.get('form-action')).toEqual(["'self'"]);
      const scripts = policy.get('script-src') ?? policy.get('default-src') ?? [];
      expect(scripts.filter((source) => !/^('self'|'none'|'sha256-[A-Za-z0-9+/=]{44}')$/.test(source))).toEqual([]);
      expect(policy.get('style-src')).toEqual(["'self'"]);
      expect(policy.get('object-src') ?? policy.get('default-src')).toEqual(["'none'"]);
      // And nothing in the document needs more than that.
      for (const [, attributes = '', text = ''] of html.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/g)) {
        if (attributes.includes('src=')) continue;
        expect(scripts).toContain(`'sha256-${createHash('sha256').update(text).digest('base64')}'`);
      }
      const outside = html.replaceAll(/<script\b[\s\S]*?<\/script>/g, '');
      expect(outside).not.toMatch(/\sstyle=|<style|\son\w+=|javascript:/i);
      expect(response.headers.get('x-frame-options')).toBe('DENY');
      expect(response.headers.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(response.headers.get('permissions-policy')).toMatch(/camera=\(\), microphone=\(\), geolocation=\(\)/);
      expect(response.headers.get('referrer-policy')).toMatch(/^(no-referrer|same-origin)$/);
      // On plain http it would only lock people out.
      expect(response.headers.has('strict-transport-security')).toBe(false);
    }
    await fresh.stop();
    others.remove();
  });

  test('[HT17] no component of the client writes a style or a handler into its markup', () => {
    const sources = readdirSync(path.join(CLIENT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(svelte|html)$/.test(name),
    );
    expect(sources.length).toBeGreaterThan(30);
    for (const name of sources) {
      const markup = readFileSync(path.join(CLIENT, 'src', name), 'utf8').replaceAll(
        /<script\b[\s\S]*?<\/script>/g,
        '',
      );
      // `style:` and `onclick={…}` are set by script, which the policy allows; text in markup is not.
      expect([name, /\sstyle=["'{]|\son\w+=["']/.exec(markup)?.[0]]).toEqual([name, undefined]);
    }
  });

  test('[HT17] over https browsers are told to come by https only', async () => {
    const others = makeFolders();
    const secure = await startServer(others, { env: { PUBLIC_URL: 'https://music.example.org' } });
    const response = await fetch(`${secure.url}/healthz`);
    expect(response.headers.get('strict-transport-security')).toMatch(/^max-age=\d{7,}/);
    await secure.stop();
    others.remove();
  });
});
