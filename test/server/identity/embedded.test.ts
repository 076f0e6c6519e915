import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createIdentity } from '#server/identity/identity.ts';
import { createLoginBackoff } from '#server/identity/login-backoff.ts';
import { addressKey } from '#server/limits/address.ts';
import { loadKeys } from '#server/identity/keys.ts';
import { Browser, PASSWORD, openSqlite, signIn, startApp, tempFolder, whoami } from './harness.ts';
import type { TestApp } from './harness.ts';
import type { TestDatabase } from '../../support/dialects.ts';

describe('signing in with the embedded provider', () => {
  let database: TestDatabase;
  let data: Awaited<ReturnType<typeof tempFolder>>;
  let app: TestApp;
  beforeAll(async () => {
    database = await openSqlite();
    data = await tempFolder();
    app = await startApp(database, data.folder);
    await app.identity.createLocalAccount({ username: 'Ana', password: PASSWORD, display_name: 'Ana A', role: 'user' });
    await app.identity.createLocalAccount({ username: 'ben', password: PASSWORD, role: 'user' });
  });
  afterAll(async () => {
    await app.close();
    await database.close();
    await data.remove();
  });

  const loginPageOf = (browser: Browser) => browser.open(`${app.url}/api/v1/auth/login?return_to=/`);

  test('[ID1] a name and a password open a session, and the browser lands where it was going', async () => {
    const browser = new Browser();
    const end = await signIn(app, browser, 'ana', PASSWORD, '/?view=library');
    expect(end.url).toBe(`${app.url}/?view=library`);
    expect(await (await whoami(app, browser)).json()).toMatchObject({
      username: 'Ana',
      role: 'user',
      credential: { kind: 'session' },
    });
  });

  test('[ID1] POST begins a sign-in too', async () => {
    const answer = await fetch(`${app.url}/api/v1/auth/login?return_to=/`, { method: 'POST', redirect: 'manual' });
    expect(answer.status).toBe(303);
    const to = new URL(answer.headers.get('location') ?? '');
    expect(to.pathname).toBe('/oidc/auth');
    expect(to.searchParams.get('code_challenge_method')).toBe('S256');
    expect(to.searchParams.get('state')?.length).toBe(43);
    expect(to.searchParams.get('nonce')?.length).toBe(43);
  });

  test('[ID2] the session cookie is HttpOnly, Lax, for the whole site, and its secret is nowhere stored', async () => {
    const browser = new Browser();
    const page = await loginPageOf(browser);
    const posted = await browser.send(page.url, {
      method: 'POST',
      body: new URLSearchParams({ username: 'ana', password: PASSWORD }),
      headers: { origin: app.url },
    });
    let at = posted.headers.get('location') ?? '';
    let line = '';
    for (let hops = 0; hops < 5 && line === ''; hops++) {
      const answer = await browser.send(at);
      line = answer.headers.getSetCookie().find((cookie) => cookie.startsWith('sbm_session=')) ?? '';
      at = new URL(answer.headers.get('location') ?? '/', at).href;
    }
    expect(line).toMatch(/^sbm_session=[\w-]{43}; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax$/);
    const rows = JSON.stringify(await database.db.selectFrom('user_sessions').selectAll().execute());
    expect(rows).not.toContain(browser.cookie('sbm_session'));
  });

  test('[ID2] a planted session is not taken over: the sign-in gives a new one and ends the old', async () => {
    const browser = new Browser();
    await signIn(app, browser, 'ana');
    const old = browser.cookie('sbm_session') ?? '';
    await signIn(app, browser, 'ana');
    expect(browser.cookie('sbm_session')).not.toBe(old);
    const before = new Browser();
    before.setCookie(app.url, 'sbm_session', old);
    expect((await whoami(app, before)).status).toBe(401);
  });

  test('[ID2] being let in again without a password is no fresh proof of who one is', async () => {
    const browser = new Browser();
    await signIn(app, browser, 'ben');
    const timeOf = async () =>
      ((await (await whoami(app, browser)).json()) as { credential: { auth_time: number } }).credential.auth_time;
    const first = await timeOf();
    app.ctx.clock.advance(100_000);
    browser.cookies.delete('sbm_session');
    expect((await loginPageOf(browser)).text).toBe('home');
    expect(await timeOf()).toBe(first);
    app.ctx.clock.advance(-100_000);
  });

  test('[ID3] signing out ends the session, tells, clears the cookie, and the next sign-in asks for the password', async () => {
    const browser = new Browser();
    await signIn(app, browser, 'ben');
    const kept = browser.cookie('sbm_session') ?? '';
    expect((await browser.send(`${app.url}/api/v1/auth/logout`, { method: 'POST' })).status).toBe(403);
    const answer = await browser.send(`${app.url}/api/v1/auth/logout`, {
      method: 'POST',
      headers: { origin: app.url },
    });
    expect(answer.status).toBe(204);
    expect(browser.cookie('sbm_session')).toBeUndefined();
    expect(app.ctx.happened.at(-1)).toMatchObject({ name: 'access.ended', payload: { reason: 'signed_out' } });
    browser.setCookie(app.url, 'sbm_session', kept);
    expect((await whoami(app, browser)).status).toBe(401);
    expect((await loginPageOf(browser)).text).toContain('name="password"');
    const again = await browser.send(`${app.url}/api/v1/auth/logout`, { method: 'POST', headers: { origin: app.url } });
    expect(again.status).toBe(401);
  });

  test('[ID4] a wrong password and an unknown name get the same answer, which keeps the name', async () => {
    const wrong = async (username: string) => {
      const browser = new Browser();
      const page = await loginPageOf(browser);
      const answer = await browser.post(page.url, { username, password: 'not the password' });
      return {
        status: answer.status,
        text: answer.text.replaceAll(page.url.split('/').at(-1) ?? '', 'UID').replaceAll(username, 'NAME'),
      };
    };
    const known = await wrong('ben');
    expect(known.status).toBe(401);
    expect(known.text).toContain('role="alert"');
    expect(known.text).toContain('value="NAME"');
    expect(await wrong('zzz')).toEqual(known);
  });

  test('[ID4] after five failures each further try waits longer; another name is not held up', async () => {
    const browser = new Browser();
    const page = await loginPageOf(browser);
    for (let i = 0; i < 5; i++) await browser.post(page.url, { username: 'victim', password: 'x' });
    const sixth = await browser.post(page.url, { username: 'VICTIM', password: 'x' });
    expect(sixth.status).toBe(429);
    expect(Number(sixth.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(sixth.text).toContain('role="alert"');
    expect((await browser.post(page.url, { username: 'ana', password: PASSWORD })).url).toBe(`${app.url}/`);
  });

  test('[ID4] the wait doubles with each failure and ends with a success', async () => {
    const backoff = createLoginBackoff();
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      await backoff.failed('ana', '192.0.2.1');
      waits.push(
        await backoff.check('ana', '192.0.2.1').then(
          () => 0,
          (error: unknown) => (error as { retryAfter: number }).retryAfter,
        ),
      );
    }
    expect(waits).toEqual([0, 0, 0, 0, 5, 10, 20, 40]);
    await backoff.check('ana', '192.0.2.2');
    await backoff.succeeded('ana', '192.0.2.1');
    await backoff.check('ana', '192.0.2.1');
  });

  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2ff::1', '2001:db8:1:02'],
    ['2001:db8:1:200:ffff::', '2001:db8:1:02'],
    ['2001:db8::1', '2001:db8:0:00'],
    ['::1', '0:0:0:00'],
  ])('[ID4] %s counts as %s', (address, key) => expect(addressKey(address)).toBe(key));

  test('[ID5] the login form is refused from another site, and without the cookie of its sign-in', async () => {
    const browser = new Browser();
    const page = await loginPageOf(browser);
    const fields = { username: 'ana', password: PASSWORD };
    const foreign = await browser.post(page.url, fields, {
      origin: 'https://evil.example',
      'sec-fetch-site': 'cross-site',
    });
    expect(foreign.status).toBe(403);
    const bare = await browser.send(page.url, { method: 'POST', body: new URLSearchParams(fields) });
    expect(bare.status).toBe(403);
    const stranger = await new Browser().post(page.url, fields);
    expect(stranger.status).toBe(400);
    expect(stranger.text).toContain('Try again');
    const other = await browser.post(`${app.url}/oidc/interaction/guessed`, fields);
    expect(other.status).toBe(400);
  });

  test('[ID5] the pages carry no script, a strict policy, and the labels people and tests look for', async () => {
    const page = await loginPageOf(new Browser());
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.text).not.toMatch(/<script|\sstyle="|\son\w+="/);
    expect(page.text).toMatch(/<label for="username">Username<\/label>/);
    expect(page.text).toMatch(/<label for="password">Password<\/label>/);
    expect(page.text).toMatch(/<button type="submit">Sign in<\/button>/);
    const css = await fetch(`${app.url}/oidc/pages.css`);
    expect(css.headers.get('content-type')).toContain('text/css');
    expect(await css.text()).toContain('prefers-color-scheme');
  });

  test('[ID5] what a person typed comes back as text, never as markup', async () => {
    const browser = new Browser();
    const page = await loginPageOf(browser);
    const answer = await browser.post(page.url, { username: '"><script>alert(1)</script>', password: 'x' });
    expect(answer.text).toContain('&lt;script&gt;');
    expect(answer.text).not.toContain('<script');
  });

  test('[ID6] the provider offers nothing but the code flow with PKCE for our one client', async () => {
    const metadata = (await (await fetch(`${app.url}/oidc/.well-known/openid-configuration`)).json()) as Record<
      string,
      unknown
    >;
    expect(metadata).toMatchObject({
      issuer: `${app.url}/oidc`,
      response_types_supported: ['code'],
      grant_types_supported: ['authorization_code'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic'],
    });
    for (const endpoint of [
      'registration',
      'userinfo',
      'introspection',
      'revocation',
      'device_authorization',
      'pushed_authorization_request',
    ]) {
      expect(metadata).not.toHaveProperty(`${endpoint}_endpoint`);
    }
    expect((await fetch(`${app.url}/oidc/reg`, { method: 'POST', body: '{}' })).status).toBe(404);
    const query = new URLSearchParams({
      client_id: 'stepheybot-music',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: `${app.url}/api/v1/auth/callback`,
    });
    const noPkce = await fetch(`${app.url}/oidc/auth?${query}`, { redirect: 'manual' });
    expect(noPkce.headers.get('location')).toContain('error=invalid_request');
    query.set('redirect_uri', 'https://evil.example/');
    const elsewhere = await fetch(`${app.url}/oidc/auth?${query}`, {
      redirect: 'manual',
      headers: { accept: 'text/html' },
    });
    expect(elsewhere.status).toBe(400);
    const page = await elsewhere.text();
    expect(page).toContain('Sign-in did not work');
    expect(page).not.toMatch(/node_modules|at \w+ \(/);
  });

  test('[ID6] a lying Host or forwarded header changes no address the provider gives', async () => {
    const answer = await fetch(`${app.url}/oidc/.well-known/openid-configuration`, {
      headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
    });
    expect(await answer.text()).not.toContain('evil.example');
  });

  test('[ID7] keys are made once, readable by the owner alone, and differ between installations', async () => {
    const file = path.join(data.folder, 'keys.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const other = await tempFolder();
    const [theirs, again] = await Promise.all([loadKeys(other.folder), loadKeys(other.folder)]);
    expect(again).toEqual(theirs);
    const ours = await loadKeys(data.folder);
    expect(theirs.clientSecret).not.toBe(ours.clientSecret);
    expect(theirs.signing[0]?.n).not.toBe(ours.signing[0]?.n);
    const published = await (await fetch(`${app.url}/oidc/jwks`)).text();
    expect(published).not.toMatch(/"(d|p|q|dp|dq|qi)":/);
    expect(await readFile(file, 'utf8')).toContain(ours.clientSecret);
    await other.remove();
  });

  test('[ID8] nothing of a sign-in is logged: no password, cookie, token or e-mail', () => {
    const lines = app.logged.join('\n');
    expect(lines).not.toMatch(new RegExp(`${PASSWORD}|not the password|eyJ|@example`));
  });

  test('[ID13] a person disabled elsewhere while signed in is refused within a second', async () => {
    const { user_id } = await app.identity.createLocalAccount({ username: 'gone', password: PASSWORD, role: 'user' });
    const browser = new Browser();
    await signIn(app, browser, 'gone');
    const actor = await (await whoami(app, browser)).json();
    expect(await app.identity.isActorAlive(actor as never)).toBe(true);
    // As another process would: without a word to this one, which notices within a second (contract §2).
    await database.write((trx) => trx.updateTable('users').set({ is_active: 0 }).where('id', '=', user_id).execute());
    await expect.poll(async () => (await whoami(app, browser)).status, { timeout: 1000 }).toBe(403);
    const refused = await whoami(app, browser);
    expect(await refused.json()).toMatchObject({ code: 'account_disabled' });
    expect(await app.identity.isActorAlive(actor as never)).toBe(false);
  });

  test('[ID9] by another loopback name the browser is first sent to the public one', async () => {
    const { port } = new URL(app.url);
    const answer = await fetch(`http://localhost:${port}/api/v1/auth/login?return_to=%2Fx`, { redirect: 'manual' });
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe(`${app.url}/api/v1/auth/login?return_to=%2Fx`);
  });

  describe('the callback', () => {
    /** Walks to the last redirect before the callback. */
    async function callbackAddress(browser: Browser): Promise<string> {
      let at = (await browser.send(`${app.url}/api/v1/auth/login?return_to=/`)).headers.get('location') ?? '';
      for (let hops = 0; hops < 6; hops++) {
        if (at.includes('/auth/callback?')) return at;
        const answer = await browser.send(at);
        at = new URL(answer.headers.get('location') ?? '', at).href;
      }
      throw new Error(`no callback: ${at}`);
    }
    const sessions = () => database.db.selectFrom('user_sessions').select('id').execute();

    test('[ID18] a state works once, in its own browser, with its own code', async () => {
      const browser = new Browser();
      await signIn(app, browser, 'ana');
      const address = await callbackAddress(browser);
      const before = await sessions();

      const stranger = new Browser();
      await stranger.send(`${app.url}/api/v1/auth/login`);
      for (const wrong of [
        stranger.open(address),
        new Browser().open(address),
        browser.open(address.replace(/state=[^&]+/, 'state=user:1')),
        browser.open(address.replace(/state=[^&]+&?/, '')),
        browser.open(`${app.url}/api/v1/auth/callback`),
        browser.open(`${app.url}/api/v1/auth/callback?state=a&state=b`),
      ]) {
        const page = await wrong;
        expect(page.status).toBe(400);
        expect(page.text).toContain('Try again');
      }
      expect(await sessions()).toEqual(before);

      expect((await browser.open(address)).url).toBe(`${app.url}/`);
      const reused = await browser.open(address);
      expect(reused.status).toBe(400);
    });

    test('[ID18] an expired state, a foreign code and a lying iss open nothing', async () => {
      const browser = new Browser();
      await signIn(app, browser, 'ana');
      const first = await callbackAddress(browser);
      const second = await callbackAddress(browser);
      const other = new Browser();
      await signIn(app, other, 'ben');
      const foreign = await callbackAddress(other);
      const codeOf = (address: string) => new URL(address).searchParams.get('code') ?? '';
      const before = await sessions();
      expect((await browser.open(first.replace(codeOf(first), codeOf(foreign)))).status).toBe(400);
      expect((await browser.open(second.replace(/iss=[^&]+/, 'iss=https%3A%2F%2Fevil.example'))).status).toBe(400);
      const late = await callbackAddress(browser);
      app.ctx.clock.advance(601_000);
      expect((await browser.open(late)).status).toBe(400);
      app.ctx.clock.advance(-601_000);
      expect(await sessions()).toEqual(before);
    });

    test('[ID18] programs that ask for JSON get a problem, people a page', async () => {
      const answer = await fetch(`${app.url}/api/v1/auth/callback?state=x`, {
        headers: { accept: 'application/json' },
      });
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ code: 'malformed' });
    });
  });
});

describe('the first account and a restart', () => {
  let database: TestDatabase;
  let data: Awaited<ReturnType<typeof tempFolder>>;
  beforeAll(async () => {
    database = await openSqlite();
    data = await tempFolder();
  });
  afterAll(async () => {
    await database.close();
    await data.remove();
  });

  test('[ID16] the link makes the administrator once, and a restart keeps keys and sessions', async () => {
    let app = await startApp(database, data.folder);
    const port = Number(new URL(app.url).port);
    const old = (await app.identity.setupLink()) ?? '';
    const link = (await app.identity.setupLink()) ?? '';
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/setup\?token=[\w-]{43}$/);
    expect(JSON.stringify(await database.db.selectFrom('one_time_links').selectAll().execute())).not.toContain(
      link.split('=')[1],
    );

    const browser = new Browser();
    expect((await browser.open(old)).status).toBe(404);
    expect((await browser.open(`${app.url}/setup`)).status).toBe(404);
    const page = await browser.open(link);
    expect(page.status).toBe(200);
    for (const label of ['Username', 'Display name', 'Password'])
      expect(page.text).toMatch(new RegExp(`<label for="\\w+">${label}</label>`));
    const token = link.split('=')[1] ?? '';
    const bad = await browser.post(`${app.url}/setup`, { token, username: 'o', display_name: 'Olive', password: 'x' });
    expect(bad.status).toBe(400);
    expect(bad.text).toContain('value="Olive"');
    expect(bad.text).toMatch(/role="alert"/);

    const made = await browser.post(`${app.url}/setup`, {
      token,
      username: 'olive',
      display_name: 'Olive',
      password: PASSWORD,
    });
    expect(made.text).toContain('value="olive"');
    const end = await browser.post(made.url, { username: 'olive', password: PASSWORD });
    expect(end.url).toBe(`${app.url}/`);
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: 'olive', role: 'admin' });

    const again = await new Browser().post(`${app.url}/setup`, {
      token,
      username: 'eve',
      display_name: '',
      password: PASSWORD,
    });
    expect(again.status).toBe(404);
    expect(again.text).toContain('no longer works');
    expect((await browser.open(link)).status).toBe(404);
    expect(await app.identity.setupLink()).toBeNull();

    await app.close();
    app = await startApp(database, data.folder, { port });
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: 'olive', role: 'admin' });
    // The provider still knows the browser too: no password is asked.
    browser.cookies.delete('sbm_session');
    expect((await browser.open(`${app.url}/api/v1/auth/login?return_to=/`)).text).toBe('home');
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: 'olive' });
    await app.close();
  });

  test('[ID26] people keep their accounts when the public address changes, also to https behind a proxy', async () => {
    const publicUrl = 'https://music.example.org';
    const app = await startApp(database, data.folder, { config: { publicUrl } });
    const login = await fetch(`${app.url}/api/v1/auth/login?return_to=/`, { redirect: 'manual' });
    expect(login.headers.get('set-cookie')).toMatch(
      /^__Host-sbm_login=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    const authorize = new URL(login.headers.get('location') ?? '');
    expect(authorize.origin).toBe(publicUrl);
    const interaction = await fetch(app.url + authorize.pathname + authorize.search, { redirect: 'manual' });
    expect(interaction.headers.getSetCookie().every((cookie) => /; secure/i.test(cookie))).toBe(true);

    const browser = new Browser({ from: publicUrl, to: app.url });
    const end = await signIn({ url: publicUrl }, browser, 'olive');
    expect(end.url).toBe(`${publicUrl}/`);
    expect(browser.cookie('__Host-sbm_session')).toMatch(/^[\w-]{43}$/);
    expect(await (await whoami({ url: publicUrl }, browser)).json()).toMatchObject({
      username: 'olive',
      role: 'admin',
    });
    const people = await database.db.selectFrom('users').select(['username', 'issuer']).execute();
    expect(people).toEqual([{ username: 'olive', issuer: 'local' }]);
    await app.close();
  });

  test('[ID7] damaged keys stop the start with a line that says what to do', async () => {
    const broken = await tempFolder();
    const { writeFile } = await import('node:fs/promises');
    await writeFile(path.join(broken.folder, 'keys.json'), '{"signing": []');
    const app = await startApp(database, data.folder);
    await expect(
      createIdentity({
        ctx: app.ctx,
        config: {
          publicUrl: app.url,
          ownOrigins: [],
          listenUrl: () => app.url,
          dataDir: broken.folder,
          oidcClientId: 'x',
          oidcAudience: 'x',
          oidcAllowedClients: [],
          oidcInsecure: false,
        },
      }),
    ).rejects.toThrow(/keys\.json is damaged/);
    await app.close();
    await broken.remove();
  });
});
