/** [ID101] A personal API token may do what its scopes say, at every door, and never what a person must sign in for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as accounts from '#contract/accounts.ts';
import * as admin from '#contract/admin.ts';
import * as library from '#contract/library.ts';
import * as listens from '#contract/listens.ts';
import * as playlists from '#contract/playlists.ts';
import * as security from '#contract/security.ts';
import * as social from '#contract/social.ts';
import { REQUESTS } from '#contract/gateway.ts';
import { newIds } from '#server/ids.ts';
import { gatewayClient, restClient } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import { flushed, openWorld, rawSocket } from '../../support/world.ts';
import { handUpdate, syncFrame } from '../../support/yjs-bytes.ts';
import type { Endpoint } from '#contract/endpoint.ts';
import type { Scope } from '#contract/security.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { Problem } from '#contract/problems.ts';
import type { Rest } from '../../support/clients.ts';
import type { RawSocket, Someone, World } from '../../support/world.ts';

const isEndpoint = (value: unknown): value is Endpoint =>
  typeof value === 'object' && value !== null && 'method' in value && 'path' in value && 'scope' in value;
const ENDPOINTS = [accounts, admin, library, listens, playlists, security, social].flatMap((module) =>
  Object.values(module as Record<string, unknown>).filter(isEndpoint),
);
const ALL: Scope[] = ['read', 'write', 'listen:write'];
/** Every set of scopes there is but none at all. */
const SETS = [1, 2, 3, 4, 5, 6, 7].map((bits) => ALL.filter((_scope, i) => (bits & (1 << i)) !== 0));

describe.each(DIALECTS)('scopes on $name', (dialect) => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  let track_id: string;
  let list: string;
  let client = 4_294_000_000;
  /** Which of the contract's addresses this server has. */
  let served: Set<string>;
  beforeAll(async () => {
    world = await openWorld(dialect);
    [ana, ben] = [await world.someone('ana', { roles: ['admin'] }), await world.someone('ben')];
    [track_id] = (await putTracks(world.server.ctx, 1)) as [string];
    list = (await ana.rest.post<Playlist>('/playlists', { name: 'List' })).id;
    await ana.rest.post(`/social/follow/${ben.id}`);
    await ben.rest.post(`/social/follow/${ana.id}`);
    await ben.rest.put('/user/profile', { share_listening_history: true });
    const { paths } = (await (await fetch(`${world.url}/api/v1/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    served = new Set(
      Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
      ),
    );
  });
  afterAll(() => world.close());

  async function tokenOf(scopes: Scope[], more: object = {}): Promise<{ token: string; id: string; rest: Rest }> {
    const made = await ana.rest.post<{ token: string; id: string }>('/auth/tokens', { name: 'x', scopes, ...more });
    return { ...made, rest: restClient(world.url, made.token) };
  }
  const filled = (path: string) =>
    path.replace(/\{(\w+)\}/g, (_all, name: string) => (name === 'username' ? 'nobody-at-all' : newIds.id()));
  const isServed = ({ method, path }: Endpoint) => served.has(`${method} ${path}`);
  const codeOf = async (rest: Rest, { method, path }: Endpoint) => {
    const answer = await rest.call<Problem | undefined>(method, filled(path), method === 'GET' ? undefined : {});
    return answer.status === 403 ? (answer.body as Problem).code : 'passed';
  };

  test('[ID101] a token is shown once, and found in no list or profile after', async () => {
    const made = await ana.rest.call<Record<string, unknown>>('POST', '/auth/tokens', {
      name: 'Phone',
      scopes: ['read', 'read', 'listen:write'],
      expires_in: 3600,
    });
    expect([made.status, made.headers.get('cache-control')]).toEqual([201, 'private, no-store']);
    expect(made.body).toMatchObject({ name: 'Phone', scopes: ['read', 'listen:write'], last_used_at: null });
    const token = String(made.body.token);
    expect(token).toMatch(/^sbm_[A-Za-z0-9_-]{43}$/);
    const listed = await ana.rest.get<{ items: Record<string, unknown>[] }>('/auth/tokens');
    expect(listed.items.map((item) => item.id)).toContain(made.body.id);
    expect(JSON.stringify(listed)).not.toContain(token.slice(4));
    for (const row of listed.items) expect(security.ApiToken.strict().safeParse(row).success).toBe(true);
    expect((await ben.rest.get<{ items: unknown[] }>('/auth/tokens')).items).toEqual([]);
    expect((await ben.rest.call('DELETE', `/auth/tokens/${String(made.body.id)}`)).status).toBe(404);
    expect((await restClient(world.url, token).call('GET', '/auth/profile')).status).toBe(200);
    for (const body of [
      { name: '', scopes: ['read'] },
      { name: 'x', scopes: [] },
      { name: 'x', scopes: ['admin'] },
      { name: 'x', scopes: ['read'], expires_in: 1 },
      { name: 'x', scopes: ['read'], user_id: ben.id },
      { name: 'x', scopes: ['read'], token: 'sbm_mine' },
    ]) {
      expect((await ana.rest.call('POST', '/auth/tokens', body)).status).toBe(400);
    }
  });

  test('[ID101] a guest makes none', async () => {
    const guest = await world.someone('guest', { roles: ['guest'] });
    expect((await guest.rest.call('POST', '/auth/tokens', { name: 'x', scopes: ['read'] })).status).toBe(403);
  });

  test('[ID101] what only a signed-in person may do is refused to every API token, an administrator’s with all scopes too', async () => {
    const { rest } = await tokenOf(ALL);
    const never = ENDPOINTS.filter((endpoint) => endpoint.scope === 'never' && isServed(endpoint));
    expect(never.length).toBeGreaterThanOrEqual(11);
    const before = await world.database.db.selectFrom('api_tokens').select('id').orderBy('id').execute();
    for (const endpoint of never) {
      expect([endpoint.name, await codeOf(rest, endpoint)]).toEqual([endpoint.name, 'forbidden']);
    }
    expect(await world.database.db.selectFrom('api_tokens').select('id').orderBy('id').execute()).toEqual(before);
    expect((await rest.call('POST', '/auth/logout')).status).toBe(403);
  });

  test.each(SETS.map((scopes) => [scopes.join(' + '), scopes] as const))(
    '[ID101] %s: every route is open or shut as its scope says',
    async (_title, scopes) => {
      const { rest } = await tokenOf([...scopes]);
      const found: [string, string][] = [];
      const expected: [string, string][] = [];
      for (const endpoint of ENDPOINTS) {
        if (endpoint.scope === 'never' || endpoint.name === 'auth.logout' || !isServed(endpoint)) continue;
        // Nothing that other tests need is deleted by it: ids are made up.
        if (endpoint.path.includes('{') || endpoint.method === 'GET' || !scopes.includes(endpoint.scope as Scope)) {
          found.push([endpoint.name, await codeOf(rest, endpoint)]);
          expected.push([endpoint.name, scopes.includes(endpoint.scope as Scope) ? 'passed' : 'forbidden']);
        }
      }
      expect(found.length).toBeGreaterThan(20);
      expect(found).toEqual(expected);
      // The doors that answer with bytes ask like the others.
      for (const kind of ['stream', 'cover']) {
        const { status } = await rest.call('GET', `/library/tracks/${track_id}/${kind}`);
        expect([kind, status]).toEqual([kind, scopes.includes('read') ? 404 : 403]);
      }
    },
  );

  test.each(SETS.map((scopes) => [scopes.join(' + '), scopes] as const))(
    '[ID102] %s: every event of the gateway too',
    async (_title, scopes) => {
      const { token } = await tokenOf([...scopes]);
      const gateway = await gatewayClient(world.url, token);
      const found: [string, string][] = [];
      for (const request of REQUESTS) {
        const answer = await gateway.socket.timeout(10_000).emitWithAck(request.name, {});
        found.push([request.name, answer.ok === false && answer.problem.code === 'forbidden' ? 'forbidden' : 'passed']);
      }
      expect(found).toEqual(
        REQUESTS.map(({ name, scope }) => [
          name,
          scope !== 'never' && scopes.includes(scope as Scope) ? 'passed' : 'forbidden',
        ]),
      );
      gateway.close();
    },
  );

  test('[ID103] a token that only reports listens does so by both doors, hears nothing of others and opens no list', async () => {
    const { token, rest } = await tokenOf(['listen:write']);
    const gateway = await gatewayClient(world.url, token);
    const reader = await gatewayClient(world.url, (await tokenOf(['read'])).token);
    const { session_id } = await gateway.ask('listen:start', { track_id, source: 'api' });
    await rest.post('/listen/progress', { session_id, seq: 1, position_ms: 1_000, state: 'playing' });
    await gateway.ask('listen:progress', { session_id, seq: 2, position_ms: 2_000, state: 'playing' });
    expect((await rest.call('GET', '/library/tracks')).status).toBe(403);
    expect((await rest.call('GET', `/listen/sessions/${session_id}`)).status).toBe(403);
    const stored = await ana.rest.get<{ session_id: string }>(`/listen/sessions/${session_id}`);
    expect(stored.session_id).toBe(session_id);
    // What others do, whom its person may see.
    const benSocket = await gatewayClient(world.url, ben.token);
    const benListens = await ben.rest.post<{ session_id: string }>('/listen/start', { track_id, source: 'api' });
    await reader.next('listening:update', (update) => update.user_id === ben.id);
    await reader.next('presence:update', (update) => update.user_id === ben.id);
    await ana.rest.put(`/playlists/${list}`, { description: 'changed' });
    await reader.next('playlist:changed');
    await ben.rest.post('/listen/complete', { session_id: benListens.session_id, seq: 1, position_ms: 1 });
    await reader.next('listening:update', (update) => update.state === 'stopped');
    await gateway.ask('listen:complete', { session_id, seq: 3, position_ms: 3_000 });
    expect(gateway.heard).toEqual([]);
    const refused = await rawSocket(world.url, `/yjs/${list}`, { authorization: `Token ${token}` });
    if (typeof refused === 'number') throw new Error(String(refused));
    expect(await refused.closed).toBe(4404);
    expect(refused.frames).toEqual([]);
    expect((await rest.call('POST', `/playlists/${list}/ticket`)).status).toBe(403);
    for (const one of [gateway, reader, benSocket]) one.close();
  });

  const edit = (name: string) =>
    syncFrame(
      2,
      handUpdate([{ client: client++, clock: 0, structs: [{ any: [name], at: { root: 'meta', key: 'name' } }] }]),
    );
  const nameNow = async () => (await ana.rest.get<Playlist>(`/playlists/${list}`)).name;
  async function openList(authorization: string, query = ''): Promise<RawSocket> {
    const socket = await rawSocket(world.url, `/yjs/${list}${query}`, query === '' ? { authorization } : {});
    if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
    return socket;
  }

  test('[ID103] a token that only reads opens a list, and is closed 4403 when it writes', async () => {
    const { token } = await tokenOf(['read']);
    const socket = await openList(`Bearer ${token}`);
    await socket.heard(1);
    const name = await nameNow();
    await flushed(socket);
    expect(socket.ws.readyState).toBe(socket.ws.OPEN);
    socket.send(edit('by a reader'));
    expect(await socket.closed).toBe(4403);
    expect(await nameNow()).toBe(name);
  });

  test('[ID103] a token that writes edits; its ticket may do no more than itself', async () => {
    const { token, rest } = await tokenOf(['read', 'write']);
    const socket = await openList(`Bearer ${token}`);
    await socket.heard(1);
    socket.send(edit('by a script'));
    await expect.poll(nameNow).toBe('by a script');
    const { ticket } = await rest.post<{ ticket: string }>(`/playlists/${list}/ticket`);
    const byTicket = await openList('', `?ticket=${ticket}`);
    await byTicket.heard(1);
    byTicket.send(edit('by a ticket'));
    await expect.poll(nameNow).toBe('by a ticket');
    socket.ws.terminate();
    byTicket.ws.terminate();
  });

  test('[ID103] a guest’s token writes nothing, whatever its scopes; a role lowered takes its tokens along', async () => {
    const person = await world.someone('lowered', { roles: [] });
    const { token } = await person.rest.post<{ token: string }>('/auth/tokens', { name: 'x', scopes: ALL });
    const rest = restClient(world.url, token);
    const { id } = await rest.post<Playlist>('/playlists', { name: 'Mine' });
    await world.database.write((trx) =>
      trx.updateTable('users').set({ provider_role: 'guest' }).where('id', '=', person.id).execute(),
    );
    await expect
      .poll(async () => (await rest.call('PUT', `/playlists/${id}`, { name: 'x' })).status, { timeout: 1_000 })
      .toBe(403);
    expect((await rest.call('GET', `/playlists/${id}`)).status).toBe(200);
  });

  test('[ID104] sessions and devices over REST: listed, named, ended, and nobody else’s', async () => {
    const one = await world.signIn(ana);
    const origin = new URL(world.url).origin;
    const byCookie = (method: string, path: string, body?: unknown) =>
      fetch(`${world.url}/api/v1${path}`, {
        method,
        headers: { cookie: one.cookie, origin, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const open = await rawSocket(world.url, `/yjs/${list}`, { cookie: one.cookie, origin });
    if (typeof open === 'number') throw new Error('refused');
    const listed = security.listSessions.reply.parse(await (await byCookie('GET', '/auth/sessions')).json());
    expect(listed.items.find((item) => item.id === one.session_id)).toMatchObject({
      is_current: true,
      is_online: true,
    });
    const named = await byCookie('PATCH', `/auth/sessions/${one.session_id}`, { device_name: 'Kitchen' });
    expect(await named.json()).toMatchObject({ id: one.session_id, device_name: 'Kitchen' });
    for (const [method, body] of [
      ['PATCH', { device_name: 'x' }],
      ['DELETE', undefined],
    ] as const) {
      expect((await ben.rest.call(method, `/auth/sessions/${one.session_id}`, body)).status).toBe(404);
    }
    const two = await world.signIn(ana);
    expect((await byCookie('DELETE', '/auth/sessions?keep_current=true')).status).toBe(204);
    expect((await byCookie('GET', '/auth/sessions')).status).toBe(200);
    expect(open.ws.readyState).toBe(open.ws.OPEN);
    const gone = await fetch(`${world.url}/api/v1/auth/profile`, { headers: { cookie: two.cookie } });
    expect(gone.status).toBe(401);
    // A token issued until now is over as well; the cookie that asked for it is not.
    expect((await ana.rest.call('GET', '/auth/profile')).status).toBe(401);
    open.ws.terminate();
  });
});
