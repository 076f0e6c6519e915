/**
 * [GW20] 500 interleavings of ending access and using it, on both socket protocols. `SEED=…` repeats a run.
 * Held against the server each time: from the acknowledgement on nothing is stored, nothing is told, everything is closed within a
 * second, nothing comes back by the same credential, and others notice nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { metaOf } from '#contract/playlist-doc.ts';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { disableUser } from '#domain/accounts/disable-user.ts';
import { setRole } from '#domain/accounts/set-role.ts';
import { keepLog } from '../../support/keep-log.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { seeded } from '../../support/random.ts';
import { putTracks } from '../../support/room.ts';
import { flushed, openWorld, rawPlaylist, rawSocket } from '../../support/world.ts';
import { handUpdate, syncFrame } from '../../support/yjs-bytes.ts';
import type { KeptLog } from '../../support/keep-log.ts';
import type { Random } from '../../support/random.ts';
import type { RawSocket, Someone, World } from '../../support/world.ts';

/** PGlite runs on the thread of everything else here, so it gets fewer. */
const ROUNDS_ON = { sqlite: 420, pglite: 60, postgres: 60 };
const EXPIRING_ON = { sqlite: 15, pglite: 5, postgres: 5 };
/** Rounds at once, each with people and lists of its own: a server is never busy with one thing alone. */
const LANES_ON = { sqlite: 4, pglite: 1, postgres: 4 };
/** Closed, in milliseconds from the answer. */
const LATENCY_MAX_MS = 1_000;

type By = 'session' | 'token' | 'api_token' | 'device';
interface Kind {
  name: string;
  by: readonly By[];
  /** Ends it; resolves with the acknowledgement. */
  end(round: Round): Promise<unknown>;
  /** How a playlist socket closes; null: it stays open for reading. */
  closes: number | null;
  /** Whether the gateway's sockets end too. */
  gatewayEnds: boolean;
  /** Whether what was revoked is the credential, so that no door opens by it again. */
  isFinal: boolean;
}
interface Round {
  victim: Someone;
  by: By;
  headers: Record<string, string>;
  /** Of the session, API token or device in question. */
  id: string;
  list: string;
}
/** Of a person's doing. */
interface Stored {
  sessions: number;
  /** What the list is called; null: it is gone. */
  name: string | null;
  edits: number;
}

interface Played {
  victim: Someone;
  list: string;
  atEnd: Stored;
  /** Starts of playing that were sent in time to be taken. */
  starts: number;
}

interface GatewaySocket extends RawSocket {
  /** What the server answered to the handshake: 40 let in, 44 refused. */
  answer: Promise<string>;
}

const origin = (world: World) => new URL(world.url).origin;

describe.each(DIALECTS)('ending access on $name', (dialect) => {
  const ROUNDS = ROUNDS_ON[dialect.name];
  const EXPIRING = EXPIRING_ON[dialect.name];
  let world: World;
  let kept: KeptLog;
  let owner: Someone;
  let ben: Someone;
  let track_id: string;
  let random: Random;
  /** Where others sit all the while. */
  let witness: GatewaySocket;
  /** Of two who name a list at once, the higher client id wins. */
  let clients = 4_294_000_000;
  const latencies: number[] = [];

  beforeAll(async () => {
    random = seeded();
    console.log(`${dialect.name}: seed ${random.seed}`);
    kept = keepLog();
    world = await openWorld(dialect, { log: kept.log });
    owner = await world.someone('owner');
    ben = await world.someone('ben');
    [track_id] = (await putTracks(world.server.ctx, 1)) as [string];
    witness = await openGateway({ authorization: `Bearer ${ben.token}` });
    expect(await witness.answer).toMatch(/^40/);
  });
  afterAll(async () => {
    witness.ws.terminate();
    await world.close();
    latencies.sort((a, b) => a - b);
    const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
    console.log(
      `${dialect.name}: ${latencies.length} sockets closed after the answer in ms: ` +
        `p50 ${at(0.5)?.toFixed(1)}, p99 ${at(0.99)?.toFixed(1)}, max ${at(1)?.toFixed(1)}`,
    );
  });

  const rename = (name: string) =>
    syncFrame(
      2,
      handUpdate([{ client: clients++, clock: 0, structs: [{ any: [name], at: { root: 'meta', key: 'name' } }] }]),
    );
  const start = () =>
    `42["listen:start",${JSON.stringify({ track_id, source: 'api', client_session_id: crypto.randomUUID() })}]`;

  async function openGateway(
    headers: Record<string, string>,
    auth: Record<string, unknown> = {},
  ): Promise<GatewaySocket> {
    const socket = await rawSocket(world.url, '/socket.io/?EIO=4&transport=websocket', headers);
    if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
    const answer = new Promise<string>((resolve) => {
      const look = () => {
        const found = socket.frames.map(String).find((frame) => /^4[04]/.test(frame));
        if (found !== undefined) resolve(found);
      };
      socket.ws.on('message', look);
      socket.ws.once('close', () => resolve('closed'));
      look();
    });
    // Engine.IO asks every 20 s whether anybody is there.
    socket.ws.on('message', (data: Buffer) => {
      if (String(data) === '2') socket.send('3');
    });
    socket.send(`40${JSON.stringify(auth)}`);
    return { ...socket, answer };
  }
  const openList = (list: string, headers: Record<string, string>, query = '') =>
    rawSocket(world.url, `/yjs/${list}${query}`, headers);

  const call = (headers: Record<string, string>, method: string, path: string) =>
    fetch(`${world.url}/api/v1${path}`, { method, headers });
  async function must(headers: Record<string, string>, method: string, path: string): Promise<void> {
    const response = await call(headers, method, path);
    expect([path, response.status]).toEqual([path, 204]);
  }

  const KINDS: readonly Kind[] = [
    {
      name: 'sign-out',
      by: ['session'],
      end: ({ headers }) => must(headers, 'POST', '/auth/logout'),
      closes: 4401,
      gatewayEnds: true,
      isFinal: true,
    },
    {
      name: 'one session revoked from elsewhere',
      by: ['session'],
      end: ({ victim, id }) => victim.rest.del(`/auth/sessions/${id}`),
      closes: 4401,
      gatewayEnds: true,
      isFinal: true,
    },
    {
      name: 'signed out everywhere',
      by: ['session', 'token'],
      end: ({ headers }) => must(headers, 'DELETE', '/auth/sessions'),
      closes: 4401,
      gatewayEnds: true,
      isFinal: true,
    },
    {
      name: 'an API token revoked',
      by: ['api_token'],
      end: ({ victim, id }) => victim.rest.del(`/auth/tokens/${id}`),
      closes: 4401,
      gatewayEnds: true,
      isFinal: true,
    },
    {
      name: 'all API tokens revoked',
      by: ['api_token'],
      end: ({ victim }) => victim.rest.del('/auth/tokens'),
      closes: 4401,
      gatewayEnds: true,
      isFinal: true,
    },
    {
      name: 'a device forgotten',
      by: ['device'],
      async end({ victim }) {
        const { items } = await victim.rest.get<{ items: { id: string }[] }>('/auth/devices');
        await victim.rest.del(`/auth/devices/${items[0]?.id}`);
      },
      // A playlist's socket names no device.
      closes: null,
      gatewayEnds: true,
      isFinal: false,
    },
    {
      name: 'the person disabled',
      by: ['session', 'token', 'api_token'],
      end: ({ victim }) => disableUser(world.server.ctx, { username: victim.username }),
      closes: 4401,
      gatewayEnds: true,
      isFinal: true,
    },
    {
      name: 'the role lowered to guest',
      by: ['session', 'token', 'api_token'],
      end: ({ victim }) => setRole(world.server.ctx, { username: victim.username, role: 'guest' }),
      closes: 4403,
      gatewayEnds: false,
      isFinal: false,
    },
    {
      name: 'taken off the list',
      by: ['session', 'token', 'api_token'],
      end: ({ victim, list }) => owner.rest.del(`/playlists/${list}/collaborators/${victim.id}`),
      closes: 4403,
      gatewayEnds: false,
      isFinal: false,
    },
    {
      name: 'the list deleted',
      by: ['session', 'token', 'api_token'],
      end: ({ list }) => owner.rest.del(`/playlists/${list}`),
      closes: 4404,
      gatewayEnds: false,
      isFinal: false,
    },
  ];

  async function credential(victim: Someone, by: By): Promise<Pick<Round, 'headers' | 'id'>> {
    if (by === 'session') {
      const { cookie, session_id } = await world.signIn(victim);
      return { headers: { cookie, origin: origin(world) }, id: session_id };
    }
    if (by === 'api_token') {
      const { token, id } = await createApiToken(world.server.ctx, victim.id, {
        name: 'x',
        scopes: ['read', 'write', 'listen:write'],
      });
      return { headers: { authorization: `${random.pick(['Bearer', 'Token'])} ${token}` }, id };
    }
    return { headers: { authorization: `Bearer ${victim.token}` }, id: '' };
  }

  /** What is stored of a person's doing: listening sessions, and what the list is called on disk and in memory. */
  async function stored(victim: Someone, list: string): Promise<Stored> {
    const { db } = world.database;
    const sessions = await db.selectFrom('listening_sessions').select('id').where('user_id', '=', victim.id).execute();
    const row = await db.selectFrom('user_playlists').select('name').where('id', '=', list).executeTakeFirst();
    // Each edit here is by a Yjs client id of its own.
    const edits = await db
      .selectFrom('playlist_clients')
      .select('client_id')
      .where('playlist_id', '=', list)
      .where('user_id', '=', victim.id)
      .execute();
    return { sessions: sessions.length, name: row?.name ?? null, edits: edits.length };
  }
  const liveName = (list: string) =>
    world.server.ctx.playlistDocs.transact(list, owner.id, (doc) => metaOf(doc).get('name'));

  /** Lets the server do some of what it has begun. */
  async function someTurns(): Promise<void> {
    for (let n = random.int(8); n > 0; n--) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Somebody who only loses a list goes on listening. */
  const listensOn = (kind: Kind) => !kind.gatewayEnds && !kind.name.includes('guest');

  async function play(kind: Kind, n: number): Promise<Played> {
    const by = random.pick(kind.by);
    const victim = await world.someone(`v${n}`, { roles: [] });
    const { headers, id } = await credential(victim, by);
    const [{ id: list }, { id: other }] = await Promise.all([
      owner.rest.post<{ id: string }>('/playlists', { name: 'List' }),
      owner.rest.post<{ id: string }>('/playlists', { name: 'Other' }),
    ]);
    for (const one of [list, other]) {
      await owner.rest.put(`/playlists/${one}/collaborators/${victim.id}`, { role: 'editor' });
    }
    await owner.rest.put(`/playlists/${list}/collaborators/${ben.id}`, { role: 'editor' });
    const round: Round = { victim, by, headers, id, list };
    const auth = by === 'device' ? { device_id: `d${n}`, device_name: 'Phone' } : {};

    const bystander = await rawPlaylist(world, list, ben.token);
    const gateways = [await openGateway(headers, auth)];
    if (random.int(2) === 0) gateways.push(await openGateway(headers, auth));
    for (const gateway of gateways) expect(await gateway.answer).toMatch(/^40/);
    const lists: RawSocket[] = [];
    for (let i = random.int(2); i >= 0; i--) {
      const query =
        random.int(3) === 0
          ? `?ticket=${((await (await call(headers, 'POST', `/playlists/${list}/ticket`)).json()) as { ticket: string }).ticket}`
          : '';
      const socket = await openList(list, query === '' ? headers : {}, query);
      if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
      await socket.heard(1);
      lists.push(socket);
    }
    if (by === 'device') {
      await expect
        .poll(async () => (await victim.rest.get<{ items: unknown[] }>('/auth/devices')).items.length)
        .toBe(1);
    }
    // Somebody who does not read what they are sent goes on writing all the same.
    const isDeaf = random.int(4) === 0;
    if (isDeaf) for (const socket of lists) socket.ws.pause();

    let starts = 0;
    const say = (when: string) => {
      for (let i = random.int(4); i > 0; i--) {
        for (const socket of lists) socket.send(rename(`${when} ${n}`));
        for (const gateway of gateways) gateway.send(start());
        starts += gateways.length;
      }
    };
    say('before');
    await someTurns();
    // Somebody on their way in.
    const coming = random.int(2) === 0 ? [openGateway(headers, auth)] : [];
    const comingLists = random.int(2) === 0 ? [openList(list, headers)] : [];
    await someTurns();
    say('meanwhile');
    const ended = kind.end(round);
    say('meanwhile');
    if (random.int(3) === 0) comingLists.push(openList(list, headers));
    if (random.int(3) === 0) coming.push(openGateway(headers, auth));
    await ended;
    const answeredMs = performance.now();
    const atEnd = stored(victim, list);
    const note = (socket: RawSocket) =>
      void socket.closed.then(() => {
        if (!isDeaf) latencies.push(performance.now() - answeredMs);
      });
    if (kind.gatewayEnds) for (const gateway of gateways) note(gateway);
    if (kind.closes !== null) for (const socket of lists) note(socket);

    // Whatever comes now is from somebody whose access is over.
    for (let i = 0; i <= random.int(3); i++) {
      if (kind.closes !== null) for (const socket of lists) socket.send(rename(`after ${n}`));
      if (kind.gatewayEnds || kind.name.includes('guest')) for (const gateway of gateways) gateway.send(start());
    }
    const late = (await Promise.all(comingLists)).filter((socket) => typeof socket !== 'number');
    const lateGateways = await Promise.all(coming);
    for (const gateway of lateGateways) {
      if (!(await gateway.answer).startsWith('40')) continue;
      if (kind.gatewayEnds || kind.name.includes('guest')) gateway.send(start());
    }
    if (kind.closes !== null) for (const socket of late) socket.send(rename(`after ${n}`));

    // And what others do reaches those who stay, and only them.
    const marker = `for those who stay ${n}`;
    await owner.rest.put(`/playlists/${other}`, { description: marker });
    if (kind.closes !== 4404) await owner.rest.put(`/playlists/${list}`, { description: marker });
    if (isDeaf) for (const socket of lists) socket.ws.resume();
    const hearsMarker = (socket: RawSocket) => socket.frames.some((frame) => frame.includes(marker));
    const hearsOther = (socket: RawSocket) => socket.frames.some((frame) => frame.includes(other));
    if (kind.closes !== 4404) {
      await expect.poll(() => hearsMarker(bystander), { timeout: 5_000, interval: 5 }).toBe(true);
      if (bystander.ws.readyState !== bystander.ws.OPEN)
        throw new Error(`a bystander was closed: ${await bystander.closed}`);
    } else expect(await bystander.closed).toBe(4404);
    expect(witness.ws.readyState).toBe(witness.ws.OPEN);

    if (kind.closes !== null) {
      for (const socket of [...lists, ...late]) {
        const isLate = !lists.includes(socket);
        // A role is lost for writing; who only reads on is let be, until they write.
        if (kind.name.includes('guest')) socket.send(rename(`after ${n}`));
        const code = await socket.closed;
        // Who came when it was over already does not learn that there is a list.
        expect([kind.name, code]).toEqual([kind.name, isLate && code === 4404 ? 4404 : kind.closes]);
        // A guest reads on; anybody else hears nothing.
        if (!kind.name.includes('guest')) expect([kind.name, hearsMarker(socket)]).toEqual([kind.name, false]);
      }
    }
    for (const gateway of [...gateways, ...lateGateways]) {
      if (kind.gatewayEnds && kind.isFinal) {
        if ((await gateway.answer).startsWith('44')) gateway.ws.terminate();
        await gateway.closed;
        expect([kind.name, hearsOther(gateway)]).toEqual([kind.name, false]);
      } else if (kind.gatewayEnds && gateways.includes(gateway)) await gateway.closed;
      const said = gateway.frames.map(String);
      const at = said.findIndex((frame) => frame.startsWith('42["session:ended"'));
      // The last word, but for Socket.IO's own good-bye.
      if (at >= 0) expect(said.slice(at + 1).filter((frame) => frame !== '41' && frame !== '1')).toEqual([]);
      if (kind.gatewayEnds && gateways.includes(gateway)) expect([kind.name, at >= 0]).toEqual([kind.name, true]);
    }

    // Nothing comes back by the same credential.
    if (kind.isFinal) {
      const status = kind.name === 'the person disabled' && by !== 'session' ? 403 : 401;
      expect([kind.name, by, (await call(headers, 'GET', '/auth/profile')).status]).toEqual([kind.name, by, status]);
      expect(await openList(list, headers)).toBe(status);
      const again = await openGateway(headers);
      expect(await again.answer).toMatch(/^44/);
      again.ws.terminate();
    } else if (kind.closes === 4403 || kind.closes === 4404) {
      const again = await openList(list, headers);
      if (typeof again === 'number') throw new Error(`refused with ${again}`);
      if (kind.name.includes('guest')) {
        again.send(rename(`after ${n}`));
        expect(await again.closed).toBe(4403);
      } else {
        expect(await again.closed).toBe(4404);
        expect(again.frames).toEqual([]);
      }
      again.ws.terminate();
    }
    // The server has read all of it.
    if (listensOn(kind)) await Promise.all(gateways.map(flushed));
    for (const socket of [...gateways, ...lateGateways, ...lists, ...late, bystander]) socket.ws.terminate();
    return { victim, list, atEnd: await atEnd, starts };
  }

  test(
    `[GW20] ${ROUNDS} interleavings of ten kinds of revocation with frames before, meanwhile and after`,
    { timeout: 300_000 },
    async () => {
      const ends: (Played & { kind: Kind })[] = [];
      let next = 0;
      const lane = async () => {
        for (let n = next++; n < ROUNDS; n = next++) {
          const kind = KINDS[n % KINDS.length]!;
          try {
            ends.push({ kind, ...(await play(kind, n)) });
          } catch (error) {
            next = ROUNDS;
            const errors = kept.lines.filter((line) => line.startsWith('{"level":"error"'));
            throw new Error(`seed ${random.seed}, round ${n}: ${kind.name}; ${errors.join()}`, { cause: error });
          }
        }
      };
      await Promise.all(Array.from({ length: LANES_ON[dialect.name] }, lane));
      // Long after: still what it was at the moment of the answer, in the database and in the live document.
      for (const { kind, victim, list, atEnd, starts } of ends) {
        // What a playlist's socket of a forgotten device did after is allowed.
        if (kind.name === 'a device forgotten') continue;
        const later = await stored(victim, list);
        const listens = listensOn(kind) ? { sessions: starts } : {};
        expect([kind.name, victim.username, later]).toEqual([kind.name, victim.username, { ...atEnd, ...listens }]);
        if (kind.closes === 4404) continue;
        const name = await liveName(list);
        expect(name).toBe(atEnd.name);
        expect(name).not.toMatch(/^after/);
      }
      expect(latencies.length).toBeGreaterThan(ROUNDS);
      expect(Math.max(...latencies)).toBeLessThanOrEqual(LATENCY_MAX_MS);
      // Something was stored, or nothing above would mean much.
      const sessions = ends.map(({ atEnd }) => atEnd.sessions);
      expect(sessions.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(ROUNDS);
      expect(kept.lines.filter((line) => line.startsWith('{"level":"error"'))).toEqual([]);
    },
  );

  test(`[GW21] ${EXPIRING} tokens that end while their sockets write: no frame is taken past exp`, async () => {
    const people: { victim: Someone; list: string }[] = [];
    for (let n = 0; n < EXPIRING; n++) {
      const victim = await world.someone(`e${n}`, { roles: [] });
      people.push({ victim, list: (await victim.rest.post<{ id: string }>('/playlists', { name: 'List' })).id });
    }
    const exp = Math.floor(Date.now() / 1000) + 4;
    const opened: { victim: Someone; list: string; gateway: GatewaySocket; socket: RawSocket; token: string }[] = [];
    for (const { victim, list } of people) {
      const token = await victim.tokenFor(exp);
      const gateway = await openGateway({}, { token });
      expect(await gateway.answer).toMatch(/^40/);
      opened.push({ victim, list, gateway, token, socket: await rawPlaylist(world, list, token) });
    }
    let sent = 0;
    // Slowly enough for the limits on writing, until all are closed.
    const writing = setInterval(() => {
      for (const { gateway, socket } of opened) {
        if (gateway.ws.readyState === gateway.ws.OPEN) gateway.send(start());
        if (socket.ws.readyState === socket.ws.OPEN) socket.send(rename(`${Date.now()}`));
        sent += 1;
      }
    }, 200);
    const closedAt = await Promise.all(
      opened.flatMap(({ gateway, socket }) => [gateway.closed, socket.closed]).map((one) => one.then(() => Date.now())),
    );
    clearInterval(writing);
    expect(sent).toBeGreaterThan(EXPIRING);
    expect(Math.min(...closedAt)).toBeGreaterThanOrEqual(exp * 1000);
    expect(Math.max(...closedAt)).toBeLessThanOrEqual(exp * 1000 + LATENCY_MAX_MS);
    for (const { victim, list, gateway, socket, token } of opened) {
      expect(gateway.frames.map(String).at(-2)).toBe('42["session:ended",{"reason":"expired"}]');
      expect(await socket.closed).toBe(4401);
      // A token in its clock tolerance is still a good one to REST, but no socket opens by it.
      const again = await openGateway({}, { token });
      expect(await again.answer).toMatch(/^44/);
      again.ws.terminate();
      expect(await openList(list, { authorization: `Bearer ${token}` })).toBe(401);
      const name = Number((await stored(victim, list)).name);
      expect(name).toBeLessThanOrEqual(exp * 1000 + LATENCY_MAX_MS);
      const started = await world.database.db
        .selectFrom('listening_sessions')
        .select('reported_at_ms')
        .where('user_id', '=', victim.id)
        .execute();
      expect(started.length).toBeGreaterThan(0);
      expect(Math.max(...started.map((row) => row.reported_at_ms))).toBeLessThanOrEqual(exp * 1000 + LATENCY_MAX_MS);
    }
  });

  test('[GW22] a profile made private: what its owner does next is told to nobody', async () => {
    const friend = await world.someone('friend');
    await owner.rest.post(`/social/follow/${friend.id}`);
    await friend.rest.post(`/social/follow/${owner.id}`);
    await friend.rest.put('/user/profile', { share_listening_history: true });
    const listener = await openGateway({ authorization: `Bearer ${owner.token}` });
    const player = await openGateway({ authorization: `Bearer ${friend.token}` });
    expect([await listener.answer, await player.answer].map((answer) => answer.slice(0, 2))).toEqual(['40', '40']);
    const { session_id } = await friend.rest.post<{ session_id: string }>('/listen/start', { track_id, source: 'api' });
    let seq = 0;
    let position = 1_000_000;
    const report = (position_ms: number) =>
      player.send(`42["listen:progress",${JSON.stringify({ session_id, seq: ++seq, position_ms, state: 'playing' })}]`);
    await expect.poll(() => listener.frames.some((frame) => frame.includes(track_id))).toBe(true);
    for (let round = 0; round < 20; round++) {
      const hide = random.pick([{ share_listening_history: false }, { privacy_level: 0 }] as const);
      for (let n = random.int(3); n > 0; n--) report(position++);
      await someTurns();
      await friend.rest.put('/user/profile', hide);
      const hidden = position;
      for (let n = random.int(3); n >= 0; n--) report(position++);
      await flushed(player);
      await flushed(listener);
      const told = listener.frames.map(String).filter((frame) => frame.includes('listening:update'));
      const last = told.map((frame) => Number(/"position_ms":(\d+)/.exec(frame)?.[1] ?? 0));
      expect(last.filter((at) => at >= hidden)).toEqual([]);
      await friend.rest.put('/user/profile', { share_listening_history: true, privacy_level: 1 });
      // From here on the latest place is theirs to see again.
      listener.frames.length = 0;
      position += 1_000;
      report(position++);
    }
    for (const socket of [listener, player]) socket.ws.terminate();
  });

  test('[GW27] a banned person is not let in again by recovering a connection', async () => {
    const victim = await world.someone('recovering', { roles: [] });
    const gateway = await openGateway({}, { token: victim.token });
    const hello = JSON.parse((await gateway.answer).slice(2)) as { sid: string; pid?: string };
    // What a client would recover by is not even given out.
    expect(hello.pid).toBeUndefined();
    gateway.ws.terminate();
    await disableUser(world.server.ctx, { username: victim.username });
    const again = await openGateway({}, { token: victim.token, pid: hello.pid ?? hello.sid, offset: '0' });
    expect(await again.answer).toMatch(/^44.*account_disabled/);
    again.ws.terminate();
  });

  test('[GW28] the public list of somebody who is locked out closes to those who only read it', async () => {
    const host = await world.someone('host', { roles: [] });
    const { id } = await host.rest.post<{ id: string }>('/playlists', { name: 'Open', is_public: true });
    const reader = await rawPlaylist(world, id, ben.token);
    await reader.heard(1);
    await disableUser(world.server.ctx, { username: host.username });
    expect(await reader.closed).toBe(4403);
    const again = await rawPlaylist(world, id, ben.token);
    expect(await again.closed).toBe(4404);
  });
});
