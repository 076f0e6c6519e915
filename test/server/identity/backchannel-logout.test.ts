import { UnsecuredJWT, generateKeyPair } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startIssuer } from '../../support/issuer.ts';
import { Browser, openSqlite, startApp, tempFolder, whoami } from './harness.ts';
import type { TestApp } from './harness.ts';
import type { TestDatabase } from '../../support/dialects.ts';
import type { TestIssuer } from '../../support/issuer.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const now = () => Math.floor(Date.now() / 1000);

describe('back-channel logout', () => {
  let database: TestDatabase;
  let data: Awaited<ReturnType<typeof tempFolder>>;
  let issuer: TestIssuer;
  let app: TestApp;
  beforeAll(async () => {
    database = await openSqlite();
    data = await tempFolder();
    issuer = await startIssuer();
    app = await startApp(database, data.folder, { issuer });
  });
  afterAll(async () => {
    await app.close();
    await issuer.close();
    await database.close();
    await data.remove();
  });
  beforeEach(() => {
    issuer.down = false;
    issuer.person = { sub: 'sub-ana', username: 'ana', roles: ['user'], sid: 'kc-ana' };
    app.ctx.clock.set(Date.now());
  });

  const post = (body: string | URLSearchParams, headers: Record<string, string> = {}, at = app) =>
    fetch(`${at.url}/api/v1/auth/backchannel-logout`, { method: 'POST', body, headers });
  const send = (logout_token: string, headers: Record<string, string> = {}, at = app) =>
    post(new URLSearchParams({ logout_token }), headers, at);
  const signIn = async (at = app) => {
    const browser = new Browser();
    await browser.open(`${at.url}/api/v1/auth/login`);
    expect((await whoami(at, browser)).status).toBe(200);
    return browser;
  };
  const isSignedIn = async (browser: Browser, at = app) => (await whoami(at, browser)).status === 200;

  const GOOD: Record<string, () => Promise<string>> = {
    'as Keycloak sends it': () => issuer.issueLogoutToken({ header: { typ: 'JWT' } }),
    'with the type of the standard': () => issuer.issueLogoutToken({ header: { typ: 'logout+jwt' } }),
    'with the full media type': () => issuer.issueLogoutToken({ header: { typ: 'application/logout+jwt' } }),
    'with us among other audiences': () => issuer.issueLogoutToken({ aud: ['other', issuer.clientId] }),
    'without a sid': () => issuer.issueLogoutToken({ claims: { sid: undefined } }),
    'without a sub': () => issuer.issueLogoutToken({ claims: { sub: undefined } }),
    'without a payload typ': () => issuer.issueLogoutToken({ claims: { typ: undefined } }),
    'with another event beside': () =>
      issuer.issueLogoutToken({ claims: { events: { [EVENT]: {}, 'urn:other': {} } } }),
    'with an azp of anybody': () => issuer.issueLogoutToken({ azp: 'other', claims: { azp: 'other' } }),
    'by a clock 50 s ahead': () => issuer.issueLogoutToken({ iat: now() + 50 }),
    'that ended 3 s ago': () => issuer.issueLogoutToken({ iat: now() - 100, exp: now() - 3 }),
  };
  test.each(Object.keys(GOOD))(
    '[ID54] a token %s ends the session, without a cookie, and is not cached',
    async (name) => {
      const browser = await signIn();
      const answer = await send((await GOOD[name]?.()) ?? '');
      expect(answer.status).toBe(200);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(await answer.text()).toBe('');
      expect(await isSignedIn(browser)).toBe(false);
    },
  );

  const BAD: Record<string, () => Promise<string>> = {
    'an ID token': () =>
      issuer.issueLogoutToken({
        header: { typ: 'JWT' },
        claims: { typ: 'ID', events: undefined, nonce: 'n', auth_time: now() },
      }),
    'an access token': () => issuer.issueAccessToken(issuer.person, { aud: [issuer.clientId] }),
    'alg none': async () =>
      new UnsecuredJWT({ events: { [EVENT]: {} }, jti: 'j', sid: 'kc-ana', sub: 'sub-ana' })
        .setIssuer(issuer.url)
        .setAudience(issuer.clientId)
        .setIssuedAt()
        .setExpirationTime('2m')
        .encode(),
    'HS256 with our own client secret': () =>
      issuer.issueLogoutToken({ header: { alg: 'HS256' }, key: new TextEncoder().encode(issuer.clientSecret) }),
    'another key under a known kid': async () =>
      issuer.issueLogoutToken({ key: (await generateKeyPair('RS256')).privateKey }),
    'an unknown kid': () => issuer.issueLogoutToken({ header: { kid: 'nobody' } }),
    'another issuer': () => issuer.issueLogoutToken({ claims: { iss: 'https://evil.example' } }),
    'no issuer': () => issuer.issueLogoutToken({ claims: { iss: undefined } }),
    'another client': () => issuer.issueLogoutToken({ aud: 'other' }),
    'no audience': () => issuer.issueLogoutToken({ claims: { aud: undefined } }),
    'no iat': () => issuer.issueLogoutToken({ claims: { iat: undefined } }),
    'issued 70 s ahead': () => issuer.issueLogoutToken({ iat: now() + 70 }),
    'no exp': () => issuer.issueLogoutToken({ claims: { exp: undefined } }),
    'ended 6 s ago': () => issuer.issueLogoutToken({ iat: now() - 120, exp: now() - 6 }),
    'no jti': () => issuer.issueLogoutToken({ claims: { jti: undefined } }),
    'a jti that is no text': () => issuer.issueLogoutToken({ claims: { jti: 7 } }),
    'no events': () => issuer.issueLogoutToken({ claims: { events: undefined } }),
    'other events only': () => issuer.issueLogoutToken({ claims: { events: { 'urn:other': {} } } }),
    'events as a list': () => issuer.issueLogoutToken({ claims: { events: [EVENT] } }),
    'an event that is null': () => issuer.issueLogoutToken({ claims: { events: { [EVENT]: null } } }),
    'an event that is a list': () => issuer.issueLogoutToken({ claims: { events: { [EVENT]: [] } } }),
    'an event that is text': () => issuer.issueLogoutToken({ claims: { events: { [EVENT]: 'x' } } }),
    'a nonce': () => issuer.issueLogoutToken({ claims: { nonce: 'n' } }),
    'a nonce that is null': () => issuer.issueLogoutToken({ claims: { nonce: null } }),
    'neither sid nor sub': () => issuer.issueLogoutToken({ claims: { sid: undefined, sub: undefined } }),
    'an empty sid': () => issuer.issueLogoutToken({ claims: { sid: '' } }),
    'a sid that is no text': () => issuer.issueLogoutToken({ claims: { sid: 7 } }),
    'header typ missing': () => issuer.issueLogoutToken({ header: { typ: undefined } }),
    'header typ at+jwt': () => issuer.issueLogoutToken({ header: { typ: 'at+jwt' } }),
    'payload typ Bearer': () => issuer.issueLogoutToken({ claims: { typ: 'Bearer' } }),
    'more than 16 KiB': () => issuer.issueLogoutToken({ claims: { padding: 'x'.repeat(13_000) } }),
    'not a token': async () => 'nonsense',
    nothing: async () => '',
  };
  test('[ID54] refused with 400, and nobody is signed out: each of what is no logout token', async () => {
    const browser = await signIn();
    const before = await database.db.selectFrom('token_revocations').select('value').execute();
    for (const [name, make] of Object.entries(BAD)) {
      app.ctx.clock.advance(11_000);
      app.ctx.clock.set(Date.now());
      const answer = await send(await make());
      expect([name, answer.status]).toEqual([name, 400]);
      expect(answer.headers.get('cache-control')).toContain('no-store');
      expect(await answer.json()).toMatchObject({ code: 'malformed' });
      expect([name, await isSignedIn(browser)]).toEqual([name, true]);
    }
    expect(await database.db.selectFrom('token_revocations').select('value').execute()).toEqual(before);
  });

  test('[ID54] refused: bodies that are no form with one logout_token', async () => {
    const token = await issuer.issueLogoutToken();
    const json = await post(JSON.stringify({ logout_token: token }), { 'content-type': 'application/json' });
    const twice = await post(
      new URLSearchParams([
        ['logout_token', token],
        ['logout_token', token],
      ]),
    );
    const none = await post(new URLSearchParams({ token }));
    const inAddress = await fetch(`${app.url}/api/v1/auth/backchannel-logout?logout_token=${token}`, {
      method: 'POST',
    });
    expect([json.status, twice.status, none.status, inAddress.status]).toEqual([400, 400, 400, 400]);
    expect((await post(`logout_token=${'x'.repeat(40_000)}`, FORM)).status).toBe(413);
    // None of them used it up.
    expect((await send(token)).status).toBe(200);
  });

  test('[ID54] the same token twice is 400, in another process and after a restart too', async () => {
    const token = await issuer.issueLogoutToken();
    expect((await send(token)).status).toBe(200);
    const browser = await signIn();
    expect((await send(token)).status).toBe(400);
    const other = await startApp(database, data.folder, { issuer });
    expect((await send(token, {}, other)).status).toBe(400);
    await other.close();
    expect(await isSignedIn(browser)).toBe(true);
  });

  test('[ID55] an unknown sid is 200 and signs nobody out', async () => {
    const browser = await signIn();
    expect((await send(await issuer.issueLogoutToken({ claims: { sid: 'unknown' } }))).status).toBe(200);
    expect(await isSignedIn(browser)).toBe(true);
  });

  test('[ID54] neither a cookie nor an origin counts', async () => {
    const browser = await signIn();
    const cookie = `sbm_session=${browser.cookie('sbm_session')}`;
    const foreign = { cookie, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    expect((await send('nonsense', foreign)).status).toBe(400);
    expect(await isSignedIn(browser)).toBe(true);
    expect((await send(await issuer.issueLogoutToken({ claims: { sid: 'unknown' } }), foreign)).status).toBe(200);
    expect(await isSignedIn(browser)).toBe(true);
  });

  test('[ID54] while the keys cannot be had it is 503, and the same token works afterwards', async () => {
    const late = await startIssuer();
    late.person = { ...issuer.person };
    const waiting = await startApp(database, data.folder, { issuer: late });
    const token = await late.issueLogoutToken();
    late.down = true;
    const answer = await send(token, {}, waiting);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).not.toBeNull();
    late.down = false;
    waiting.ctx.clock.advance(11_000);
    expect((await send(token, {}, waiting)).status).toBe(200);
    await waiting.close();
    await late.close();
  });

  test('[ID54] without an outside provider nobody can say so', async () => {
    const local = await startApp(database, data.folder);
    expect((await send(await issuer.issueLogoutToken(), {}, local)).status).toBe(400);
    await local.close();
  });

  test('[ID8] no logout token and no sid is in the log', () => {
    const lines = app.logged.join('\n');
    expect(lines).toContain('a logout token was refused');
    expect(lines).not.toMatch(/eyJ|kc-ana|sub-ana/);
  });
});

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
