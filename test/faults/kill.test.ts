import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { restClient } from '../support/clients.ts';
import { startIssuer } from '../support/issuer.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { seeded } from '../support/random.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import { addByProvider, addByRest, follow, listenByBatch, listenByRest, listenBySocket } from './writers.ts';
import type { Me } from '#contract/accounts.ts';
import type { ScanState, Track } from '#contract/library.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { AddressInfo } from 'node:net';
import type { TestIssuer } from '../support/issuer.ts';
import type { Folders, Program } from '../support/server.ts';
import type { Acknowledged, Outlet, Person } from './writers.ts';

/** 20 with every change; `npm run test:faults` asks for 200. */
const KILLS = Number(process.env.FAULT_KILLS ?? 20);
const WRITERS = { rest: 12, socket: 10, batch: 6, adds: 8, provider: 6, follow: 8 };
const HOUR_S = 3_600;

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

describe(`${KILLS} kill -9 under 50 writers`, () => {
  let folders: Folders;
  let issuer: TestIssuer;
  let server: Program;
  const env: Record<string, string> = {};
  beforeAll(async () => {
    folders = makeFolders();
    issuer = await startIssuer();
    mkdirSync(folders.musicDir, { recursive: true });
    makeLibrary(folders.musicDir, {
      'one.wav': { title: 'One', artist: 'The Firsts', album: 'Numbers', seconds: 40 },
    });
    // The same address again after each start, as their programs expect it.
    env.PORT = String(await freePort());
    server = await spawnServer(folders, { issuer, env });
  });
  afterAll(async () => {
    await server.stop();
    await issuer.close();
    folders.remove();
  });

  /** What was acknowledged and is not there, and what is there twice. */
  function compare(known: Acknowledged): { lost: string[]; doubled: string[] } {
    const db = new Database(path.join(folders.dataDir, 'stepheybot.db'), { readonly: true });
    const lost: string[] = [];
    const doubled: string[] = [];
    const sessions = new Map<string, { last_seq: number; counted: number; duration_played: number }>();
    for (const row of db
      .prepare('select user_id, client_session_id, last_seq, counted, duration_played from listening_sessions')
      .all() as {
      user_id: string;
      client_session_id: string;
      last_seq: number;
      counted: number;
      duration_played: number;
    }[]) {
      const name = `listen ${row.user_id} ${row.client_session_id}`;
      if (sessions.has(name)) doubled.push(name);
      sessions.set(name, row);
    }
    for (const [user_id, mine] of known.listens) {
      for (const [client_session_id, seq] of mine) {
        const name = `listen ${user_id} ${client_session_id}`;
        const row = sessions.get(name);
        const isWhole = seq < 2 || (row?.counted === 1 && row.duration_played === 40);
        if (row === undefined || row.last_seq < seq || !isWhole)
          lost.push(`${name}, seq ${seq}: ${JSON.stringify(row)}`);
      }
    }
    const entries = new Set<string>();
    for (const row of db.prepare('select playlist_id, entry_id from playlist_tracks').all() as {
      playlist_id: string;
      entry_id: string;
    }[]) {
      const name = `entry ${row.playlist_id} ${row.entry_id}`;
      if (entries.has(name)) doubled.push(name);
      entries.add(name);
    }
    for (const [playlist_id, mine] of known.entries) {
      for (const entry_id of mine) {
        if (!entries.has(`entry ${playlist_id} ${entry_id}`)) lost.push(`entry ${playlist_id} ${entry_id}`);
      }
    }
    const follows = new Set(
      (
        db.prepare('select follower_id, following_id from user_follows').all() as {
          follower_id: string;
          following_id: string;
        }[]
      ).map((row) => `${row.follower_id} ${row.following_id}`),
    );
    for (const [follower_id, mine] of known.follows) {
      for (const [following_id, isFollowed] of mine) {
        if (follows.has(`${follower_id} ${following_id}`) !== isFollowed) {
          lost.push(`follow ${follower_id} ${following_id} ${isFollowed}`);
        }
      }
    }
    db.close();
    return { lost, doubled };
  }

  test(
    '[OP21] nothing that was acknowledged is lost, nothing is doubled, and each start is ready within five seconds',
    { timeout: 60_000 + KILLS * 10_000 },
    async () => {
      const random = seeded();
      const startedMs = performance.now();
      const count = Object.values(WRITERS).reduce((sum, one) => sum + one, 0);
      const people: Person[] = await Promise.all(
        Array.from({ length: count }, async (_one, i) => {
          const token = await issuer.issueAccessToken(
            { sub: `sub-${i}`, username: `writer${i}`, roles: ['user'] },
            { exp: Math.floor(Date.now() / 1000) + HOUR_S },
          );
          return { id: (await restClient(server.url, token).get<Me>('/auth/profile')).id, token };
        }),
      );
      const [first] = people;
      if (first === undefined) throw new Error('nobody writes');
      const rest = restClient(server.url, first.token);
      await expect
        .poll(async () => (await rest.get<ScanState>('/library/scan')).state, { timeout: 20_000 })
        .toBe('idle');
      const [track] = (await rest.get<{ items: Track[] }>('/library/tracks')).items;
      if (track === undefined) throw new Error('there is no track');
      const track_id = track.id;
      const playlistOf = async ({ token }: Person) =>
        (await restClient(server.url, token).post<Playlist>('/playlists', { name: 'Kept' })).id;

      const known: Acknowledged = {
        listens: new Map(),
        entries: new Map(),
        follows: new Map(),
        answersLost: 0,
        count: 0,
      };
      let up = Promise.withResolvers<void>();
      up.resolve();
      const outlet: Outlet = { url: server.url, isOver: false, up: () => up.promise };
      const queue = [...people];
      const take = (n: number) => queue.splice(0, n);
      const byRest = take(WRITERS.rest);
      const bySocket = take(WRITERS.socket);
      const byBatch = take(WRITERS.batch);
      const adders = await Promise.all(
        take(WRITERS.adds).map(async (me) => ({ me, playlist_id: await playlistOf(me) })),
      );
      const editors = await Promise.all(
        take(WRITERS.provider).map(async (me) => ({ me, playlist_id: await playlistOf(me) })),
      );
      const followers = take(WRITERS.follow);
      const writers = [
        ...byRest.map((me) => listenByRest(outlet, known, me, track_id)),
        ...bySocket.map((me) => listenBySocket(outlet, known, me, track_id)),
        ...byBatch.map((me) => listenByBatch(outlet, known, me, track_id)),
        ...adders.map(({ me, playlist_id }) => addByRest(outlet, known, me, { track_id, playlist_id })),
        ...editors.map(({ me, playlist_id }) => addByProvider(outlet, known, me, { track_id, playlist_id })),
        ...followers.map((me) => follow(outlet, known, me, people, random)),
      ];
      const refused: unknown[] = [];
      const unfinished = new Set(writers.keys());
      for (const [i, writer] of writers.entries()) {
        writer.then(
          () => unfinished.delete(i),
          (error: unknown) => refused.push(error),
        );
      }

      const readyMs: number[] = [];
      const faults: string[] = [];
      for (let kill = 0; kill < KILLS; kill++) {
        await new Promise((resolve) => setTimeout(resolve, 200 + random.int(1_000)));
        up = Promise.withResolvers<void>();
        await server.kill();
        const { lost, doubled } = compare(known);
        faults.push(
          ...lost.map((one) => `kill ${kill}: lost ${one}`),
          ...doubled.map((one) => `kill ${kill}: doubled ${one}`),
        );
        const spawnedMs = performance.now();
        server = await spawnServer(folders, { issuer, env });
        while ((await fetch(`${server.url}/readyz`)).status !== 200)
          await new Promise((resolve) => setTimeout(resolve, 20));
        readyMs.push(performance.now() - spawnedMs);
        up.resolve();
        expect(refused).toEqual([]);
      }
      outlet.isOver = true;
      // By their number: those by REST come first, the ones that follow last.
      await expect.poll(() => [refused, [...unfinished]], { timeout: 30_000 }).toEqual([[], []]);
      expect(await server.stop()).toBe(0);

      const { lost, doubled } = compare(known);
      const db = new Database(path.join(folders.dataDir, 'stepheybot.db'));
      const one = (sql: string) => db.prepare(sql).pluck().get() as number;
      const listens = [...known.listens.values()].reduce((sum, mine) => sum + mine.size, 0);
      const entries = [...known.entries.values()].reduce((sum, mine) => sum + mine.size, 0);
      process.stdout.write(
        `${KILLS} kills (seed ${random.seed}): ${known.count} acknowledged (${listens} listens, ${entries} entries), ` +
          `${faults.length + lost.length} lost, ${doubled.length} doubled, ${known.answersLost} answers lost, ` +
          `ready within ${Math.max(...readyMs).toFixed(0)} ms, ${((performance.now() - startedMs) / 1000).toFixed(0)} s in all\n`,
      );
      expect([faults, lost, doubled]).toEqual([[], [], []]);
      // All of it was acknowledged in the end: there is no more, and no less.
      expect(one('select count(*) from listening_sessions')).toBe(listens);
      expect(one('select count(*) from listening_sessions where counted = 1')).toBe(listens);
      for (const [user_id, mine] of known.listens) {
        expect(db.prepare('select count(*) from listening_sessions where user_id = ?').pluck().get(user_id)).toBe(
          mine.size,
        );
      }
      expect(one('select count(*) from playlist_tracks')).toBe(entries + known.answersLost);
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(db.pragma('foreign_key_check')).toEqual([]);
      db.close();
      expect(listens).toBeGreaterThan(KILLS * 10);
      expect(entries).toBeGreaterThan(KILLS * 5);
      expect(Math.max(...readyMs)).toBeLessThan(5_000);
    },
  );
});
