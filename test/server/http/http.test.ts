import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as accounts from '#contract/accounts.ts';
import { DOORS } from '#contract/doors.ts';
import * as favorites from '#contract/favorites.ts';
import * as library from '#contract/library.ts';
import { searchLibrary } from '#contract/search.ts';
import * as listens from '#contract/listens.ts';
import * as playlists from '#contract/playlists.ts';
import * as recommendations from '#contract/recommendations.ts';
import * as social from '#contract/social.ts';
import { PROBLEMS } from '#contract/problems.ts';
import { newIds } from '#server/ids.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import { openWorld } from '../../support/world.ts';
import type { Endpoint } from '#contract/endpoint.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { Problem } from '#contract/problems.ts';
import type { Rest } from '../../support/clients.ts';
import type { Someone, World } from '../../support/world.ts';

function isEndpoint(value: unknown): value is Endpoint {
  return typeof value === 'object' && value !== null && 'method' in value && 'path' in value && 'access' in value;
}
/** Every REST operation the contract names. */
const ENDPOINTS: Endpoint[] = [accounts, favorites, library, listens, playlists, social].flatMap((module) =>
  Object.values(module as Record<string, unknown>).filter(isEndpoint),
);

describe.each(DIALECTS)('the REST door on $name', (dialect) => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  let cat: Someone;
  let admin: Someone;
  let tracks: string[];
  beforeAll(async () => {
    world = await openWorld(dialect);
    [ana, ben, cat] = [await world.someone('ana'), await world.someone('ben'), await world.someone('cat')];
    admin = await world.someone('boss', { roles: ['admin'] });
    tracks = await putTracks(world.server.ctx, 3);
  });
  afterAll(() => world.close());

  const raw = (path: string, init: RequestInit & { token?: string | null } = {}) => {
    const { token = ana.token, headers, ...rest } = init;
    return fetch(`${world.url}/api/v1${path}`, {
      ...rest,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(headers as Record<string, string>),
      },
    });
  };
  const json = { 'content-type': 'application/json' };

  async function problemOf(response: Response): Promise<Problem> {
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(response.headers.get('cache-control')).toContain('no-store');
    const problem = (await response.json()) as Problem;
    expect(Object.keys(PROBLEMS)).toContain(problem.code);
    expect(problem).toMatchObject({
      status: response.status,
      title: expect.any(String),
      detail: expect.any(String),
      type: `urn:stepheybot:problem:${problem.code}`,
      request_id: response.headers.get('x-request-id'),
    });
    return problem;
  }

  /** A path of an endpoint with every place filled by an id. */
  const filled = (endpoint: Endpoint, ids: Record<string, string> = {}) =>
    endpoint.path.replace(
      /\{(\w+)\}/g,
      (_all, name: string) => ids[name] ?? (name === 'username' ? 'nobody-at-all' : newIds.id()),
    );

  test('[HT1] nobody is answered who has not said who they are', async () => {
    const found: [string, number][] = [];
    for (const endpoint of ENDPOINTS) {
      if (endpoint.name === 'auth.logout') continue;
      const response = await raw(filled(endpoint), { method: endpoint.method, token: null });
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      await problemOf(response);
      found.push([endpoint.name, response.status]);
    }
    expect(found.filter(([, status]) => status !== 401)).toEqual([]);
    for (const kind of ['stream', 'cover']) {
      for (const method of ['GET', 'HEAD']) {
        expect((await raw(`/library/tracks/${tracks[0]}/${kind}`, { method, token: null })).status).toBe(401);
      }
    }
  });

  test('[HT2] bad bodies are told apart, and change nothing', async () => {
    const before = await world.database.db.selectFrom('user_playlists').selectAll().execute();
    const table: [string, RequestInit, number, string][] = [
      ['not JSON', { body: '{', headers: json }, 400, 'malformed'],
      ['a bare string', { body: '"x"', headers: json }, 400, 'malformed'],
      ['a bare number', { body: '5', headers: json }, 400, 'malformed'],
      ['null', { body: 'null', headers: json }, 400, 'malformed'],
      ['a list', { body: '[]', headers: json }, 400, 'invalid'],
      ['nothing', {}, 400, 'invalid'],
      ['no fields', { body: '{}', headers: json }, 400, 'invalid'],
      ['an unknown field', { body: '{"name":"x","user_id":"y"}', headers: json }, 400, 'invalid'],
      ['a prototype', { body: '{"name":"x","__proto__":{"pp":1}}', headers: json }, 400, 'invalid'],
      ['a constructor', { body: '{"name":"x","constructor":{"prototype":{"pp":1}}}', headers: json }, 400, 'invalid'],
      ['a wrong type', { body: '{"name":5}', headers: json }, 400, 'invalid'],
      ['a name of nothing', { body: '{"name":"  "}', headers: json }, 400, 'invalid'],
      ['a name with NUL', { body: '{"name":"a\\u0000b"}', headers: json }, 400, 'invalid'],
      ['a name too long', { body: JSON.stringify({ name: 'x'.repeat(201) }), headers: json }, 400, 'invalid'],
      [
        'a form',
        { body: 'name=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
        415,
        'unsupported_type',
      ],
      ['text', { body: '{"name":"x"}', headers: { 'content-type': 'text/plain' } }, 415, 'unsupported_type'],
      ['no type', { body: new Blob([new TextEncoder().encode('{"name":"x"}')]) }, 415, 'unsupported_type'],
      [
        'a foreign charset',
        { body: '{"name":"x"}', headers: { 'content-type': 'application/json; charset=koi8-r' } },
        415,
        'unsupported_type',
      ],
      [
        'a foreign encoding',
        { body: '{"name":"x"}', headers: { ...json, 'content-encoding': 'x-evil' } },
        415,
        'unsupported_type',
      ],
      ['bad gzip', { body: 'nope', headers: { ...json, 'content-encoding': 'gzip' } }, 400, 'malformed'],
      [
        '70 KiB',
        { body: JSON.stringify({ name: 'x', description: 'y'.repeat(70 * 1024) }), headers: json },
        413,
        'too_large',
      ],
      ['deep nesting', { body: `{"name":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, headers: json }, 400, 'invalid'],
    ];
    const found: [string, number, string][] = [];
    for (const [name, init] of table) {
      const response = await raw('/playlists', { method: 'POST', ...init });
      const problem = await problemOf(response);
      if (problem.code === 'invalid')
        expect(problem.errors?.[0]).toMatchObject({ path: expect.any(String), message: expect.any(String) });
      found.push([name, response.status, problem.code]);
    }
    expect(found).toEqual(table.map(([name, , status, code]) => [name, status, code]));
    expect(({} as Record<string, unknown>).pp).toBeUndefined();
    expect(await world.database.db.selectFrom('user_playlists').selectAll().execute()).toEqual(before);
  });

  test('[HT2] bad queries and addresses', async () => {
    const table: [string, number][] = [
      ['/playlists?limit=0', 400],
      ['/playlists?limit=201', 400],
      ['/playlists?limit=x', 400],
      ['/playlists?limit=1e999', 400],
      ['/playlists?limit=1&limit=2', 400],
      ['/playlists?evil=1', 400],
      ['/playlists?__proto__=1', 400],
      ['/playlists?cursor=x', 400],
      ['/playlists?cursor=W10', 400],
      [`/playlists?cursor=${Buffer.from('["a","b"]').toString('base64url')}`, 400],
      [`/playlists?cursor=${Buffer.from('[1e400,"b"]').toString('base64url')}`, 200],
      [`/playlists?cursor=${Buffer.from('[1.5,"b"]').toString('base64url')}`, 200],
      [`/playlists?cursor=${Buffer.from('[1,"\\u0000"]').toString('base64url')}`, 400],
      [`/listen/history?cursor=${Buffer.from('[1.5,"b"]').toString('base64url')}`, 200],
      [`/listen/history?cursor=${Buffer.from('[9e99,"b"]').toString('base64url')}`, 400],
      [`/social/following?cursor=${Buffer.from('[9e99,"b"]').toString('base64url')}`, 400],
      ['/playlists/x', 400],
      [`/playlists/${newIds.id()}x`.slice(0, 34), 404],
      ['/playlists/%00', 400],
      ['/playlists/%E0%A4%A', 400],
      [`/playlists/${newIds.id()}/nothing`, 404],
      ['/nothing', 404],
      ['/', 404],
      ['/users/search?q=', 400],
      ['/users/search?q=%00', 400],
      ['/users/%00', 404],
      [`/users/${'x'.repeat(101)}`, 400],
      ['/library/tracks?q=%00', 400],
      ['/library/search?q=%00', 400],
    ];
    const found: [string, number][] = [];
    for (const [path] of table) {
      const response = await raw(path);
      if (response.status >= 400) await problemOf(response);
      // What the caller can do nothing about must not be the answer to any of these.
      found.push([path, response.status]);
    }
    const mistakes = found.filter(([, status]) => status >= 500);
    expect(mistakes).toEqual([]);
    const isRefused = (status: number) => status >= 400;
    expect(found.map(([path, status]) => [path, isRefused(status)])).toEqual(
      // A cursor of ours is a matter of form only: what it holds may be taken or refused.
      table.map(([path, status], i) => [
        path,
        path.includes('cursor=') && path.length > 25 ? isRefused(found[i]![1]) : isRefused(status),
      ]),
    );
  });

  test('[HT3] an address that exists answers other methods with 405 and what it takes; HEAD is as GET', async () => {
    const methods = new Map<string, Set<string>>();
    for (const endpoint of ENDPOINTS)
      methods.set(endpoint.path, (methods.get(endpoint.path) ?? new Set()).add(endpoint.method));
    // An address may be shared with a door that speaks no JSON.
    for (const door of DOORS) methods.get(door.path)?.add(door.method);
    for (const [path, taken] of methods) {
      const address = filled({ path } as Endpoint);
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        if (taken.has(method)) continue;
        const response = await raw(address, { method });
        expect([path, method, response.status]).toEqual([path, method, 405]);
        const allow = (response.headers.get('allow') ?? '').split(', ');
        for (const one of taken) expect(allow).toContain(one);
        await problemOf(response);
      }
    }
    for (const path of ['/auth/profile', '/playlists', '/library/tracks', '/listen/history']) {
      const [get, head] = [await raw(path), await raw(path, { method: 'HEAD' })];
      expect([head.status, await head.text()]).toEqual([200, '']);
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
      expect(get.headers.get('cache-control')).toBe('private, no-store');
      await get.body?.cancel();
    }
    expect((await raw(`/playlists/${newIds.id()}`, { method: 'HEAD' })).status).toBe(404);
  });

  test('[HT4] every route of a list: 404 to strangers, 403 to viewers who would change it, and nothing changed', async () => {
    const { id } = await ana.rest.post<Playlist>('/playlists', { name: 'Mine' });
    const { entry_ids } = await ana.rest.post<{ entry_ids: string[] }>(`/playlists/${id}/tracks`, {
      track_ids: tracks,
    });
    await ana.rest.put(`/playlists/${id}/collaborators/${ben.id}`, { role: 'viewer' });
    const guest = await world.someone('guest', { roles: ['guest'] });
    await ana.rest.put(`/playlists/${id}/collaborators/${guest.id}`, { role: 'editor' });
    const bodies: Record<string, unknown> = {
      'playlists.update': { name: 'Stolen' },
      'playlists.tracks.add': { track_ids: [tracks[0]] },
      'playlists.tracks.move': { entry_ids: [entry_ids[0]], before_entry_id: null },
      'playlists.tracks.remove': { entry_ids: [entry_ids[0]] },
      'playlists.collaborators.set': { role: 'editor' },
      'playlists.invites.create': { role: 'editor' },
      'playlists.transfer': { user_id: ben.id },
      'playlists.sort': { by: 'title' },
      'playlists.restore': { at: 2_000_000_000 },
    };
    /** What viewers may do beside reading, and reading that is not theirs. */
    const forViewers = ['playlists.ticket', 'playlists.copy', 'playlists.leave'];
    const forOwners = ['playlists.invites'];
    const routes = ENDPOINTS.filter((endpoint) => endpoint.path.startsWith('/playlists/{id}'));
    expect(routes.length).toBeGreaterThanOrEqual(11);
    const all = async () =>
      JSON.stringify([
        await ana.rest.get(`/playlists/${id}`),
        await ana.rest.get(`/playlists/${id}/tracks`),
        await ana.rest.get(`/playlists/${id}/collaborators`),
      ]);
    const before = await all();
    const missing = newIds.id();
    const ask = (who: Rest, endpoint: Endpoint, body = bodies[endpoint.name]) =>
      who.call(endpoint.method, filled(endpoint, { id, user_id: ben.id, invite_id: missing }), body);
    for (const endpoint of routes) {
      const [strange, none] = [
        await ask(cat.rest, endpoint),
        await cat.rest.call(
          endpoint.method,
          filled(endpoint, { id: missing, user_id: ben.id, invite_id: missing }),
          bodies[endpoint.name],
        ),
      ];
      expect([endpoint.name, strange.status]).toEqual([endpoint.name, 404]);
      // Not there, or not theirs: the same words.
      const wordsOf = (answer: { body: unknown }) => ({ ...(answer.body as Problem), request_id: '' });
      expect(wordsOf(strange)).toEqual(wordsOf(none));
      expect((await ask(admin.rest, endpoint)).status).toBe(404);
      // Leaving would end the rest.
      if (endpoint.name === 'playlists.leave') continue;
      const isRefused =
        (endpoint.method !== 'GET' && !forViewers.includes(endpoint.name)) || forOwners.includes(endpoint.name);
      if (isRefused) {
        expect([endpoint.name, (await ask(ben.rest, endpoint)).status]).toEqual([endpoint.name, 403]);
        expect([endpoint.name, (await ask(guest.rest, endpoint)).status]).toEqual([endpoint.name, 403]);
      } else expect((await ask(ben.rest, endpoint)).status).toBeLessThan(300);
    }
    for (const visibility of [{ is_public: true }, { name: 'x', is_public: true }, { is_collaborative: false }]) {
      await ana.rest.put(`/playlists/${id}/collaborators/${ben.id}`, { role: 'editor' });
      expect((await ben.rest.call('PUT', `/playlists/${id}`, visibility)).status).toBe(403);
      expect((await ben.rest.call('PUT', `/playlists/${id}`, { user_id: ben.id })).status).toBe(400);
      expect((await ben.rest.call('DELETE', `/playlists/${id}`)).status).toBe(403);
      expect((await ben.rest.call('PUT', `/playlists/${id}/collaborators/${cat.id}`, { role: 'viewer' })).status).toBe(
        403,
      );
      await ana.rest.put(`/playlists/${id}/collaborators/${ben.id}`, { role: 'viewer' });
    }
    expect(await all()).toBe(before);
    expect((await ana.rest.call('PUT', `/playlists/${id}/collaborators/${ana.id}`, { role: 'viewer' })).status).toBe(
      422,
    );
    expect(
      (await ana.rest.call('PUT', `/playlists/${id}/collaborators/${newIds.id()}`, { role: 'viewer' })).status,
    ).toBe(404);
  });

  test('[HT4] a public list is read by all, until its owner shares no more', async () => {
    const { id } = await ana.rest.post<Playlist>('/playlists', { name: 'Open', is_public: true });
    expect((await cat.rest.get<Playlist>(`/playlists/${id}`)).role).toBe('public');
    expect((await cat.rest.call('PUT', `/playlists/${id}`, { name: 'x' })).status).toBe(403);
    expect((await cat.rest.get<{ items: Playlist[] }>('/playlists?scope=public')).items.map((one) => one.id)).toContain(
      id,
    );
    await ana.rest.put('/user/profile', { share_playlists: false });
    expect((await cat.rest.call('GET', `/playlists/${id}`)).status).toBe(404);
    expect(
      (await cat.rest.get<{ items: Playlist[] }>('/playlists?scope=public')).items.map((one) => one.id),
    ).not.toContain(id);
    await ana.rest.put('/user/profile', { share_playlists: true });
  });

  test('[HT5] every answer is what the contract says of it', async () => {
    const answers: [Endpoint, unknown][] = [];
    const take = async (
      endpoint: Endpoint,
      who: Someone,
      ids: Record<string, string> = {},
      body?: unknown,
      query = '',
    ) => {
      const answer = await who.rest.call(endpoint.method, filled(endpoint, ids) + query, body);
      if (answer.status !== endpoint.status)
        throw new Error(`${endpoint.name}: ${answer.status} ${JSON.stringify(answer.body)}`);
      answers.push([endpoint, answer.body]);
      return answer.body as never;
    };
    await take(accounts.getMe, ana);
    await take(accounts.getProfile, ana);
    await take(
      accounts.updateProfile,
      ana,
      {},
      { bio: 'Hello\nthere', website: 'https://example.org', privacy_level: 2, share_listening_history: true },
    );
    await take(accounts.getPreferences, ana);
    await take(accounts.updatePreferences, ana, {}, { theme: 'dark' });
    await take(library.listTracks, ana, {}, undefined, '?limit=2');
    await take(library.getTrack, ana, { track_id: tracks[0]! });
    await take(library.getFeatures, ana, { track_id: tracks[0]! });
    await take(recommendations.listSimilar, ana, { track_id: tracks[0]! });
    await take(library.listAlbums, ana);
    await take(library.listArtists, ana);
    await take(library.listGenres, ana);
    await take(searchLibrary, ana, {}, undefined, '?q=track');
    await take(library.getScan, ana);
    const [track_id] = tracks;
    await take(favorites.addFavorite, ana, {}, { track_id, notes: 'In the car' });
    await take(favorites.setNote, ana, { track_id: track_id! }, { notes: 'On the train' });
    await take(favorites.setRating, ana, { track_id: track_id! }, { rating: 4 });
    await take(favorites.setMarks, ana, {}, { marks: [{ track_id: tracks[1], is_favorite: true, rating: null }] });
    await take(favorites.listFavorites, ana);
    await take(favorites.listMarks, ana, {}, undefined, `?track_ids=${tracks.slice(0, 3).join(',')}`);
    await take(favorites.clearRating, ana, { track_id: track_id! });
    await take(favorites.removeFavorite, ana, { track_id: track_id! });
    await take(favorites.listFavoriteAlbums, ana);
    await take(favorites.listFavoriteArtists, ana);
    const { session_id }: { session_id: string } = await take(
      listens.startListen,
      ana,
      {},
      { track_id: tracks[0], source: 'api' },
    );
    await take(listens.reportProgress, ana, {}, { session_id, seq: 1, position_ms: 10, state: 'playing' });
    await take(social.follow, ben, { user_id: ana.id });
    await take(social.listFollowing, ben);
    await take(social.listFollowers, ana);
    await take(social.searchUsers, ben, {}, undefined, '?q=ana');
    await take(social.getPerson, ben, { username: 'ANA' });
    await take(listens.completeListen, ana, {}, { session_id, seq: 2, position_ms: 20 });
    await take(listens.getListenSession, ana, { session_id });
    await world.database.write((trx) =>
      trx.updateTable('listening_sessions').set({ counted: 1 }).where('id', '=', session_id).execute(),
    );
    const history: { items: unknown[] } = await take(listens.listHistory, ana);
    expect(history.items).toHaveLength(1);
    const { id }: Playlist = await take(playlists.createPlaylist, ana, {}, { name: 'Walk' });
    const { entry_ids }: { entry_ids: string[] } = await take(
      playlists.addPlaylistTracks,
      ana,
      { id },
      { track_ids: tracks },
    );
    await take(playlists.movePlaylistTracks, ana, { id }, { entry_ids: [entry_ids[0]], before_entry_id: null });
    await take(playlists.removePlaylistTracks, ana, { id }, { entry_ids: [entry_ids[0]] });
    const listed: { items: { position: number }[] } = await take(playlists.listPlaylistTracks, ana, { id });
    expect(listed.items.map((row) => row.position)).toEqual([0, 1]);
    await take(playlists.updatePlaylist, ana, { id }, { name: 'Walked' });
    await take(playlists.setCollaborator, ana, { id, user_id: ben.id }, { role: 'editor' });
    await take(playlists.listCollaborators, ana, { id });
    await take(playlists.getPlaylist, ben, { id });
    await take(playlists.listPlaylists, ben);
    await take(playlists.createTicket, ben, { id });
    await take(playlists.removeCollaborator, ana, { id, user_id: ben.id });
    const invited: { id: string; code: string } = await take(
      playlists.createPlaylistInvite,
      ana,
      { id },
      { role: 'editor' },
    );
    await take(playlists.getInvite, ben, { code: invited.code });
    await take(playlists.acceptInvite, ben, { code: invited.code });
    await take(playlists.listPlaylistInvites, ana, { id });
    await take(playlists.revokePlaylistInvite, ana, { id, invite_id: invited.id });
    const sorted: { checkpoint_id: string } = await take(
      playlists.sortPlaylist,
      ben,
      { id },
      { by: 'added_at', descending: true },
    );
    await world.server.ctx.playlistDocs.transact(id, ana.id, (doc) => doc.getMap('meta').set('description', 'new'));
    const past: { items: { type: string; id?: string }[] } = await take(playlists.playlistHistory, ben, { id });
    expect(sorted.checkpoint_id).toBeNull();
    await world.database.write((trx) =>
      trx
        .insertInto('playlist_checkpoints')
        .values({
          id: newIds.id(),
          playlist_id: id,
          reason: 'hourly',
          user_id: null,
          name: 'Before',
          description: '',
          places_json: '[]',
          track_count: 0,
          created_at: 1,
        })
        .execute(),
    );
    expect(past.items.map(({ type }) => type)).toContain('edits');
    await take(playlists.restorePlaylist, ana, { id }, { at: 1 });
    await take(playlists.copyPlaylist, ben, { id });
    await take(playlists.removePlaylistCover, ana, { id });
    await take(playlists.transferPlaylist, ana, { id }, { user_id: ben.id });
    await take(playlists.leavePlaylist, ana, { id });
    await take(playlists.deletePlaylist, ben, { id });
    await take(social.unfollow, ben, { user_id: ana.id });
    await take(social.block, ben, { user_id: ana.id });
    await take(social.listBlocked, ben);
    await take(social.unblock, ben, { user_id: ana.id });
    await take(library.startScan, admin);
    for (const [endpoint, body] of answers) {
      const parsed = endpoint.reply.safeParse(body);
      if (!parsed.success) throw new Error(`${endpoint.name}: ${parsed.error.message}`);
      // E-mail and files' places are nobody's business.
      if (endpoint.name !== 'auth.profile')
        expect(JSON.stringify(body ?? '')).not.toMatch(/email|library_root|\/music"/);
    }
    // Albums and artists need files with tags; signing out is the identity suite's.
    const left = ENDPOINTS.filter((endpoint) => !answers.some(([one]) => one === endpoint)).map(
      (endpoint) => endpoint.name,
    );
    expect(left.filter((name) => !/^favorites\.(albums|artists)\./.test(name)).sort()).toEqual([
      'auth.logout',
      'library.album',
      'library.artist',
    ]);
  });

  test('[HT6] the OpenAPI document names every route, and is whole', async () => {
    const document = (await (await raw('/openapi.json', { token: null })).json()) as {
      openapi: string;
      paths: Record<
        string,
        Record<
          string,
          {
            operationId: string;
            responses: Record<string, unknown>;
            parameters: { name: string; in: string }[];
            requestBody?: unknown;
          }
        >
      >;
      components: Record<string, Record<string, unknown>>;
    };
    expect(document.openapi).toMatch(/^3\.1\./);
    const named = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const expected = ENDPOINTS.map((endpoint) => `${endpoint.method} ${endpoint.path}`);
    for (const one of [
      ...expected,
      'GET /library/tracks/{track_id}/stream',
      'GET /library/tracks/{track_id}/cover',
      'GET /auth/login',
      'POST /auth/logout',
    ]) {
      expect(named).toContain(one);
    }
    const ids = Object.values(document.paths).flatMap((operations) =>
      Object.values(operations).map((operation) => operation.operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const operation of Object.values(operations)) {
        const places = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
        expect(
          operation.parameters
            .filter((one) => one.in === 'path')
            .map((one) => one.name)
            .sort(),
        ).toEqual(places.sort());
        expect(Object.keys(operation.responses).length).toBeGreaterThanOrEqual(2);
      }
    }
    const add = document.paths['/playlists/{id}/tracks']?.post;
    expect(add?.requestBody).toBeDefined();
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!);
    for (const ref of refs) {
      let at: unknown = document;
      for (const part of ref.split('/')) at = (at as Record<string, unknown> | undefined)?.[part];
      expect([ref, at === undefined]).toEqual([ref, false]);
    }
    const page = await fetch(`${world.url}/api/docs`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  });

  test('[HT7] calls by cookie that change something come from our own pages', async () => {
    const { cookie } = await world.signIn(ana);
    const origin = new URL(world.url).origin;
    const table: [string, Record<string, string>, number][] = [
      ['nothing', {}, 403],
      ['a foreign origin', { origin: 'https://evil.example' }, 403],
      ['"null"', { origin: 'null' }, 403],
      ['another site', { 'sec-fetch-site': 'cross-site', origin }, 403],
      ['a sibling', { 'sec-fetch-site': 'same-site' }, 403],
      ['our origin', { origin }, 200],
      ['fetch metadata', { 'sec-fetch-site': 'same-origin' }, 200],
    ];
    for (const [name, headers, status] of table) {
      const response = await raw('/user/preferences', {
        method: 'PUT',
        token: null,
        body: '{"theme":"light"}',
        headers: { ...json, cookie, ...headers },
      });
      expect([name, response.status]).toEqual([name, status]);
    }
    for (const endpoint of ENDPOINTS.filter((one) => one.method !== 'GET')) {
      const response = await raw(filled(endpoint), {
        method: endpoint.method,
        token: null,
        headers: { cookie, origin: 'https://evil.example' },
      });
      expect([endpoint.name, response.status]).toEqual([endpoint.name, 403]);
    }
  });
});
