import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { beginSecondFactor, confirmSecondFactor } from '#domain/accounts/second-factor.ts';
import { loadKeys } from '#server/identity/keys.ts';
import { createLoginBackoff } from '#server/identity/login-backoff.ts';
import { openSecretBox } from '#server/secrets.ts';
import { Browser, PASSWORD, openSqlite, signIn, startApp, tempFolder, whoami } from './harness.ts';
import type { TestApp } from './harness.ts';
import type { TestDatabase } from '../../support/dialects.ts';

describe('signing in with a second factor', () => {
  let database: TestDatabase;
  let data: Awaited<ReturnType<typeof tempFolder>>;
  let app: TestApp;
  let people = 0;
  beforeAll(async () => {
    database = await openSqlite();
    data = await tempFolder();
    app = await startApp(database, data.folder);
    await app.identity.createLocalAccount({ username: 'plain', password: PASSWORD, role: 'user' });
  });
  afterAll(async () => {
    await app.close();
    await database.close();
    await data.remove();
  });

  async function protectedPerson() {
    const username = `person${++people}`;
    const { user_id } = await app.identity.createLocalAccount({ username, password: PASSWORD, role: 'user' });
    const credential = { kind: 'session' as const, session_id: user_id, auth_time: 0 };
    const actor = { user_id, username, role: 'user' as const, provider_role: null, credential };
    const begun = await beginSecondFactor(app.ctx, actor, { current_password: PASSWORD }, createLoginBackoff());
    const code = () =>
      new TOTP({ secret: Secret.fromBase32(begun.secret) }).generate({ timestamp: app.ctx.clock.nowMs() });
    const { recovery_codes } = await confirmSecondFactor(app.ctx, actor, { code: code() });
    nextCode();
    return { username, user_id, code, recovery_codes };
  }
  const nextCode = () => void app.ctx.clock.advance(30_000);
  const wrongCode = (right: string) => (right === '111111' ? '222222' : '111111');
  const isSignedIn = async (browser: Browser) => (await whoami(app, browser)).status === 200;

  test('[ID82] after the right password a second page asks for the code, and only then the session opens', async () => {
    const ana = await protectedPerson();
    const browser = new Browser();
    const step = await signIn(app, browser, ana.username, PASSWORD, '/?view=library');
    expect(step.status).toBe(200);
    expect(new URL(step.url).pathname).toMatch(/^\/oidc\/interaction\/[\w-]+$/);
    expect(step.text).toContain('One more step');
    expect(step.text).toMatch(/<label for="code">Code<\/label>/);
    expect(step.text).toMatch(/autocomplete="one-time-code"\s+inputmode="numeric"/);
    expect(step.text).not.toMatch(/<script|\sstyle="|name="(username|password|account)/);
    expect(step.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await isSignedIn(browser)).toBe(false);
    const done = await browser.post(step.url, { code: ana.code() });
    expect(done.url).toBe(`${app.url}/?view=library`);
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: ana.username });
    nextCode();
  });

  test('[ID82] the provider cannot be talked into going on without the code', async () => {
    const ana = await protectedPerson();
    const browser = new Browser();
    const step = await signIn(app, browser, ana.username);
    const uid = step.url.split('/').at(-1);
    const resumed = await browser.open(`${app.url}/oidc/auth/${uid}`);
    expect(resumed.url).toContain('/oidc/interaction/');
    expect(resumed.text).toContain('name="password"');
    expect(await isSignedIn(browser)).toBe(false);
    // The state is the server's: another browser with the address alone has nothing.
    expect((await new Browser().post(step.url, { code: ana.code() })).status).toBe(400);
    const foreign = await browser.post(step.url, { code: ana.code() }, { origin: 'https://evil.example' });
    expect(foreign.status).toBe(403);
  });

  test('[ID82] a wrong or used code is refused with the error at its field; a recovery code works once, as typed', async () => {
    const ana = await protectedPerson();
    const browser = new Browser();
    const step = await signIn(app, browser, ana.username);
    const wrong = await browser.post(step.url, { code: wrongCode(ana.code()) });
    expect(wrong.status).toBe(401);
    expect(wrong.text).toMatch(/aria-invalid="true"\s+aria-describedby="code-error code-hint"/);
    expect(wrong.text).toContain('id="code-error"');
    const other = await browser.open(`${step.url}?by=recovery_code`);
    expect(other.text).toMatch(/<label for="code">Recovery code<\/label>/);
    const typed = ana.recovery_codes[0]?.toUpperCase().replaceAll('-', ' ') ?? '';
    expect((await browser.post(step.url, { code: typed, by: 'recovery_code' })).url).toBe(`${app.url}/`);
    expect(await isSignedIn(browser)).toBe(true);

    const again = new Browser();
    const second = await signIn(app, again, ana.username);
    const used = await again.post(second.url, { code: typed, by: 'recovery_code' });
    expect(used.status).toBe(401);
    expect(used.text).toContain('recovery code is not right');
    expect((await again.post(second.url, { code: ana.code() })).url).toBe(`${app.url}/`);
    const replay = new Browser();
    const third = await signIn(app, replay, ana.username);
    expect((await replay.post(third.url, { code: ana.code() })).status).toBe(401);
    nextCode();
  });

  test('[ID82] five wrong codes ask for the password again and are held against the name at this address', async () => {
    const ana = await protectedPerson();
    const browser = new Browser();
    const step = await signIn(app, browser, ana.username);
    for (let i = 0; i < 4; i++)
      expect((await browser.post(step.url, { code: wrongCode(ana.code()) })).status).toBe(401);
    const fifth = await browser.post(step.url, { code: wrongCode(ana.code()) });
    expect(fifth.text).toContain('Begin again with your password');
    expect(fifth.text).toContain('name="password"');
    const late = await browser.post(step.url, { code: ana.code() });
    expect(late.status).toBe(401);
    expect(await isSignedIn(browser)).toBe(false);
    const slowed = await browser.post(step.url, { username: ana.username, password: PASSWORD });
    expect(slowed.status).toBe(429);
    expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThan(0);
    await vi.waitFor(async () => {
      const act = await database.db
        .selectFrom('audit_events')
        .select('action')
        .where('action', '=', 'sign_in.slowed')
        .where('target_id', '=', ana.user_id)
        .executeTakeFirst();
      expect(act).toBeDefined();
    });
  });

  test('[ID82] a known password buys no fresh tries: wrong codes add up over sign-ins', async () => {
    const ana = await protectedPerson();
    for (let i = 0; i < 5; i++) {
      const browser = new Browser();
      const step = await signIn(app, browser, ana.username);
      expect((await browser.post(step.url, { code: wrongCode(ana.code()) })).status).toBe(401);
    }
    expect((await signIn(app, new Browser(), ana.username)).status).toBe(429);
  });

  test('[ID82] five minutes after the password it is asked again', async () => {
    const ana = await protectedPerson();
    const browser = new Browser();
    const step = await signIn(app, browser, ana.username);
    app.ctx.clock.advance(301_000);
    const late = await browser.post(step.url, { code: ana.code() });
    expect(late.status).toBe(401);
    expect(late.text).toContain('Begin again with your password');
    expect((await browser.open(step.url)).text).toContain('name="password"');
  });

  test('[ID82] somebody else may sign in from the second page', async () => {
    const ana = await protectedPerson();
    const browser = new Browser();
    const step = await signIn(app, browser, ana.username);
    const other = await browser.open(`${step.url}?by=password`);
    expect(other.text).toContain('name="password"');
    expect((await browser.post(step.url, { username: 'plain', password: PASSWORD })).url).toBe(`${app.url}/`);
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: 'plain' });
  });

  test('[ID83] before the password is right nothing tells who has a second factor', async () => {
    const ana = await protectedPerson();
    const answer = async (username: string) => {
      const browser = new Browser();
      const page = await browser.open(`${app.url}/api/v1/auth/login?return_to=/`);
      const { status, text } = await browser.post(page.url, { username, password: 'not the password' });
      return { status, text: text.replaceAll(page.url.split('/').at(-1) ?? '', 'UID').replaceAll(username, 'NAME') };
    };
    const withFactor = await answer(ana.username);
    expect(withFactor.status).toBe(401);
    expect(await answer('plain')).toEqual(withFactor);
    expect(await answer('nobody-at-all')).toEqual(withFactor);
    const codeFirst = new Browser();
    const page = await codeFirst.open(`${app.url}/api/v1/auth/login?return_to=/`);
    expect((await codeFirst.post(page.url, { code: ana.code() })).text).toContain('name="password"');
  });

  test('[ID84] without the key of its secret the page says who can help, and a recovery code still opens', async () => {
    const ana = await protectedPerson();
    const { secrets } = app.ctx;
    app.ctx.secrets = openSecretBox({ secretKeys: `other:${'A'.repeat(43)}=`, dataDir: '' });
    try {
      const browser = new Browser();
      const step = await signIn(app, browser, ana.username);
      expect(step.status).toBe(200);
      expect(step.text).toContain('ask an administrator to remove your second factor');
      const unread = await browser.post(step.url, { code: ana.code() });
      expect(unread.status).toBe(503);
      expect(unread.text).toMatch(/<label for="code">Recovery code<\/label>/);
      expect((await browser.post(step.url, { code: ana.recovery_codes[4] ?? '' })).url).toBe(`${app.url}/`);
      expect(app.logged.join('\n')).toContain('the key it was sealed with is missing');
    } finally {
      app.ctx.secrets = secrets;
    }
  });

  test('[ID83] the ID token says how somebody proved who they are', async () => {
    const ana = await protectedPerson();
    const { clientSecret } = await loadKeys(data.folder);
    const redirect_uri = `${app.url}/api/v1/auth/callback`;
    const claimsAfter = async (fill: (browser: Browser) => Promise<{ location: string }>) => {
      const browser = new Browser();
      const { location } = await fill(browser);
      const code = new URL(location).searchParams.get('code') ?? '';
      const answer = await fetch(`${app.url}/oidc/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`stepheybot-music:${clientSecret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri, code_verifier: VERIFIER }),
      });
      const { id_token } = (await answer.json()) as { id_token: string };
      return decodeJwt(id_token);
    };
    /** As `open`, but stops before our own callback would use the code. */
    async function walk(browser: Browser, url: string, init: RequestInit = {}): Promise<string> {
      let at = url;
      let answer = await browser.send(at, init);
      for (let hops = 0; hops < 10 && answer.headers.has('location'); hops++) {
        at = new URL(answer.headers.get('location') ?? '', at).href;
        if (at.startsWith(redirect_uri)) return at;
        answer = await browser.send(at);
      }
      return at;
    }
    const VERIFIER = 'v'.repeat(43);
    const authorize = `${app.url}/oidc/auth?${new URLSearchParams({
      client_id: 'stepheybot-music',
      response_type: 'code',
      scope: 'openid',
      redirect_uri,
      code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
      code_challenge_method: 'S256',
    })}`;
    const form = (fields: Record<string, string>): RequestInit => ({
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { origin: app.url },
    });
    const withPassword = (username: string) => async (browser: Browser) => {
      const page = await walk(browser, authorize);
      return { location: await walk(browser, page, form({ username, password: PASSWORD })) };
    };
    const withCode = (code: string) => async (browser: Browser) => {
      const { location } = await withPassword(ana.username)(browser);
      return { location: await walk(browser, location, form({ code })) };
    };
    const before = Math.floor(Date.now() / 1000);
    const plain = await claimsAfter(withPassword('plain'));
    expect(plain.amr).toEqual(['pwd']);
    const totp = await claimsAfter(withCode(ana.code()));
    expect(totp.amr).toEqual(['pwd', 'otp', 'mfa']);
    expect(totp.auth_time).toBeGreaterThanOrEqual(before);
    const recovered = await claimsAfter(withCode(ana.recovery_codes[5] ?? ''));
    expect(recovered.amr).toEqual(['pwd', 'mfa']);
    nextCode();
  });

  test('[ID71] a browser somebody signed in from keeps its mark, and others guessing from the same address do not hold it up', async () => {
    const { username } = await protectedPerson();
    await app.identity.createLocalAccount({ username: 'home', password: PASSWORD, role: 'user' });
    const home = new Browser();
    await signIn(app, home, 'home');
    expect(home.cookie('sbm_known')).toMatch(/^[\w.~-]+$/);
    await home.send(`${app.url}/api/v1/auth/logout`, { method: 'POST', headers: { origin: app.url } });
    const attacker = new Browser();
    const page = await attacker.open(`${app.url}/api/v1/auth/login?return_to=/`);
    for (let i = 0; i < 6; i++) await attacker.post(page.url, { username: 'home', password: 'guess' });
    expect((await attacker.post(page.url, { username: 'home', password: PASSWORD })).status).toBe(429);
    expect((await signIn(app, home, 'home')).url).toBe(`${app.url}/`);
    // The mark opens nothing by itself.
    const thief = new Browser();
    thief.setCookie(app.url, 'sbm_known', home.cookie('sbm_known') ?? '');
    expect(await isSignedIn(thief)).toBe(false);
    expect((await signIn(app, thief, 'home', 'guess')).status).toBe(401);
    // Nor does a mark of one name help with another.
    expect((await signIn(app, thief, username, 'guess')).status).toBe(401);
  });

  test('[ID74] asked for another name, a browser that is signed in is asked who it is, and the other gets in', async () => {
    await app.identity.createLocalAccount({ username: 'first', password: PASSWORD, role: 'user' });
    const browser = new Browser();
    await signIn(app, browser, 'first');
    const same = await browser.open(`${app.url}/api/v1/auth/login?return_to=/&login_hint=FIRST`);
    expect(same.text).toBe('home');
    const page = await browser.open(`${app.url}/api/v1/auth/login?return_to=/&login_hint=plain`);
    expect(page.text).toContain('value="plain"');
    const end = await browser.post(page.url, { username: 'plain', password: PASSWORD });
    expect(end.url).toBe(`${app.url}/`);
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: 'plain' });
    // Whoever signs in under yet another name than the hint is let in too, and not asked for ever.
    const hinted = await browser.open(`${app.url}/api/v1/auth/login?return_to=/&login_hint=somebody`);
    expect((await browser.post(hinted.url, { username: 'first', password: PASSWORD })).url).toBe(`${app.url}/`);
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: 'first' });
  });

  test('[ID85] asked to prove it anew, a remembered browser is asked for the password, and auth_time is of now', async () => {
    await app.identity.createLocalAccount({ username: 'anew', password: PASSWORD, role: 'user' });
    const browser = new Browser();
    await signIn(app, browser, 'anew');
    const page = await browser.open(`${app.url}/api/v1/auth/login?return_to=/&prompt=login`);
    expect(page.text).toContain('name="password"');
    expect((await browser.post(page.url, { username: 'anew', password: PASSWORD })).url).toBe(`${app.url}/`);
    const { credential } = (await (await whoami(app, browser)).json()) as { credential: { auth_time: number } };
    expect(Math.abs(credential.auth_time - Date.now() / 1000)).toBeLessThan(30);
  });

  test('[ID8] no code, secret, password or recovery code was logged', () => {
    const lines = app.logged.join('\n');
    expect(lines).not.toMatch(new RegExp(`${PASSWORD}|111111|222222|[a-hj-km-np-z2-9]{4}(-[a-hj-km-np-z2-9]{4}){3}`));
  });
});
