import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as contract from '#contract/admin.ts';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { createLocalAccount } from '#domain/accounts/create-local-account.ts';
import { createSession } from '#domain/accounts/sessions.ts';
import { hashSecret, newIds } from '#server/ids.ts';
import { gatewayClient, openPlaylist } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import { makeFolders, startServer } from '../../support/server.ts';
import { openWorld } from '../../support/world.ts';
import type { AccountInvite, AdminUser, AuditEvent } from '#contract/admin.ts';
import type { Endpoint } from '#contract/endpoint.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { Problem } from '#contract/problems.ts';
import type { Person } from '#contract/social.ts';
import type { RunningServer } from '#server/create-server.ts';
import type { Folders } from '../../support/server.ts';
import type { Someone, World } from '../../support/world.ts';

const ENDPOINTS = Object.values(contract as Record<string, unknown>).filter(
  (value): value is Endpoint => typeof value === 'object' && value !== null && 'path' in value,
);
type Page<T> = { items: T[]; next_cursor: string | null };

describe.each(DIALECTS)('administrators’ doors on $name', (dialect) => {
  let world: World;
  let boss: Someone;
  let ana: Someone;
  let ben: Someone;
  let guest: Someone;
  beforeAll(async () => {
    world = await openWorld(dialect);
    boss = await world.someone('boss', { roles: ['admin'] });
    // Nothing of a role in their tokens: the stored one counts.
    ana = await world.someone('ana', { roles: [], email: 'ana@example.org' });
    ben = await world.someone('ben', { roles: [] });
    guest = await world.someone('visitor', { roles: ['guest'] });
  });
  afterAll(() => world.close());

  const patch = (id: string, body: unknown, by = boss) => by.rest.call<AdminUser>('PATCH', `/admin/users/${id}`, body);
  const asToken = (token: string) => ({ authorization: `Bearer ${token}` });

  test('[AD14] nobody but a signed-in administrator comes in, not even by an administrator’s API token', async () => {
    const { token } = await createApiToken(world.server.ctx, boss.id, {
      name: 'all',
      scopes: ['read', 'write', 'listen:write'],
    });
    const before = JSON.stringify(await world.database.db.selectFrom('users').selectAll().orderBy('id').execute());
    const callers: [string, Record<string, string>, number][] = [
      ['nobody', {}, 401],
      ['a guest', asToken(guest.token), 403],
      ['a user', asToken(ana.token), 403],
      ['an API token', asToken(token), 403],
    ];
    for (const endpoint of ENDPOINTS) {
      for (const [who, headers, status] of callers) {
        const answer = await fetch(`${world.url}/api/v1${endpoint.path.replace('{id}', ana.id)}`, {
          method: endpoint.method,
          headers: { ...headers, ...(endpoint.method === 'GET' ? {} : { 'content-type': 'application/json' }) },
          ...(endpoint.method === 'GET' ? {} : { body: '{"role":"admin"}' }),
        });
        expect([endpoint.name, who, answer.status]).toEqual([endpoint.name, who, status]);
      }
    }
    expect(ENDPOINTS).toHaveLength(8);
    expect(JSON.stringify(await world.database.db.selectFrom('users').selectAll().orderBy('id').execute())).toBe(
      before,
    );
    expect(await world.database.db.selectFrom('account_invites').selectAll().execute()).toEqual([]);
  });

  test('[AD14] what is no such request changes nothing; what is not there is 404', async () => {
    const table: [unknown, number][] = [
      [{ role: 'root' }, 400],
      [{ role: ['admin'] }, 400],
      [{ is_active: 0 }, 400],
      [{ role: 'guest', id: boss.id }, 400],
      [{ role: 'guest', user_id: boss.id }, 400],
      [{ email: 'x@example.org' }, 400],
      [{ provider_role: 'admin' }, 400],
    ];
    for (const [body, status] of table) expect([body, (await patch(ana.id, body)).status]).toEqual([body, status]);
    for (const id of [newIds.id(), `${ana.id}'--`, 'x']) {
      expect((await patch(id, { role: 'guest' })).status).toBe(id.length === 22 ? 404 : 400);
    }
    const [row] = (await boss.rest.get<Page<AdminUser>>('/admin/users?q=ana')).items;
    expect(contract.AdminUser.parse(row)).toEqual(row);
    expect(row).toMatchObject({ id: ana.id, role: 'user', is_active: true, source: 'provider' });
    for (const query of ['role=root', 'is_active=maybe', 'limit=0', 'evil=1', `q=${'x'.repeat(101)}`]) {
      expect([query, (await boss.rest.call('GET', `/admin/users?${query}`)).status]).toEqual([query, 400]);
    }
    for (const query of ['action=evil', 'user_id=x', 'cursor=x']) {
      expect([query, (await boss.rest.call('GET', `/admin/audit?${query}`)).status]).toEqual([query, 400]);
    }
    expect((await boss.rest.call('DELETE', `/admin/invites/${newIds.id()}`)).status).toBe(404);
  });

  test('[AD3] a role holds in an open socket from the next message on, and a provider’s own role wins', async () => {
    const [track] = await putTracks(world.server.ctx, 1);
    const socket = await gatewayClient(world.url, ana.token);
    const stored = async () => {
      const { session_id } = await socket.ask('listen:start', { track_id: track!, source: 'api' });
      const row = await world.database.db
        .selectFrom('listening_sessions')
        .select('id')
        .where('id', '=', session_id)
        .executeTakeFirst();
      return row !== undefined;
    };
    expect(await stored()).toBe(true);
    expect((await patch(ana.id, { role: 'guest' })).status).toBe(200);
    // [LP8] A guest's reports are acknowledged and not stored.
    expect(await stored()).toBe(false);
    expect((await ana.rest.call('POST', '/playlists', { name: 'x' })).status).toBe(403);
    expect((await patch(ana.id, { role: 'admin' })).body).toMatchObject({ role: 'admin', provider_role: null });
    expect(await stored()).toBe(true);
    expect((await ana.rest.call('GET', '/admin/users')).status).toBe(200);
    expect((await patch(ana.id, { role: 'user' })).status).toBe(200);
    expect((await ana.rest.call('GET', '/admin/users')).status).toBe(403);
    socket.close();

    // The token says guest, whatever is stored.
    expect((await patch(guest.id, { role: 'admin' })).body).toMatchObject({ role: 'admin' });
    expect((await guest.rest.call('GET', '/admin/users')).status).toBe(403);
    await patch(guest.id, { role: 'user' });
  });

  test('[AD4] who is locked out is gone from both sockets when the administrator has the answer', async () => {
    const { id } = await ben.rest.post<Playlist>('/playlists', { name: 'Ben’s' });
    const socket = await gatewayClient(world.url, ben.token);
    const list = openPlaylist(world.url, id, { token: ben.token });
    await list.until(() => list.provider.synced);
    const { cookie } = await world.signIn(ben);
    const { token } = await createApiToken(world.server.ctx, ben.id, { name: 'x', scopes: ['read'] });
    const told = socket.next('session:ended');
    const gone = new Promise((resolve) => socket.socket.once('disconnect', resolve));

    expect((await patch(ben.id, { is_active: false })).body).toMatchObject({ is_active: false, session_count: 0 });
    expect(await told).toEqual({ reason: 'disabled' });
    await gone;
    expect((await list.closed).code).toBe(4401);
    list.close();
    const profile = (headers: Record<string, string>) => fetch(`${world.url}/api/v1/auth/profile`, { headers });
    for (const headers of [asToken(ben.token), asToken(token)]) {
      const answer = await profile(headers);
      expect([answer.status, ((await answer.json()) as Problem).code]).toEqual([403, 'account_disabled']);
    }
    expect((await profile({ cookie })).status).toBe(401);
    await expect(gatewayClient(world.url, ben.token)).rejects.toMatchObject({ problem: { code: 'account_disabled' } });

    expect((await patch(ben.id, { is_active: true })).body).toMatchObject({ is_active: true });
    expect((await profile({ cookie })).status).toBe(401);
    // An access token of before the lock stays ended; what the person made themselves works again.
    expect((await profile(asToken(ben.token))).status).toBe(401);
    expect((await profile(asToken(token))).status).toBe(200);
  });

  test('[AD6] of two whom their tokens call administrators, and who lock each other out at once, one stays', async () => {
    const [one, two] = [await openWorldBoss(), await world.someone('third-boss', { roles: ['admin'] })];
    await patch(boss.id, { is_active: false }, one);
    // Nobody is one by what is stored here: who asks counts as one, but not against themselves.
    expect((await patch(one.id, { is_active: false }, one)).status).toBe(409);
    const both = await Promise.all([
      patch(two.id, { is_active: false }, one),
      patch(one.id, { is_active: false }, two),
    ]);
    const statuses = both.map(({ status }) => status).sort();
    expect(statuses[0]).toBe(200);
    // Refused at the door, or, come in a moment before, by the rule.
    expect([403, 409]).toContain(statuses[1]);
    await world.database.write((trx) => trx.updateTable('users').set({ is_active: 1 }).execute());
    await world.database.write((trx) => trx.deleteFrom('token_revocations').execute());
  });

  test('[AD7] with an outside provider accounts and passwords are made there', async () => {
    const outside = await openWorldBoss();
    for (const [method, path] of [
      ['POST', '/admin/invites'],
      ['POST', `/admin/users/${ana.id}/password-reset`],
      ['DELETE', `/admin/users/${ana.id}/second-factor`],
    ] as const) {
      const answer = await outside.rest.call<Problem>(method, path, method === 'POST' ? {} : undefined);
      expect([path, answer.status, answer.body.code]).toEqual([path, 422, 'unprocessable']);
      expect(answer.body.detail).toMatch(/provider/i);
    }
    expect(await world.database.db.selectFrom('account_invites').selectAll().execute()).toEqual([]);
    expect(await outside.rest.get<Page<AccountInvite>>('/admin/invites')).toEqual({ items: [], next_cursor: null });
  });

  /** An administrator nobody has locked out yet. */
  async function openWorldBoss(): Promise<Someone> {
    return world.someone('second-boss', { roles: ['admin'] });
  }

  test('[AD15] an administrator sees no listening, private list or profile that is not theirs to see', async () => {
    const chief = await world.someone('chief', { roles: ['admin'] });
    const dan = await world.someone('dan');
    await dan.rest.put('/user/profile', {
      privacy_level: 0,
      bio: 'PRIVATE-BIO',
      location: 'PRIVATE-PLACE',
      share_listening_history: false,
    });
    const [track] = await putTracks(world.server.ctx, 1);
    const { session_id } = await dan.rest.post<{ session_id: string }>('/listen/start', {
      track_id: track,
      source: 'api',
    });
    const report = (seq: number, position_ms: number) =>
      dan.rest.post('/listen/progress', { session_id, seq, position_ms, state: 'playing' });
    await report(1, 0);
    const { id } = await dan.rest.post<Playlist>('/playlists', { name: 'PRIVATE-LIST' });
    await dan.rest.post(`/playlists/${id}/tracks`, { track_ids: [track] });
    const get = (path: string) => chief.rest.call<unknown>('GET', path);

    expect((await dan.rest.call('GET', `/listen/sessions/${session_id}`)).status).toBe(200);
    expect((await get(`/listen/sessions/${session_id}`)).status).toBe(404);
    for (const field of ['user_id', 'username', 'user']) {
      expect([field, (await get(`/listen/history?${field}=${dan.id}`)).status]).toEqual([field, 400]);
    }
    expect((await chief.rest.get<Page<unknown>>('/listen/history')).items).toEqual([]);
    for (const report of ['progress', 'complete']) {
      const body = { session_id, seq: 9, position_ms: 1, ...(report === 'progress' ? { state: 'paused' } : {}) };
      expect((await chief.rest.call('POST', `/listen/${report}`, body)).status).toBe(404);
    }
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['PUT', '', { name: 'mine now' }],
      ['DELETE', '', undefined],
      ['GET', '/tracks', undefined],
      ['POST', '/tracks', { track_ids: [track] }],
      ['GET', '/collaborators', undefined],
      ['PUT', `/collaborators/${chief.id}`, { role: 'editor' }],
      ['POST', '/ticket', undefined],
    ] as const) {
      const answer = await chief.rest.call(method, `/playlists/${id}${path}`, body);
      expect([method, path, answer.status]).toEqual([method, path, 404]);
    }
    const list = openPlaylist(world.url, id, { token: chief.token });
    expect((await list.closed).code).toBe(4404);
    list.close();
    expect((await chief.rest.get<Person>('/users/dan')).profile).toBeNull();
    const socket = await gatewayClient(world.url, chief.token);
    const watched = await socket.request('user:watch', { user_id: dan.id });
    await report(2, 1000);
    await socket.ask('clock:sync', { t0_ms: 0 });
    expect(watched.ok ? watched.data.listening : null).toBeNull();
    expect(socket.heard.filter(({ name }) => name === 'listening:update')).toEqual([]);
    socket.close();
    // And nothing of it in what administrators may read.
    const admins = JSON.stringify([await get('/admin/users?limit=200'), await get('/admin/audit?limit=200')]);
    expect(admins).toContain(dan.id);
    for (const word of ['PRIVATE', session_id, id, track!])
      expect([word, admins.includes(word)]).toEqual([word, false]);
    expect(await dan.rest.get<Playlist>(`/playlists/${id}`)).toMatchObject({ name: 'PRIVATE-LIST' });
  });

  test('[AD16] an e-mail address is for its owner and administrators', async () => {
    const chief = await world.someone('chief', { roles: ['admin'] });
    const eve = await world.someone('eve', { email: 'eve@example.org' });
    const other = await world.someone('other');
    await eve.rest.post(`/social/follow/${other.id}`);
    await other.rest.post(`/social/follow/${eve.id}`);
    expect((await eve.rest.call<{ email: string }>('GET', '/auth/profile')).body.email).toBe('eve@example.org');
    const [shown] = (await chief.rest.get<Page<AdminUser>>('/admin/users?q=eve')).items;
    expect(shown?.email).toBe('eve@example.org');
    for (const path of ['/users/eve', '/users/search?q=eve', '/social/followers', '/social/following']) {
      for (const who of [other, chief]) {
        const answer = await who.rest.call('GET', path);
        expect(answer.status).toBe(200);
        expect([path, JSON.stringify(answer.body)]).toEqual([path, expect.not.stringContaining('example.org')]);
      }
    }
    // Nobody is found by it.
    expect((await other.rest.get<Page<Person>>('/users/search?q=eve@example.org')).items).toEqual([]);
    const audit = await chief.rest.call('GET', '/admin/audit?limit=200');
    expect(JSON.stringify(audit.body)).not.toContain('example.org');
  });
});

describe.each(DIALECTS)('accounts of this server on $name', (dialect) => {
  let folders: Folders;
  let database: Awaited<ReturnType<typeof dialect.open>>;
  let server: RunningServer;
  let boss: { id: string; headers: Record<string, string> };
  let ana: { id: string; headers: Record<string, string> };
  beforeAll(async () => {
    folders = makeFolders();
    database = await dialect.open();
    server = await startServer(folders, { database });
    const made = async (username: string, role: 'admin' | 'user') => {
      const { user_id } = await createLocalAccount(server.ctx, { username, password: 'correct horse', role });
      const secret = newIds.secret();
      await createSession(server.ctx, {
        user_id,
        secret_hash: hashSecret(secret),
        provider_sid: null,
        realm_role: null,
        device: '',
        auth_time: Math.floor(Date.now() / 1000),
        replaces_secret_hash: null,
      });
      return { id: user_id, headers: { cookie: `sbm_session=${secret}`, origin: server.publicUrl } };
    };
    [boss, ana] = [await made('boss', 'admin'), await made('ana', 'user')];
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
    folders.remove();
  });

  async function call<T>(
    method: string,
    path: string,
    body?: unknown,
    who = boss,
  ): Promise<{ status: number; body: T }> {
    const answer = await fetch(`${server.url}/api/v1${path}`, {
      method,
      headers: { ...who.headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
  }

  test('[AD7] an invitation’s address is shown once, and the list tells its state', async () => {
    type Shown = AccountInvite & { code: string; url: string };
    const made = await call<Shown>('POST', '/admin/invites', { role: 'guest', note: 'kitchen' });
    expect(made.status).toBe(201);
    expect(contract.createInvite.reply.parse(made.body)).toEqual(made.body);
    const { code, url, ...listed } = made.body;
    expect(url).toBe(`${server.publicUrl}/invite/${code}`);
    expect(listed.expires_at - listed.created_at).toBe(7 * 24 * 3600);
    const list = await call<Page<AccountInvite>>('GET', '/admin/invites');
    expect(list.body).toEqual({ items: [listed], next_cursor: null });
    for (const bad of [
      { expires_in: 3599 },
      { expires_in: 31 * 24 * 3600 },
      { role: 'root' },
      { note: 'a\nb' },
      { x: 1 },
    ]) {
      expect([bad, (await call('POST', '/admin/invites', bad)).status]).toEqual([bad, 400]);
    }
    expect((await call('DELETE', `/admin/invites/${listed.id}`)).status).toBe(204);
    expect((await call('DELETE', `/admin/invites/${listed.id}`)).status).toBe(404);
  });

  test('[AD5] a reset link leads to this server, and a second factor can be taken off', async () => {
    const reset = await call<{ url: string; expires_at: number }>('POST', `/admin/users/${ana.id}/password-reset`);
    expect(reset.status).toBe(201);
    expect(reset.body.url).toMatch(new RegExp(`^${server.publicUrl}/reset\\?token=[\\w-]{43}$`));
    expect(reset.body.expires_at).toBeGreaterThan(Date.now() / 1000);
    await database.write((trx) =>
      trx.updateTable('local_accounts').set({ totp_secret_encrypted: 'x', totp_confirmed_at: 1 }).execute(),
    );
    expect((await call('DELETE', `/admin/users/${ana.id}/second-factor`)).status).toBe(204);
    const { items } = (await call<Page<AdminUser>>('GET', '/admin/users')).body;
    expect(
      items.map(({ username, source, has_second_factor, session_count }) => [
        username,
        source,
        has_second_factor,
        session_count,
      ]),
    ).toEqual([
      ['ana', 'local', false, 1],
      ['boss', 'local', true, 1],
    ]);
    for (const path of ['password-reset', 'second-factor']) {
      const method = path === 'password-reset' ? 'POST' : 'DELETE';
      expect((await call(method, `/admin/users/${newIds.id()}/${path}`)).status).toBe(404);
    }
  });

  test('[AD6] the last administrator cannot step down by any door', async () => {
    for (const change of [{ role: 'user' }, { is_active: false }]) {
      const answer = await call<Problem>('PATCH', `/admin/users/${boss.id}`, change);
      expect([answer.status, answer.body.code]).toEqual([409, 'conflict']);
    }
    expect((await call('PATCH', `/admin/users/${ana.id}`, { role: 'admin' })).status).toBe(200);
    expect((await call('PATCH', `/admin/users/${boss.id}`, { role: 'user' })).status).toBe(200);
    expect((await call('GET', '/admin/users')).status).toBe(403);
    expect((await call('PATCH', `/admin/users/${boss.id}`, { role: 'admin' }, ana)).status).toBe(200);
  });

  test('[AD9] the log has it all, with who and whom, and no secret', async () => {
    expect((await call('POST', '/library/scan', {})).status).toBe(202);
    await server.scanner.whenIdle();
    const { items } = (await call<Page<AuditEvent>>('GET', '/admin/audit?limit=200')).body;
    for (const item of items) expect(contract.AuditEvent.parse(item)).toEqual(item);
    const done = items.map(({ action, actor, target }) => [action, actor?.username ?? null, target?.username ?? null]);
    for (const expected of [
      ['user.created', null, 'ana'],
      ['invite.created', 'boss', null],
      ['invite.revoked', 'boss', null],
      ['password_reset.created', 'boss', 'ana'],
      ['second_factor.removed', 'boss', 'ana'],
      ['user.role_changed', 'boss', 'ana'],
      ['user.role_changed', 'ana', 'boss'],
      ['library.scan_started', 'boss', null],
    ]) {
      expect(done).toContainEqual(expected);
    }
    expect(JSON.stringify(items)).not.toMatch(/[\w-]{43}/);
  });
});
