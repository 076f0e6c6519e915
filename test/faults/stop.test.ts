import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bareGateway } from '../support/bare-websocket.ts';
import { restClient } from '../support/clients.ts';
import { startIssuer } from '../support/issuer.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import { rawSocket } from '../support/world.ts';
import type { ScanState, Track } from '#contract/library.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { TestIssuer } from '../support/issuer.ts';
import type { Folders, Program } from '../support/server.ts';

const PEOPLE = 50;
const SOCKETS_EACH = 10;
const LISTS = 20;
const PER_SECOND = 500;

let folders: Folders;
let issuer: TestIssuer;
let server: Program;
let track_id: string;
const tokenOf = (username: string) =>
  issuer.issueAccessToken({ sub: username, username, roles: ['user'] }, { exp: Math.floor(Date.now() / 1000) + 3_600 });

beforeEach(async () => {
  folders = makeFolders();
  mkdirSync(folders.musicDir, { recursive: true });
  makeLibrary(folders.musicDir, { 'one.wav': { title: 'One', artist: 'A', album: 'B', seconds: 120 } });
  issuer = await startIssuer();
  server = await spawnServer(folders, { issuer });
  const rest = restClient(server.url, await tokenOf('first'));
  await expect.poll(async () => (await rest.get<ScanState>('/library/scan')).state, { timeout: 20_000 }).toBe('idle');
  track_id = (await rest.get<{ items: Track[] }>('/library/tracks')).items[0]!.id;
});
afterEach(async () => {
  await server.stop();
  await issuer.close();
  folders.remove();
});

/** The status of one call on a line that is kept open; 0 when nobody answers any more. */
function statusOn(agent: Agent, url: string): Promise<number> {
  return new Promise((resolve) => {
    const call = get(url, { agent }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', () => resolve(0));
    });
    call.once('error', () => resolve(0));
  });
}

describe('SIGTERM', () => {
  test(
    `[OP23] at ${PER_SECOND} calls a second and ${PEOPLE * SOCKETS_EACH} sockets: unready at once, all told, nothing acknowledged lost, 0 within ten seconds`,
    { timeout: 120_000 },
    async () => {
      const tokens = await Promise.all(Array.from({ length: PEOPLE }, (_one, i) => tokenOf(`person${i}`)));
      const lines = [];
      for (const token of tokens) {
        lines.push(...(await Promise.all(Array.from({ length: SOCKETS_EACH }, () => bareGateway(server.url, token)))));
      }
      const lists = await Promise.all(
        tokens.slice(0, LISTS).map(async (token) => {
          const { id } = await restClient(server.url, token).post<Playlist>('/playlists', { name: 'Open' });
          const socket = await rawSocket(server.url, `/yjs/${id}`, { authorization: `Bearer ${token}` });
          if (typeof socket === 'number') throw new Error(String(socket));
          return socket;
        }),
      );
      // One who was refused, and whose end of the line stays open for ever.
      const { port } = new URL(server.url);
      const halfOpen = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
      halfOpen.on('error', () => halfOpen.destroy());
      halfOpen.write(
        `GET /yjs/aaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      );

      const acknowledged: string[] = [];
      const statuses = new Map<number, number>();
      let isOver = false;
      let inFlight = 0;
      const startedMs = performance.now();
      async function write(token: string): Promise<void> {
        const client_session_id = crypto.randomUUID();
        let status = 0;
        inFlight += 1;
        try {
          const response = await fetch(`${server.url}/api/v1/listen/start`, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
            body: JSON.stringify({ track_id, source: 'api', client_session_id }),
          });
          await response.text();
          status = response.status;
        } catch {
          // Nobody answers any more, or the answer was cut: not acknowledged.
        }
        inFlight -= 1;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (status === 200) acknowledged.push(client_session_id);
      }
      const calls: Promise<void>[] = [];
      let asked = 0;
      const caller = setInterval(() => {
        const due = Math.floor(((performance.now() - startedMs) / 1000) * PER_SECOND);
        // No more than a busy machine can take: what only waits in this process is no load.
        for (; asked < due && inFlight < 100 && !isOver; asked++) calls.push(write(tokens[asked % tokens.length]!));
      }, 5);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      expect(await statusOn(agent, `${server.url}/readyz`)).toBe(200);
      await expect.poll(() => acknowledged.length).toBeGreaterThan(PER_SECOND);
      const rate = acknowledged.length / ((performance.now() - startedMs) / 1000);

      const signalledMs = performance.now();
      const exit = server.stop();
      // The signal is taken in the next turn of the other process: who asks a moment later is told.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const unready = await statusOn(agent, `${server.url}/readyz`);
      const anew = await statusOn(new Agent(), `${server.url}/readyz`);
      const code = await exit;
      const tookMs = performance.now() - signalledMs;
      isOver = true;
      clearInterval(caller);
      await Promise.all(calls);
      await Promise.all(lines.map((line) => line.closed));
      const told = lines.filter((line) => line.received().includes('["session:ended",{"reason":"restart"}]')).length;
      const codes = await Promise.all(lists.map((list) => list.closed));
      halfOpen.destroy();
      agent.destroy();

      const db = new Database(path.join(folders.dataDir, 'stepheybot.db'));
      const stored = new Set(db.prepare('select client_session_id from listening_sessions').pluck().all() as string[]);
      const lost = acknowledged.filter((id) => !stored.has(id));
      process.stdout.write(
        `SIGTERM at ${rate.toFixed(0)} calls a second and ${lines.length} + ${lists.length} sockets: ended with ${code} after ` +
          `${tookMs.toFixed(0)} ms, ${told} + ${codes.filter((one) => one === 1012).length} told, ` +
          `${acknowledged.length} acknowledged, ${lost.length} lost; ready said ${unready}, then ${anew}\n`,
      );
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(10_000);
      expect([unready, anew].filter((status) => status === 200)).toEqual([]);
      expect(told).toBe(lines.length);
      expect(codes).toEqual(lists.map(() => 1012));
      expect(lost).toEqual([]);
      // Each was taken, or was told that it was not.
      expect([...statuses.keys()].filter((status) => ![0, 200, 503].includes(status))).toEqual([]);
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
      db.close();
    },
  );

  test('[OP23] a line that was refused and is held open from the other end does not hold it up', async () => {
    const { port } = new URL(server.url);
    const lines = Array.from({ length: 20 }, () => {
      const line = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
      line.on('error', () => line.destroy());
      line.write(
        `GET /yjs/aaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      );
      return line;
    });
    await Promise.all(lines.map((line) => once(line, 'data')));
    const startedMs = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    for (const line of lines) line.destroy();
  });

  test('[OP23] a line whose caller is still being looked at does not hold it up', async () => {
    const fresh = await spawnServer(folders, { issuer, env: { DATA_DIR: path.join(folders.dataDir, 'other') } });
    const token = await tokenOf('first');
    // The first token it sees makes it ask for keys, which do not come.
    issuer.slow = 4_500;
    const { port, host } = new URL(fresh.url);
    const line = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
    line.on('error', () => line.destroy());
    line.write(
      `GET /yjs/aaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    );
    const { requests } = issuer;
    await expect.poll(() => issuer.requests).toBeGreaterThan(requests);
    const startedMs = performance.now();
    expect(await fresh.stop()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(3_500);
    line.destroy();
    issuer.slow = 0;
  });

  test('[OP23] a second signal ends it at once', async () => {
    // A song in the middle of which nobody reads: the first signal gives it a moment.
    const { port, host } = new URL(server.url);
    const reader = connect({ port: Number(port), host: '127.0.0.1' });
    reader.on('error', () => reader.destroy());
    reader.write(
      `GET /api/v1/library/tracks/${track_id}/stream HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${await tokenOf('first')}\r\n\r\n`,
    );
    await once(reader, 'data');
    reader.pause();
    const startedMs = performance.now();
    const exit = server.stop();
    await new Promise((resolve) => setTimeout(resolve, 200));
    process.kill(server.pid, 'SIGTERM');
    expect(await exit).toBe(1);
    process.stdout.write(`a second signal: ended ${(performance.now() - startedMs - 200).toFixed(0)} ms after it\n`);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    reader.destroy();
  });
});
