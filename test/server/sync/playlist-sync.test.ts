import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { addEntries, metaOf, readList } from '#contract/playlist-doc.ts';
import { newIds } from '#server/ids.ts';
import { openPlaylist } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import { flushed, openWorld, rawPlaylist, rawSocket } from '../../support/world.ts';
import { handUpdate, syncFrame } from '../../support/yjs-bytes.ts';
import type { Playlist, PlaylistTrack } from '#contract/playlists.ts';
import type { Someone, World } from '../../support/world.ts';

/** Of two who name a list at once, the higher client id wins. */
let lastClient = 4_294_000_000;
/** An honest-looking edit under a new client id. */
const rename = (name: string) =>
  syncFrame(
    2,
    handUpdate([{ client: lastClient++, clock: 0, structs: [{ any: [name], at: { root: 'meta', key: 'name' } }] }]),
  );

describe.each(DIALECTS)('the /yjs door on $name', (dialect) => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  let cat: Someone;
  let tracks: string[];
  beforeAll(async () => {
    world = await openWorld(dialect);
    [ana, ben, cat] = [await world.someone('ana'), await world.someone('ben'), await world.someone('cat')];
    tracks = await putTracks(world.server.ctx, 3);
  });
  afterAll(() => world.close());

  const nameOf = async (id: string) => (await ana.rest.get<Playlist>(`/playlists/${id}`)).name;
  async function shared(role: 'editor' | 'viewer' | null = 'editor'): Promise<string> {
    const { id } = await ana.rest.post<Playlist>('/playlists', { name: 'List' });
    if (role !== null) await ana.rest.put(`/playlists/${id}/collaborators/${ben.id}`, { role });
    return id;
  }

  test('[PL16] who is let in, by credential and origin', async () => {
    const id = await shared();
    const { cookie } = await world.signIn(ben);
    const port = new URL(world.url).port;
    const table: [string, Record<string, string>, string, number | 'open'][] = [
      ['nothing', {}, '', 401],
      ['a bad token', { authorization: 'Bearer nonsense' }, '', 401],
      ['a token', { authorization: `Bearer ${ben.token}` }, '', 'open'],
      ['a token in the address', {}, `?token=${ben.token}`, 401],
      [
        'a token in the address beside a good one',
        { authorization: `Bearer ${ben.token}` },
        `?token=${ben.token}`,
        401,
      ],
      ['a made-up ticket', {}, '?ticket=abc', 401],
      [
        'a token from a foreign page',
        { authorization: `Bearer ${ben.token}`, origin: 'https://evil.example' },
        '',
        403,
      ],
      ['a cookie without origin', { cookie }, '', 403],
      ['a cookie from a foreign page', { cookie, origin: 'https://evil.example' }, '', 403],
      ['a cookie from "null"', { cookie, origin: 'null' }, '', 403],
      ['a cookie from a name like ours', { cookie, origin: `http://127.0.0.1.evil.example:${port}` }, '', 403],
      ['a cookie from our address under another scheme', { cookie, origin: `https://127.0.0.1:${port}` }, '', 403],
      ['a cookie from another port', { cookie, origin: 'http://127.0.0.1:1' }, '', 403],
      ['a cookie from our address', { cookie, origin: `http://127.0.0.1:${port}` }, '', 'open'],
      ['a cookie from localhost', { cookie, origin: `http://localhost:${port}` }, '', 'open'],
      ['a cookie from [::1]', { cookie, origin: `http://[::1]:${port}` }, '', 'open'],
      ['a cookie that is none', { cookie: 'sbm_session=abc', origin: `http://127.0.0.1:${port}` }, '', 401],
    ];
    const found: [string, number | 'open'][] = [];
    for (const [name, headers, query] of table) {
      const socket = await rawSocket(world.url, `/yjs/${id}${query}`, headers);
      found.push([name, typeof socket === 'number' ? socket : 'open']);
      if (typeof socket !== 'number') socket.ws.terminate();
    }
    expect(found).toEqual(table.map(([name, , , expected]) => [name, expected]));
  });

  test('[PL2] a list that is not there and one that is not theirs look the same: 4404 and not a byte', async () => {
    const id = await shared(null);
    const before = await world.database.db.selectFrom('user_playlists').select('id').execute();
    const names = [
      id,
      newIds.id(),
      crypto.randomUUID(),
      'x',
      '%2e%2e%2f',
      '%00',
      'a'.repeat(2000),
      `${id}/x`,
      `${id.slice(1)}`,
      '%E0%A4%A',
      '__proto__',
    ];
    for (const name of names) {
      const socket = await rawSocket(world.url, `/yjs/${name}`, { authorization: `Bearer ${cat.token}` });
      if (typeof socket === 'number') throw new Error(`${name}: ${socket}`);
      expect([name, await socket.closed]).toEqual([name, 4404]);
      expect(socket.frames).toEqual([]);
      expect(typeof (await rawSocket(world.url, `/yjs/${name}`))).toBe('number');
    }
    expect(await world.database.db.selectFrom('user_playlists').select('id').execute()).toHaveLength(before.length);
  });

  test('[PL14] a ticket opens one connection to one list', async () => {
    const [id, other] = [await shared(), await shared()];
    const ticketOf = async (list: string) =>
      (await ben.rest.post<{ ticket: string }>(`/playlists/${list}/ticket`)).ticket;
    const ticket = await ticketOf(id);
    const first = await rawSocket(world.url, `/yjs/${id}?ticket=${ticket}`);
    expect(typeof first).toBe('object');
    expect(await rawSocket(world.url, `/yjs/${id}?ticket=${ticket}`)).toBe(401);
    const wrong = await ticketOf(other);
    expect(await rawSocket(world.url, `/yjs/${id}?ticket=${wrong}`)).toBe(401);
    expect(await rawSocket(world.url, `/yjs/${other}?ticket=${wrong}`)).toBe(401);
    if (typeof first !== 'number') first.ws.terminate();
    const both = await Promise.all(
      await ticketOf(id).then((one) => [one, one].map((used) => rawSocket(world.url, `/yjs/${id}?ticket=${used}`))),
    );
    expect(both.filter((socket) => socket === 401)).toHaveLength(1);
    for (const socket of both) if (typeof socket !== 'number') socket.ws.terminate();
  });

  test('[PL4] frames no client would send close their socket and nothing else', async () => {
    const id = await shared();
    const witness = await rawPlaylist(world, id, ana.token);
    await witness.heard(1);
    const table: [string, Uint8Array | string, number | null][] = [
      ['a text frame', 'hello', 4400],
      ['an empty frame', new Uint8Array(), 4400],
      ['a truncated step 1', new Uint8Array([0, 0]), 4400],
      ['a truncated update', new Uint8Array([0, 2, 200, 1]), 4400],
      ['an unknown sync message', new Uint8Array([0, 9, 0]), 4400],
      ['an auth message', new Uint8Array([2, 0, 1, 65]), 4400],
      ['a hostile state vector', syncFrame(0, new Uint8Array([0xff, 0xff, 0xff, 0x7f, 1])), 4400],
      ['an endless number', new Uint8Array(100).fill(0xff), 4400],
      ['an update of 257 KiB', syncFrame(2, new Uint8Array(257 * 1024)), 4413],
      ['a frame of 1.1 MiB', new Uint8Array(1.1 * 1024 * 1024), 1009],
      ['an unknown message', new Uint8Array([7, 1, 2, 3]), null],
    ];
    const found: [string, number | null][] = [];
    for (const [name, frame] of table) {
      const socket = await rawPlaylist(world, id, ben.token);
      socket.send(frame);
      await flushed(socket);
      const isOpen = socket.ws.readyState === socket.ws.OPEN;
      found.push([name, isOpen && table.find((row) => row[0] === name)?.[2] === null ? null : await socket.closed]);
      socket.ws.terminate();
    }
    expect(found).toEqual(table.map(([name, , code]) => [name, code]));
    expect(witness.ws.readyState).toBe(witness.ws.OPEN);
    expect(await nameOf(id)).toBe('List');
    witness.ws.terminate();
  });

  test('[PL4] frames in the packet of the handshake are taken like any others', async () => {
    const id = await shared();
    const { port } = new URL(world.url);
    const frame = rename('in the head');
    const masked = Buffer.concat([Buffer.from([0x82, 0x80 | frame.length, 0, 0, 0, 0]), frame]);
    const socket = connect(Number(port), '127.0.0.1');
    const upgraded = once(socket, 'data');
    socket.write(
      Buffer.concat([
        Buffer.from(
          `GET /yjs/${id} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
            `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer ${ben.token}\r\n\r\n`,
        ),
        masked,
      ]),
    );
    await upgraded;
    await expect.poll(() => nameOf(id)).toBe('in the head');
    socket.destroy();
  });

  test('[PL13] withdrawn access: nothing written and nothing heard after the answer', async () => {
    for (let i = 0; i < 40; i++) {
      const id = await shared();
      const socket = await rawPlaylist(world, id, ben.token);
      await socket.heard(1);
      // A peer that does not read its close frame goes on writing.
      if (i % 2 === 1) socket.ws.pause();
      const before = i % 3;
      for (let n = 0; n < before; n++) socket.send(rename(`before ${n}`));
      const demote = i % 4 === 0;
      const withdrawn = demote
        ? ana.rest.put(`/playlists/${id}/collaborators/${ben.id}`, { role: 'viewer' })
        : ana.rest.del(`/playlists/${id}/collaborators/${ben.id}`);
      for (let n = 0; n < 3; n++) socket.send(rename(`meanwhile ${n}`));
      await withdrawn;
      const after = await nameOf(id);
      const heard = socket.frames.length;
      for (let n = 0; n < 3; n++) socket.send(rename(`after ${n}`));
      await ana.rest.put(`/playlists/${id}`, { description: 'for others' });
      if (i % 2 === 1) socket.ws.resume();
      expect(await socket.closed).toBe(4403);
      expect(await nameOf(id)).toBe(after);
      expect(after).not.toMatch(/^after/);
      if (!demote && i % 2 === 0) expect(socket.frames.slice(heard)).toEqual([]);
    }
  });

  test('[ID9] the end of a session ends its sockets within a second, and nothing is taken or told after', async () => {
    const id = await shared();
    const { cookie, session_id } = await world.signIn(ben);
    const origin = new URL(world.url).origin;
    const socket = await rawSocket(world.url, `/yjs/${id}`, { cookie, origin });
    const ticket = (await fetch(`${world.url}/api/v1/playlists/${id}/ticket`, {
      method: 'POST',
      headers: { cookie, origin },
    }).then((res) => res.json())) as { ticket: string };
    const byTicket = await rawSocket(world.url, `/yjs/${id}?ticket=${ticket.ticket}`);
    const unused = (await fetch(`${world.url}/api/v1/playlists/${id}/ticket`, {
      method: 'POST',
      headers: { cookie, origin },
    }).then((res) => res.json())) as { ticket: string };
    const other = await rawPlaylist(world, id, ben.token);
    if (typeof socket === 'number' || typeof byTicket === 'number') throw new Error('refused');
    await Promise.all([socket.heard(1), byTicket.heard(1), other.heard(1)]);
    socket.ws.pause();
    const logout = await fetch(`${world.url}/api/v1/auth/logout`, { method: 'POST', headers: { cookie, origin } });
    expect([logout.status, session_id.length]).toEqual([204, 22]);
    const answeredMs = performance.now();
    for (let n = 0; n < 5; n++) {
      socket.send(rename(`after ${n}`));
      byTicket.send(rename(`after ${n}`));
    }
    expect(await byTicket.closed).toBe(4401);
    expect(performance.now() - answeredMs).toBeLessThan(3_000);
    await ana.rest.put(`/playlists/${id}`, { description: 'later' });
    socket.ws.resume();
    expect(await socket.closed).toBe(4401);
    expect(await nameOf(id)).toBe('List');
    expect(await rawSocket(world.url, `/yjs/${id}?ticket=${unused.ticket}`)).toBe(401);
    expect(other.ws.readyState).toBe(other.ws.OPEN);
    other.ws.terminate();
  });

  test('[ID9] a token’s socket ends with the token, and a ticket’s with the token it was asked by', async () => {
    const id = await shared();
    const exp = Math.floor(Date.now() / 1000) + 2;
    const token = await ben.tokenFor(exp);
    const socket = await rawPlaylist(world, id, token);
    const { ticket } = (await fetch(`${world.url}/api/v1/playlists/${id}/ticket`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    }).then((res) => res.json())) as { ticket: string };
    const byTicket = await rawSocket(world.url, `/yjs/${id}?ticket=${ticket}`);
    if (typeof byTicket === 'number') throw new Error('refused');
    expect(await Promise.all([socket.closed, byTicket.closed])).toEqual([4401, 4401]);
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000 - 100);
    expect(Date.now()).toBeLessThan(exp * 1000 + 6_000);
  });

  test('[PL13] a deleted list closes 4404, and no old copy brings it back', async () => {
    const id = await shared();
    const a = openPlaylist(world.url, id, { token: ben.token });
    await a.until((doc) => metaOf(doc).get('name') === 'List', 'the first sync');
    await ana.rest.del(`/playlists/${id}`);
    expect((await a.closed).code).toBe(4404);
    const again = openPlaylist(world.url, id, { token: ana.token }, a.doc);
    expect((await again.closed).code).toBe(4404);
    expect((await ana.rest.call('GET', `/playlists/${id}`)).status).toBe(404);
    a.provider.destroy();
    again.close();
  });

  test('[PL13] a list made private closes for those who only read it', async () => {
    const id = await shared(null);
    await ana.rest.put(`/playlists/${id}`, { is_public: true });
    const reader = await rawPlaylist(world, id, cat.token);
    await reader.heard(1);
    await ana.rest.put(`/playlists/${id}`, { is_public: false });
    expect(await reader.closed).toBe(4403);
    await ana.rest.put(`/playlists/${id}`, { is_public: true });
    const again = await rawPlaylist(world, id, cat.token);
    await again.heard(1);
    await ana.rest.put('/user/profile', { share_playlists: false });
    expect(await again.closed).toBe(4403);
    await ana.rest.put('/user/profile', { share_playlists: true });
  });

  test('[PL11] too many updates at once: closed to be retried, the list whole', async () => {
    const id = await shared();
    const socket = await rawPlaylist(world, id, ben.token);
    await socket.heard(1);
    for (let i = 0; i < 300; i++) socket.send(rename(`n${i}`));
    expect([4529, 4400]).toContain(await socket.closed);
    const honest = openPlaylist(world.url, id, { token: ana.token });
    await honest.until((doc) => metaOf(doc).has('name'), 'the first sync');
    addEntries(
      honest.doc,
      [{ entry_id: newIds.id(), value: { track_id: tracks[0]!, added_by: null, added_at: 1 } }],
      null,
    );
    await expect
      .poll(async () => (await ana.rest.get<{ items: PlaylistTrack[] }>(`/playlists/${id}/tracks`)).items.length)
      .toBe(1);
    honest.close();
  });

  test('[PL17] the stock client edits offline and as its line opens again, and loses nothing', async () => {
    const id = await shared();
    const mine = openPlaylist(world.url, id, { token: ben.token });
    await mine.until((doc) => metaOf(doc).has('name'), 'the first sync');
    for (let round = 0; round < 5; round++) {
      mine.provider.disconnect();
      addEntries(
        mine.doc,
        [{ entry_id: newIds.id(), value: { track_id: tracks[0]!, added_by: null, added_at: 1 } }],
        null,
      );
      const opened = new Promise<void>((resolve) => {
        const onStatus = ({ status }: { status: string }) => {
          if (status !== 'connected') return;
          mine.provider.off('status', onStatus);
          addEntries(
            mine.doc,
            [{ entry_id: newIds.id(), value: { track_id: tracks[1]!, added_by: null, added_at: 1 } }],
            null,
          );
          resolve();
        };
        mine.provider.on('status', onStatus);
      });
      mine.provider.connect();
      await opened;
      await expect
        .poll(async () => (await ana.rest.get<{ items: PlaylistTrack[] }>(`/playlists/${id}/tracks`)).items.length)
        .toBe((round + 1) * 2);
    }
    const other = openPlaylist(world.url, id, { token: ana.token });
    await other.until((doc) => readList(doc).length === 10, 'all ten entries');
    expect(readList(other.doc)).toEqual(readList(mine.doc));
    expect(Y.encodeStateVector(other.doc)).toBeInstanceOf(Uint8Array);
    other.close();
    mine.close();
  });
});
