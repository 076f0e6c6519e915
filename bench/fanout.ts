/**
 * What one person's listening costs when many hear it, and what a connection costs that hears nothing: beside a bare Socket.IO
 * server that broadcasts the same event to one room. Both run as programs of their own; their rounds take turns, and their
 * processor time is what counts. The listeners are bare WebSockets, so that the machine's time goes to the servers.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Server } from 'socket.io';
import { WebSocket } from 'ws';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { updateProfile } from '#domain/accounts/update-profile.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { followUser } from '#domain/social/follow-user.ts';
import { readConfig } from '#server/config.ts';
import { createServer } from '#server/create-server.ts';
import { createLog } from '#server/log.ts';
import { AMPLE } from '../test/support/ample.ts';
import { person } from '../test/support/ctx.ts';
import { putTracks } from '../test/support/room.ts';
import { startMeasured } from './support/child.ts';
import type { Measured } from './support/child.ts';
import type { AddressInfo } from 'node:net';

/** A person has ten sockets at most. */
const SOCKETS_EACH = 10;
const SIZES = [1_000, 5_000] as const;
/** Events a round; each goes to everybody who is connected. */
const EVENTS = { 1_000: 60, 5_000: 12 } as const;
const ROUNDS = 7;
const PEOPLE = 5_000 / SOCKETS_EACH;

interface Hello {
  url: string;
  /** One for each person; the bare server asks for none. */
  tokens: string[];
}
type Question = 'cpu' | 'memory' | 'emit';

/** Answers what the parent asks: processor time, memory after collection, or one event to everybody. */
function answer(hello: Hello, emit: (n: number) => void): void {
  let n = 0;
  process.on('message', (question: Question) => {
    if (question === 'emit') emit(n++);
    if (question === 'memory') {
      globalThis.gc?.();
      const status = readFileSync('/proc/self/status', 'utf8');
      process.send?.({ rssBytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024 });
      return;
    }
    process.send?.({ cpu: process.cpuUsage() });
  });
  process.send?.(hello);
}

/** As ours sends it. */
function updateOf(n: number) {
  const id = 'a'.repeat(22);
  const track = {
    id,
    track_path: `${id}.flac`,
    title: 'Track 0',
    artist: null,
    album: null,
    album_artist: null,
    genre: null,
    year: null,
    track_number: null,
    disc_number: null,
    duration: 200,
    codec: null,
    missing: false,
  };
  return { user_id: id, username: 'person-0', track, position_ms: n, at_ms: 1_700_000_000_000, state: 'playing' };
}

async function serveBare(): Promise<void> {
  const http = createHttpServer();
  const server = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
  server.on('connection', (socket) => void socket.join('listening'));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  answer({ url, tokens: [] }, (n) => server.to('listening').emit('listening:update', updateOf(n)));
}

async function serveOurs(): Promise<void> {
  const { ctx, url } = await createServer({ config: readConfig(process.env), log: createLog('error'), ...AMPLE });
  const [listener, ...followers] = await Promise.all(
    Array.from({ length: PEOPLE + 1 }, (_, i) => person(ctx, `person-${i}`)),
  );
  if (listener === undefined) throw new Error('nobody is there');
  const [track_id = ''] = await putTracks(ctx, 1, { duration: 200 });
  const { session_id } = await startListen(ctx, listener, { track_id, source: 'api', position_ms: 0 });
  await updateProfile(ctx, listener, { privacy_level: 2, share_listening_history: true });
  for (const follower of followers) await followUser(ctx, follower, listener);
  const tokens: string[] = [];
  for (const { user_id } of followers) {
    tokens.push((await createApiToken(ctx, user_id, { name: 'bench', scopes: ['read'] })).token);
  }
  // From the fact on, as a report publishes it; a clock of its own keeps them a second apart.
  let nowMs = Date.now();
  ctx.clock = { nowMs: () => nowMs };
  answer({ url, tokens }, (n) => {
    nowMs += 1_000;
    void ctx.events.publish({
      name: 'listen.progressed',
      payload: {
        user_id: listener.user_id,
        username: listener.username,
        session_id,
        track_id,
        track_duration: 200,
        position_ms: n,
        at_ms: nowMs,
        rate: 1,
        state: 'playing',
      },
    });
  });
}

/** A server under measure and the sockets that listen to it. */
interface Side {
  server: Measured<Hello>;
  sockets: WebSocket[];
  /** Events that have arrived, at all sockets together. */
  heard: number;
  wake: (() => void) | null;
}

async function openSocket(side: Side, i: number): Promise<void> {
  const { url, tokens } = side.server.hello;
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, {
    perMessageDeflate: false,
  });
  side.sockets.push(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('a listener was let go')));
    socket.on('message', (data: Buffer) => {
      const kind = data.subarray(0, 2).toString();
      if (kind === '42') {
        side.heard++;
        side.wake?.();
      } else if (kind[0] === '0') {
        const token = tokens[Math.floor(i / SOCKETS_EACH)];
        socket.send(token === undefined ? '40' : `40${JSON.stringify({ token })}`);
      } else if (kind[0] === '2') socket.send('3');
      else if (kind === '40') resolve();
      else if (kind === '44') reject(new Error(data.toString()));
    });
  });
}

async function grow(side: Side, count: number): Promise<void> {
  while (side.sockets.length < count) {
    const from = side.sockets.length;
    const size = Math.min(50, count - from);
    await Promise.all(Array.from({ length: size }, (_, k) => openSocket(side, from + k)));
  }
}

/** One event until it has reached everybody. */
async function deliver(side: Side): Promise<void> {
  const wanted = side.heard + side.sockets.length;
  const all = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${wanted - side.heard} of ${side.sockets.length} did not hear`)),
      30_000,
    );
    side.wake = () => {
      if (side.heard < wanted) return;
      clearTimeout(timer);
      side.wake = null;
      resolve();
    };
  });
  await side.server.ask('emit');
  await all;
}

async function rssBytes(side: Side): Promise<number> {
  return (await side.server.ask<{ rssBytes: number }>('memory')).rssBytes;
}

const round = (n: number) => Math.round(n * 100) / 100;

async function compare(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-fanout-'));
  mkdirSync(path.join(folder, 'music'));
  const settings = { PORT: '0', DATA_DIR: path.join(folder, 'data'), MUSIC_DIR: path.join(folder, 'music') };
  const open = async (mode: string, env: Record<string, string>): Promise<Side> => ({
    server: await startMeasured<Hello>(import.meta.filename, mode, env, ['--expose-gc']),
    sockets: [],
    heard: 0,
    wake: null,
  });
  try {
    const sides = { bare: await open('bare', {}), ours: await open('ours', settings) };
    const perConnection = { bare: 0, ours: 0 };
    for (const size of SIZES) {
      for (const name of ['bare', 'ours'] as const) {
        const side = sides[name];
        const before = await rssBytes(side);
        const first = side.sockets.length;
        await grow(side, size);
        // The second thousands: what a server sets up once is there by then.
        perConnection[name] = ((await rssBytes(side)) - before) / (size - first);
      }
      const best = { bare: Infinity, ours: Infinity };
      for (let i = 0; i <= ROUNDS; i++) {
        for (const name of ['bare', 'ours'] as const) {
          const side = sides[name];
          const before = await side.server.cpuMicros();
          for (let n = 0; n < EVENTS[size]; n++) await deliver(side);
          const each = ((await side.server.cpuMicros()) - before) / (EVENTS[size] * size);
          // The first warms up.
          if (i > 0) best[name] = Math.min(best[name], each);
        }
      }
      const figures = [
        {
          name: `listening:update to ${size} followers, processor time a delivery`,
          value: round(best.ours),
          unit: 'µs',
        },
        { name: `bare Socket.IO broadcast to ${size}, a delivery`, value: round(best.bare), unit: 'µs' },
        {
          name: `listening:update to ${size} followers against a bare broadcast`,
          value: round(best.ours / best.bare),
          unit: '×',
          must: 1.15,
          direction: 'max',
        },
      ];
      for (const figure of figures) console.log(JSON.stringify(figure));
    }
    const figures = [
      { name: 'memory of an idle authenticated connection', value: round(perConnection.ours / 1024), unit: 'KiB' },
      { name: 'memory of an idle bare Socket.IO connection', value: round(perConnection.bare / 1024), unit: 'KiB' },
      {
        name: 'memory of an idle connection against bare Socket.IO',
        value: round(perConnection.ours / perConnection.bare),
        unit: '×',
        must: 1.5,
        direction: 'max',
      },
    ];
    for (const figure of figures) console.log(JSON.stringify(figure));
    for (const { sockets, server } of Object.values(sides)) {
      for (const socket of sockets) {
        socket.removeAllListeners('close');
        socket.terminate();
      }
      await server.kill();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const mode = process.argv[2];
await (mode === 'bare' ? serveBare() : mode === 'ours' ? serveOurs() : compare());
