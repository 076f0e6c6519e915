import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gatewayClient, restClient } from '../support/clients.ts';
import { startIssuer } from '../support/issuer.ts';
import { makeLibrary, makePng } from '../support/music/make-track.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import { makeSmallVolume } from '../support/small-volume.ts';
import type { ScanState, Track } from '#contract/library.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { TestIssuer } from '../support/issuer.ts';
import type { Folders, Program } from '../support/server.ts';
import type { SmallVolume } from '../support/small-volume.ts';

const FULL_MS = 4_000;
/** So that a disk is full after hundreds of reports, not after a hundred thousand. */
const BULKY = Object.fromEntries(Array.from({ length: 60 }, (_one, i) => [`note ${i}`, 'x'.repeat(500)]));

type Way = 'start by REST' | 'start by socket' | 'batch' | 'edit of a list' | 'new list' | 'picture';

describe('a disk that is full', () => {
  let folders: Folders;
  let volume: SmallVolume;
  let issuer: TestIssuer;
  let server: Program;
  beforeAll(async () => {
    const made = makeFolders();
    mkdirSync(made.musicDir, { recursive: true });
    volume = makeSmallVolume(path.dirname(made.dataDir), 64);
    folders = { ...made, dataDir: path.join(volume.dir, 'data') };
    makeLibrary(folders.musicDir, { 'one.wav': { title: 'One', artist: 'A', album: 'B', seconds: 40 } });
    issuer = await startIssuer();
    server = await spawnServer(folders, { issuer });
  });
  afterAll(async () => {
    await server.stop();
    await issuer.close();
    volume.remove();
    folders.remove();
  });

  test(
    '[OP22] writes are 507 and never acknowledged, reads and sockets go on, and it heals by itself',
    { timeout: 120_000 },
    async () => {
      const tokenOf = (username: string) =>
        issuer.issueAccessToken(
          { sub: username, username, roles: ['user'] },
          { exp: Math.floor(Date.now() / 1000) + 3_600 },
        );
      const [token, reader] = [await tokenOf('ana'), await tokenOf('ben')];
      const [ana, ben] = [restClient(server.url, token), restClient(server.url, reader)];
      await expect
        .poll(async () => (await ana.get<ScanState>('/library/scan')).state, { timeout: 20_000 })
        .toBe('idle');
      const [track] = (await ana.get<{ items: Track[] }>('/library/tracks')).items;
      const track_id = track!.id;
      const list = await ana.post<Playlist>('/playlists', { name: 'Before' });
      const writing = await gatewayClient(server.url, token);
      const reading = await gatewayClient(server.url, reader);
      const picture = makePng(64, '#336699');

      const acknowledged = new Set<string>();
      const refused = new Map<Way, number>();
      const refusedNames = new Set<string>();
      const odd: string[] = [];
      /** One write, by its own name. @returns whether it was acknowledged */
      const ways: Record<Way, (name: string) => Promise<number>> = {
        'start by REST': async (name) =>
          (
            await ana.call('POST', '/listen/start', {
              track_id,
              source: 'api',
              client_session_id: name,
              client_info: BULKY,
            })
          ).status,
        'start by socket': async (name) => {
          const ack = await writing.request('listen:start', { track_id, source: 'api', client_session_id: name });
          return ack.ok ? 200 : ack.problem.status;
        },
        batch: async (name) => {
          const event = { event: 'listen:start', track_id, source: 'api', client_session_id: name };
          const ack = await writing.request('listen:batch', { sent_at_ms: Date.now(), events: [event] });
          if (!ack.ok) return ack.problem.status;
          const [result] = ack.data.results;
          return result?.ok === true ? 200 : (result?.problem.status ?? 0);
        },
        'edit of a list': async () =>
          (await ana.call('POST', `/playlists/${list.id}/tracks`, { track_ids: [track_id] })).status,
        'new list': async (name) => (await ana.call('POST', '/playlists', { name })).status,
        picture: async () => {
          const response = await fetch(`${server.url}/api/v1/user/avatar`, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}`, 'content-type': 'image/png' },
            body: new Uint8Array(picture),
          });
          await response.arrayBuffer();
          return response.status;
        },
      };
      async function write(way: Way): Promise<boolean> {
        const name = crypto.randomUUID();
        const status = await ways[way](name);
        if (status < 300) acknowledged.add(`${way} ${name}`);
        else if (status === 507) {
          refused.set(way, (refused.get(way) ?? 0) + 1);
          refusedNames.add(name);
        } else odd.push(`${way}: ${status}`);
        return status < 300;
      }
      const all = Object.keys(ways) as Way[];
      for (const way of all) expect([way, await write(way)]).toEqual([way, true]);
      const filesBefore = readdirSync(folders.dataDir, { recursive: true }).map(String).sort();

      let isOver = false;
      let slowestReadMs = 0;
      let reads = 0;
      async function read(): Promise<void> {
        while (!isOver) {
          const askedMs = performance.now();
          expect((await ben.call('GET', '/library/tracks')).status).toBe(200);
          expect((await ana.call('GET', '/listen/history?include=all')).status).toBe(200);
          const stream = await fetch(`${server.url}/api/v1/library/tracks/${track_id}/stream`, {
            headers: { authorization: `Bearer ${reader}`, range: 'bytes=0-9999' },
          });
          expect([stream.status, (await stream.arrayBuffer()).byteLength]).toEqual([206, 10_000]);
          expect((await reading.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
          slowestReadMs = Math.max(slowestReadMs, performance.now() - askedMs);
          reads += 1;
        }
      }
      const readers = read();
      // A reader's own failure ends the test where it is awaited.
      readers.catch(() => undefined);
      const writers = all.map(async (way) => {
        while (!isOver) {
          await write(way);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      });

      await expect.poll(() => acknowledged.size, { timeout: 30_000 }).toBeGreaterThan(150);
      volume.fill(server.pid);
      await expect.poll(() => refused.get('start by REST') ?? 0, { timeout: 30_000 }).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, FULL_MS));
      const readsWhileFull = reads;
      const ready = (await fetch(`${server.url}/readyz`)).status;
      volume.empty(server.pid);
      const emptiedMs = performance.now();
      isOver = true;
      await Promise.all(writers);
      const healed = await Promise.all(
        all.map(async (way) => {
          await expect.poll(() => write(way), { timeout: 10_000, interval: 50 }).toBe(true);
          return performance.now() - emptiedMs;
        }),
      );
      await readers;
      const filesAfter = readdirSync(folders.dataDir, { recursive: true }).map(String).sort();
      reading.close();
      writing.close();
      const shown = (await ana.get<{ items: unknown[] }>(`/playlists/${list.id}/tracks?limit=200`)).items.length;
      expect(await server.stop()).toBe(0);

      const db = new Database(path.join(folders.dataDir, 'stepheybot.db'));
      const names = new Set(
        db
          .prepare('select client_session_id from listening_sessions union all select name from user_playlists')
          .pluck()
          .all() as string[],
      );
      const named = [...acknowledged].filter((one) => !/^(edit of a list|picture)/.test(one));
      const lost = named.filter((one) => !names.has(one.split(' ').at(-1) ?? ''));
      const halves = [...refusedNames].filter((name) => names.has(name));
      const edits = [...acknowledged].filter((one) => one.startsWith('edit of a list')).length;
      process.stdout.write(
        `disk full (${volume.kind}): ${[...refused.values()].reduce((a, b) => a + b, 0)} writes refused with 507, ` +
          `${acknowledged.size} acknowledged, ${lost.length} lost, ${halves.length} of the refused there; ` +
          `${readsWhileFull} rounds of reads, the slowest ${slowestReadMs.toFixed(0)} ms; all well ${Math.max(...healed).toFixed(0)} ms after\n`,
      );
      expect(odd).toEqual([]);
      expect([...refused.keys()].sort()).toEqual([...all].sort());
      expect([lost, halves]).toEqual([[], []]);
      expect(db.prepare('select count(*) from playlist_tracks where playlist_id = ?').pluck().get(list.id)).toBe(edits);
      expect(shown).toBe(Math.min(edits, 200));
      expect(ready).toBe(200);
      expect(readsWhileFull).toBeGreaterThan(10);
      expect(Math.max(...healed)).toBeLessThan(5_000);
      expect(filesAfter.filter((file) => !filesBefore.includes(file))).toEqual([]);
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(db.pragma('foreign_key_check')).toEqual([]);
      db.close();
    },
  );
});
