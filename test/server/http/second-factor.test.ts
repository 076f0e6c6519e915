/** The caller's own password and second factor, at the REST door, as a browser that is signed in calls it. */
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { makeFolders, startServer } from '../../support/server.ts';
import { openWorld } from '../../support/world.ts';
import { Browser, PASSWORD, signIn } from '../identity/harness.ts';
import type { RunningServer } from '#server/create-server.ts';

describe('my password and second factor', () => {
  const folders = makeFolders();
  let server: RunningServer;
  let nowMs = Date.now();
  beforeAll(async () => {
    server = await startServer(folders, { clock: { nowMs: () => nowMs } });
  });
  afterAll(async () => {
    await server.stop();
    folders.remove();
  });

  async function call(browser: Browser, method: string, path: string, body?: object, headers: object = {}) {
    const answer = await browser.send(`${server.url}/api/v1${path}`, {
      method,
      headers: { origin: server.url, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      body: (text === '' ? null : JSON.parse(text)) as Record<string, unknown>,
    };
  }
  let people = 0;
  async function someone(): Promise<{ username: string; browser: Browser }> {
    const username = `person${++people}`;
    await server.identity.createLocalAccount({ username, password: PASSWORD, role: 'guest' });
    const browser = new Browser();
    await signIn(server, browser, username, PASSWORD, '/healthz');
    return { username, browser };
  }
  const codeOf = (secret: string) => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: nowMs });

  test('[ID80] turned on, renewed and off again, as a guest too; signing in asks for it in between', async () => {
    const { browser, username } = await someone();
    expect((await call(browser, 'GET', '/auth/second-factor')).body).toEqual({
      is_available: true,
      is_enabled: false,
      enabled_at: null,
      recovery_codes_left: 0,
    });
    const current_password = PASSWORD;
    const begun = await call(browser, 'POST', '/auth/second-factor', { current_password });
    expect(begun.status).toBe(200);
    expect(begun.headers.get('cache-control')).toBe('private, no-store');
    expect(begun.body).toMatchObject({
      uri: expect.stringMatching(/^otpauth:\/\/totp\//),
      qr_svg: expect.stringMatching(/^<svg/),
    });
    const bad = await call(browser, 'POST', '/auth/second-factor/confirm', { code: 'abcdef' });
    expect([bad.status, bad.body.errors]).toEqual([400, [expect.objectContaining({ path: 'code' })]]);
    const { secret } = begun.body as unknown as { secret: string };
    const on = await call(browser, 'POST', '/auth/second-factor/confirm', { code: codeOf(secret) });
    expect([on.status, (on.body as { recovery_codes?: string[] }).recovery_codes?.length]).toEqual([200, 10]);
    expect((await call(browser, 'GET', '/auth/second-factor')).body).toMatchObject({
      is_enabled: true,
      recovery_codes_left: 10,
    });
    expect((await call(browser, 'POST', '/auth/second-factor', { current_password })).status).toBe(409);
    const renewed = await call(browser, 'POST', '/auth/second-factor/recovery-codes', { current_password });
    expect(renewed.body.recovery_codes).not.toEqual(on.body.recovery_codes);

    nowMs += 30_000;
    const other = new Browser();
    const step = await signIn(server, other, username, PASSWORD, '/healthz');
    expect(step.text).toContain('One more step');
    expect((await other.post(step.url, { code: codeOf(secret) })).url).toBe(`${server.url}/healthz`);

    expect((await call(browser, 'DELETE', '/auth/second-factor', { current_password: 'no' })).status).toBe(403);
    expect((await call(browser, 'DELETE', '/auth/second-factor', { current_password })).status).toBe(204);
    expect((await signIn(server, new Browser(), username, PASSWORD, '/healthz')).url).toBe(`${server.url}/healthz`);
  });

  test('[ID70] a changed password ends every other session and what the provider remembers, and keeps this one', async () => {
    const { browser, username } = await someone();
    const other = new Browser();
    await signIn(server, other, username, PASSWORD, '/healthz');
    const change = (current_password: string, new_password: string) =>
      call(browser, 'POST', '/auth/password', { current_password, new_password });
    expect(await change('no', 'another horse battery')).toMatchObject({
      status: 403,
      body: { code: 'forbidden', errors: [{ path: 'current_password' }] },
    });
    expect(await change(PASSWORD, PASSWORD)).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'new_password' }] },
    });
    expect((await change(PASSWORD, 'another horse battery')).status).toBe(204);
    expect((await call(browser, 'GET', '/auth/profile')).status).toBe(200);
    expect((await call(other, 'GET', '/auth/profile')).status).toBe(401);
    const back = await other.open(`${server.url}/api/v1/auth/login?return_to=/healthz`);
    expect(back.text).toContain('name="password"');
    // This browser's provider session was kept, with a grant made anew.
    browser.cookies.delete('sbm_session');
    expect((await browser.open(`${server.url}/api/v1/auth/login?return_to=/healthz`)).url).toBe(
      `${server.url}/healthz`,
    );
    expect((await call(browser, 'GET', '/auth/profile')).status).toBe(200);
    expect((await other.post(back.url, { username, password: 'another horse battery' })).url).toBe(
      `${server.url}/healthz`,
    );
  });

  test('[ID70] guessing the current password is slowed, in this session alone', async () => {
    const { browser, username } = await someone();
    const guess = () =>
      call(browser, 'POST', '/auth/password', { current_password: 'guess', new_password: 'another horse battery' });
    for (let i = 0; i < 5; i++) expect((await guess()).status).toBe(403);
    const slowed = await guess();
    expect(slowed).toMatchObject({ status: 429, body: { code: 'too_many' } });
    expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await signIn(server, new Browser(), username, PASSWORD, '/healthz')).url).toBe(`${server.url}/healthz`);
  });

  test('[ID70] none of it from another site, without a caller, with an API token, or with a malformed body', async () => {
    const { browser } = await someone();
    const { id } = (await call(browser, 'GET', '/auth/profile')).body as { id?: string };
    const { token } = await createApiToken(server.ctx, id ?? '', {
      name: 'all',
      scopes: ['listen:write', 'read', 'write'],
    });
    for (const [method, path, body] of [
      ['POST', '/auth/password', { current_password: PASSWORD, new_password: 'another horse battery' }],
      ['GET', '/auth/second-factor', undefined],
      ['POST', '/auth/second-factor', { current_password: PASSWORD }],
      ['POST', '/auth/second-factor/confirm', { code: '123456' }],
      ['POST', '/auth/second-factor/recovery-codes', { current_password: PASSWORD }],
      ['DELETE', '/auth/second-factor', { current_password: PASSWORD }],
    ] as const) {
      const by = async (caller: Browser, headers: object = {}) =>
        (await call(caller, method, path, body, headers)).status;
      expect([path, await by(new Browser())]).toEqual([path, 401]);
      expect([path, await by(new Browser(), { authorization: `Bearer ${token}` })]).toEqual([path, 403]);
      if (method === 'GET') continue;
      expect([path, await by(browser, { origin: 'https://evil.example' })]).toEqual([path, 403]);
      const malformed = await call(browser, method, path, { nonsense: true });
      expect([path, malformed.status]).toEqual([path, 400]);
    }
  });

  test('[ID70] with an outside provider the answer says where', async () => {
    const [sqlite] = DIALECTS;
    if (sqlite === undefined) throw new Error('no dialect');
    const world = await openWorld(sqlite);
    try {
      const { rest } = await world.someone('ana');
      expect(await rest.get('/auth/second-factor')).toMatchObject({ is_available: false });
      const refused = {
        status: 422,
        body: { code: 'unprocessable', detail: expect.stringContaining('outside service') },
      };
      const current_password = PASSWORD;
      const change = { current_password, new_password: 'another horse battery' };
      expect(await rest.call('POST', '/auth/password', change)).toMatchObject(refused);
      expect(await rest.call('POST', '/auth/second-factor', { current_password })).toMatchObject(refused);
      expect(await rest.call('DELETE', '/auth/second-factor', { current_password })).toMatchObject(refused);
      for (const path of ['/reset?token=x', '/invite/x']) {
        expect(await (await fetch(world.url + path)).text()).not.toContain('<form');
      }
      const posted = await fetch(`${world.url}/invite/x`, { method: 'POST', headers: { origin: world.url } });
      expect(posted.status).toBeGreaterThanOrEqual(400);
    } finally {
      await world.close();
    }
  });
});
