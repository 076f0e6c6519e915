/** How long the server takes from start to ready with a library it knows, and how much memory it holds when idle. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { readConfig } from '#server/config.ts';
import { createServer } from '#server/create-server.ts';
import { createLog } from '#server/log.ts';
import { makeFlac, makeWav } from '#server/demo/music.ts';

const TRACKS = 1500;
const STARTS = 5;
const IDLE_MS = 10_000;
const ROOT = path.resolve(import.meta.dirname, '..');
/** What follows `node` in `npm start`: its flags are part of what is measured. */
const START = (
  JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } }
).scripts.start
  .split(' ')
  .slice(1);

const folder = mkdtempSync(path.join(tmpdir(), 'bench-start-'));
const music = path.join(folder, 'music');
const settings = { PORT: '0', DATA_DIR: path.join(folder, 'data'), MUSIC_DIR: music, LOG_LEVEL: 'error' };

for (let i = 0; i < TRACKS; i++) {
  const dir = path.join(music, `Artist ${i % 40}`, `Album ${i % 150}`);
  mkdirSync(dir, { recursive: true });
  const spec = {
    title: `Song ${i}`,
    artist: `Artist ${i % 40}`,
    album: `Album ${i % 150}`,
    track: (i % 12) + 1,
    seconds: 0.2,
    frequency: 80 + i / 4,
  };
  writeFileSync(path.join(dir, `${i}.${i % 4 === 0 ? 'flac' : 'wav'}`), i % 4 === 0 ? makeFlac(spec) : makeWav(spec));
}
// The first start scans; the ones that are measured know the library.
const first = await createServer({ config: readConfig(settings), log: createLog('error') });
first.scanner.start();
await first.scanner.whenIdle();
const known = first.scanner.state({ role: 'admin' });
if (known.added !== TRACKS) throw new Error(`the library was not read: ${JSON.stringify(known)}`);
await first.stop();

/** The process's resident memory, as the system counts it. */
function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/readyz`);
  await response.arrayBuffer();
  return response.status === 200;
}

/** Starts the program, waits until it says where it listens and answers that it is ready. */
async function startOnce(whenReady: (pid: number) => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, START, {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? '', ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const listening = /listening on (http\S+)/.exec(output)?.[1];
      if (listening !== undefined) resolve(listening);
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  while (!(await isReady(url))) await setTimeout(5);
  const tookMs = performance.now() - startedMs;
  if (child.pid !== undefined) await whenReady(child.pid);
  child.kill('SIGTERM');
  await exited;
  return tookMs;
}

// Not counted: a server that knows its library has been started before, and has its compiled sources from then.
await startOnce(async () => {});
const times: number[] = [];
for (let i = 0; i < STARTS; i++) times.push(await startOnce(async () => {}));
let idle = 0;
await startOnce(async (pid) => {
  await setTimeout(IDLE_MS);
  idle = residentMegabytes(pid);
});
rmSync(folder, { recursive: true, force: true });

const median = times.sort((a, b) => a - b)[Math.floor(STARTS / 2)] ?? Number.NaN;
const figures = [
  {
    name: `start to ready, ${TRACKS} known tracks (median of ${STARTS})`,
    value: Math.round(median) / 1000,
    unit: 's',
    must: 2,
    direction: 'max',
  },
  {
    name: 'idle memory, whole process, 10 s after the start',
    value: Math.round(idle),
    unit: 'MB',
    must: 150,
    direction: 'max',
  },
];
for (const figure of figures) console.log(JSON.stringify(figure));
