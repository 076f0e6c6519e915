import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startIssuer } from '../../support/issuer.ts';
import { Browser, openSqlite, startApp, tempFolder, whoami } from './harness.ts';
import type { TestApp } from './harness.ts';
import type { TestIssuer } from '../../support/issuer.ts';
import type { TestDatabase } from '../../support/dialects.ts';

describe('signing in with an outside provider', () => {
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
    issuer.authorizationError = null;
    issuer.idTokenClaims = {};
    issuer.callbackIssuer = issuer.url;
  });

  const open = (browser: Browser, returnTo = '/') =>
    browser.open(`${app.url}/api/v1/auth/login?return_to=${encodeURIComponent(returnTo)}`);

  test('[ID30] first sight makes the person, the realm role counts, and a token names the same account', async () => {
    issuer.person = {
      sub: 'sub-ana',
      username: 'ana',
      email: 'ana@example.org',
      name: 'Ana A',
      roles: ['admin', 'x'],
      sid: 'kc-1',
    };
    const browser = new Browser();
    expect((await open(browser, '/?q=1#here')).url).toBe(`${app.url}/?q=1#here`);
    const me = (await (await whoami(app, browser)).json()) as { user_id: string };
    expect(me).toMatchObject({ username: 'ana', role: 'admin' });
    const byToken = await app.identity.authenticateToken(
      await issuer.issueAccessToken({ ...issuer.person, roles: ['guest'] }),
    );
    expect(byToken).toMatchObject({ user_id: me.user_id, role: 'guest', credential: { kind: 'token', sid: 'kc-1' } });
    const stored = await database.db.selectFrom('users').selectAll().where('id', '=', me.user_id).executeTakeFirst();
    expect(stored).toMatchObject({ issuer: issuer.url, subject: 'sub-ana', role: 'user', email: 'ana@example.org' });
  });

  test('[ID11] another subject of the same name and e-mail is another person', async () => {
    issuer.person = { sub: 'sub-impostor', username: 'ana', email: 'ana@example.org', roles: [] };
    const browser = new Browser();
    await open(browser);
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: 'ana-2', role: 'user' });
  });

  test('[ID23] a role withdrawn at the provider is gone with the next sign-in', async () => {
    const browser = new Browser();
    issuer.person = { sub: 'sub-chief', username: 'chief', roles: ['admin'] };
    await open(browser);
    expect(await (await whoami(app, browser)).json()).toMatchObject({ role: 'admin' });
    issuer.person = { ...issuer.person, roles: ['offline_access'] };
    await open(browser);
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: 'chief', role: 'user' });
  });

  test.each(['access_denied', 'login_required', 'server_error'])(
    '[ID31] the callback error %s is a page that offers another try',
    async (error) => {
      issuer.authorizationError = error;
      const page = await open(new Browser());
      expect(page.status).toBe(400);
      expect(page.text).toContain('href="/api/v1/auth/login"');
    },
  );

  test('[ID31] an ID token with a foreign nonce, issuer, audience or past, and a lying callback, open nothing', async () => {
    const before = await database.db.selectFrom('user_sessions').select('id').execute();
    const past = Math.floor(Date.now() / 1000) - 3600;
    for (const claims of [
      { nonce: 'other' },
      { nonce: undefined },
      { iss: 'https://evil.example' },
      { aud: 'other-client' },
      { exp: past },
      { sub: undefined },
    ]) {
      issuer.idTokenClaims = claims;
      expect((await open(new Browser())).status).toBe(400);
    }
    issuer.idTokenClaims = {};
    issuer.callbackIssuer = 'https://evil.example';
    expect((await open(new Browser())).status).toBe(400);
    expect(await database.db.selectFrom('user_sessions').select('id').execute()).toEqual(before);
  });

  test('[ID32] a provider down during a sign-in gives a clear page; sessions go on, and it recovers by itself', async () => {
    const signedIn = new Browser();
    issuer.person = { sub: 'sub-kim', username: 'kim', roles: ['user'] };
    await open(signedIn);
    const browser = new Browser();
    const address = (await browser.send(`${app.url}/api/v1/auth/login`)).headers.get('location') ?? '';
    const callback = (await browser.send(address)).headers.get('location') ?? '';
    issuer.down = true;
    const page = await browser.open(callback);
    expect(page.status).toBe(503);
    expect(page.text).toContain('provider_unavailable');
    expect(page.headers.get('retry-after')).not.toBeNull();
    expect((await whoami(app, signedIn)).status).toBe(200);
    issuer.down = false;
    expect((await open(browser)).status).toBe(200);
  });

  test('[ID32] a provider down at the start stops nothing; sign-in works once it is back', async () => {
    const own = await openSqlite();
    const late = await startIssuer();
    late.down = true;
    const waiting = await startApp(own, data.folder, { issuer: late });
    const browser = new Browser();
    const page = await browser.open(`${waiting.url}/api/v1/auth/login`);
    expect(page.status).toBe(503);
    expect(page.text).toContain('provider_unavailable');
    const token = await late.issueAccessToken(late.person);
    await expect(waiting.identity.authenticateToken(token)).rejects.toMatchObject({ code: 'provider_unavailable' });
    late.down = false;
    waiting.ctx.clock.advance(11_000);
    expect((await browser.open(`${waiting.url}/api/v1/auth/login`)).text).toBe('home');
    expect(await waiting.identity.authenticateToken(token)).toMatchObject({ username: 'ana' });
    await waiting.close();
    await late.close();
    await own.close();
  });

  test('[ID33] an outside provider means no accounts here: no setup, no login page', async () => {
    expect(await app.identity.setupLink()).toBeNull();
    await expect(
      app.identity.createLocalAccount({ username: 'x1', password: 'long enough', role: 'user' }),
    ).rejects.toMatchObject({
      code: 'unprocessable',
    });
    expect((await fetch(`${app.url}/oidc/auth`)).status).toBe(404);
    expect((await fetch(`${app.url}/setup?token=x`)).status).toBe(404);
  });

  test('[ID3] signing out by an access token says that a token ends by itself', async () => {
    const token = await issuer.issueAccessToken({ sub: 'sub-tok', username: 'tok' });
    const answer = await fetch(`${app.url}/api/v1/auth/logout`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(422);
  });

  test('[ID8] no token, code, secret or e-mail is in the log', () => {
    const lines = app.logged.join('\n');
    expect(lines).not.toContain(issuer.clientSecret);
    expect(lines).not.toMatch(/eyJ|@example|code=/);
  });
});
