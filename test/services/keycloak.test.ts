/** Signing in, staying signed in and being signed out with a real Keycloak, through its own pages and admin API. */
import { io } from 'socket.io-client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createServer } from '#server/create-server.ts';
import { readConfig } from '#server/config.ts';
import { createLog } from '#server/log.ts';
import { launchBrowser, visitor } from '../support/browser.ts';
import { restClient } from '../support/clients.ts';
import { DIALECTS } from '../support/dialects.ts';
import { makeFolders } from '../support/server.ts';
import { rawSocket } from '../support/world.ts';
import { openKeycloak } from './keycloak-admin.ts';
import type { Me } from '#contract/accounts.ts';
import type { DomainEvent } from '#domain/events.ts';
import type { RunningServer } from '#server/create-server.ts';
import type { Browser } from 'playwright-core';
import type { Visitor } from '../support/browser.ts';
import type { TestDatabase } from '../support/dialects.ts';
import type { Folders } from '../support/server.ts';
import type { Keycloak, KeycloakPerson } from './keycloak-admin.ts';

const CLIENT = 'stepheybot-music';

interface Rotatable {
  id: string;
  providerId: string;
}

describe('with a real Keycloak', () => {
  const keycloak: Keycloak = openKeycloak();
  const { appUrl } = keycloak;
  let folders: Folders;
  let database: TestDatabase;
  let server: RunningServer;
  let browser: Browser;
  let aheadMs = 0;
  const visitors: Visitor[] = [];
  const happened: DomainEvent[] = [];

  beforeAll(async () => {
    folders = makeFolders();
    const postgres = DIALECTS.find(({ name }) => name === 'postgres');
    if (postgres === undefined) throw new Error('TEST_DATABASE_URL is not set: run this by npm run test:services');
    database = await postgres.open();
    server = await createServer({
      // As docker-compose.yml sets it, with the realm file's own defaults for client and audience.
      config: readConfig({
        PORT: new URL(appUrl).port,
        DATA_DIR: folders.dataDir,
        MUSIC_DIR: folders.musicDir,
        OIDC_ISSUER: keycloak.issuer,
        OIDC_CLIENT_SECRET: keycloak.clientSecret,
        LOG_LEVEL: 'error',
      }),
      log: createLog('error'),
      clock: { nowMs: () => Date.now() + aheadMs },
      database,
    });
    for (const name of ['access.ended', 'session.role_changed'] as const) {
      server.ctx.events.on(name, (payload) => void happened.push({ name, payload } as DomainEvent));
    }
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    await database.close();
    folders.remove();
  });
  afterEach(async () => {
    for (const { context } of visitors.splice(0)) await context.close();
    happened.length = 0;
  });

  /** A browser of somebody's own. */
  async function newVisitor(): Promise<Visitor> {
    const one = await visitor(browser);
    visitors.push(one);
    return one;
  }

  /** Fills in Keycloak's login page. */
  async function logIn({ page }: Visitor, person: KeycloakPerson): Promise<void> {
    await page.getByLabel('Username or email').fill(person.username);
    await page.getByRole('textbox', { name: 'Password' }).fill(person.password);
    await page.getByRole('button', { name: 'Sign In' }).click();
  }

  async function signIn(person: KeycloakPerson, returnTo = '/'): Promise<Visitor> {
    const one = await newVisitor();
    await one.page.goto(`${appUrl}/api/v1/auth/login?return_to=${encodeURIComponent(returnTo)}`);
    expect(one.page.url()).toContain(keycloak.issuer);
    await logIn(one, person);
    await one.page.waitForURL((url) => url.origin === appUrl && !url.pathname.startsWith('/api'));
    return one;
  }

  const profile = async ({ context }: Visitor) => {
    const answer = await context.request.get(`${appUrl}/api/v1/auth/profile`);
    return { status: answer.status(), body: (await answer.json()) as Me };
  };
  async function cookieOf({ context }: Visitor): Promise<string> {
    const cookies = await context.cookies(appUrl);
    return cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
  }

  /** A Socket.IO and a /yjs socket of a signed-in browser, with what they hear of their end. */
  async function openSockets(one: Visitor) {
    const headers = { cookie: await cookieOf(one), origin: appUrl };
    const made = await one.context.request.post(`${appUrl}/api/v1/playlists`, {
      headers: { origin: appUrl, 'sec-fetch-site': 'same-origin' },
      data: { name: 'Open' },
    });
    const { id } = (await made.json()) as { id: string };
    const socket = io(appUrl, { transports: ['websocket'], extraHeaders: headers, reconnection: false });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    const reason = new Promise<string>((resolve) =>
      socket.once('session:ended', (payload: { reason: string }) => resolve(payload.reason)),
    );
    const gateway = new Promise<number>((resolve) => socket.once('disconnect', () => resolve(performance.now())));
    const yjs = await rawSocket(appUrl, `/yjs/${id}`, headers);
    if (typeof yjs === 'number') throw new Error(`/yjs refused with ${yjs}`);
    return {
      reason,
      /** When the last of the two closed. */
      closedAt: Promise.all([gateway, yjs.closed.then(() => performance.now())]).then((times) => Math.max(...times)),
      code: yjs.closed,
    };
  }

  /** As when its time has come; what the server remembers for a quarter of a second does not know of it. */
  const makeDue = async (subject: string) => {
    const rows = await database.write((trx) =>
      trx
        .updateTable('user_sessions')
        .set({ refresh_due_at: 0 })
        .where('user_id', 'in', trx.selectFrom('users').select('id').where('subject', '=', subject))
        .returning('user_id')
        .execute(),
    );
    for (const { user_id } of rows) server.identity.forget(user_id);
  };
  const sessionsOf = (subject: string) =>
    database.db
      .selectFrom('user_sessions')
      .innerJoin('users', 'users.id', 'user_sessions.user_id')
      .where('users.subject', '=', subject)
      .selectAll('user_sessions')
      .execute();

  /** Tokens by the password grant, which the realm file leaves off. */
  const enablePasswordGrant = () => keycloak.setClient(CLIENT, { directAccessGrantsEnabled: true });
  const tokensOf = (person: KeycloakPerson) =>
    keycloak.passwordGrant({ id: CLIENT, secret: keycloak.clientSecret }, person);
  const statusWith = async (token: string) =>
    (await restClient(appUrl, token).call<{ code?: string }>('GET', '/auth/profile')).status;

  describe('signing in', () => {
    test('[ID30] leads back to where it began, with the realm role, and leaves no token in the browser', async () => {
      const ada = await keycloak.createPerson('ada', ['admin']);
      const one = await signIn(ada, '/library/tracks?sort=year#here');
      expect(one.page.url()).toBe(`${appUrl}/library/tracks?sort=year#here`);
      const { status, body } = await profile(one);
      expect(status).toBe(200);
      expect(body).toMatchObject({ username: 'ada', email: 'ada@example.org', display_name: 'Ada Test' });
      expect(body.roles).toEqual(['admin']);
      const cookies = await one.context.cookies(appUrl);
      expect(cookies.filter(({ httpOnly }) => !httpOnly)).toEqual([]);
      const kept = await one.page.evaluate(() =>
        JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]),
      );
      expect(kept + JSON.stringify(cookies.filter(({ name }) => name.startsWith('sbm_')))).not.toContain('eyJ');
      const [session] = await sessionsOf(ada.id);
      expect(session?.provider_sid).toMatch(/^[\w-]{10,}/);
      expect(session?.refresh_token_encrypted).toMatch(/^k[\w-]+\.[\w-]+\.[\w-]+$/);
      expect(JSON.stringify(session)).not.toContain('eyJ');
    });

    test.each([
      ['gwen', ['guest'], 'guest'],
      ['una', ['user', 'guest'], 'user'],
      ['nell', [], 'user'],
    ] as const)('[ID23] %s with realm roles %j is %s', async (username, roles, expected) => {
      const one = await signIn(await keycloak.createPerson(username, roles));
      expect((await profile(one)).body.roles).toEqual([expected]);
    });

    test('[ID12] a subject that changes username and e-mail keeps its account; [ID11] who takes the old name gets another', async () => {
      await keycloak.setRealm({ editUsernameAllowed: true });
      const first = await keycloak.createPerson('robin', ['admin']);
      const before = (await profile(await signIn(first))).body;
      await keycloak.changePerson(first.id, { username: 'robyn', email: 'robyn@example.org' });
      const after = (await profile(await signIn({ ...first, username: 'robyn' }))).body;
      expect(after).toMatchObject({ id: before.id, username: 'robin', email: 'robyn@example.org' });
      const second = await keycloak.createPerson('robin', ['user']);
      const other = (await profile(await signIn(second))).body;
      expect(other).toMatchObject({ username: 'robin-2', roles: ['user'] });
      expect(other.id).not.toBe(before.id);
    });
  });

  describe('signing out', () => {
    /** Whether Keycloak would let this browser in again without a question. */
    async function isKnownAtKeycloak(one: Visitor): Promise<boolean> {
      await one.page.goto(`${appUrl}/api/v1/auth/login`);
      return !one.page.url().startsWith(keycloak.issuer);
    }

    test('[ID52] by a form from our page ends Keycloak’s session too and comes back to /login', async () => {
      const sam = await keycloak.createPerson('sam', ['user']);
      const one = await signIn(sam);
      // The client's own page posts it, under its own content security policy.
      await one.page.evaluate(() => {
        const form = document.createElement('form');
        form.method = 'post';
        form.action = '/api/v1/auth/logout';
        document.body.append(form);
        form.submit();
      });
      // (The client may show its own /login before, when it hears that the session is over.)
      await one.page.waitForURL((url) => url.pathname === '/login' && url.searchParams.has('state'));
      expect(new URL(one.page.url()).origin).toBe(appUrl);
      expect(new URL(one.page.url()).searchParams.get('state')).toMatch(/^[\w-]{43}$/);
      expect((await profile(one)).status).toBe(401);
      expect(await sessionsOf(sam.id)).toEqual([]);
      expect(await keycloak.admin('GET', `/users/${sam.id}/sessions`)).toEqual([]);
      expect(await isKnownAtKeycloak(one)).toBe(false);
      expect(one.complaints.filter((line) => /Content Security|form-action/i.test(line))).toEqual([]);
    });

    test('[ID52] by a program ends Keycloak’s session from server to server', async () => {
      const tom = await keycloak.createPerson('tom', ['user']);
      const one = await signIn(tom);
      const status = await one.page.evaluate(
        async () => (await fetch('/api/v1/auth/logout', { method: 'POST' })).status,
      );
      expect(status).toBe(204);
      expect(await keycloak.admin('GET', `/users/${tom.id}/sessions`)).toEqual([]);
      expect(await isKnownAtKeycloak(one)).toBe(false);
    });

    test('[ID55] by an administrator of Keycloak closes the open sockets of both protocols within a second', async () => {
      const vic = await keycloak.createPerson('vic', ['user']);
      const wil = await keycloak.createPerson('wil', ['user']);
      const [one, other] = [await signIn(vic), await signIn(wil)];
      const sockets = await openSockets(one);
      await keycloak.admin('POST', `/users/${vic.id}/logout`);
      const toldAt = performance.now();
      expect((await sockets.closedAt) - toldAt).toBeLessThan(1000);
      expect([await sockets.reason, await sockets.code]).toEqual(['signed_out', 4401]);
      expect((await profile(one)).status).toBe(401);
      expect((await profile(other)).status).toBe(200);
      const audited = await database.db
        .selectFrom('audit_events')
        .innerJoin('users', 'users.id', 'audit_events.target_id')
        .where('action', '=', 'backchannel_logout')
        .where('users.subject', '=', vic.id)
        .select('details_json')
        .execute();
      expect(audited).toEqual([{ details_json: '{"of":"session","sessions":1}' }]);
    });

    test('[ID55] of one of two browsers leaves the other', async () => {
      const zoe = await keycloak.createPerson('zoe', ['user']);
      const [one, other] = [await signIn(zoe), await signIn(zoe)];
      const [first] = (await sessionsOf(zoe.id)).sort((a, b) => a.created_at - b.created_at);
      await keycloak.admin('DELETE', `/sessions/${first?.provider_sid}`);
      const left = await sessionsOf(zoe.id);
      expect(left.map(({ provider_sid }) => provider_sid)).not.toContain(first?.provider_sid);
      expect([(await profile(one)).status, (await profile(other)).status].sort()).toEqual([200, 401]);
    });
  });

  describe('renewal', () => {
    test('[ID57] takes over a changed role and e-mail, and tells open sockets', async () => {
      const kim = await keycloak.createPerson('kim', ['admin']);
      const one = await signIn(kim);
      await keycloak.setRoles(kim.id, ['guest']);
      await keycloak.changePerson(kim.id, { email: 'kim-new@example.org' });
      expect((await profile(one)).body.roles).toEqual(['admin']);
      await makeDue(kim.id);
      expect((await profile(one)).body).toMatchObject({ roles: ['guest'], email: 'kim-new@example.org' });
      expect(happened).toMatchObject([{ name: 'session.role_changed', payload: { role: 'guest' } }]);
    });

    test(
      '[ID56] happens by itself, again and again, for as long as a socket is open',
      { timeout: 120_000 },
      async () => {
        const liv = await keycloak.createPerson('liv', ['user']);
        const attributes = await clientAttributes();
        await keycloak.setClient(CLIENT, { attributes: { ...attributes, 'access.token.lifespan': '2' } });
        try {
          const one = await signIn(liv);
          const sockets = await openSockets(one);
          const seen = new Set<string | null | undefined>();
          await expect
            .poll(
              async () => {
                const [session] = await sessionsOf(liv.id);
                return seen.add(session?.refresh_token_encrypted).size;
              },
              { timeout: 60_000, interval: 500 },
            )
            .toBe(3);
          // Locked out at Keycloak, which tells nobody: the next renewal finds out.
          await keycloak.changePerson(liv.id, { enabled: false });
          expect([await sockets.reason, await sockets.code]).toEqual(['expired', 4401]);
          expect((await profile(one)).status).toBe(401);
        } finally {
          await keycloak.setClient(CLIENT, { attributes });
        }
      },
    );

    test('[ID57] of somebody disabled at Keycloak ends the session and its sockets at the next request', async () => {
      const max = await keycloak.createPerson('max', ['user']);
      const one = await signIn(max);
      const sockets = await openSockets(one);
      await keycloak.changePerson(max.id, { enabled: false });
      await makeDue(max.id);
      expect((await profile(one)).status).toBe(401);
      expect([await sockets.reason, await sockets.code]).toEqual(['expired', 4401]);
      expect(await sessionsOf(max.id)).toEqual([]);
    });

    test('[ID57] of somebody deleted at Keycloak ends the session', async () => {
      const ned = await keycloak.createPerson('ned', ['user']);
      const one = await signIn(ned);
      await keycloak.admin('DELETE', `/users/${ned.id}`);
      await makeDue(ned.id);
      expect((await profile(one)).status).toBe(401);
    });

    test('[ID58] with a wrong client secret ends nobody’s session', async () => {
      const oda = await keycloak.createPerson('oda', ['user']);
      const one = await signIn(oda);
      const id = await keycloak.clientId(CLIENT);
      await keycloak.admin('PUT', `/clients/${id}`, { clientId: CLIENT, secret: 'changed-by-somebody' });
      await makeDue(oda.id);
      expect((await profile(one)).status).toBe(200);
      await keycloak.admin('PUT', `/clients/${id}`, { clientId: CLIENT, secret: keycloak.clientSecret });
      expect(await sessionsOf(oda.id)).toHaveLength(1);
    });
  });

  const clientAttributes = async () =>
    (await keycloak.admin<{ attributes: Record<string, string> }>('GET', `/clients/${await keycloak.clientId(CLIENT)}`))
      .attributes;

  describe('access tokens', () => {
    test('[ID30] of our client are taken, with their realm role; [ID41] its ID and refresh tokens are not', async () => {
      await enablePasswordGrant();
      const pia = await keycloak.createPerson('pia', ['guest']);
      const tokens = await tokensOf(pia);
      const me = await restClient(appUrl, tokens.access_token).get<Me>('/auth/profile');
      expect(me).toMatchObject({ username: 'pia', roles: ['guest'] });
      expect((await profile(await signIn(pia))).body.id).toBe(me.id);
      expect(await statusWith(tokens.id_token ?? '')).toBe(401);
      expect(await statusWith(tokens.refresh_token)).toBe(401);
    });

    test('[ID41] of a second client are refused, with our audience and without', async () => {
      const quin = await keycloak.createPerson('quin', ['admin']);
      const [mapper] = (
        await keycloak.admin<{ protocolMappers: object[] }>('GET', `/clients/${await keycloak.clientId(CLIENT)}`)
      ).protocolMappers;
      const base = {
        enabled: true,
        protocol: 'openid-connect',
        publicClient: false,
        secret: 'second-client-secret',
        directAccessGrantsEnabled: true,
      };
      await keycloak.admin('POST', '/clients', { ...base, clientId: 'other-bare' });
      await keycloak.admin('POST', '/clients', {
        ...base,
        clientId: 'other-aud',
        protocolMappers: [{ ...mapper, id: undefined }],
      });
      for (const [id, audience] of [
        ['other-bare', false],
        ['other-aud', true],
      ] as const) {
        const { access_token } = await keycloak.passwordGrant({ id, secret: base.secret }, quin);
        const claims = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString()) as {
          aud?: string | string[];
          azp: string;
        };
        expect([claims.azp, [claims.aud].flat().includes(CLIENT)]).toEqual([id, audience]);
        expect(await statusWith(access_token)).toBe(401);
      }
      expect(await database.db.selectFrom('users').select('id').where('subject', '=', quin.id).execute()).toEqual([]);
    });

    test('[ID41] of our client without the audience mapper are refused', async () => {
      await enablePasswordGrant();
      const rae = await keycloak.createPerson('rae', ['user']);
      const id = await keycloak.clientId(CLIENT);
      const { protocolMappers } = await keycloak.admin<{ protocolMappers: { id: string; name: string }[] }>(
        'GET',
        `/clients/${id}`,
      );
      const mapper = protocolMappers.find(({ name }) => name === 'audience');
      await keycloak.admin('DELETE', `/clients/${id}/protocol-mappers/models/${mapper?.id}`);
      expect(await statusWith((await tokensOf(rae)).access_token)).toBe(401);
      await keycloak.admin('POST', `/clients/${id}/protocol-mappers/models`, { ...mapper, id: undefined });
      expect(await statusWith((await tokensOf(rae)).access_token)).toBe(200);
    });

    test('[ID44] of a rotated key are taken within 11 s, of a removed one refused within 10 min', async () => {
      await enablePasswordGrant();
      const tea = await keycloak.createPerson('tea', ['user']);
      const attributes = await clientAttributes();
      await keycloak.setClient(CLIENT, { attributes: { ...attributes, 'access.token.lifespan': '3600' } });
      const kidOf = (token: string) =>
        (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;
      // Two of the old key: one to see that it works, one nobody has seen yet when the key goes.
      const [before, unseen] = [(await tokensOf(tea)).access_token, (await tokensOf(tea)).access_token];
      expect(await statusWith(before)).toBe(200);
      const realm = await keycloak.admin<{ id: string }>('GET', '');
      const keys = await keycloak.admin<Rotatable[]>('GET', '/components?type=org.keycloak.keys.KeyProvider');
      await keycloak.admin('POST', '/components', {
        name: 'rotated',
        parentId: realm.id,
        providerId: 'rsa-generated',
        providerType: 'org.keycloak.keys.KeyProvider',
        config: { priority: ['200'], enabled: ['true'], active: ['true'], algorithm: ['RS256'] },
      });
      const { access_token } = await tokensOf(tea);
      expect(kidOf(access_token)).not.toBe(kidOf(before));
      await expect.poll(() => statusWith(access_token), { timeout: 11_000, interval: 250 }).toBe(200);

      const old = keys.find(({ providerId }) => providerId === 'rsa-generated');
      await keycloak.admin('DELETE', `/components/${old?.id}`);
      aheadMs = 10 * 60_000;
      try {
        expect(await statusWith(unseen)).toBe(401);
        expect(await statusWith((await tokensOf(tea)).access_token)).toBe(200);
      } finally {
        aheadMs = 0;
        await keycloak.setClient(CLIENT, { attributes });
      }
    });
  });
});
