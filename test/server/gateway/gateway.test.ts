import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REQUESTS } from '#contract/gateway.ts';
import { newIds } from '#server/ids.ts';
import { gatewayClient } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { oddArguments } from '../../support/odd-values.ts';
import { seeded } from '../../support/random.ts';
import { putTracks } from '../../support/room.ts';
import { flushed, openWorld, rawPlaylist, rawSocket } from '../../support/world.ts';
import type { Problem } from '#contract/problems.ts';
import type { Gateway } from '../../support/clients.ts';
import type { Someone, World } from '../../support/world.ts';

/** What a refused client is told. */
async function refusal(
  url: string,
  auth: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Problem | string | null> {
  const socket = io(url, {
    transports: ['websocket'],
    auth,
    reconnection: false,
    forceNew: true,
    extraHeaders: headers,
  });
  try {
    return await new Promise((resolve) => {
      socket.once('connect', () => resolve(null));
      socket.once('connect_error', (error: Error & { data?: Problem }) => resolve(error.data ?? error.message));
    });
  } finally {
    socket.disconnect();
  }
}
const gone = (gateway: Gateway) =>
  new Promise<string>((resolve) => gateway.socket.once('disconnect', (reason) => resolve(reason)));

describe.each(DIALECTS)('the gateway on $name', (dialect) => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  let track_id: string;
  beforeAll(async () => {
    world = await openWorld(dialect);
    [ana, ben] = [await world.someone('ana'), await world.someone('ben')];
    [track_id] = (await putTracks(world.server.ctx, 1)) as [string];
  });
  afterAll(() => world.close());

  test('[GW3] who is let in, by credential and origin, before any WebSocket exists', async () => {
    const { cookie } = await world.signIn(ana);
    const port = new URL(world.url).port;
    const path = '/socket.io/?EIO=4&transport=websocket';
    const table: [string, Record<string, string>, number | 'open'][] = [
      ['a cookie without origin', { cookie }, 403],
      ['a cookie from a foreign page', { cookie, origin: 'https://evil.example' }, 403],
      ['a cookie from "null"', { cookie, origin: 'null' }, 403],
      ['a cookie from a name like ours', { cookie, origin: `http://127.0.0.1.evil.example:${port}` }, 403],
      ['a cookie from another port', { cookie, origin: 'http://127.0.0.1:1' }, 403],
      ['a cookie from another scheme', { cookie, origin: `https://127.0.0.1:${port}` }, 403],
      ['a foreign page without a cookie', { origin: 'https://evil.example' }, 403],
      ['a cookie from our address', { cookie, origin: `http://127.0.0.1:${port}` }, 'open'],
      ['a cookie from localhost', { cookie, origin: `http://localhost:${port}` }, 'open'],
      ['a cookie from [::1]', { cookie, origin: `http://[::1]:${port}` }, 'open'],
      ['a program without a cookie', {}, 'open'],
    ];
    const found: [string, number | 'open'][] = [];
    for (const [name, headers] of table) {
      const socket = await rawSocket(world.url, path, headers);
      found.push([name, typeof socket === 'number' ? socket : 'open']);
      if (typeof socket !== 'number') socket.ws.terminate();
    }
    expect(found).toEqual(table.map(([name, , expected]) => [name, expected]));
    for (const elsewhere of ['/socket.io/../yjs', '/other', '/socket.iox/', '/']) {
      expect(await rawSocket(world.url, elsewhere, { cookie })).toBe(404);
    }
    // There is no polling to go round the check by.
    const polling = await fetch(`${world.url}/socket.io/?EIO=4&transport=polling`, { headers: { cookie } });
    expect(polling.status).toBeGreaterThanOrEqual(400);
  });

  test('[GW3] a refused handshake says why, as a problem', async () => {
    const { cookie } = await world.signIn(ana);
    const expired = await ana.tokenFor(Math.floor(Date.now() / 1000) - 60);
    for (const token of ['', 'nonsense', expired, 5, {}, ['x'], `${ana.token}x`, 'x'.repeat(20_000)]) {
      expect(await refusal(world.url, { token })).toMatchObject({ code: 'unauthenticated', status: 401 });
    }
    expect(await refusal(world.url, {})).toMatchObject({ code: 'unauthenticated' });
    expect(await refusal(world.url, { token: ana.token })).toBeNull();
    const origin = new URL(world.url).origin;
    expect(await refusal(world.url, {}, { cookie, origin })).toBeNull();
    await world.database.write((trx) =>
      trx.updateTable('users').set({ is_active: 0 }).where('id', '=', ben.id).execute(),
    );
    // Done past this process, which notices within a second.
    await expect
      .poll(() => refusal(world.url, { token: ben.token }), { timeout: 1_000 })
      .toMatchObject({ code: 'account_disabled' });
    await world.database.write((trx) =>
      trx.updateTable('users').set({ is_active: 1 }).where('id', '=', ben.id).execute(),
    );
  });

  test('[GW2] no payload, however odd, ends more than its own request', { timeout: 240_000 }, async () => {
    const random = seeded();
    console.log(`seed ${random.seed}`);
    let gateway = await gatewayClient(world.url, ana.token);
    const other = await gatewayClient(world.url, ben.token);
    // trust.md C3 asks for ten thousand of each; what differs between databases shows in fewer.
    const lists = dialect.name === 'sqlite' ? 10_000 : 1_000;
    let answers = 0;
    for (const { name } of REQUESTS) {
      for (let i = 0; i < lists; i++) {
        if (!gateway.socket.connected) gateway = await gatewayClient(world.url, ana.token);
        const args = oddArguments(random, track_id);
        // Every twentieth asks for an acknowledgement, and so waits until all before were taken.
        if (i % 20 !== 19) gateway.socket.emit(name, ...args);
        else {
          const answer = await Promise.race([
            gateway.socket.timeout(10_000).emitWithAck(name, ...args),
            gone(gateway).then(() => ({ ok: false, problem: { code: 'closed' } })),
          ]);
          answers++;
          if (answer.ok === false && answer.problem.code === 'internal') {
            throw new Error(`seed ${random.seed}: ${name} ${JSON.stringify(args)} was the server's mistake`);
          }
        }
      }
    }
    expect(answers).toBe((REQUESTS.length * lists) / 20);
    expect(({} as Record<string, unknown>).pp).toBeUndefined();
    expect((await other.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
    gateway.close();
    other.close();
  });

  test('[GW2] raw packets that no client library would write', async () => {
    const packets = [
      '42["listen:start"]',
      '42["listen:start",null]',
      '42[]',
      '42[5,{}]',
      '42[null]',
      '42{}',
      '42"x"',
      '42',
      '4',
      '',
      '43[]',
      '430[]',
      '431["x"]',
      '42["listen:start",{"__proto__":{"pp":1},"track_id":"x"}]',
      '42["user:watch",{"constructor":{"prototype":{"pp":1}}}]',
      '420["listen:start"]',
      '42999999999999["clock:sync",{"t0_ms":1}]',
      '42["disconnect"]',
      '42["connect_error"]',
      '42["error"]',
      '42["newListener"]',
      '451-["listen:start",{"_placeholder":true,"num":0}]',
      '4511-["x",{"_placeholder":true,"num":9}]',
      '45999999-["x"]',
      '40',
      '41',
      '44{}',
      '7',
      'x',
      '9'.repeat(1000),
      `42["clock:sync",{"t0_ms":1e999}]`,
      `42["clock:sync",${'['.repeat(5000)}${']'.repeat(5000)}]`,
    ];
    for (const packet of packets) {
      const socket = await rawSocket(world.url, '/socket.io/?EIO=4&transport=websocket');
      if (typeof socket === 'number') throw new Error(String(socket));
      socket.send(`40${JSON.stringify({ token: ana.token })}`);
      await socket.heard(2);
      socket.send(packet);
      await flushed(socket);
      socket.ws.terminate();
    }
    const huge = await rawSocket(world.url, '/socket.io/?EIO=4&transport=websocket');
    if (typeof huge === 'number') throw new Error(String(huge));
    huge.send('x'.repeat(65 * 1024));
    expect(await huge.closed).toBeGreaterThan(1000);
    const fine = await gatewayClient(world.url, ana.token);
    expect((await fine.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
    expect(({} as Record<string, unknown>).pp).toBeUndefined();
    fine.close();
  });

  test('[GW1] an unknown event is answered, not obeyed', async () => {
    const gateway = await gatewayClient(world.url, ana.token);
    for (const name of ['join', 'listening:update', 'session:ended', 'toString', '__proto__', 'listen:start ']) {
      const answer = await gateway.socket.timeout(5_000).emitWithAck(name, 'u:victim');
      expect(answer).toMatchObject({ ok: false, problem: { status: 400 } });
      gateway.socket.emit(name);
    }
    expect((await gateway.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
    gateway.close();
  });

  test('[GW4] a token’s end ends its sockets of both protocols; nothing comes after', async () => {
    const exp = Math.floor(Date.now() / 1000) + 2;
    const token = await ana.tokenFor(exp);
    const gateway = await gatewayClient(world.url, token);
    const ended = gone(gateway);
    const { reason } = await gateway.next('session:ended');
    await ended;
    expect(reason).toBe('expired');
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000 - 100);
    expect(Date.now()).toBeLessThan(exp * 1000 + 6_000);
  });

  test('[GW5] auth:refresh keeps every socket of the same person going, those of lists too', async () => {
    const { id } = await ana.rest.post<{ id: string }>('/playlists', { name: 'x' });
    const exp = Math.floor(Date.now() / 1000) + 2;
    const token = await ana.tokenFor(exp);
    const [one, two] = [await gatewayClient(world.url, token), await gatewayClient(world.url, token)];
    const list = await rawPlaylist(world, id, token);
    const longer = await ana.tokenFor(exp + 3_600);
    expect(await one.ask('auth:refresh', { token: longer })).toEqual({ expires_at: exp + 3_600 });
    const short = await gatewayClient(world.url, await ben.tokenFor(exp));
    // Somebody else's socket, of the same end, tells when that time has come.
    await gone(short);
    for (const gateway of [one, two]) expect((await gateway.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
    expect(list.ws.readyState).toBe(list.ws.OPEN);
    list.ws.terminate();
    one.close();
    two.close();
  });

  test('[GW5] auth:refresh with a token of somebody else, or of another session, ends the socket', async () => {
    for (const stranger of [ben.token, (await world.someone('ana', { sid: 'other' })).token]) {
      const gateway = await gatewayClient(world.url, ana.token);
      const ended = gone(gateway);
      gateway.socket.emit('auth:refresh', { token: stranger });
      await ended;
    }
    const { cookie } = await world.signIn(ana);
    const origin = new URL(world.url).origin;
    const byCookie = io(world.url, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      extraHeaders: { cookie, origin },
    });
    const ended = new Promise<void>((resolve) => byCookie.once('disconnect', () => resolve()));
    await new Promise<void>((resolve) => byCookie.once('connect', () => resolve()));
    byCookie.emit('auth:refresh', { token: ana.token });
    await ended;
    const gateway = await gatewayClient(world.url, ana.token);
    expect(await gateway.request('auth:refresh', { token: 'nonsense' })).toMatchObject({
      ok: false,
      problem: { code: 'unauthenticated' },
    });
    gateway.close();
  });

  test('[ID9] signing out ends the session’s sockets within a second, and nothing is told after', async () => {
    const { cookie } = await world.signIn(ana);
    const origin = new URL(world.url).origin;
    await ben.rest.post(`/social/follow/${ana.id}`);
    await ana.rest.post(`/social/follow/${ben.id}`);
    await ben.rest.put('/user/profile', { share_listening_history: true });
    const open = () =>
      io(world.url, {
        transports: ['websocket'],
        reconnection: false,
        forceNew: true,
        extraHeaders: { cookie, origin },
      });
    const sockets = [open(), open()];
    const heard: string[] = [];
    for (const socket of sockets) {
      socket.onAny((name: string) => heard.push(name));
      await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    }
    const kept = await gatewayClient(world.url, ana.token);
    const ends = sockets.map((socket) => new Promise<void>((resolve) => socket.once('disconnect', () => resolve())));
    const startedMs = performance.now();
    expect(
      (await fetch(`${world.url}/api/v1/auth/logout`, { method: 'POST', headers: { cookie, origin } })).status,
    ).toBe(204);
    heard.splice(0, heard.length, ...heard.filter((name) => name === 'session:ended'));
    await ben.rest.post('/listen/start', { track_id, source: 'api' });
    await Promise.all(ends);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    await kept.next('listening:update');
    expect(heard).toEqual(['session:ended', 'session:ended']);
    expect(sockets.every((socket) => !socket.connected)).toBe(true);
    kept.close();
  });

  test('[GW6] a person has at most ten sockets: the oldest makes room', async () => {
    const cat = await world.someone('cat');
    const all: Gateway[] = [];
    for (let i = 0; i < 13; i++) all.push(await gatewayClient(world.url, cat.token));
    for (const gateway of all.slice(0, 3)) expect((await gateway.next('session:ended')).reason).toBe('replaced');
    await expect.poll(() => all.filter((gateway) => gateway.socket.connected).length).toBe(10);
    expect(all.slice(3).every((gateway) => gateway.socket.connected)).toBe(true);
    for (const gateway of all) gateway.close();
  });

  test('[GW7] a person may watch 200 others and no more', { timeout: 60_000 }, async () => {
    const now = 1;
    const ids = Array.from({ length: 205 }, () => newIds.id());
    await world.database.write(async (trx) => {
      await trx
        .insertInto('users')
        .values(
          ids.map((id) => ({
            id,
            issuer: 'x',
            subject: id,
            username: id,
            username_key: id.toLowerCase(),
            email: null,
            display_name: id,
            role: 'user' as const,
            created_at: now,
            last_active: now,
            is_active: 1,
            preferences_json: '{}',
          })),
        )
        .execute();
      await trx
        .insertInto('user_profiles')
        .values(
          ids.map((user_id) => ({
            user_id,
            bio: null,
            avatar_url: null,
            location: null,
            website: null,
            privacy_level: 2 as const,
            share_listening_history: 1,
            share_playlists: 1,
            updated_at: now,
          })),
        )
        .execute();
    });
    const gateway = await gatewayClient(world.url, ana.token);
    const taken: boolean[] = [];
    for (const user_id of ids) taken.push((await gateway.request('user:watch', { user_id })).ok);
    expect(taken.filter(Boolean)).toHaveLength(200);
    expect(taken.lastIndexOf(true)).toBe(199);
    expect((await gateway.request('user:unwatch', { user_id: ids[0]! })).ok).toBe(true);
    expect((await gateway.request('user:watch', { user_id: ids[204]! })).ok).toBe(true);
    gateway.close();
  });
});
