import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { io } from 'socket.io-client';
import { Browser } from './identity/harness.ts';
import { GATEWAY_PATH, bareSocket, frame } from '../support/bare-websocket.ts';
import { gatewayClient, openPlaylist, restClient } from '../support/clients.ts';
import { startIssuer } from '../support/issuer.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import { rawSocket } from '../support/world.ts';
import type { Track } from '#contract/library.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { Folders } from '../support/server.ts';

/** Words that stand for what nobody but its owner may read; each is looked for whole, and as it is in an address. */
const SECRETS = {
  password: 'canary-password-9c1f',
  wrongPassword: 'canary-wrong-3b7a',
  newPassword: 'canary-new-password-51e0',
  code: '271828',
  email: 'canary-mail-77d2@example.org',
  title: 'Canary Title Zq',
  artist: 'Canary Artist Zq',
  file: 'canary-file-zq',
  listName: 'Canary List Zq',
  bio: 'canary bio zq',
  search: 'canary search zq',
  badToken: 'eyJcanary.eyJcanary.canarysignature',
  badApiToken: `sbm_${'canarycanary'.padEnd(43, 'z')}`,
  badCookie: 'canarycookie'.padEnd(43, 'z'),
  badTicket: 'canaryticket'.padEnd(43, 'z'),
  badState: 'canarystate'.padEnd(43, 'z'),
};

/** Where one of them stands in a text. */
function foundIn(text: string, secrets: Record<string, string>): string[] {
  return Object.entries(secrets).flatMap(([name, secret]) =>
    [secret, encodeURIComponent(secret), secret.replaceAll(' ', '+'), Buffer.from(secret).toString('base64')].some(
      (form) => text.includes(form),
    )
      ? [name]
      : [],
  );
}

type Tracks = { items: Track[] };

describe('canaries', () => {
  let folders: Folders;
  beforeEach(() => {
    folders = makeFolders();
    mkdirSync(folders.musicDir, { recursive: true });
    makeLibrary(folders.musicDir, {
      [`${SECRETS.file}.flac`]: { title: SECRETS.title, artist: SECRETS.artist, album: 'Numbers', seconds: 40 },
    });
  });
  afterEach(() => folders.remove());

  /** A browser that writes down everything it gets to see of a server. */
  class Crawler extends Browser {
    readonly seen: string[] = [];
    override async send(url: string, init: RequestInit = {}): Promise<Response> {
      const answer = await super.send(url, init);
      const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
      const copy = answer.clone();
      this.seen.push(
        `${init.method ?? 'GET'} ${new URL(url).pathname} ${answer.status}\n${headers}\n\n${await copy.text()}`,
      );
      return answer;
    }
  }

  /** Every address a browser may read, and both its sockets. */
  async function crawl(url: string, browser: Crawler, list: Playlist, track_id: string): Promise<void> {
    const origin = new URL(url).origin;
    const document = (await (await browser.send(`${url}/api/v1/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    for (const [path, operations] of Object.entries(document.paths)) {
      const filled = path
        .replace('{track_id}', track_id)
        .replace('{id}', list.id)
        .replace('{username}', 'ana')
        .replace(/\{\w+\}/g, list.id);
      for (const method of Object.keys(operations)) {
        if (/\/auth\/(logout|login|callback|sessions|tokens$|devices|backchannel)/.test(path) && method !== 'get')
          continue;
        if (path.endsWith('/stream') || (method === 'delete' && !path.includes('/tracks'))) continue;
        await browser.send(`${url}/api/v1${filled}`, {
          method: method.toUpperCase(),
          headers: { origin, 'content-type': 'application/json' },
          ...(method === 'get' ? {} : { body: '{}' }),
        });
      }
    }
    for (const path of [
      '/',
      '/login',
      '/api/docs',
      '/healthz',
      '/readyz',
      '/oidc/.well-known/openid-configuration',
      '/oidc/jwks',
    ]) {
      await browser.send(url + path, { headers: { accept: 'text/html' } });
    }
    const headers = { cookie: `sbm_session=${browser.cookie('sbm_session')}`, origin };
    const line = bareSocket(url, GATEWAY_PATH, { headers });
    await line.heard('"pingInterval"');
    line.socket.write(frame('40'));
    await line.heard('40{"sid"');
    for (const [i, [name, payload]] of Object.entries([
      ['listen:start', { track_id, source: 'web' }],
      ['presence:set', { status: 'online' }],
      ['auth:refresh', { token: SECRETS.badToken }],
    ] as const)) {
      line.socket.write(frame(`42${i}["${name}",${JSON.stringify(payload)}]`));
      await line.heard(`43${i}[`);
    }
    const sync = await rawSocket(url, `/yjs/${list.id}`, headers);
    if (typeof sync === 'number') throw new Error(String(sync));
    await sync.heard(1);
    browser.seen.push(line.received(), Buffer.concat(sync.frames).toString('latin1'));
    line.socket.destroy();
    sync.ws.terminate();
  }

  /** Everything a careless client may send somewhere. @returns what was answered to it */
  async function misbehave(url: string, token: string, list: Playlist): Promise<string> {
    const answers: string[] = [];
    const call = async (path: string, init: RequestInit = {}) => {
      const answer = await fetch(url + path, { redirect: 'manual', ...init });
      answers.push(`${[...answer.headers].join('\n')}\n${await answer.text()}`);
    };
    const everything = JSON.stringify(SECRETS);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    await call('/api/v1/playlists', { method: 'POST', headers, body: everything });
    await call('/api/v1/playlists', { method: 'POST', headers, body: `${everything}{` });
    await call('/api/v1/playlists', { method: 'POST', headers, body: everything.repeat(200) });
    await call('/api/v1/user/profile', {
      method: 'PUT',
      headers,
      body: JSON.stringify({ website: SECRETS.email, bio: 5 }),
    });
    await call('/api/v1/listen/start', {
      method: 'POST',
      headers,
      body: JSON.stringify({ track_path: SECRETS.file, source: 'x' }),
    });
    await call('/api/v1/auth/password', {
      method: 'POST',
      headers,
      body: JSON.stringify({ current_password: SECRETS.wrongPassword, new_password: SECRETS.newPassword }),
    });
    await call('/api/v1/auth/second-factor/confirm', {
      method: 'POST',
      headers,
      body: JSON.stringify({ code: SECRETS.code }),
    });
    await call(`/api/v1/library/tracks?sort=${encodeURIComponent(SECRETS.search)}`, { headers });
    await call(`/api/v1/users/search?q=${encodeURIComponent(SECRETS.search)}`, { headers });
    await call(`/api/v1/library/search?q=${encodeURIComponent(SECRETS.search)}&cursor=${SECRETS.badState}`, {
      headers,
    });
    await call(`/api/v1/users/${encodeURIComponent(SECRETS.email)}`, { headers });
    for (const authorization of [
      `Bearer ${SECRETS.badToken}`,
      `Bearer ${SECRETS.badApiToken}`,
      `Token ${SECRETS.badApiToken}`,
      `Basic ${SECRETS.password}`,
    ]) {
      await call('/api/v1/playlists', { headers: { authorization } });
    }
    await call('/api/v1/playlists', { headers: { cookie: `sbm_session=${SECRETS.badCookie}` } });
    await call('/api/v1/auth/logout', {
      method: 'POST',
      headers: { cookie: `sbm_session=${SECRETS.badCookie}`, origin: new URL(url).origin },
    });
    await call(
      `/api/v1/auth/callback?state=${SECRETS.badState}&code=${SECRETS.badTicket}&error_description=${SECRETS.password}`,
    );
    await call(`/setup?token=${SECRETS.badTicket}`);
    await call(`/oidc/auth?client_id=${SECRETS.badState}&login_hint=${SECRETS.email}`);
    await call('/oidc/token', {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`stepheybot-music:${SECRETS.password}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'authorization_code', code: SECRETS.badTicket }),
    });
    await call(`/api/v1/nothing/${SECRETS.badToken}?token=${SECRETS.badToken}`);
    for (const path of [
      `/yjs/${list.id}?ticket=${SECRETS.badTicket}`,
      `/yjs/${list.id}?token=${SECRETS.badToken}`,
      `${GATEWAY_PATH}&token=${SECRETS.badToken}`,
    ]) {
      const line = bareSocket(url, path);
      await line.closed;
      answers.push(line.received());
    }
    const gateway = await gatewayClient(url, token);
    for (const name of ['listen:start', 'user:watch', 'auth:refresh', SECRETS.search] as never[]) {
      answers.push(JSON.stringify(await gateway.request(name, SECRETS as never)));
    }
    gateway.close();
    const refused = io(url, {
      transports: ['websocket'],
      auth: { token: SECRETS.badToken },
      reconnection: false,
      forceNew: true,
    });
    answers.push(
      await new Promise<string>((resolve) =>
        refused.once('connect_error', (error: Error & { data?: unknown }) => resolve(JSON.stringify(error.data))),
      ),
    );
    refused.disconnect();
    const sync = await rawSocket(url, `/yjs/${list.id}`, { authorization: `Bearer ${token}` });
    if (typeof sync !== 'number') {
      sync.send(everything);
      await sync.closed;
    }
    return answers.join('\n');
  }

  test('[HT19] with accounts of this server: none in the log, in a refusal, or in what is open to all; no token in a browser', async () => {
    const program = await spawnServer(folders, { env: { LOG_LEVEL: 'trace' } });
    const { url } = program;
    const browser = new Crawler();
    await expect.poll(() => program.setupLink).not.toBeNull();
    const setup = program.setupLink!;
    await browser.open(setup);
    const page = await browser.post(setup, {
      token: new URL(setup).searchParams.get('token')!,
      username: 'ana',
      display_name: SECRETS.bio,
      password: SECRETS.password,
    });
    const again = await browser.post(page.url, {
      username: 'ana',
      password: SECRETS.wrongPassword,
      code: SECRETS.code,
    });
    expect(again.status).toBe(401);
    await browser.post(page.url, { username: SECRETS.email, password: SECRETS.wrongPassword });
    await browser.post(page.url, { username: 'ana', password: SECRETS.password });
    const cookie = browser.cookie('sbm_session')!;
    expect(cookie).toMatch(/^[\w-]{43}$/);

    const byCookie = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
      const answer = await browser.send(`${url}/api/v1${path}`, {
        method,
        headers: { origin: new URL(url).origin, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return (await answer.json()) as T;
    };
    const { token } = await byCookie<{ token: string }>('POST', '/auth/tokens', {
      name: 'x',
      scopes: ['read', 'write', 'listen:write'],
    });
    expect(token).toMatch(/^sbm_/);
    // This one answer shows it; from here on nothing may.
    browser.seen.length = 0;
    const script = restClient(url, token);
    await expect
      .poll(async () => (await script.get<Tracks>('/library/tracks')).items.length, { timeout: 10_000 })
      .toBe(1);
    const [track] = (await script.get<Tracks>('/library/tracks')).items;
    expect(track?.title).toBe(SECRETS.title);
    await script.put('/user/profile', { bio: SECRETS.bio });
    const list = await script.post<Playlist>('/playlists', { name: SECRETS.listName });
    await script.post(`/playlists/${list.id}/tracks`, { track_ids: [track!.id] });
    await script.get(`/library/search?q=${encodeURIComponent(SECRETS.title)}`);
    await script.post('/listen/start', { track_path: track!.track_path, source: 'api' });
    const { ticket } = await script.post<{ ticket: string }>(`/playlists/${list.id}/ticket`);
    const open = openPlaylist(url, list.id, { ticket });
    await open.until((doc) => doc.getMap('entries').size === 1, 'the list');
    open.close();

    const refusals = await misbehave(url, token, list);
    await crawl(url, browser, list, track!.id);
    const health = await (await fetch(`${url}/healthz`)).text();
    expect(await program.stop()).toBe(0);

    const all = { ...SECRETS, cookie, token, ticket };
    // The link to make the first account is printed for the operator, and is used up.
    const log = program.output();
    expect(log).toContain('"level":');
    expect(foundIn(log, all)).toEqual([]);
    expect(log).not.toMatch(/eyJ[\w-]+\./);
    // A form shows a name again that was typed into it; a bad field is named, never quoted.
    expect(foundIn(refusals, all)).toEqual([]);
    expect(foundIn(health, all)).toEqual([]);
    const inBrowser = browser.seen.join('\n\n');
    expect(browser.seen.length).toBeGreaterThan(30);
    expect(inBrowser).not.toMatch(/eyJ[\w-]{8,}/);
    expect(inBrowser).not.toMatch(/"(access|refresh|id)_token"\s*:|refresh_token=/);
    expect(inBrowser).not.toContain(token);
    expect(foundIn(inBrowser, { password: SECRETS.password, cookie })).toEqual([]);
  });

  test('[HT19] with a provider elsewhere: no token of its in the log or a browser, no address of a person in the log', async () => {
    const issuer = await startIssuer();
    issuer.person = {
      sub: 'canary-sub',
      username: 'ana',
      name: SECRETS.bio,
      email: SECRETS.email,
      roles: ['user'],
      sid: 'canary-sid',
    };
    const program = await spawnServer(folders, { issuer, env: { LOG_LEVEL: 'trace' } });
    const { url } = program;
    const browser = new Crawler();
    await browser.open(`${url}/api/v1/auth/login?return_to=/healthz`);
    const cookie = browser.cookie('sbm_session')!;
    expect(cookie).toMatch(/^[\w-]{43}$/);
    const token = await issuer.issueAccessToken(issuer.person);
    const script = restClient(url, token);
    await expect
      .poll(async () => (await script.get<Tracks>('/library/tracks')).items.length, { timeout: 10_000 })
      .toBe(1);
    const [track] = (await script.get<Tracks>('/library/tracks')).items;
    const list = await script.post<Playlist>('/playlists', { name: SECRETS.listName });
    const refusals = await misbehave(url, token, list);
    issuer.idTokenClaims = { nonce: SECRETS.badState };
    await browser.open(`${url}/api/v1/auth/login`);
    issuer.idTokenClaims = {};
    issuer.down = true;
    await browser.open(`${url}/api/v1/auth/login`);
    issuer.down = false;
    await crawl(url, browser, list, track!.id);
    expect(await program.stop()).toBe(0);
    await issuer.close();

    const all = { ...SECRETS, cookie, token, clientSecret: issuer.clientSecret };
    expect(foundIn(program.output(), all)).toEqual([]);
    expect(program.output()).not.toMatch(/eyJ[\w-]+\./);
    expect(foundIn(refusals, all)).toEqual([]);
    // What the provider itself showed is the provider's; the cookie is in the one header that sets it.
    const inBrowser = browser.seen
      .filter((text) => !text.startsWith('GET /auth '))
      .join('\n\n')
      .replace(`set-cookie: sbm_session=${cookie}`, '');
    expect(inBrowser).not.toMatch(/eyJ[\w-]{8,}/);
    expect(inBrowser).not.toMatch(/"(access|refresh|id)_token"\s*:|refresh_token=/);
    expect(foundIn(inBrowser, { cookie, token, clientSecret: issuer.clientSecret })).toEqual([]);
  });
});
