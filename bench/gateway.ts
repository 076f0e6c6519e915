/**
 * What a stored report costs beside a bare echo: `listen:progress`, acknowledged once it is on disk (synchronous=FULL),
 * against a Socket.IO server that only acknowledges. Both run as programs of their own; their rounds take turns, and their
 * processor time is what counts.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { readConfig } from '#server/config.ts';
import { createServer } from '#server/create-server.ts';
import { createLog } from '#server/log.ts';
import { AMPLE } from '../test/support/ample.ts';
import { startIssuer } from '../test/support/issuer.ts';
import { makeLibrary } from '../test/support/music/make-track.ts';
import { answerParent, startMeasured } from './support/child.ts';
import type { AddressInfo } from 'node:net';
import type { Socket } from 'socket.io-client';
import type { Measured } from './support/child.ts';

const CLIENTS = 50;
/** Reports each client has on the way at once: none waits for its own answer before it sends the next. */
const IN_FLIGHT = 4;
const REPORTS = 10_000;
const ROUNDS = 5;
/** Longer than all rounds take, so that every report tells of something heard. */
const TRACK_SECONDS = 300;

async function serveEcho(): Promise<void> {
  const http = createHttpServer();
  const server = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
  server.on('connection', (socket) => {
    socket.on('listen:start', (_payload: unknown, ack: (answer: unknown) => void) =>
      ack({ ok: true, data: { session_id: 'echo' } }),
    );
    socket.on('listen:progress', (payload: unknown, ack: (answer: unknown) => void) =>
      ack({ ok: true, data: payload }),
    );
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  answerParent({ url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
}

async function serveOurs(): Promise<void> {
  const server = await createServer({ config: readConfig(process.env), log: createLog('error'), ...AMPLE });
  server.scanner.start();
  await server.scanner.whenIdle();
  answerParent({ url: server.url });
}

/** A server under measure, with its clients connected and their playbacks begun. */
interface Side {
  server: Measured<{ url: string }>;
  lanes: Lane[];
}
/** One socket's playback; `seq` goes on from round to round. */
interface Lane {
  socket: Socket;
  session_id: string;
  begunMs: number;
  seq: number;
}

async function openSide(mode: 'ours' | 'echo', env: Record<string, string>, tokens: readonly string[]): Promise<Side> {
  const server = await startMeasured<{ url: string }>(import.meta.filename, mode, env);
  const { url } = server.hello;
  let track_id = 'echo';
  if (mode === 'ours') {
    const response = await fetch(`${url}/api/v1/library/tracks`, { headers: { authorization: `Bearer ${tokens[0]}` } });
    track_id = ((await response.json()) as { items: { id: string }[] }).items[0]?.id ?? '';
  }
  const lanes = await Promise.all(
    tokens.map(async (token) => {
      const socket = io(url, { transports: ['websocket'], auth: { token }, forceNew: true, reconnection: false });
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('connect_error', reject);
      });
      const started = (await socket.timeout(10_000).emitWithAck('listen:start', { track_id, source: 'api' })) as {
        data: { session_id: string };
      };
      return { socket, session_id: started.data.session_id, begunMs: performance.now(), seq: 0 };
    }),
  );
  return { server, lanes };
}

interface Round {
  perSecond: number;
  medianMs: number;
  cpuMicros: number;
}

async function runRound({ server, lanes }: Side): Promise<Round> {
  const latencies: number[] = [];
  let left = REPORTS;
  const beforeMicros = await server.cpuMicros();
  const startedMs = performance.now();
  const run = async (lane: Lane) => {
    while (left-- > 0) {
      const seq = ++lane.seq;
      const sentMs = performance.now();
      const report = { session_id: lane.session_id, seq, position_ms: sentMs - lane.begunMs, state: 'playing' };
      const answer = (await lane.socket.timeout(10_000).emitWithAck('listen:progress', report)) as { ok: boolean };
      if (!answer.ok) throw new Error(`a report was refused: ${JSON.stringify(answer)}`);
      latencies.push(performance.now() - sentMs);
    }
  };
  await Promise.all(lanes.flatMap((lane) => Array.from({ length: IN_FLIGHT }, () => run(lane))));
  const tookMs = performance.now() - startedMs;
  const usedMicros = (await server.cpuMicros()) - beforeMicros;
  latencies.sort((a, b) => a - b);
  return {
    perSecond: latencies.length / (tookMs / 1000),
    medianMs: latencies[Math.floor(latencies.length / 2)] ?? Number.NaN,
    cpuMicros: usedMicros / latencies.length,
  };
}

/** The least disturbed of its rounds. */
const best = (rounds: readonly Round[]): Round => rounds.reduce((a, b) => (b.cpuMicros < a.cpuMicros ? b : a));

async function compare(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-gateway-'));
  const music = path.join(folder, 'music');
  mkdirSync(music);
  makeLibrary(music, { 'one.wav': { title: 'One', artist: 'Bench', album: 'Bench', seconds: TRACK_SECONDS } });
  const issuer = await startIssuer();
  try {
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const tokens = await Promise.all(
      Array.from({ length: CLIENTS }, (_, i) =>
        issuer.issueAccessToken({ sub: `bench-${i}`, username: `bench-${i}`, roles: ['user'] }, { exp }),
      ),
    );
    const settings = {
      PORT: '0',
      DATA_DIR: path.join(folder, 'data'),
      MUSIC_DIR: music,
      OIDC_ISSUER: issuer.url,
      OIDC_CLIENT_ID: issuer.clientId,
      OIDC_CLIENT_SECRET: issuer.clientSecret,
      OIDC_AUDIENCE: issuer.audience,
    };
    const sides = { echo: await openSide('echo', {}, tokens), ours: await openSide('ours', settings, tokens) };
    const rounds = { echo: [] as Round[], ours: [] as Round[] };
    for (let i = 0; i <= ROUNDS; i++) {
      for (const name of ['echo', 'ours'] as const) {
        const round = await runRound(sides[name]);
        // The first warms up.
        if (i > 0) rounds[name].push(round);
      }
    }
    for (const { server, lanes } of Object.values(sides)) {
      for (const { socket } of lanes) socket.disconnect();
      await server.kill();
    }
    const echo = best(rounds.echo);
    const ours = best(rounds.ours);
    const round = (n: number) => Math.round(n * 100) / 100;
    const figures = [
      { name: 'listen:progress on disk and acknowledged', value: Math.round(ours.perSecond), unit: '/s' },
      { name: 'bare Socket.IO echo', value: Math.round(echo.perSecond), unit: '/s' },
      { name: 'listen:progress, median time to its acknowledgement', value: round(ours.medianMs), unit: 'ms' },
      { name: 'bare echo, median', value: round(echo.medianMs), unit: 'ms' },
      { name: 'listen:progress, processor time each', value: round(ours.cpuMicros), unit: 'µs' },
      { name: 'bare echo, processor time each', value: round(echo.cpuMicros), unit: 'µs' },
      {
        name: 'listen:progress against bare echo, processor time',
        value: round(ours.cpuMicros / echo.cpuMicros),
        unit: '×',
        must: 2,
        direction: 'max',
      },
    ];
    for (const figure of figures) console.log(JSON.stringify(figure));
  } finally {
    await issuer.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const mode = process.argv[2];
await (mode === 'echo' ? serveEcho() : mode === 'ours' ? serveOurs() : compare());
