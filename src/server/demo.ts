/** `npm run demo`: the real server on a throw-away folder, with music, people, a past, and others who are here right now. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { listTracks } from '#domain/library/library.queries.ts';
import { readConfig } from './config.ts';
import { createServer } from './create-server.ts';
import { DEMO_TRACK_COUNT, makeDemoLibrary } from './demo/library.ts';
import { makePeople, makePlaylists, PEOPLE, playTheYear } from './demo/past.ts';
import { seeded } from './demo/seeded.ts';
import { signIn, startEditing, startListening } from './demo/visitor.ts';
import { explain } from './explain.ts';
import { createLog } from './log.ts';
import type { RunningServer } from './create-server.ts';

/** Everybody but who the newcomer signs in as is busy. */
const [SELF = '', ...OTHERS] = PEOPLE.map((person) => person.username);
/** Edits the first playlist while listening. */
const EDITOR = 'june';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const ending = new AbortController();
let folder: string | null = null;
let server: RunningServer | null = null;
const busy: Promise<void>[] = [];

function removeFolder(): void {
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
}

async function start(): Promise<void> {
  const startedMs = performance.now();
  folder = await mkdtemp(path.join(tmpdir(), 'stepheybot-demo-'));
  const musicDir = path.join(folder, 'music');
  await mkdir(musicDir);
  // Only where to listen is the environment's to say: a demo touches nobody's database, music or accounts.
  const { HOST, PORT, PUBLIC_URL, LOG_LEVEL = 'warn' } = process.env;
  const config = readConfig({
    HOST,
    PORT,
    PUBLIC_URL,
    LOG_LEVEL,
    DATA_DIR: path.join(folder, 'data'),
    MUSIC_DIR: musicDir,
  });
  say('Making music, people and a year of listening …');
  const music = makeDemoLibrary(musicDir);
  // Whatever fails first is what is told; the other one must not end the process on its own.
  const running = createServer({ config, log: createLog(config.logLevel) });
  const [made] = await Promise.allSettled([running, music]);
  if (made.status === 'fulfilled') server = made.value;
  const { ctx, publicUrl, scanner, analyser } = await running;
  await music;
  ending.signal.throwIfAborted();

  const password = randomBytes(9).toString('base64url');
  const nowMs = ctx.clock.nowMs();
  analyser.start();
  scanner.start();
  const [people] = await Promise.all([makePeople(ctx, password, nowMs), scanner.whenIdle()]);
  const self = people.get(SELF);
  if (self === undefined) throw new Error('nobody to sign in as');
  const { items: tracks } = await listTracks(ctx, self, { limit: DEMO_TRACK_COUNT, sort: 'title', order: 'asc' });
  if (tracks.length !== DEMO_TRACK_COUNT)
    throw new Error(`only ${tracks.length} of ${DEMO_TRACK_COUNT} tracks were found`);
  const [live, listens] = await Promise.all([
    makePlaylists(ctx, people, tracks, nowMs),
    playTheYear(ctx, people, tracks, nowMs),
  ]);
  ending.signal.throwIfAborted();

  for (const [i, username] of OTHERS.entries()) {
    const visitor = await signIn(publicUrl, { username, password, user_id: people.get(username)?.user_id ?? '' });
    busy.push(startListening(publicUrl, visitor, tracks, seeded(500 + i), ending.signal));
    if (username === EDITOR) busy.push(startEditing(publicUrl, visitor, live, tracks, seeded(600), ending.signal));
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  say(
    `Ready after ${seconds} s: ${tracks.length} tracks, ${people.size} people, ${listens} listens, and friends who are listening now.`,
  );
  say(`Open ${publicUrl} and sign in as "${SELF}" with the password "${password}"`);
  say(`(or as ${OTHERS.join(', ')} with the same one). Ctrl-C ends the demo and removes everything it made.`);
}

async function end(code: number): Promise<never> {
  ending.abort();
  await Promise.allSettled(busy);
  await server?.stop();
  removeFolder();
  process.exit(code);
}

let isEnding = false;
function stop(): void {
  // A second time means now.
  if (isEnding) {
    removeFolder();
    process.exit(1);
  }
  isEnding = true;
  void end(0).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    removeFolder();
    process.exit(1);
  });
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);

try {
  await start();
} catch (error) {
  if (!isEnding) {
    process.stderr.write(`${explain(error) ?? (error instanceof Error ? String(error.stack) : String(error))}\n`);
    isEnding = true;
    await end(1);
  }
}
