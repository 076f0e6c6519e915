/**
 * What a stored report costs beside a bare echo: `listen:progress`, acknowledged once it is on disk (synchronous=FULL),
 * against a Socket.IO server that only acknowledges. Both run as programs of their own and count their processor time.
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

const CLIENTS = 20;
/** Reports each client has on the way at once: none waits for its own answer before it sends the next. */
const IN_FLIGHT = 4;
const REPORTS = 15_000;
const WARM_UP = 2_000;

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

interface Measured {
  perSecond: number;
  medianMs: number;
  cpuMicros: number;
}

async function drive(sockets: readonly Socket[], track_id: string, count: number): Promise<number[]> {
  const latencies: number[] = [];
  let left = count;
  await Promise.all(
    sockets.map(async (socket) => {
      const started = (await socket.timeout(10_000).emitWithAck('listen:start', { track_id, source: 'api' })) as {
        data: { session_id: string };
      };
      const { session_id } = started.data;
      let seq = 0;
      const lane = async () => {
        while (left-- > 0) {
          seq++;
          const sentMs = performance.now();
          const report = { session_id, seq, position_ms: seq * 5, state: 'playing' };
          const answer = (await socket.timeout(10_000).emitWithAck('listen:progress', report)) as { ok: boolean };
          if (!answer.ok) throw new Error(`a report was refused: ${JSON.stringify(answer)}`);
          latencies.push(performance.now() - sentMs);
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
    }),
  );
  return latencies;
}

async function measure(
  mode: 'ours' | 'echo',
  env: Record<string, string>,
  tokens: readonly string[],
): Promise<Measured> {
  const server = await startMeasured<{ url: string }>(import.meta.filename, mode, env);
  const { url } = server.hello;
  const sockets = await Promise.all(
    tokens.map(async (token) => {
      const socket = io(url, { transports: ['websocket'], auth: { token }, forceNew: true, reconnection: false });
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('connect_error', reject);
      });
      return socket;
    }),
  );
  let track_id = 'echo';
  if (mode === 'ours') {
    const response = await fetch(`${url}/api/v1/library/tracks`, { headers: { authorization: `Bearer ${tokens[0]}` } });
    track_id = ((await response.json()) as { items: { id: string }[] }).items[0]?.id ?? '';
  }
  await drive(sockets, track_id, WARM_UP);
  const beforeMicros = await server.cpuMicros();
  const startedMs = performance.now();
  const latencies = await drive(sockets, track_id, REPORTS);
  const tookMs = performance.now() - startedMs;
  const afterMicros = await server.cpuMicros();
  for (const socket of sockets) socket.disconnect();
  await server.kill();
  latencies.sort((a, b) => a - b);
  return {
    perSecond: latencies.length / (tookMs / 1000),
    medianMs: latencies[Math.floor(latencies.length / 2)] ?? Number.NaN,
    cpuMicros: (afterMicros - beforeMicros) / latencies.length,
  };
}

async function compare(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-gateway-'));
  const music = path.join(folder, 'music');
  mkdirSync(music);
  makeLibrary(music, { 'one.wav': { title: 'One', artist: 'Bench', album: 'Bench', seconds: 1 } });
  const issuer = await startIssuer();
  try {
    const tokens = await Promise.all(
      Array.from({ length: CLIENTS }, (_, i) =>
        issuer.issueAccessToken({ sub: `bench-${i}`, username: `bench-${i}`, roles: ['user'] }),
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
    const echo = await measure('echo', {}, tokens);
    const ours = await measure('ours', settings, tokens);
    const round = (n: number) => Math.round(n * 10) / 10;
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
      },
      { name: 'bare echo against listen:progress, rate', value: round(echo.perSecond / ours.perSecond), unit: '×' },
    ];
    for (const figure of figures) console.log(JSON.stringify(figure));
  } finally {
    await issuer.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const mode = process.argv[2];
await (mode === 'echo' ? serveEcho() : mode === 'ours' ? serveOurs() : compare());
