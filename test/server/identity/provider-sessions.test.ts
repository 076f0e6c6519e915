import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSecretBox } from '#server/secrets.ts';
import { startIssuer } from '../../support/issuer.ts';
import { Browser, PASSWORD, openSqlite, signIn as signInHere, startApp, tempFolder, whoami } from './harness.ts';
import type { TestApp } from './harness.ts';
import type { TestDatabase } from '../../support/dialects.ts';
import type { TestIssuer } from '../../support/issuer.ts';

const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
const OWN_PAGE = (app: TestApp) => ({ origin: app.url, 'sec-fetch-site': 'same-origin' });

describe('a session with an outside provider behind it', () => {
  let database: TestDatabase;
  let data: Awaited<ReturnType<typeof tempFolder>>;
  let issuer: TestIssuer;
  let app: TestApp;
  beforeEach(async () => {
    database = await openSqlite();
    data = await tempFolder();
    issuer = await startIssuer();
    issuer.person = { sub: 'sub-ana', username: 'ana', email: 'ana@example.org', roles: ['admin'], sid: 'kc-ana' };
    app = await startApp(database, data.folder, { issuer });
  });
  afterEach(async () => {
    await app.close();
    await issuer.close();
    await database.close();
    await data.remove();
  });

  async function signIn(): Promise<Browser> {
    const browser = new Browser();
    await browser.open(`${app.url}/api/v1/auth/login`);
    expect((await whoami(app, browser)).status).toBe(200);
    return browser;
  }
  const me = async (browser: Browser) => (await whoami(app, browser)).json() as Promise<Record<string, unknown>>;
  const session = () => database.db.selectFrom('user_sessions').selectAll().executeTakeFirst();
  const refreshToken = () => [...issuer.sessions.keys()][0];
  const leave = (browser: Browser, headers: Record<string, string>) =>
    browser.send(`${app.url}/api/v1/auth/logout`, { method: 'POST', headers: { ...OWN_PAGE(app), ...headers } });
  /** As another process would; what this one remembers for a quarter of a second is forgotten. */
  const set = async (change: object) => {
    const rows = await database.write((trx) =>
      trx.updateTable('user_sessions').set(change).returning('user_id').execute(),
    );
    for (const { user_id } of rows) app.identity.forget(user_id);
  };

  describe('signing out', () => {
    test('[ID52] by a form ends ours and goes on to the provider, which knows us by the ID token', async () => {
      const browser = await signIn();
      const answer = await leave(browser, HTML);
      expect(answer.status).toBe(303);
      const to = new URL(answer.headers.get('location') ?? '');
      expect(to.origin + to.pathname).toBe(`${issuer.url}/logout`);
      expect(to.searchParams.get('post_logout_redirect_uri')).toBe(`${app.url}/login`);
      expect(to.searchParams.get('state')).toMatch(/^[\w-]{43}$/);
      const [, payload = ''] = (to.searchParams.get('id_token_hint') ?? '').split('.');
      expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ sub: 'sub-ana', typ: 'ID' });
      expect(answer.headers.get('cache-control')).toContain('no-store');
      expect(browser.cookie('sbm_session')).toBeUndefined();
      expect(await session()).toBeUndefined();
      expect(app.ctx.happened.at(-1)).toMatchObject({ name: 'access.ended', payload: { reason: 'signed_out' } });
    });

    test('[ID52] by a program is 204 and ends the provider’s session from server to server', async () => {
      const browser = await signIn();
      const token = refreshToken();
      const answer = await leave(browser, { accept: '*/*' });
      expect(answer.status).toBe(204);
      expect(issuer.ended).toEqual([token]);
      expect(await session()).toBeUndefined();
    });

    test('[ID52] at a provider without such an endpoint takes its refresh token back, and a form ends at /login', async () => {
      issuer.hasEndSession = false;
      const browser = await signIn();
      const token = refreshToken();
      expect((await leave(browser, {})).status).toBe(204);
      expect(issuer.ended).toEqual([token]);
      const again = await signIn();
      const answer = await leave(again, HTML);
      expect([answer.status, answer.headers.get('location')]).toEqual([303, `${app.url}/login`]);
    });

    test.each(['a form', 'a program'])(
      '[ID52] by %s while the provider is down ends ours all the same',
      async (way) => {
        const browser = await signIn();
        // It has yet to find the provider.
        const other = await startApp(database, data.folder, { issuer });
        other.ctx.secrets = app.ctx.secrets;
        issuer.down = true;
        browser.setCookie(other.url, 'sbm_session', browser.cookie('sbm_session') ?? '');
        const answer = await browser.send(`${other.url}/api/v1/auth/logout`, {
          method: 'POST',
          headers: { ...OWN_PAGE(other), ...(way === 'a form' ? HTML : {}) },
        });
        expect([answer.status, answer.headers.get('location')]).toEqual(
          way === 'a form' ? [303, `${other.url}/login`] : [204, null],
        );
        expect(await session()).toBeUndefined();
        expect(other.logged.join('\n')).toContain('was not told of a sign-out');
        await other.close();
      },
    );

    test('[ID52] with tokens that cannot be read ends ours all the same', async () => {
      const browser = await signIn();
      await set({ refresh_token_encrypted: 'test.AAAA.AAAA', id_token_encrypted: 'test.AAAA.AAAA' });
      app.ctx.secrets = openSecretBox({ secretKeys: `test:${randomBytes(32).toString('base64')}`, dataDir: '' });
      expect((await leave(browser, HTML)).headers.get('location')).toBe(`${app.url}/login`);
      expect(await session()).toBeUndefined();
    });

    test('[ID52] without the ID token, its key being gone, lets the provider ask', async () => {
      const browser = await signIn();
      app.ctx.secrets = openSecretBox({ secretKeys: `other:${randomBytes(32).toString('base64')}`, dataDir: '' });
      const to = new URL((await leave(browser, HTML)).headers.get('location') ?? '');
      expect(to.searchParams.get('id_token_hint')).toBeNull();
      expect(to.searchParams.get('client_id')).toBe(issuer.clientId);
    });

    test('[ID52] from another site is refused as a page, and ends nothing', async () => {
      const browser = await signIn();
      const answer = await leave(browser, { ...HTML, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' });
      expect(answer.status).toBe(403);
      expect(await answer.text()).toContain('foreign_origin');
      expect((await whoami(app, browser)).status).toBe(200);
    });

    test('[ID52] twice by a form ends at /login', async () => {
      const browser = await signIn();
      const secret = browser.cookie('sbm_session') ?? '';
      await leave(browser, HTML);
      browser.setCookie(app.url, 'sbm_session', secret);
      const answer = await leave(browser, HTML);
      expect([answer.status, answer.headers.get('location')]).toEqual([303, `${app.url}/login`]);
      expect(browser.cookie('sbm_session')).toBeUndefined();
    });

    test('[ID52] with the embedded provider a form ends at /login, a program gets 204, and nothing is stored', async () => {
      const local = await startApp(database, data.folder);
      await local.identity.createLocalAccount({ username: 'ben', password: PASSWORD, role: 'user' });
      for (const [headers, expected] of [
        [HTML, [303, `${local.url}/login`]],
        [{}, [204, null]],
      ] as const) {
        const browser = new Browser();
        await signInHere(local, browser, 'ben');
        expect(await session()).toMatchObject({
          refresh_token_encrypted: null,
          id_token_encrypted: null,
          refresh_due_at: null,
        });
        const answer = await browser.send(`${local.url}/api/v1/auth/logout`, {
          method: 'POST',
          headers: { ...OWN_PAGE(local), ...headers },
        });
        expect([answer.status, answer.headers.get('location')]).toEqual(expected);
        expect((await whoami(local, browser)).status).toBe(401);
      }
      await local.close();
    });
  });

  describe('renewal', () => {
    test('[ID53] a sign-in keeps what the provider gave, sealed, due when the access token ends', async () => {
      await signIn();
      const stored = await session();
      expect(stored?.refresh_token_encrypted).toMatch(/^test\./);
      expect(JSON.stringify(stored)).not.toContain(refreshToken());
      expect(JSON.stringify(stored)).not.toContain('eyJ');
      const inSeconds = (stored?.refresh_due_at ?? 0) - Date.now() / 1000;
      expect(inSeconds).toBeGreaterThan(290);
      expect(inSeconds).toBeLessThanOrEqual(301);
    });

    test('[ID57] a used session that is due takes over role, e-mail and the new token before it is served', async () => {
      const browser = await signIn();
      const before = refreshToken();
      issuer.person = { ...issuer.person, roles: ['guest'], email: 'new@example.org', username: 'anna' };
      expect(await me(browser)).toMatchObject({ role: 'admin' });
      expect(issuer.refreshes).toBe(0);
      await set({ refresh_due_at: Math.floor(app.ctx.clock.nowMs() / 1000) });
      expect(await me(browser)).toMatchObject({ username: 'ana', role: 'guest', provider_role: 'guest' });
      expect(issuer.refreshes).toBe(1);
      expect(refreshToken()).not.toBe(before);
      expect(app.ctx.happened.at(-1)).toMatchObject({ name: 'session.role_changed', payload: { role: 'guest' } });
      const user = await database.db.selectFrom('users').select(['email', 'role']).executeTakeFirst();
      expect(user).toEqual({ email: 'new@example.org', role: 'user' });
      // And again with the token it was given.
      await set({ refresh_due_at: 0 });
      expect(await me(browser)).toMatchObject({ role: 'guest' });
      expect(issuer.refreshes).toBe(2);
      expect((await session())?.refresh_due_at).toBeGreaterThan(Date.now() / 1000 + 290);
    });

    test('[ID56] twenty requests at once in two processes ask the provider once', async () => {
      const browser = await signIn();
      const other = await startApp(database, data.folder, { issuer });
      // Both know the same key, as two processes of one installation do.
      other.ctx.secrets = app.ctx.secrets;
      browser.setCookie(other.url, 'sbm_session', browser.cookie('sbm_session') ?? '');
      await set({ refresh_due_at: 0 });
      issuer.slow = 50;
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => whoami(i % 2 === 0 ? app : other, browser)),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
      expect(issuer.refreshes).toBe(1);
      await other.close();
    });

    test('[ID57] invalid_grant ends the session, once and without another try', async () => {
      const browser = await signIn();
      issuer.sessions.clear();
      await set({ refresh_due_at: 0 });
      const answers = await Promise.all([whoami(app, browser), whoami(app, browser)]);
      expect(answers.map(({ status }) => status)).toEqual([401, 401]);
      expect(issuer.refreshes).toBe(1);
      const ended = app.ctx.happened.filter(({ name }) => name === 'access.ended');
      expect(ended).toMatchObject([{ payload: { which: { kind: 'session' }, reason: 'expired' } }]);
      expect(await session()).toBeUndefined();
    });

    test('[ID57] tokens of another subject end the session', async () => {
      const browser = await signIn();
      issuer.idTokenClaims = { sub: 'sub-somebody-else' };
      await set({ refresh_due_at: 0 });
      expect((await whoami(app, browser)).status).toBe(401);
      expect(await session()).toBeUndefined();
    });

    test('[ID58] a provider that is down leaves the session, and is asked with growing patience', async () => {
      const browser = await signIn();
      await set({ refresh_due_at: 0 });
      issuer.refreshError = { status: 503, error: 'temporarily_unavailable' };
      const triedAt: number[] = [];
      for (let second = 0; second < 60; second++) {
        const before = issuer.refreshes;
        expect((await whoami(app, browser)).status).toBe(200);
        if (issuer.refreshes > before) triedAt.push(second);
        app.ctx.clock.advance(1000);
      }
      expect(triedAt).toEqual([0, 5, 15, 35]);
      issuer.refreshError = null;
      app.ctx.clock.advance(60_000);
      issuer.person = { ...issuer.person, roles: ['user'] };
      expect(await me(browser)).toMatchObject({ role: 'user' });
      expect(app.logged.join('\n')).not.toContain('expired');
    });

    test('[ID58] a refusal of our own client ends nobody’s session either', async () => {
      const browser = await signIn();
      await set({ refresh_due_at: 0 });
      issuer.refreshError = { status: 401, error: 'invalid_client' };
      for (let i = 0; i < 3; i++) expect((await whoami(app, browser)).status).toBe(200);
      expect(issuer.refreshes).toBe(1);
    });

    test('[ID58] an odd answer makes its own session wait a minute, not the others', async () => {
      const browser = await signIn();
      await set({ refresh_due_at: 0 });
      issuer.refreshError = { status: 400, error: 'invalid_request' };
      expect((await whoami(app, browser)).status).toBe(200);
      issuer.refreshError = null;
      issuer.person = { ...issuer.person, sub: 'sub-ben', username: 'ben' };
      await signIn();
      await database.write((trx) =>
        trx
          .updateTable('user_sessions')
          .set({ refresh_due_at: 0 })
          .where('user_id', 'in', trx.selectFrom('users').select('id').where('subject', '=', 'sub-ben'))
          .execute(),
      );
      await app.identity.renewSessions((await allSessions()).map(({ id }) => id));
      expect(issuer.refreshes).toBe(2);
      app.ctx.clock.advance(60_000);
      await app.identity.renewSessions((await allSessions()).map(({ id }) => id));
      expect(issuer.refreshes).toBe(3);
    });

    test('[ID56] a slow provider holds a request up for 2 s at most, and its answer counts when it comes', async () => {
      const browser = await signIn();
      await set({ refresh_due_at: 0 });
      issuer.slow = 3000;
      issuer.person = { ...issuer.person, roles: ['user'] };
      const startedAt = performance.now();
      expect(await me(browser)).toMatchObject({ role: 'admin' });
      expect(performance.now() - startedAt).toBeLessThan(2900);
      issuer.slow = 0;
      await app.identity.close();
      expect(await me(browser)).toMatchObject({ role: 'user' });
      expect(issuer.refreshes).toBe(1);
    });

    test('[ID56] a request that comes while its session is being renewed unasked waits for the answer', async () => {
      const browser = await signIn();
      issuer.sessions.clear();
      await set({ refresh_due_at: 0 });
      issuer.slow = 300;
      const renewing = app.identity.renewSessions((await allSessions()).map(({ id }) => id));
      await expect.poll(async () => (await session())?.refresh_due_at).not.toBe(0);
      expect((await whoami(app, browser)).status).toBe(401);
      issuer.slow = 0;
      await renewing;
      expect(issuer.refreshes).toBe(1);
    });

    test('[ID56] sessions with an open socket are renewed unasked, those nobody uses are left alone', async () => {
      await signIn();
      issuer.person = { ...issuer.person, sub: 'sub-ben', username: 'ben' };
      await signIn();
      await set({ refresh_due_at: 0 });
      const [first] = await allSessions();
      await app.identity.renewSessions([first?.id ?? '']);
      expect(issuer.refreshes).toBe(1);
      const due = (await allSessions()).map(({ id, refresh_due_at }) => [id === first?.id, (refresh_due_at ?? 0) > 0]);
      expect(due.sort()).toEqual([
        [false, false],
        [true, true],
      ]);
    });

    test('[ID53] a key that is gone leaves the session unrenewed, and is told of once', async () => {
      const browser = await signIn();
      const { secrets } = app.ctx;
      app.ctx.secrets = openSecretBox({ secretKeys: `other:${randomBytes(32).toString('base64')}`, dataDir: '' });
      for (let i = 0; i < 3; i++) {
        await set({ refresh_due_at: 0 });
        expect((await whoami(app, browser)).status).toBe(200);
      }
      expect(issuer.refreshes).toBe(0);
      expect(app.logged.filter((line) => line.includes('key of stored provider tokens'))).toHaveLength(1);
      // The key is put back: it heals by itself.
      app.ctx.secrets = secrets;
      app.ctx.clock.advance(3_600_000);
      await app.identity.renewSessions((await allSessions()).map(({ id }) => id));
      expect(issuer.refreshes).toBe(1);
    });

    test('[ID53] a stored token that was changed ends its session', async () => {
      const browser = await signIn();
      const sealed = (await session())?.refresh_token_encrypted ?? '';
      const at = sealed.lastIndexOf('.') + 1;
      const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
      await set({ refresh_due_at: 0, refresh_token_encrypted: changed });
      expect((await whoami(app, browser)).status).toBe(401);
      expect(issuer.refreshes).toBe(0);
    });

    test('[ID57] keys that cannot be had leave the role as it was', async () => {
      const browser = await signIn();
      const other = await startApp(database, data.folder, { issuer });
      other.ctx.secrets = app.ctx.secrets;
      browser.setCookie(other.url, 'sbm_session', browser.cookie('sbm_session') ?? '');
      issuer.hidesKeys = true;
      issuer.person = { ...issuer.person, roles: ['guest'] };
      await set({ refresh_due_at: 0 });
      expect(await (await whoami(other, browser)).json()).toMatchObject({ role: 'admin' });
      expect(issuer.refreshes).toBe(1);
      await other.close();
    });
  });

  test('[ID59] a sign-in whose access token cannot be checked is refused, not let in without its role', async () => {
    issuer.hidesKeys = true;
    issuer.person = { ...issuer.person, roles: ['guest'] };
    const browser = new Browser();
    const page = await browser.open(`${app.url}/api/v1/auth/login`);
    expect([page.status, page.text.includes('provider_unavailable')]).toEqual([503, true]);
    expect(await session()).toBeUndefined();
    issuer.hidesKeys = false;
    app.ctx.clock.advance(11_000);
    await browser.open(`${app.url}/api/v1/auth/login`);
    expect(await me(browser)).toMatchObject({ role: 'guest' });
  });

  const allSessions = () => database.db.selectFrom('user_sessions').selectAll().orderBy('created_at').execute();
});
