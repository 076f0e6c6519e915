import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPasswordReset } from '#domain/accounts/password-reset.ts';
import { hashSecret } from '#server/ids.ts';
import { Browser, PASSWORD, openSqlite, signIn, startApp, tempFolder, whoami } from './harness.ts';
import type { Role } from '#contract/accounts.ts';
import type { TestApp } from './harness.ts';
import type { TestDatabase } from '../../support/dialects.ts';

describe('one-time links', () => {
  let database: TestDatabase;
  let data: Awaited<ReturnType<typeof tempFolder>>;
  let app: TestApp;
  let admin: string;
  beforeAll(async () => {
    database = await openSqlite();
    data = await tempFolder();
    app = await startApp(database, data.folder);
    ({ user_id: admin } = await app.identity.createLocalAccount({
      username: 'olive',
      display_name: 'Olive <O>',
      password: PASSWORD,
      role: 'admin',
    }));
  });
  afterAll(async () => {
    await app.close();
    await database.close();
    await data.remove();
  });

  async function invite(role: Role, more: { expires_at?: number } = {}): Promise<string> {
    const code = app.ctx.ids.secret();
    const created_at = Math.floor(app.ctx.clock.nowMs() / 1000);
    await database.write((trx) =>
      trx
        .insertInto('account_invites')
        .values({
          id: app.ctx.ids.id(),
          code_hash: hashSecret(code),
          role,
          note: null,
          created_by: admin,
          created_at,
          expires_at: created_at + 3600,
          used_at: null,
          used_by: null,
          ...more,
        })
        .execute(),
    );
    return `${app.url}/invite/${code}`;
  }
  const roleOf = async (username: string) =>
    (await database.db.selectFrom('users').select('role').where('username', '=', username).executeTakeFirst())?.role;

  test('[ID76] an invitation says who invites to what, makes the account, and leads to signing in by that name', async () => {
    const link = await invite('guest');
    const browser = new Browser();
    const page = await browser.open(link);
    expect(page.status).toBe(200);
    expect(page.text).toContain('<strong>Olive &lt;O&gt;</strong> invites you');
    expect(page.text).toContain('as a guest');
    expect(page.text).not.toMatch(/<script|\sstyle="|\son\w+="/);
    for (const [id, label, autocomplete] of [
      ['username', 'Username', 'username'],
      ['display_name', 'Display name', 'name'],
      ['password', 'Password', 'new-password'],
    ]) {
      expect(page.text).toContain(`<label for="${id}">${label}</label>`);
      expect(page.text).toMatch(new RegExp(`id="${id}"[^>]*autocomplete="${autocomplete}"`));
    }
    const made = await browser.post(link, { username: 'gina', display_name: 'Gina', password: PASSWORD });
    expect(made.text).toContain('value="gina"');
    expect(await roleOf('gina')).toBe('guest');
    expect((await browser.post(made.url, { username: 'gina', password: PASSWORD })).url).toBe(`${app.url}/`);
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: 'gina', role: 'guest' });
    for (const late of [browser.open(link), browser.post(link, { username: 'eve', password: PASSWORD })]) {
      const { status, text } = await late;
      expect(status).toBe(404);
      expect(text).toContain('This invitation no longer works');
      expect(text).toContain('href="/api/v1/auth/login"');
    }
    expect(await roleOf('eve')).toBeUndefined();
  });

  test('[ID76] in a browser that is signed in as somebody else, the new person is who signs in', async () => {
    const link = await invite('user');
    const browser = new Browser();
    await signIn(app, browser, 'olive');
    const made = await browser.post(link, { username: 'newcomer', display_name: '', password: PASSWORD });
    expect(made.text).toContain('value="newcomer"');
    await browser.post(made.url, { username: 'newcomer', password: PASSWORD });
    expect(await (await whoami(app, browser)).json()).toMatchObject({ username: 'newcomer', role: 'user' });
  });

  test.each([
    ['OLIVE', 409, 'username', 'That username is taken, or looks like one that is.'],
    ['0live', 409, 'username', 'That username is taken'],
    ['оlive', 400, 'username', 'mixes alphabets'],
    ['admin', 400, 'username', 'reserved'],
    ['a\u200bna', 400, 'username', 'may hold letters'],
    ['fine', 400, 'password', 'at least 8 characters'],
  ])('[ID76] the form comes back for %s (%d) with the error tied to %s', async (username, status, id, message) => {
    const link = await invite('user');
    const password = id === 'password' ? 'short' : PASSWORD;
    const answer = await new Browser().post(link, { username, display_name: 'X <b>', password });
    expect(answer.status).toBe(status);
    expect(answer.text).toContain('role="alert"');
    expect(answer.text).toContain(`aria-describedby="${id}-error ${id}-hint"`);
    expect(answer.text).toMatch(new RegExp(`id="${id}"[^>]*aria-invalid="true"`));
    expect(new RegExp(`<p class="field-error" id="${id}-error" role="alert">([^<]*)`).exec(answer.text)?.[1]).toContain(
      message,
    );
    expect(answer.text).toContain('value="X &lt;b&gt;"');
    expect(answer.text).not.toContain(password === 'short' ? 'value="short"' : PASSWORD);
    expect((await new Browser().open(link)).status).toBe(200);
  });

  test('[ID76] an invitation is refused from another site, when it ran out, and in another case', async () => {
    const link = await invite('admin');
    const fields = { username: 'mallory', password: PASSWORD };
    const foreign = await new Browser().post(link, fields, {
      origin: 'https://evil.example',
      'sec-fetch-site': 'cross-site',
    });
    expect(foreign.status).toBe(403);
    expect(
      (await new Browser().open(link.toUpperCase().replace(/^HTTP:.*?\/INVITE/, `${app.url}/invite`))).status,
    ).toBe(404);
    const late = await invite('admin', { expires_at: Math.floor(app.ctx.clock.nowMs() / 1000) });
    expect((await new Browser().post(late, fields)).status).toBe(404);
    expect(await roleOf('mallory')).toBeUndefined();
  });

  test('[ID72] a reset link sets the password once, and nobody stays signed in', async () => {
    const { user_id } = await app.identity.createLocalAccount({ username: 'lost', password: PASSWORD, role: 'user' });
    const old = new Browser();
    await signIn(app, old, 'lost');
    const { token } = await createPasswordReset(app.ctx, null, { user_id });
    const link = `${app.url}/reset?token=${token}`;
    const browser = new Browser();
    const page = await browser.open(link);
    expect(page.status).toBe(200);
    expect(page.text).toMatch(/id="username"[^>]*value="lost"[^>]*readonly/);
    expect(page.text).toMatch(/id="password"[^>]*autocomplete="new-password"/);
    expect(page.headers.get('referrer-policy')).toBe('same-origin');
    const short = await browser.post(`${app.url}/reset`, { token, password: 'short' });
    expect(short.status).toBe(400);
    expect(short.text).toContain('aria-describedby="password-error password-hint"');
    const password = 'another horse battery';
    const done = await browser.post(`${app.url}/reset`, { token, password });
    expect(done.status).toBe(200);
    expect(done.text).toContain('Your password is set');
    expect(done.text).toContain('login_hint=lost');

    expect((await whoami(app, old)).status).toBe(401);
    // The provider does not know the old browser any more either.
    expect((await old.open(`${app.url}/api/v1/auth/login?return_to=/`)).text).toContain('name="password"');
    expect((await signIn(app, new Browser(), 'lost', PASSWORD)).status).toBe(401);
    expect((await signIn(app, new Browser(), 'lost', password)).url).toBe(`${app.url}/`);
    for (const spent of [browser.open(link), browser.post(`${app.url}/reset`, { token, password: PASSWORD })]) {
      expect((await spent).status).toBe(404);
      expect((await spent).text).toContain('Ask an administrator for a new one');
    }
    for (const wrong of ['', '?token=', '?token=a&token=b', `?token=${app.ctx.ids.secret()}`, '?token=%00'])
      expect((await browser.open(`${app.url}/reset${wrong}`)).status).toBe(404);
  });

  test('[ID70] a browser whose provider session outlived ours is not let in again after the password was set anew', async () => {
    const { user_id } = await app.identity.createLocalAccount({ username: 'copied', password: PASSWORD, role: 'user' });
    const thief = new Browser();
    await signIn(app, thief, 'copied');
    // Our session is gone from the browser, and from the list; the provider's cookie is left.
    await database.write((trx) => trx.deleteFrom('user_sessions').where('user_id', '=', user_id).execute());
    thief.cookies.delete('sbm_session');
    const reentry = new Browser();
    for (const [name, cookie] of thief.cookies) reentry.cookies.set(name, { ...cookie });
    expect((await reentry.open(`${app.url}/api/v1/auth/login?return_to=/`)).text).toBe('home');
    const { token } = await createPasswordReset(app.ctx, null, { user_id });
    await new Browser().post(`${app.url}/reset`, { token, password: 'another horse battery' });
    expect((await whoami(app, reentry)).status).toBe(401);
    for (const browser of [thief, reentry]) {
      expect((await browser.open(`${app.url}/api/v1/auth/login?return_to=/`)).text).toContain('name="password"');
    }
  });

  test('[ID77] an address that tries one link after another is told to wait', async () => {
    const tempted = await startApp(database, data.folder);
    try {
      const good = (await invite('user')).replace(app.url, tempted.url);
      let refused: Awaited<ReturnType<Browser['open']>> | null = null;
      for (let i = 0; i < 41; i++) {
        const answer = await new Browser().open(`${tempted.url}/invite/${app.ctx.ids.secret()}`);
        if (answer.status === 429) refused = answer;
        else expect(answer.status).toBe(404);
      }
      expect(refused?.text).toContain('Too many tries');
      expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await new Browser().post(good, { username: 'tempted', password: PASSWORD })).status).toBe(429);
      expect(await roleOf('tempted')).toBeUndefined();
    } finally {
      await tempted.close();
    }
  });

  test('[ID8] no code, token or password was logged', () => {
    expect(app.logged.join('\n')).not.toMatch(new RegExp(`${PASSWORD}|another horse|[\\w-]{43}`));
  });
});
