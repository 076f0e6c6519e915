import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { io } from 'socket.io-client';
import { signIn } from '#server/demo/visitor.ts';
import { seeded } from '#server/demo/seeded.ts';
import type { Followee } from '#contract/social.ts';
import type { HistoryItem, ListeningUpdate } from '#contract/listens.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { Track } from '#contract/library.ts';
import type { Visitor } from '#server/demo/visitor.ts';
import type { ChildProcess } from 'node:child_process';
import type { z } from 'zod';

const DEMO = path.resolve(import.meta.dirname, '../../src/server/demo.ts');

/** One demo for all of these: it takes a while to make its music. */
describe('npm run demo', () => {
  let tmp: string;
  let child: ChildProcess;
  let exited: Promise<number | null>;
  let url: string;
  let robin: Visitor;

  beforeAll(async () => {
    tmp = mkdtempSync(path.join(tmpdir(), 'stepheybot-test-'));
    child = spawn(process.execPath, [DEMO], {
      env: {
        PATH: process.env.PATH ?? '',
        TMPDIR: tmp,
        PORT: '0',
        DATA_DIR: '/nonexistent',
        MUSIC_DIR: '/nonexistent',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    let output = '';
    const told = await new Promise<string[]>((resolve, reject) => {
      const read = (chunk: Buffer) => {
        output += chunk.toString();
        const match = /Open (\S+) and sign in as "(\S+)" with the password "(\S+)"/.exec(output);
        if (match !== null) resolve(match.slice(1));
      };
      child.stdout?.on('data', read);
      child.stderr?.on('data', read);
      child.once('exit', (code) => reject(new Error(`the demo ended with ${code}:\n${output}`)));
    });
    const [address = '', username = '', password = ''] = told;
    url = address;
    robin = await signIn(url, { username, password, user_id: '' });
  }, 120_000);
  afterAll(() => {
    child.kill('SIGKILL');
    rmSync(tmp, { recursive: true, force: true });
  });

  async function get<T>(address: string): Promise<T> {
    const response = await fetch(`${url}/api/v1${address}`, { headers: robin.headers });
    expect(response.status).toBe(200);
    return (await response.json()) as T;
  }

  test('[OP10] there are forty tagged tracks with covers, a year of history, playlists with members', async () => {
    const { items: tracks } = await get<{ items: Track[] }>('/library/tracks?limit=200');
    expect(tracks).toHaveLength(40);
    expect(new Set(tracks.map((track) => track.album)).size).toBe(8);
    expect(tracks.every((track) => track.has_cover && (track.duration ?? 0) >= 35)).toBe(true);
    let cursor: string | null = '';
    let oldest = Number.POSITIVE_INFINITY;
    while (cursor !== null) {
      const page: { items: z.output<typeof HistoryItem>[]; next_cursor: string | null } = await get(
        `/listen/history?limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      for (const item of page.items) oldest = Math.min(oldest, item.started_at);
      cursor = page.next_cursor;
    }
    expect(Date.now() / 1000 - oldest).toBeGreaterThan(350 * 24 * 3600);
    const { items: playlists } = await get<{ items: Playlist[] }>('/playlists');
    expect(playlists.map((playlist) => playlist.role).sort()).toEqual(['editor', 'owner', 'viewer']);
    expect(playlists.every((playlist) => playlist.track_count > 0)).toBe(true);
  });

  test('[OP11] friends are heard live through the door, and the private one is not', async () => {
    const socket = io(url, { transports: ['websocket'], extraHeaders: robin.headers, reconnection: false });
    const heard = new Set<string>();
    await new Promise<void>((resolve) => {
      socket.on('listening:update', (update: ListeningUpdate) => {
        heard.add(update.username);
        if (heard.size >= 3) resolve();
      });
    });
    socket.disconnect();
    expect([...heard].sort()).toEqual(['june', 'mira', 'tomas']);
    const { items } = await get<{ items: Followee[] }>('/social/following');
    expect(items.find((one) => one.username === 'sol')).toMatchObject({ listening: null, presence: 'offline' });
  });

  test('[OP11] a playlist changes by itself, edited by the stock provider', async () => {
    const { items } = await get<{ items: Playlist[] }>('/playlists');
    const live = items.find((playlist) => playlist.name === 'Friday kitchen');
    const entries = async () => JSON.stringify(await get(`/playlists/${live?.id}/tracks`));
    const before = await entries();
    await expect.poll(entries, { timeout: 60_000, interval: 500 }).not.toBe(before);
  }, 90_000);

  test('[OP12] Ctrl-C ends it in order, and nothing is left behind', async () => {
    expect(readdirSync(tmp)).toHaveLength(1);
    expect(existsSync('/nonexistent')).toBe(false);
    child.kill('SIGINT');
    expect(await exited).toBe(0);
    expect(readdirSync(tmp)).toEqual([]);
  });
});

test('[OP10] chance is the same every time', () => {
  const [a, b] = [seeded(7), seeded(7)];
  const draw = (chance: typeof a) => Array.from({ length: 50 }, () => chance.between(1, 6));
  const drawn = draw(a);
  expect(draw(b)).toEqual(drawn);
  expect(new Set(drawn)).toEqual(new Set([1, 2, 3, 4, 5, 6]));
});
