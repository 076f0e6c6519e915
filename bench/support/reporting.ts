/** What the measures of a report share: servers in programs of their own, and clients that report to them. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as nextMillisecond } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { readConfig } from '#server/config.ts';
import { createServer } from '#server/create-server.ts';
import { createLog } from '#server/log.ts';
import { AMPLE } from '../../test/support/ample.ts';
import { startIssuer } from '../../test/support/issuer.ts';
import { makeLibrary } from '../../test/support/music/make-track.ts';
import { answerParent, startMeasured } from './child.ts';
import type { Socket } from 'socket.io-client';
import type { Measured } from './child.ts';

const CLIENTS = 50;
/** Reports each client has on the way at once: none waits for its own answer before it sends the next. */
const IN_FLIGHT = 4;
/** Longer than all rounds take, so that every report tells of something heard. */
const TRACK_SECONDS = 600;

/** In the child: our server, as it is but for limits nobody here comes near. */
export async function serveOurs(): Promise<void> {
  const server = await createServer({ config: readConfig(process.env), log: createLog('error'), ...AMPLE });
  server.scanner.start();
  await server.scanner.whenIdle();
  answerParent({ url: server.url });
}

/** A server under measure, with its clients connected and their playbacks begun. */
export interface Side {
  server: Measured<{ url: string }>;
  lanes: Lane[];
  close(): Promise<void>;
}
/** One socket's playback; `seq` goes on from round to round. */
interface Lane {
  socket: Socket;
  session_id: string;
  begunMs: number;
  seq: number;
}

export interface Stage {
  /** A folder that is removed at the end. */
  folder: string;
  /** Settings of one more server of ours, with its own data, the same library and the same accounts. */
  settings(): Record<string, string>;
  /** Tokens of people who report, and of others. */
  tokens: readonly string[];
  others: readonly string[];
}

/** Has `measure` done with a library and a provider of accounts. */
export async function onStage(measure: (stage: Stage) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-reports-'));
  const music = path.join(folder, 'music');
  mkdirSync(music);
  makeLibrary(music, { 'one.wav': { title: 'One', artist: 'Bench', album: 'Bench', seconds: TRACK_SECONDS } });
  const issuer = await startIssuer();
  let servers = 0;
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const tokensOf = (name: string) =>
    Promise.all(
      Array.from({ length: CLIENTS }, (_, i) =>
        issuer.issueAccessToken({ sub: `${name}-${i}`, username: `${name}-${i}`, roles: ['user'] }, { exp }),
      ),
    );
  try {
    await measure({
      folder,
      tokens: await tokensOf('bench'),
      others: await tokensOf('other'),
      settings: () => ({
        PORT: '0',
        DATA_DIR: path.join(folder, `data-${++servers}`),
        MUSIC_DIR: music,
        OIDC_ISSUER: issuer.url,
        OIDC_CLIENT_ID: issuer.clientId,
        OIDC_CLIENT_SECRET: issuer.clientSecret,
        OIDC_AUDIENCE: issuer.audience,
      }),
    });
  } finally {
    await issuer.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function connect(url: string, token: string): Promise<Socket> {
  const socket = io(url, { transports: ['websocket'], auth: { token }, forceNew: true, reconnection: false });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}

/** Starts `file` in a mode that answers reports, and connects whoever reports. */
export async function openSide(
  file: string,
  mode: 'ours' | 'echo',
  env: Record<string, string>,
  tokens: readonly string[],
): Promise<Side> {
  const server = await startMeasured<{ url: string }>(file, mode, env);
  const { url } = server.hello;
  let track_id = 'echo';
  if (mode === 'ours') {
    const response = await fetch(`${url}/api/v1/library/tracks`, { headers: { authorization: `Bearer ${tokens[0]}` } });
    track_id = ((await response.json()) as { items: { id: string }[] }).items[0]?.id ?? '';
  }
  const lanes = await Promise.all(
    tokens.map(async (token): Promise<Lane> => {
      const socket = await connect(url, token);
      const begunMs = performance.now();
      const started = (await socket.timeout(10_000).emitWithAck('listen:start', { track_id, source: 'api' })) as {
        data: { session_id: string };
      };
      return { socket, session_id: started.data.session_id, begunMs, seq: 0 };
    }),
  );
  return {
    server,
    lanes,
    async close() {
      for (const { socket } of lanes) socket.disconnect();
      await server.kill();
    },
  };
}

export interface Round {
  perSecond: number;
  medianMs: number;
  p99Ms: number;
  cpuMicros: number;
}

/** Says where the player is. @returns the milliseconds until it was acknowledged */
async function report(lane: Lane): Promise<number> {
  const seq = ++lane.seq;
  const sentMs = performance.now();
  const said = { session_id: lane.session_id, seq, position_ms: sentMs - lane.begunMs, state: 'playing' };
  const answer = (await lane.socket.timeout(10_000).emitWithAck('listen:progress', said)) as { ok: boolean };
  if (!answer.ok) throw new Error(`a report was refused: ${JSON.stringify(answer)}`);
  return performance.now() - sentMs;
}

/** The clients report in turn, so many a second, however long the answers take. @returns p99 of the waits, in milliseconds */
export async function runSteadily({ lanes }: Side, perSecond: number, seconds: number): Promise<number> {
  const answers: Promise<number>[] = [];
  const startedMs = performance.now();
  while (answers.length < perSecond * seconds) {
    const due = ((performance.now() - startedMs) / 1000) * perSecond;
    while (answers.length < due) answers.push(report(lanes[answers.length % lanes.length] as Lane));
    await nextMillisecond(1);
  }
  const waits = (await Promise.all(answers)).sort((a, b) => a - b);
  return waits[Math.floor(waits.length * 0.99)] ?? Number.NaN;
}

/** All clients report as fast as they are answered. */
export async function runRound({ server, lanes }: Side, reports: number): Promise<Round> {
  const latencies: number[] = [];
  let left = reports;
  const beforeMicros = await server.cpuMicros();
  const startedMs = performance.now();
  const run = async (lane: Lane) => {
    while (left-- > 0) latencies.push(await report(lane));
  };
  await Promise.all(lanes.flatMap((lane) => Array.from({ length: IN_FLIGHT }, () => run(lane))));
  const tookMs = performance.now() - startedMs;
  const usedMicros = (await server.cpuMicros()) - beforeMicros;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return {
    perSecond: latencies.length / (tookMs / 1000),
    medianMs: at(0.5),
    p99Ms: at(0.99),
    cpuMicros: usedMicros / latencies.length,
  };
}

/** The least disturbed of its rounds. */
export const best = (rounds: readonly Round[]): Round => rounds.reduce((a, b) => (b.cpuMicros < a.cpuMicros ? b : a));

export const rounded = (n: number): number => Math.round(n * 100) / 100;

export function print(figures: readonly object[]): void {
  for (const figure of figures) console.log(JSON.stringify(figure));
}
