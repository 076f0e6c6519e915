/**
 * How fast the library is read: files a second at the first scan, and at one without changes.
 * `node bench/scan.ts [files]`; a JSON line a figure, exit 1 when one misses what it must be.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { migrateSqliteFile } from '#db/migrate.ts';
import { openSqliteDatabase } from '#db/open.ts';
import { createEventBus } from '#domain/events.ts';
import { createPlaybacks } from '#domain/listens/playbacks.ts';
import { createScanner } from '#domain/library/scanner.ts';
import { makeFlac, makePng, makeWav } from '#server/demo/music.ts';
import { newIds } from '#server/ids.ts';
import { openSecretBox } from '#server/secrets.ts';
import type { Ctx } from '#domain/context.ts';
import type { Schema } from '#domain/database.ts';

const count = Number(process.argv[2] ?? 1500);
const folder = mkdtempSync(path.join(tmpdir(), 'bench-scan-'));
const music = path.join(folder, 'music');
const file = path.join(folder, 'bench.db');
const cover = makePng(64, '#446688');

for (let i = 0; i < count; i++) {
  const artist = `Artist ${i % 40}`;
  const album = `Album ${i % 150}`;
  const dir = path.join(music, artist, album);
  mkdirSync(dir, { recursive: true });
  const spec = {
    title: `Song ${i}`,
    artist,
    album,
    genre: `Genre ${i % 12}`,
    track: (i % 12) + 1,
    year: 1970 + (i % 50),
    seconds: 0.3,
    frequency: 80 + i / 4,
    cover,
  };
  writeFileSync(path.join(dir, `${i}.${i % 2 === 0 ? 'flac' : 'wav'}`), i % 2 === 0 ? makeFlac(spec) : makeWav(spec));
}

await migrateSqliteFile(file, path.resolve(import.meta.dirname, '../migrations'));
const database = openSqliteDatabase<Schema>(file);
const ctx: Ctx = {
  db: database.db,
  write: (fn) => database.write(fn),
  writeUnit: (statements) => database.writeUnit(statements),
  turnToWrite: () => database.turnToWrite(),
  dialect: database.dialect,
  clock: { nowMs: () => Date.now() },
  ids: newIds,
  log: { debug() {}, info() {}, warn: console.warn, error: console.error },
  events: createEventBus((error) => console.error(error)),
  files: { musicDirs: [music], dataDir: path.join(folder, 'data') },
  secrets: openSecretBox({ secretKeys: null, dataDir: path.join(folder, 'data') }),
  playbacks: createPlaybacks(),
  playlistDocs: { transact: () => Promise.reject(new Error('a scan edits no playlist')) },
};
const scanner = createScanner(ctx);
const admin = { role: 'admin' } as const;

async function scanOnce(): Promise<number> {
  const startedMs = performance.now();
  scanner.start();
  await scanner.whenIdle();
  const state = scanner.state(admin);
  if (state.done !== count || state.problem_count > 0) throw new Error(`the scan went wrong: ${JSON.stringify(state)}`);
  return count / ((performance.now() - startedMs) / 1000);
}

const first = await scanOnce();
const rescans = [await scanOnce(), await scanOnce(), await scanOnce()].sort((a, b) => a - b);
const figures = [
  { name: 'first scan', value: Math.round(first), must: 300, unit: 'files/s' },
  { name: 'rescan without changes', value: Math.round(rescans[1] ?? 0), must: 5000, unit: 'files/s' },
];
for (const figure of figures) console.log(JSON.stringify(figure));
await database.close();
rmSync(folder, { recursive: true, force: true });
if (figures.some((figure) => figure.value < figure.must)) process.exitCode = 1;
