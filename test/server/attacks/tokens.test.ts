/** [ID91] Every bad credential at every door: refused, made nobody, and in no line of the log. */
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { hashSecret } from '#domain/hash-secret.ts';
import { badTokens, TOO_LONG_FOR_A_HEADER } from '../../support/bad-tokens.ts';
import { gatewayClient } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { keepLog } from '../../support/keep-log.ts';
import { openWorld, rawSocket } from '../../support/world.ts';
import type { Problem } from '#contract/problems.ts';
import type { KeptLog } from '../../support/keep-log.ts';
import type { Someone, World } from '../../support/world.ts';

const ANA = { sub: 'sub-ana', username: 'ana', name: 'Ana', roles: ['user'] };

describe.each(DIALECTS)('bad credentials on $name', (dialect) => {
  let world: World;
  let kept: KeptLog;
  let ana: Someone;
  let list: string;
  let people: unknown[];
  /** Everything that was tried and must not be in the log. */
  const tried: string[] = [];
  beforeAll(async () => {
    kept = keepLog();
    world = await openWorld(dialect, { log: kept.log });
    ana = await world.someone('ana');
    list = (await ana.rest.post<{ id: string }>('/playlists', { name: 'Mine' })).id;
    people = await world.database.db.selectFrom('users').select(['id', 'subject']).execute();
  });
  afterAll(() => world.close());

  const BAD = badTokens(() => world.issuer, ANA);
  const rest = (headers: Record<string, string>, path = '/auth/profile') =>
    fetch(`${world.url}/api/v1${path}`, { headers });

  async function handshake(
    auth: Record<string, unknown>,
    headers: Record<string, string> = {},
    query: Record<string, string> = {},
  ): Promise<Problem | 'let in' | 'refused before the upgrade'> {
    const socket = io(world.url, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      auth,
      query,
      extraHeaders: headers,
    });
    try {
      return await new Promise((resolve, reject) => {
        socket.once('connect', () => resolve('let in'));
        socket.once('connect_error', (error: Error & { data?: Problem }) =>
          error.data !== undefined
            ? resolve(error.data)
            : error.message === 'websocket error'
              ? resolve('refused before the upgrade')
              : reject(error),
        );
      });
    } finally {
      socket.disconnect();
    }
  }
  const upgrade = async (headers: Record<string, string>, query = '') => {
    const socket = await rawSocket(world.url, `/yjs/${list}${query}`, headers);
    if (typeof socket === 'number') return socket;
    socket.ws.terminate();
    return 'let in';
  };
  const REFUSED = { code: 'unauthenticated', status: 401 };

  test('[ID91] the corpus has at least 45 kinds', () => {
    expect(Object.keys(BAD).length).toBeGreaterThanOrEqual(45);
  });

  test('[ID91] a good token passes all doors, so that what follows means something', async () => {
    const authorization = `Bearer ${ana.token}`;
    expect((await rest({ authorization })).status).toBe(200);
    expect(await handshake({ token: ana.token })).toBe('let in');
    expect(await upgrade({ authorization })).toBe('let in');
  });

  test('[ID91] every kind of bad access token at every door', async () => {
    const open = await gatewayClient(world.url, ana.token);
    const found: unknown[] = [];
    const expected: unknown[] = [];
    for (const [name, make] of Object.entries(BAD)) {
      const token = await make();
      tried.push(token);
      const byHeader = TOO_LONG_FOR_A_HEADER.has(name) ? 431 : 401;
      // Longer than the event takes, it is bad input; either way it is not taken.
      const byRefresh = token.length > 16_384 ? 'invalid' : 'unauthenticated';
      expected.push([name, byHeader, byHeader, 401, 'unauthenticated', byHeader, byRefresh]);
      const refresh = await open.request('auth:refresh', { token });
      const refused = await handshake({ token });
      found.push([
        name,
        (await rest({ authorization: `Bearer ${token}` })).status,
        (await rest({ authorization: `Token ${token}` })).status,
        typeof refused === 'string' ? refused : refused.status,
        typeof refused === 'string' ? refused : refused.code,
        await upgrade({ authorization: `Bearer ${token}` }),
        refresh.ok ? 'taken' : refresh.problem.code,
      ]);
    }
    expect(found).toEqual(expected);
    expect((await open.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
    open.close();
  });

  test('[ID91] a bad token in the place of another credential: address, ticket, cookie', async () => {
    const origin = new URL(world.url).origin;
    for (const make of Object.values(BAD)) {
      const token = await make();
      if (token.length > 8_000) continue;
      const inAddress = encodeURIComponent(token);
      expect(await upgrade({}, `?token=${inAddress}`)).toBe(401);
      expect(await upgrade({}, `?ticket=${inAddress}`)).toBe(401);
      expect(await upgrade({ cookie: `sbm_session=${token}`, origin })).toBe(401);
      expect((await rest({ cookie: `sbm_session=${token}` })).status).toBe(401);
    }
  });

  test('[ID92] a good token in an address is refused at every door, and so is one in a cookie', async () => {
    const { token } = ana;
    const origin = new URL(world.url).origin;
    tried.push(token);
    for (const name of ['token', 'access_token', 'bearer_token', 'ticket']) {
      expect([name, (await rest({}, `/auth/profile?${name}=${token}`)).status]).toEqual([name, 401]);
      expect([name, await upgrade({}, `?${name}=${token}`)]).toEqual([name, 401]);
      const refused = await handshake({}, {}, { [name]: token });
      if (['token', 'access_token'].includes(name)) expect(refused).toBe('refused before the upgrade');
      else expect(refused).toMatchObject(REFUSED);
    }
    for (const name of ['token', 'access_token']) {
      expect(await upgrade({ authorization: `Bearer ${token}` }, `?${name}=${token}`)).toBe(401);
    }
    expect((await rest({ cookie: `sbm_session=${token}` })).status).toBe(401);
    expect(await handshake({}, { cookie: `sbm_session=${token}`, origin })).toMatchObject(REFUSED);
  });

  test('[ID93] a token that cannot be read is not excused by a good cookie', async () => {
    const { cookie } = await world.signIn(ana);
    const origin = new URL(world.url).origin;
    expect((await rest({ cookie })).status).toBe(200);
    for (const authorization of [
      'Bearer',
      'Bearer ',
      'bearer a b',
      'Token',
      'Bearer nonsense',
      `Bearer ${ana.token},x`,
    ]) {
      expect([authorization, (await rest({ cookie, authorization })).status]).toEqual([authorization, 401]);
      expect([authorization, await upgrade({ cookie, origin, authorization })]).toEqual([authorization, 401]);
      expect(await handshake({}, { cookie, origin, authorization })).toMatchObject(REFUSED);
    }
    // Another scheme is a proxy's in front of us, and says nothing to us.
    expect((await rest({ cookie, authorization: 'Basic eDp5' })).status).toBe(200);
    for (const token of [0, false, {}, [], ['x'], 1e9]) {
      expect(await handshake({ token }, { cookie, origin })).toMatchObject(REFUSED);
    }
  });

  test('[ID94] a session’s secret is no token, not even while its cookie is in use', async () => {
    const { cookie } = await world.signIn(ana);
    const secret = cookie.slice(cookie.indexOf('=') + 1);
    tried.push(secret);
    for (let i = 0; i < 5; i++) {
      expect((await rest({ cookie })).status).toBe(200);
      expect((await rest({ authorization: `Bearer ${secret}` })).status).toBe(401);
      expect((await rest({ authorization: `Token ${secret}` })).status).toBe(401);
      expect(await handshake({ token: secret })).toMatchObject(REFUSED);
      expect(await upgrade({ authorization: `Bearer ${secret}` })).toBe(401);
    }
  });

  test('[ID95] bad personal API tokens at every door', async () => {
    const { ctx } = world.server;
    const make = (more: { expires_in?: number } = {}) =>
      createApiToken(ctx, ana.id, { name: 'x', scopes: ['read', 'write', 'listen:write'], ...more });
    const { token: good, id: good_id } = await make();
    for (const scheme of ['Bearer', 'Token', 'bearer', 'token']) {
      expect((await rest({ authorization: `${scheme} ${good}` }, '/playlists')).status).toBe(200);
    }
    const revoked = await make();
    expect(await handshake({ token: revoked.token })).toBe('let in');
    await ana.rest.del(`/auth/tokens/${revoked.id}`);
    const late = await make({ expires_in: 60 });
    expect(await handshake({ token: late.token })).toBe('let in');
    const now = Math.floor(Date.now() / 1000);
    await world.database.write((trx) =>
      trx.updateTable('api_tokens').set({ expires_at: now }).where('id', '=', late.id).execute(),
    );
    const bare = good.slice(4);
    const swapped = [...bare].map((c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())).join('');
    const table: Record<string, string> = {
      'no prefix': bare,
      'another prefix': `sbx_${bare}`,
      'the prefix in capitals': `SBM_${bare}`,
      'the prefix twice': `sbm_${good}`,
      'the prefix alone': 'sbm_',
      'one letter less': good.slice(0, -1),
      'one letter more': `${good}A`,
      'another last letter': good.slice(0, -1) + (good.endsWith('A') ? 'B' : 'A'),
      'the other case': `sbm_${swapped}`,
      'all small': good.toLowerCase(),
      'a letter of base64 that is none of ours': `sbm_${bare.slice(0, -1)}+`,
      'its stored hash': hashSecret(good),
      'its hash with the prefix': `sbm_${hashSecret(good).slice(0, 43)}`,
      'its id': good_id,
      revoked: revoked.token,
      expired: late.token,
      'never made': `sbm_${ctx.ids.secret()}`,
      'in quotes': `"${good}"`,
      'in capitals twice over': good.toUpperCase(),
    };
    // A token that ended in another process's hands counts as over within a moment.
    await expect
      .poll(async () => (await rest({ authorization: `Bearer ${late.token}` }, '/playlists')).status, {
        timeout: 1_000,
      })
      .toBe(401);
    const found: unknown[] = [];
    for (const [name, token] of Object.entries(table)) {
      if (token !== 'sbm_') tried.push(token);
      found.push([
        name,
        (await rest({ authorization: `Bearer ${token}` }, '/playlists')).status,
        (await rest({ authorization: `Token ${token}` }, '/playlists')).status,
        await handshake({ token }),
        await upgrade({ authorization: `Bearer ${token}` }),
        await upgrade({ authorization: `Token ${token}` }),
      ]);
    }
    const refused = expect.objectContaining(REFUSED);
    expect(found).toEqual(Object.keys(table).map((name) => [name, 401, 401, refused, 401, 401]));
    tried.push(good);
    // Good, and in a place where no token belongs.
    const origin = new URL(world.url).origin;
    expect((await rest({ cookie: `sbm_session=${good}` }, '/playlists')).status).toBe(401);
    expect((await rest({ cookie: `sbm_session=${bare}` }, '/playlists')).status).toBe(401);
    for (const cookie of [`sbm_session=${good}`, `sbm_session=${bare}`]) {
      expect(await upgrade({ cookie, origin })).toBe(401);
      expect(await handshake({}, { cookie, origin })).toMatchObject(REFUSED);
    }
    for (const name of ['token', 'access_token', 'api_key']) {
      expect((await rest({}, `/playlists?${name}=${good}`)).status).toBe(401);
      expect(await upgrade({}, `?${name}=${good}`)).toBe(401);
      const refused = await handshake({}, {}, { [name]: good });
      if (name === 'api_key') expect(refused).toMatchObject(REFUSED);
      else expect(refused).toBe('refused before the upgrade');
    }
    expect((await rest({ authorization: `Basic ${btoa(`ana:${good}`)}` }, '/playlists')).status).toBe(401);
  });

  test('[ID91] none of them made anybody', async () => {
    expect(await world.database.db.selectFrom('users').select(['id', 'subject']).execute()).toEqual(people);
  });

  test('[ID96] none of them is in any line of the log, not even in parts', () => {
    const lines = kept.lines.join('\n');
    expect(kept.lines.length).toBeGreaterThan(40);
    // At the level of tracing the refusals are there, with their reason and nothing else.
    expect(lines).toContain('access token refused');
    expect(lines).not.toMatch(/eyJ/);
    expect(lines).not.toMatch(/sbm_/);
    expect(tried.length).toBeGreaterThan(60);
    for (const token of tried) {
      for (const part of token.split('.')) if (part.length >= 20) expect(lines).not.toContain(part);
    }
  });
});
