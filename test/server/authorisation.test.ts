import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { REQUESTS } from '#contract/gateway.ts';
import { RULES } from '#domain/access-matrix.ts';
import { verdictOf } from '#domain/authorize.ts';
import { setRole } from '#domain/accounts/set-role.ts';
import { removeCollaborator, setCollaborator } from '#domain/playlists/collaborators.ts';
import { deletePlaylist } from '#domain/playlists/delete-playlist.ts';
import { collaborators, playlist, playlistTracks } from '#domain/playlists/playlists.queries.ts';
import { updatePlaylist } from '#domain/playlists/update-playlist.ts';
import { newIds } from '#server/ids.ts';
import { gatewayClient } from '../support/clients.ts';
import { DIALECTS } from '../support/dialects.ts';
import { openScene } from '../support/access-scene.ts';
import { routerRoutes } from '../support/router-routes.ts';
import { putTracks } from '../support/room.ts';
import { makeFolders, startServer } from '../support/server.ts';
import { flushed, rawSocket } from '../support/world.ts';
import { awarenessFrame, handUpdate, syncFrame } from '../support/yjs-bytes.ts';
import type { Role } from '#contract/accounts.ts';
import type { Endpoint, Operation, OtherDoor } from '#contract/endpoint.ts';
import type { RequestName } from '#contract/gateway.ts';
import type { Problem } from '#contract/problems.ts';
import type { Scope } from '#contract/security.ts';
import type { OperationName, Relation, Rule, Verdict } from '#domain/access-matrix.ts';
import type { KnownOperation } from '#domain/authorize.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { RunningServer } from '#server/create-server.ts';
import type { PersonRelation, Scene } from '../support/access-scene.ts';
import type { Someone } from '../support/world.ts';
import type { HandStruct } from '../support/yjs-bytes.ts';

/** Operations the contract names before their routes are there. Whoever mounts one takes it off. */
const NOT_YET_MOUNTED: readonly OperationName[] = [];

/** Pages and reports for everybody, which are no operations of the API. */
const OPEN_PAGES: readonly string[] = [
  'GET /healthz',
  // For programs on this machine and administrators: metrics.test.ts.
  'GET /metrics',
  'GET /readyz',
  'GET /api/v1/openapi.json',
  'GET /api/docs',
  'GET /oidc/pages.css',
  'GET /oidc/interaction/{uid}',
  'POST /oidc/interaction/{uid}',
  'GET /setup',
  'POST /setup',
  'GET /invite/{code}',
  'POST /invite/{code}',
  'GET /reset',
  'POST /reset',
  // The client's own pages.
  'GET /{*rest}',
];

type Event = Operation & { payload: unknown };
const isOperation = (value: unknown): value is Operation =>
  typeof value === 'object' && value !== null && 'access' in value && 'scope' in value && 'name' in value;
const isRoute = (operation: Operation): operation is Endpoint | OtherDoor => 'method' in operation;
const isEvent = (operation: Operation): operation is Event => 'payload' in operation;

const CONTRACT = path.resolve(import.meta.dirname, '../../src/contract');
/** Whatever the contract declares that a caller may be refused, by name. */
const OPERATIONS = new Map<string, Operation>();
for (const file of await readdir(CONTRACT)) {
  const module = (await import(path.join(CONTRACT, file))) as Record<string, unknown>;
  for (const value of Object.values(module)) if (isOperation(value)) OPERATIONS.set(value.name, value);
}
const operationOf = (name: OperationName) => OPERATIONS.get(name) as KnownOperation;
const NAMES = Object.keys(RULES) as OperationName[];
const MOUNTED = NAMES.filter((name) => !NOT_YET_MOUNTED.includes(name));
const addressOf = (route: Endpoint | OtherDoor) => `${route.method} /api/v1${route.path}`;

/** How an operation is tried: the least that makes sense of it. */
interface Trial {
  /** The id of a fresh thing to name; by itself a list, the person or the track. */
  thing?(scene: Scene, state: string): Promise<string> | string;
  call?(thing: string, scene: Scene): { params?: Record<string, string>; query?: string; body?: unknown };
  /** What a REST operation answers that lets its caller in but cannot be done in this world. */
  yes?: number | readonly number[];
  /** It is done to a session, so by one. */
  by?: 'session';
  /** It changes nothing of the thing named, so that one serves for all. */
  keeps?: boolean;
}

const bodyOf = (body: unknown) => () => ({ body });
const playback = (scene: Scene) => scene.playback();
const report = (session_id: string) => ({ body: { session_id, seq: 1, position_ms: 1, state: 'playing' } });
const complete = (session_id: string) => ({ body: { session_id, seq: 1, position_ms: 1 } });
const start = (track_id: string) => ({ body: { track_id, source: 'api' } });
const password = bodyOf({ current_password: 'a password of before' });

/** One line each; an operation that names at most one thing, in its path, and takes no body needs none. */
const TRIALS: { readonly [Name in OperationName]?: Trial } = {
  'auth.callback': { yes: 400 },
  'auth.backchannel_logout': { yes: 400 },
  'auth.logout': { by: 'session' },
  'auth.sessions': { thing: (scene) => scene.session() },
  'auth.sessions.name': { thing: (scene) => scene.session(), call: bodyOf({ device_name: 'Sofa' }) },
  'auth.sessions.end': { thing: (scene) => scene.session() },
  'auth.devices': { thing: (scene) => scene.device() },
  'auth.devices.name': { thing: (scene) => scene.device(), call: bodyOf({ name: 'Radio' }) },
  'auth.devices.forget': { thing: (scene) => scene.device() },
  'auth.tokens': { thing: (scene) => scene.apiToken() },
  'auth.tokens.create': { call: bodyOf({ name: 'script', scopes: ['read'] }) },
  'auth.tokens.revoke': { thing: (scene) => scene.apiToken() },
  // Everybody here lives at an outside provider, where these are done.
  'auth.password': { yes: 422, call: bodyOf({ current_password: 'before', new_password: 'and quite another one' }) },
  'auth.second_factor.begin': { yes: 422, call: password },
  'auth.second_factor.confirm': { yes: 422, call: bodyOf({ code: '123456' }) },
  'auth.second_factor.recovery_codes': { yes: 422, call: password },
  'auth.second_factor.end': { yes: 422, call: password },
  'user.profile.update': { call: bodyOf({ bio: 'Hello' }) },
  'user.preferences.update': { call: bodyOf({ theme: 'dark' }) },
  'admin.users': { call: (_thing, { owner }) => ({ query: `q=${owner.username}` }) },
  'admin.users.change': { call: bodyOf({ is_active: true }) },
  'admin.users.password_reset': { yes: 422 },
  'admin.users.second_factor.remove': { yes: 422 },
  'admin.invites.create': { yes: 422, call: bodyOf({ role: 'user' }) },
  'admin.invites.revoke': { thing: (scene) => scene.invite() },
  // What is sent here is no picture.
  'user.avatar.set': { yes: 415 },
  'avatars.get': { thing: (scene) => scene.avatar() },
  'library.album': { thing: ({ album_id }) => album_id },
  'library.artist': { thing: ({ artist_id }) => artist_id },
  'favorites.list': { thing: (scene) => scene.favorite() },
  'favorites.marks': { call: (_thing, { track_id }) => ({ query: `track_ids=${track_id}` }) },
  'favorites.add': { call: (track_id) => ({ body: { track_id } }) },
  'favorites.note': { call: bodyOf({ notes: 'In the car' }) },
  'favorites.set_many': { call: (_thing, { track_id }) => ({ body: { marks: [{ track_id, rating: 3 }] } }) },
  'ratings.set': { call: bodyOf({ rating: 4 }) },
  'favorites.albums.add': { thing: ({ album_id }) => album_id, call: (album_id) => ({ body: { album_id } }) },
  'favorites.albums.note': { thing: ({ album_id }) => album_id, call: bodyOf({ notes: 'Side two' }) },
  'favorites.albums.remove': { thing: ({ album_id }) => album_id },
  'favorites.artists.add': { thing: ({ artist_id }) => artist_id, call: (artist_id) => ({ body: { artist_id } }) },
  'favorites.artists.note': { thing: ({ artist_id }) => artist_id, call: bodyOf({ notes: 'Live in May' }) },
  'favorites.artists.remove': { thing: ({ artist_id }) => artist_id },
  'library.search': { call: () => ({ query: 'q=one' }) },
  'listen.start': { call: start },
  'listen.progress': { thing: playback, call: report },
  'listen.complete': { thing: playback, call: complete },
  'listen.history': { thing: playback },
  'listen.history.delete': { thing: playback },
  'listen.session': { thing: playback },
  'listen.stats.year': { call: () => ({ params: { year: '2026' } }) },
  'listen:start': { call: start },
  'listen:progress': { thing: playback, call: report },
  'listen:complete': { thing: playback, call: complete },
  'listen.import': {
    call: bodyOf([{ endTime: '2020-01-01 00:00', artistName: 'A', trackName: 'B', msPlayed: 60_000 }]),
  },
  'jobs.list': { thing: (scene) => scene.job() },
  'jobs.get': { thing: (scene) => scene.job() },
  'jobs.rows': { thing: (scene) => scene.job() },
  'jobs.cancel': { thing: (scene) => scene.job() },
  'listenbrainz.submit_listens': {
    call: bodyOf({
      listen_type: 'single',
      payload: [{ listened_at: 1_600_000_000, track_metadata: { artist_name: 'A', track_name: 'B' } }],
    }),
  },
  // Nobody's is a call without a token at all.
  'listenbrainz.validate_token': { yes: [200, 400] },
  'listenbrainz.listens': { thing: ({ owner }) => owner.username },
  'listenbrainz.listen_count': { thing: ({ owner }) => owner.username },
  'listenbrainz.playing_now': { thing: ({ owner }) => owner.username },
  'listenbrainz.feedback': { thing: ({ owner }) => owner.username },
  'listenbrainz.feedback.give': { call: bodyOf({ recording_mbid: crypto.randomUUID(), score: 1 }) },
  'listenbrainz.delete_listen': { call: bodyOf({ listened_at: 1, recording_msid: crypto.randomUUID() }) },
  'listenbrainz.latest_import.set': { call: bodyOf({ ts: 1 }) },
  'playlists.create': { call: bodyOf({ name: 'Mine' }) },
  'playlists.update': { call: bodyOf({ name: 'Renamed' }) },
  'playlists.tracks.add': { call: (_list, { track_id }) => ({ body: { track_ids: [track_id] } }) },
  'playlists.tracks.move': {
    call: (list, scene) => ({ body: { entry_ids: [scene.entryOf(list)], before_entry_id: null } }),
  },
  'playlists.tracks.remove': { call: (list, scene) => ({ body: { entry_ids: [scene.entryOf(list)] } }) },
  'playlists.collaborators.set': {
    call: (id, { other }) => ({ params: { id, user_id: other.id }, body: { role: 'viewer' } }),
  },
  'playlists.collaborators.remove': {
    call: (id, { people }) => ({ params: { id, user_id: people.viewer.id } }),
  },
  'playlists.ticket': { keeps: true },
  // What is sent here is no file.
  'playlists.import': { yes: 400 },
  'user.private_session.begin': { call: bodyOf({ minutes: 5 }) },
  'social.feed': { thing: (scene) => scene.news() },
  'playlists.invites.create': { call: bodyOf({ role: 'viewer' }) },
  'playlists.invites.revoke': { call: (id, scene) => ({ params: { id, invite_id: scene.inviteOf(id) } }) },
  'invites.get': { thing: (scene) => scene.inviteCode() },
  'invites.accept': { thing: (scene) => scene.inviteCode() },
  'playlists.transfer': { call: (_list, { people }) => ({ body: { user_id: people.editor.id } }) },
  'playlists.cover': { thing: (scene, state) => scene.listWithCover(state) },
  // What is sent here is no picture.
  'playlists.cover.set': { yes: 415 },
  'playlists.sort': { call: bodyOf({ by: 'title' }) },
  'playlists.restore': { call: (list, scene) => ({ body: { checkpoint_id: scene.checkpointOf(list) } }) },
  'users.search': { call: (_thing, { owner }) => ({ query: `q=${owner.username}` }) },
  'users.get': { thing: ({ owner }) => owner.username },
  'users.stats': {
    async thing({ owner }) {
      await owner.rest.put('/user/profile', { share_listening_history: true });
      return owner.username;
    },
  },
  'listen:batch': { call: bodyOf({ sent_at_ms: 1, events: [] }) },
  'presence:set': { call: bodyOf({ status: 'away' }) },
  'clock:sync': { call: bodyOf({ t0_ms: 1 }) },
  'user:watch': { call: (user_id) => ({ body: { user_id } }) },
  'user:unwatch': { call: (user_id) => ({ body: { user_id } }) },
};

const UPDATE = operationOf('playlists.update') as unknown as Endpoint;

/** What is sent; `thing` is for the places of the address that `params` do not fill. */
interface Call {
  thing: string;
  params?: Record<string, string>;
  query?: string | undefined;
  body?: unknown;
}
/** By what a caller comes, and what the table is asked about them. */
interface Caller {
  actor: Pick<Actor, 'role' | 'credential'> | null;
  headers: Record<string, string>;
  token: string;
}
interface Cell {
  relation: Relation;
  state: string;
  role: Role | 'nobody';
  scopes?: readonly Scope[];
}
/** What came of a try: the verdict it amounts to, and all of it that a caller can see, to be compared. */
interface Outcome {
  verdict: string;
  seen: string;
}

const NOBODY: Caller = { actor: null, headers: {}, token: '' };
const SCOPES: readonly (readonly Scope[])[] = [
  ['read'],
  ['write'],
  ['listen:write'],
  ['listen:write', 'read', 'write'],
];
const BY_STATUS: Record<number, Verdict> = { 401: 'unknown', 403: 'no', 404: 'hidden', 422: 'senseless' };
/** Headers that differ from answer to answer. */
const PASSING = new Set(
  ['date', 'x-request-id', 'keep-alive', 'connection'].concat([
    'x-ratelimit-remaining',
    'x-ratelimit-reset',
    'x-ratelimit-reset-in',
  ]),
);
let lastClient = 4_000_000_000;

function statesOf(name: OperationName): string[] {
  return Object.keys(RULES[name].rows);
}
function relationsOf(name: OperationName, state: string): PersonRelation[] {
  const rows = RULES[name].rows as Readonly<Record<string, Record<string, Verdict>>>;
  return Object.keys(rows[state]!) as PersonRelation[];
}
const isListing = (name: OperationName) => ['people', 'things', 'playlists'].includes(RULES[name].kind);

/** Where a line is missing: addresses nobody speaks for. */
function unknownAddresses(server: RunningServer): string[] {
  const known = new Set([...[...OPERATIONS.values()].filter(isRoute).map(addressOf), ...OPEN_PAGES]);
  return liveAddresses(server).filter((address) => !known.has(address));
}
const liveAddresses = ({ app }: RunningServer) =>
  routerRoutes(app).map(({ method, path: address }) => `${method} ${address}`);

describe('the access table', () => {
  test('[AZ1] has a line for everything the contract declares, and no other', () => {
    expect(NAMES.toSorted()).toEqual([...OPERATIONS.keys()].toSorted());
    expect(Object.keys(TRIALS).filter((name) => !OPERATIONS.has(name))).toEqual([]);
  });

  test('[AZ1] every socket event has a line', () => {
    const declared = [...OPERATIONS.values()].filter(isEvent).map(({ name }) => name);
    expect(REQUESTS.map(({ name }) => name as string).toSorted()).toEqual(declared.toSorted());
  });

  test('[AZ1] the pages of accounts of our own are listed too', async () => {
    const folders = makeFolders();
    const server = await startServer(folders);
    try {
      expect(unknownAddresses(server)).toEqual([]);
      // Nothing is listed that is not there.
      const live = liveAddresses(server);
      expect(OPEN_PAGES.filter((page) => !live.includes(page))).toEqual([]);
    } finally {
      await server.stop();
      folders.remove();
    }
  });

  test('[AZ2] says what the contract says', () => {
    const scopes = (...allowed: Scope[]): Actor['credential'] => ({
      kind: 'api_token',
      token_id: 'x',
      scopes: allowed,
      expires_at: null,
    });
    const session: Actor['credential'] = { kind: 'session', session_id: 'x', auth_time: 0 };
    const as = (role: Role, credential: Actor['credential'] = session) => ({ role, credential });
    const table: [OperationName, ReturnType<typeof as> | null, Relation, string, Verdict][] = [
      ['auth.login.get', null, 'nobody', 'any', 'yes'],
      ['playlists.get', null, 'nobody', 'public', 'unknown'],
      ['playlists.get', as('admin'), 'stranger', 'private', 'hidden'],
      ['playlists.get', as('guest'), 'stranger', 'public', 'yes'],
      ['playlists.get', as('user'), 'blocked', 'public', 'hidden'],
      ['playlists.delete', as('admin'), 'stranger', 'public', 'no'],
      ['playlists.delete', as('user'), 'editor', 'private', 'no'],
      ['playlists.tracks.add', as('guest'), 'owner', 'private', 'no'],
      ['playlists.tracks.add', as('user', scopes('read')), 'owner', 'private', 'no'],
      ['playlists.tracks.add', as('user', scopes('write')), 'editor', 'private', 'yes'],
      ['yjs.open', as('user', scopes('listen:write')), 'owner', 'private', 'hidden'],
      ['yjs.edit', as('guest'), 'editor', 'private', 'no'],
      ['listen.session', as('admin'), 'friend', 'any', 'hidden'],
      ['listen.progress', as('guest'), 'stranger', 'any', 'yes'],
      ['library.scan.start', as('user'), 'self', 'any', 'no'],
      ['library.scan.start', as('admin'), 'self', 'any', 'yes'],
      ['auth.tokens', as('user', scopes('read')), 'self', 'any', 'no'],
      ['users.get', as('user'), 'blocked', 'any', 'hidden'],
      ['user:watch', as('admin'), 'blocked', 'any', 'hidden'],
      ['admin.users.change', as('admin'), 'blocked', 'any', 'yes'],
    ];
    const found = table.map(([name, actor, relation, state]) => [
      name,
      relation,
      verdictOf(operationOf(name), actor, { relation, state }),
    ]);
    expect(found).toEqual(table.map(([name, , relation, , verdict]) => [name, relation, verdict]));
  });
});

describe.each(DIALECTS)('who may do what, on $name', (dialect) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await openScene(dialect);
  });
  afterAll(() => scene.world.close());

  async function callerOf(name: OperationName, { relation, role, scopes }: Cell): Promise<Caller> {
    if (role === 'nobody') return NOBODY;
    // What is done to oneself may end oneself: somebody is made for it.
    const isForOnce = RULES[name].kind === 'nothing' && !isReading(name);
    const person: Someone = isForOnce ? await scene.newcomer() : scene.people[relation as PersonRelation];
    if (scopes !== undefined) {
      const token = await scene.apiTokenOf(person, scopes);
      const credential: Actor['credential'] = { kind: 'api_token', token_id: '', scopes, expires_at: null };
      return { actor: { role, credential }, headers: { authorization: `Bearer ${token}` }, token };
    }
    const credential: Actor['credential'] = { kind: 'session', session_id: '', auth_time: 0 };
    if (TRIALS[name]?.by === 'session') {
      const cookie = await scene.cookieOf(person, role);
      return { actor: { role, credential }, headers: { cookie, origin: new URL(scene.world.url).origin }, token: '' };
    }
    const token = await scene.tokenOf(person, role);
    return { actor: { role, credential }, headers: { authorization: `Bearer ${token}` }, token };
  }

  function isReading(name: OperationName): boolean {
    const operation = operationOf(name);
    return isRoute(operation) ? operation.method === 'GET' : TRIALS[name]?.keeps === true;
  }

  function thingFor(name: OperationName, state: string): Promise<string> | string {
    const own = TRIALS[name]?.thing;
    if (own !== undefined) return own(scene, state);
    const { kind } = RULES[name];
    if (kind === 'common') return scene.track_id;
    if (kind === 'playlist' || kind === 'playlists') return scene.list(state);
    return kind === 'nothing' ? '' : scene.owner.id;
  }

  async function attempt(name: OperationName, caller: Caller, thing: string): Promise<Outcome> {
    const operation = operationOf(name);
    if (isRoute(operation)) return byRest(name, operation, caller, { thing, ...TRIALS[name]?.call?.(thing, scene) });
    if (isEvent(operation)) return bySocket(name, caller, thing);
    return RIGHTS[name]!(caller, thing);
  }

  function send(
    operation: Endpoint | OtherDoor,
    caller: Caller,
    { thing, params, query, body }: Call,
  ): Promise<Response> {
    const address = operation.path.replace(/\{(\w+)\}/g, (_all, param: string) => params?.[param] ?? thing);
    return fetch(`${scene.world.url}/api/v1${address}${query === undefined ? '' : `?${query}`}`, {
      method: operation.method,
      redirect: 'manual',
      headers: { ...caller.headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async function byRest(
    name: OperationName,
    operation: Endpoint | OtherDoor,
    caller: Caller,
    call: Call,
  ): Promise<Outcome> {
    const success = 'status' in operation ? operation.status : Number(Object.keys(operation.responses)[0]);
    const expected = [TRIALS[name]?.yes ?? success].flat();
    let cursor: string | null = null;
    for (;;) {
      const page = isListing(name) && cursor !== null ? `cursor=${encodeURIComponent(cursor)}` : undefined;
      const query = [call.query, page].filter((part) => part !== undefined).join('&') || undefined;
      const response = await send(operation, caller, { ...call, query });
      const text = await response.text();
      const seen = seenOf(response, text);
      if (!expected.includes(response.status)) {
        return { verdict: BY_STATUS[response.status] ?? `${response.status} ${text}`, seen };
      }
      if (!isListing(name)) return { verdict: 'yes', seen };
      const { items, next_cursor } = JSON.parse(text) as {
        items: { id?: string; track_id?: string }[];
        next_cursor: string | null;
      };
      if (items.some(({ id, track_id }) => (id ?? track_id) === call.thing)) return { verdict: 'yes', seen };
      if (next_cursor === null) return { verdict: 'hidden', seen };
      cursor = next_cursor;
    }
  }

  /** All of an answer but what no two answers share. */
  function seenOf(response: Response, text: string): string {
    const headers = [...response.headers].filter(([header]) => !PASSING.has(header));
    return JSON.stringify([response.status, headers, text.replace(/"request_id":"[^"]{22}"/, '')]);
  }

  async function bySocket(name: OperationName, caller: Caller, thing: string): Promise<Outcome> {
    const payload = name === 'auth:refresh' ? { token: caller.token } : (TRIALS[name]?.call?.(thing, scene).body ?? {});
    let gateway;
    try {
      gateway = await gatewayClient(scene.world.url, caller.token);
    } catch (error) {
      const { problem } = error as { problem?: Problem };
      if (problem === undefined) throw error;
      return { verdict: BY_STATUS[problem.status] ?? problem.code, seen: '' };
    }
    try {
      const answer = await gateway.request(name as RequestName, payload as never);
      if (answer.ok) return { verdict: 'yes', seen: '' };
      const { request_id: _passing, ...problem } = answer.problem;
      return { verdict: BY_STATUS[problem.status] ?? JSON.stringify(problem), seen: JSON.stringify(problem) };
    } finally {
      gateway.close();
    }
  }

  /** Opens a list's document and says, once it is open or refused, what came; `then` goes on with the socket. */
  async function onDocument(
    caller: Caller,
    list_id: string,
    then: (socket: Exclude<Awaited<ReturnType<typeof rawSocket>>, number>) => Promise<string>,
  ): Promise<Outcome> {
    const socket = await rawSocket(scene.world.url, `/yjs/${list_id}`, caller.headers);
    if (typeof socket === 'number') return { verdict: BY_STATUS[socket] ?? String(socket), seen: String(socket) };
    try {
      const opened = socket.heard(1).then(
        () => 'open' as const,
        () => 'silent' as const,
      );
      const first = await Promise.race([opened, socket.closed]);
      if (first === 'open') return { verdict: await then(socket), seen: '' };
      const seen = JSON.stringify([first, socket.frames]);
      return { verdict: first === 4404 ? 'hidden' : seen, seen };
    } finally {
      socket.ws.terminate();
    }
  }

  const versionOf = async (list_id: string) =>
    (
      await scene.world.database.db
        .selectFrom('user_playlists')
        .select('version')
        .where('id', '=', list_id.split('?')[0]!)
        .executeTakeFirstOrThrow()
    ).version;

  /** Sends an edit and asks for the state after it, which is answered once the edit is stored. */
  function edit(caller: Caller, list_id: string, step: 1 | 2, struct: HandStruct): Promise<Outcome> {
    return onDocument(caller, list_id, async (socket) => {
      const [before, heard] = [await versionOf(list_id), socket.frames.length];
      socket.send(syncFrame(step, handUpdate([{ client: lastClient++, clock: 0, structs: [struct] }])));
      socket.send(syncFrame(0, Y.encodeStateVector(new Y.Doc())));
      const answered = socket.heard(heard + 1).then(
        () => 'answered' as const,
        () => 'silent' as const,
      );
      const what = await Promise.race([answered, socket.closed]);
      await flushed(socket);
      const isStored = (await versionOf(list_id)) > before;
      if (what === 'answered' && isStored) return 'yes';
      return what === 4403 && !isStored ? 'no' : `${what}, ${isStored ? 'stored' : 'not stored'}`;
    });
  }

  /** How what is no route and no event is tried. */
  const RIGHTS: { [Name in OperationName]?: (caller: Caller, thing: string) => Promise<Outcome> } = {
    'playlists.update.visibility': (caller, thing) =>
      byRest('playlists.update', UPDATE, caller, { thing, body: { is_public: false } }),
    'yjs.open': (caller, list_id) => onDocument(caller, list_id, async () => 'yes'),
    async 'yjs.edit'(caller, list_id) {
      const entry = { track_id: scene.track_id, added_by: null, added_at: 1 };
      const edits: HandStruct[] = [
        { any: ['Renamed'], at: { root: 'meta', key: 'name' } },
        { any: [entry], at: { root: 'entries', key: newIds.id() } },
        { any: ['a5'], at: { root: 'order', key: scene.entryOf(list_id) } },
      ];
      const outcomes: Outcome[] = [];
      for (const struct of edits) {
        for (const step of [1, 2] as const) outcomes.push(await edit(caller, list_id, step, struct));
      }
      const verdicts = new Set(outcomes.map(({ verdict }) => verdict));
      return { verdict: [...verdicts].join(' or '), seen: outcomes.map(({ seen }) => seen).join(' ') };
    },
    'yjs.awareness': (caller, list_id) =>
      onDocument(caller, list_id, async (socket) => {
        const heard = socket.frames.length;
        socket.send(awarenessFrame([[lastClient++, 1, '{}']]));
        // It comes back to its sender too.
        await socket.heard(heard + 1);
        return 'yes';
      }),
  };

  // Relations are found by SQL, roles and scopes before it: one database is tried with all of them, the other with the first.
  const isWhole = dialect.name === 'sqlite';
  const roles: readonly Role[] = isWhole ? ['admin', 'user', 'guest'] : ['user'];
  const CASES = MOUNTED.filter((name) => isWhole || RULES[name].kind !== 'nothing').map((name) => ({ name }));
  test.each(CASES)('[AZ2] $name, for every role and relation', async ({ name }) => {
    const operation = operationOf(name);
    const rule: Rule = RULES[name];
    const found: [string, string][] = [];
    const expected: [string, string][] = [];
    /** A guest's report is taken and not stored. */
    const leavesNoTrace = ({ role }: Cell, verdict: Verdict) =>
      verdict !== 'yes' || (rule.guests !== undefined && role === 'guest');

    async function tryOut(cell: Cell, thing: string, expectation: Verdict, caller: Caller): Promise<Outcome> {
      const outcome = await attempt(name, caller, thing);
      const what = `${cell.role} ${cell.relation} ${cell.state} ${cell.scopes?.join('+') ?? ''}`;
      found.push([what, outcome.verdict]);
      expected.push([what, expectation]);
      return outcome;
    }

    const missing = name === 'users.get' || name === 'users.stats' ? 'nobody-by-that-name' : newIds.id();
    for (const state of statesOf(name)) {
      const standing = await thingFor(name, state);
      const cells: Cell[] = [{ role: 'nobody', relation: 'nobody', state }];
      const relations = relationsOf(name, state);
      for (const relation of relations) {
        for (const role of roles) cells.push({ role, relation, state });
      }
      // What a scope narrows is seen on somebody who might without it.
      const likely = relations.find((relation) => verdictFor({ relation, state, role: 'user' }) === 'yes');
      if (isWhole && likely !== undefined && TRIALS[name]?.by === undefined) {
        for (const scopes of SCOPES) cells.push({ role: 'user', relation: likely, state, scopes });
      }
      const tries: { cell: Cell; caller: Caller; expectation: Verdict }[] = [];
      for (const cell of cells) {
        const caller = await callerOf(name, cell);
        tries.push({ cell, caller, expectation: verdictOf(operation, caller.actor, cell) });
      }
      const before = await scene.checksum();
      for (const { cell, caller, expectation } of tries) {
        if (!leavesNoTrace(cell, expectation)) continue;
        const outcome = await tryOut(cell, standing, expectation, caller);
        if (expectation !== 'hidden' || isListing(name)) continue;
        // Hidden is like a thing that is not there, to the byte.
        const absent = await attempt(name, caller, missing);
        expect(`${cell.role} ${cell.relation}: ${outcome.seen}`).toBe(`${cell.role} ${cell.relation}: ${absent.seen}`);
      }
      expect(await scene.checksum(), 'a refusal changed something').toBe(before);
      for (const { cell, caller, expectation } of tries) {
        if (leavesNoTrace(cell, expectation)) continue;
        const thing = isReading(name) ? standing : await thingFor(name, state);
        await tryOut(cell, thing, expectation, caller);
        await scene.settle();
      }
      const isNaming = rule.kind === 'common' || (!isListing(name) && likely !== undefined && rule.kind !== 'nothing');
      if (isNaming && rule.kind !== 'anybody' && rule.guests === undefined) {
        const role = operation.access === 'admin' ? 'admin' : 'user';
        const relation = likely ?? relations[0]!;
        const caller = await callerOf(name, { role, relation, state });
        expect((await attempt(name, caller, missing)).verdict, 'a thing that is not there').toBe('hidden');
      }
    }
    expect(found).toEqual(expected);

    function verdictFor({ relation, state, role }: Cell): Verdict {
      const session: Actor['credential'] = { kind: 'session', session_id: '', auth_time: 0 };
      return verdictOf(operation, role === 'nobody' ? null : { role, credential: session }, { relation, state });
    }
  });

  test('[AZ1] every route there is has a line, and every line its route', () => {
    const live = liveAddresses(scene.world.server);
    const routes = [...OPERATIONS.values()].filter(isRoute);
    const isMounted = (route: Endpoint | OtherDoor) => live.includes(addressOf(route));
    expect(unknownAddresses(scene.world.server)).toEqual([]);
    expect(
      routes
        .filter((route) => !isMounted(route))
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(NOT_YET_MOUNTED.toSorted());
    expect(new Set(live).size).toBe(live.length);
    expect(live.length).toBeGreaterThan(50);
  });

  test('[AZ3] whatever is not open to everybody answers 401 to nobody, HEAD like GET, and tells nothing', async () => {
    const routes = routerRoutes(scene.world.server.app).filter(
      ({ method, path: address }) => !OPEN_PAGES.includes(`${method} ${address}`),
    );
    const isOpen = (address: string) =>
      [...OPERATIONS.values()].some((one) => isRoute(one) && one.access === 'public' && addressOf(one) === address);
    const found: [string, number][] = [];
    for (const { method, path: address } of routes) {
      if (isOpen(`${method} ${address}`)) continue;
      const url = scene.world.url + address.replace(/\{(\w+)\}/g, (_all, param) => fillIn(String(param)));
      for (const asked of method === 'GET' ? ['GET', 'HEAD'] : [method]) {
        const response = await fetch(url, { method: asked, redirect: 'manual' });
        const body = await response.text();
        found.push([`${asked} ${address}`, response.status]);
        // ListenBrainz' doors say it in their words.
        const code = address.startsWith('/api/v1/1/') ? 401 : 'unauthenticated';
        if (asked !== 'HEAD') expect((JSON.parse(body) as Problem).code).toBe(code);
        expect(body).not.toContain(scene.owner.id);
      }
    }
    expect(found.filter(([, status]) => status !== 401)).toEqual([]);
    expect(found.filter(([asked]) => asked.endsWith('/stream') || asked.endsWith('/cover'))).toHaveLength(8);
    expect(found.length).toBeGreaterThan(60);

    function fillIn(param: string): string {
      if (param === 'track_id') return scene.track_id;
      return param === 'username' ? scene.owner.username : scene.owner.id;
    }
  });

  // No database has a say in it.
  if (isWhole) {
    test('[AZ4] nobody names the owner, role or rights of a thing in a body or a query', async () => {
      const smuggled: Record<string, unknown> = {
        user_id: scene.other.id,
        owner: scene.other.id,
        owner_id: scene.other.id,
        added_by: scene.other.id,
        role: 'admin',
        roles: ['admin'],
        is_admin: true,
        is_active: false,
        is_public: true,
        scope: 'write',
        id: newIds.id(),
        created_at: 1,
      };
      const found: string[] = [];
      let tried = 0;
      for (const name of MOUNTED) {
        const operation = operationOf(name);
        if (!isRoute(operation) || !('status' in operation) || TRIALS[name]?.by === 'session') continue;
        const caller = await callerOf(name, { role: 'admin', relation: 'self', state: 'any' });
        const thing = await thingFor(name, statesOf(name)[0]!);
        const call = { thing, ...TRIALS[name]?.call?.(thing, scene) };
        const isGet = operation.method === 'GET';
        const takes = (isGet ? operation.query : operation.body) as unknown as { shape?: object };
        const before = await scene.checksum();
        for (const [field, value] of Object.entries(smuggled)) {
          if (Object.hasOwn(takes.shape ?? {}, field)) continue;
          const more = isGet ? `${field}=${encodeURIComponent(JSON.stringify(value))}` : undefined;
          const response = await send(operation, caller, {
            ...call,
            query: [call.query, more].filter((part) => part !== undefined).join('&') || undefined,
            ...(isGet ? {} : { body: { ...(call.body as object | undefined), [field]: value } }),
          });
          const { code, errors } = (await response.json()) as Problem;
          if (response.status !== 400 || code !== 'invalid' || errors === undefined)
            found.push(`${name} took ${field}`);
          tried++;
        }
        if ((await scene.checksum()) !== before) found.push(`${name} changed something`);
      }
      expect(found).toEqual([]);
      expect(tried).toBeGreaterThan(400);
    });
  }

  test(
    '[AZ5] who sees a person: no byte of what is hidden, by any channel, to any role',
    { timeout: 120_000 },
    async () => {
      const { owner, people, world } = scene;
      const canary = { bio: `bio-${newIds.id()}`, title: `title-${newIds.id()}` };
      const [track_id] = await putTracks(world.server.ctx, 1, { duration: 600 });
      await world.server.ctx.write((trx) =>
        trx.updateTable('tracks').set({ title: canary.title }).where('id', '=', track_id!).execute(),
      );
      // Online and listening all the while.
      const listener = await gatewayClient(world.url, owner.token);
      await listener.ask('listen:start', { track_id, source: 'web' });
      const found: [string, boolean, boolean, boolean][] = [];
      const expected: typeof found = [];
      for (const privacy_level of [0, 1, 2] as const) {
        for (const share_listening_history of [false, true]) {
          await owner.rest.put('/user/profile', { bio: canary.bio, privacy_level, share_listening_history });
          for (const relation of ['self', 'friend', 'follower', 'stranger', 'blocked'] as const) {
            for (const role of ['admin', 'user', 'guest'] as const) {
              const bytes = await everythingSeenBy(people[relation], role);
              const isSelf = relation === 'self';
              const isSeen =
                isSelf ||
                (privacy_level === 2 && relation !== 'blocked') ||
                (privacy_level === 1 && relation === 'friend');
              const what = `${privacy_level} ${share_listening_history} ${relation} ${role}`;
              // Guests are shown no profiles of others; their own they may read.
              const seesProfile = isSeen && (isSelf || role !== 'guest');
              const seesListening = isSeen && (isSelf || share_listening_history);
              expected.push([what, seesProfile, seesListening, isSeen]);
              found.push([
                what,
                bytes.includes(canary.bio),
                bytes.includes(canary.title),
                /"(?:presence|status)":"online"/.test(bytes),
              ]);
            }
          }
        }
      }
      expect(found).toEqual(expected);
      listener.close();
      await owner.rest.put('/user/profile', { bio: null, privacy_level: 1, share_listening_history: false });

      /** What reaches somebody through every door that tells of people. The library, which all may read, is left out. */
      async function everythingSeenBy(viewer: Someone, role: Role): Promise<string> {
        const token = await scene.tokenOf(viewer, role);
        const gateway = await gatewayClient(world.url, token);
        const parts: unknown[] = [await gateway.request('user:watch', { user_id: owner.id })];
        for (const address of [
          `/users/${owner.username}`,
          `/users/search?q=${owner.username}`,
          '/social/following',
          '/social/followers',
          ...(viewer.id === owner.id ? ['/user/profile'] : []),
        ]) {
          const response = await fetch(`${world.url}/api/v1${address}`, {
            headers: { authorization: `Bearer ${token}` },
          });
          parts.push(await response.text());
        }
        // Whatever was to be told as it came in has been told by now.
        await gateway.ask('clock:sync', { t0_ms: 1 });
        gateway.close();
        return JSON.stringify([parts, gateway.heard]).replaceAll('\\"', '"');
      }
    },
  );

  test('[AZ6] an edit whose right was withdrawn before it is stored is not stored, and others go on', async () => {
    const { playlistDocs } = scene.world.server.ctx;
    const { people, owner } = scene;
    for (const withdraw of ['remove', 'demote'] as const) {
      const list_id = await scene.list('private');
      const [editor, bystander] = [people.editor, people.viewer];
      const watching = await rawSocket(scene.world.url, `/yjs/${list_id}`, {
        authorization: `Bearer ${await scene.tokenOf(bystander, 'user')}`,
      });
      if (typeof watching === 'number') throw new Error(`refused with ${watching}`);
      await watching.heard(1);
      const rename = (user_id: string, name: string) =>
        playlistDocs.transact(list_id, user_id, (doc) => void doc.getMap('meta').set('name', name));
      await rename(editor.id, 'by the editor');
      // As if the right had been looked up before, and taken away since.
      if (withdraw === 'remove') await owner.rest.del(`/playlists/${list_id}/collaborators/${editor.id}`);
      else await owner.rest.put(`/playlists/${list_id}/collaborators/${editor.id}`, { role: 'viewer' });
      const before = await scene.checksum();
      const heard = watching.frames.length;
      await expect(rename(editor.id, 'too late')).rejects.toMatchObject({ code: 'forbidden' });
      expect(await scene.checksum()).toBe(before);
      // Nobody was told of it, and whoever has the list open goes on.
      expect(watching.frames.slice(heard)).toEqual([]);
      await rename(owner.id, 'by the owner');
      await watching.heard(heard + 1);
      expect(watching.frames.slice(heard).some((frame) => frame.includes('by the owner'))).toBe(true);
      expect(watching.ws.readyState).toBe(watching.ws.OPEN);
      watching.ws.terminate();
      expect(await owner.rest.get(`/playlists/${list_id}`)).toMatchObject({ name: 'by the owner' });
    }
  });

  test('[AZ6] a list that is handed on between the look and the write is not touched by who had it', async () => {
    const { ctx } = scene.world.server;
    const { people, owner, other } = scene;
    const list_id = await scene.list('private');
    const give = (user_id: string) =>
      ctx.write((trx) => trx.updateTable('user_playlists').set({ user_id }).where('id', '=', list_id).execute());
    let before = '';
    const late: Ctx = {
      ...ctx,
      async write(fn) {
        await give(other.id);
        before = await scene.checksum();
        return ctx.write(fn);
      },
    };
    const session: Actor['credential'] = { kind: 'session', session_id: '', auth_time: 0 };
    const actor: Actor = { user_id: owner.id, username: 'ola', role: 'user', provider_role: null, credential: session };
    const id = list_id;
    const writes: Record<string, () => Promise<unknown>> = {
      'publish it': () => updatePlaylist(late, actor, { id, is_public: true }),
      'add a member': () => setCollaborator(late, actor, { id, user_id: people.stranger.id, role: 'editor' }),
      'promote a member': () => setCollaborator(late, actor, { id, user_id: people.viewer.id, role: 'editor' }),
      'remove a member': () => removeCollaborator(late, actor, { id, user_id: people.viewer.id }),
      'delete it': () => deletePlaylist(late, actor, { id }),
    };
    for (const [what, write] of Object.entries(writes)) {
      await give(owner.id);
      await expect(write(), what).rejects.toMatchObject({ code: 'not_found' });
      expect(await scene.checksum(), what).toBe(before);
    }
  });

  test('[AZ6] a list is not read by who may no longer see it as it is read', async () => {
    const { ctx } = scene.world.server;
    const { people, owner } = scene;
    const { id: user_id, username } = people.viewer;
    const session: Actor['credential'] = { kind: 'session', session_id: '', auth_time: 0 };
    const actor: Actor = { user_id, username, role: 'user', provider_role: null, credential: session };
    /** Takes the viewer off once the first question, who they are to the list, was answered. */
    const afterTheLook = (list_id: string): Ctx => {
      let looks = 0;
      return {
        ...ctx,
        db: ctx.db.withPlugin({
          transformQuery: ({ node }) => node,
          async transformResult({ result }) {
            if (looks++ === 0) await owner.rest.del(`/playlists/${list_id}/collaborators/${user_id}`);
            return result;
          },
        }),
      };
    };
    const one = await scene.list('private');
    await expect(playlist(afterTheLook(one), actor, { id: one })).rejects.toMatchObject({ code: 'not_found' });
    const two = await scene.list('private');
    await expect(collaborators(afterTheLook(two), actor, { id: two })).rejects.toMatchObject({ code: 'not_found' });
    const three = await scene.list('private');
    expect((await playlistTracks(afterTheLook(three), actor, { id: three, limit: 50 })).items).toEqual([]);
    expect((await owner.rest.get<{ items: unknown[] }>(`/playlists/${three}/tracks`)).items).toHaveLength(1);
  });

  test('[AZ6] a role that changes counts for the next edit, whatever the list says', async () => {
    const { people, world } = scene;
    const list_id = await scene.list('private');
    const { cookie } = await world.signIn(people.editor);
    const headers = { cookie, origin: new URL(world.url).origin };
    const caller: Caller = { actor: null, headers, token: '' };
    const rename: HandStruct = { any: ['By the editor'], at: { root: 'meta', key: 'name' } };
    expect((await edit(caller, list_id, 2, rename)).verdict).toBe('yes');
    const socket = await rawSocket(world.url, `/yjs/${list_id}`, headers);
    if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
    await socket.heard(1);
    await setRole(world.server.ctx, { username: people.editor.username, role: 'guest' });
    const before = await versionOf(list_id);
    socket.send(syncFrame(2, handUpdate([{ client: lastClient++, clock: 0, structs: [rename] }])));
    expect(await socket.closed).toBe(4403);
    expect((await edit(caller, list_id, 2, rename)).verdict).toBe('no');
    const { status } = await fetch(`${world.url}/api/v1/playlists/${list_id}`, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"name":"By a guest"}',
    });
    expect([status, await versionOf(list_id)]).toEqual([403, before]);
    await setRole(world.server.ctx, { username: people.editor.username, role: 'user' });
    expect((await edit(caller, list_id, 2, rename)).verdict).toBe('yes');
  });

  test('[AZ9] a ticket is no more than the token it was asked by', async () => {
    const list_id = await scene.list('private');
    const rename: HandStruct = { any: ['By a script'], at: { root: 'meta', key: 'name' } };
    const found: [string, number, string | null][] = [];
    for (const scopes of SCOPES) {
      const authorization = `Bearer ${await scene.apiTokenOf(scene.owner, scopes)}`;
      const response = await fetch(`${scene.world.url}/api/v1/playlists/${list_id}/ticket`, {
        method: 'POST',
        headers: { authorization },
      });
      const { ticket } = (await response.json()) as { ticket?: string };
      const caller: Caller = { actor: null, headers: {}, token: '' };
      const outcome = ticket === undefined ? null : await edit(caller, `${list_id}?ticket=${ticket}`, 2, rename);
      found.push([scopes.join('+'), response.status, outcome?.verdict ?? null]);
    }
    expect(found).toEqual([
      ['read', 201, 'no'],
      ['write', 403, null],
      ['listen:write', 403, null],
      ['listen:write+read+write', 201, 'yes'],
    ]);
  });

  // No database has a say in it.
  if (isWhole) {
    test('[AZ7] the OpenAPI document says of every operation what the table says', async () => {
      const response = await fetch(`${scene.world.url}/api/v1/openapi.json`);
      type Described = { operationId: string; responses: Record<string, unknown>; security: unknown[] } & Record<
        string,
        unknown
      >;
      const { paths } = (await response.json()) as { paths: Record<string, Record<string, Described>> };
      const described = Object.values(paths).flatMap((methods) => Object.values(methods));
      const found = described.map((one) => [
        one.operationId,
        one['x-access'],
        one['x-scope'] ?? null,
        one.security.length > 0,
        ['401', '403', '404'].filter((status) => status in one.responses),
      ]);
      const expected = MOUNTED.flatMap((name): unknown[][] => {
        const operation = operationOf(name);
        if (!isRoute(operation)) return [];
        const { access } = operation;
        if (access === 'public') return [[name, access, null, false, []]];
        // What names one thing can miss it; a year is always there.
        const names =
          (operation.path.includes('{') && name !== 'listen.stats.year') ||
          [
            'listen.start',
            'listen.progress',
            'listen.complete',
            'favorites.add',
            'favorites.albums.add',
            'favorites.artists.add',
          ].includes(name);
        const statuses = names && RULES[name].kind !== 'anybody' ? ['401', '403', '404'] : ['401', '403'];
        return [[name, access, operation.scope, true, statuses]];
      });
      const byName = (a: unknown[], b: unknown[]) => String(a[0]).localeCompare(String(b[0]));
      expect(found.toSorted(byName)).toEqual(expected.toSorted(byName));
    });
  }

  test('[AZ8] a block works both ways: who blocked is as hidden as who was blocked', async () => {
    const { owner, people } = scene;
    for (const [viewer, other] of [
      [owner, people.blocked],
      [people.blocked, owner],
    ] as const) {
      const missing = await viewer.rest.call<Problem>('GET', '/users/nobody-by-that-name');
      const found = await viewer.rest.call<Problem>('GET', `/users/${other.username}`);
      expect([found.status, found.body.code, found.body.detail]).toEqual([404, missing.body.code, missing.body.detail]);
      expect(await viewer.rest.get(`/users/search?q=${other.username}`)).toEqual({ items: [], next_cursor: null });
      for (const [method, address] of [
        ['POST', '/social/follow'],
        ['PUT', `/playlists/${await listOf(viewer)}/collaborators`],
      ] as const) {
        const body = method === 'PUT' ? { role: 'viewer' } : undefined;
        expect((await viewer.rest.call(method, `${address}/${other.id}`, body)).status, address).toBe(404);
      }
    }
    async function listOf(person: Someone): Promise<string> {
      return (await person.rest.post<{ id: string }>('/playlists', { name: 'List' })).id;
    }
  });
});
