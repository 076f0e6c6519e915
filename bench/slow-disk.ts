/**
 * Reports on a disk whose sync takes 2 ms: how many are acknowledged a second against one transaction each, and how long the
 * slowest of them wait. The disk is made slow by a library of our own that is loaded before the C library and waits in
 * `fsync` and `fdatasync`.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { openSqlite } from '#db/sqlite-open.ts';
import { answerParent, startMeasured } from './support/child.ts';
import { onStage, openSide, print, rounded, runRound, runSteadily, serveOurs } from './support/reporting.ts';
import type { Round } from './support/reporting.ts';

const SYNC_MS = 2;
const REPORTS = 20_000;
const ROUNDS = 4;
/** Reports a second that leave the processors time, so that the waits are the disk's: ten times what one transaction each could. */
const STEADY = 4_000;
const STEADY_SECONDS = 1;
/** Transactions a round, each on its own. */
const ALONE = 200;

const SLOW_C = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static void wait_a_while(void) { struct timespec t = { 0, ${SYNC_MS * 1_000_000} }; nanosleep(&t, 0); }
typedef int (*sync_fn)(int);
int fsync(int fd) { wait_a_while(); return ((sync_fn) dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { wait_a_while(); return ((sync_fn) dlsym(RTLD_NEXT, "fdatasync"))(fd); }
`;

/** @returns the library that makes syncs slow, or why there is none */
function buildSlow(folder: string): { library: string } | { reason: string } {
  if (process.platform !== 'linux')
    return { reason: `preloading is done for Linux only, and this is ${process.platform}` };
  const source = path.join(folder, 'slow.c');
  const library = path.join(folder, 'slow.so');
  writeFileSync(source, SLOW_C);
  const { error, status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl']);
  if (error !== undefined) return { reason: `there is no C compiler (cc: ${error.message})` };
  return status === 0 ? { library } : { reason: `cc failed: ${String(stderr)}` };
}

/** In the child: as many updates as asked for, a transaction each. */
async function commitAlone(): Promise<void> {
  const { db, prepare } = openSqlite(process.env.FILE ?? '', { readonly: false });
  db.exec('create table reports (id text primary key, position_ms real) without rowid');
  db.prepare("insert into reports values ('one', 0)").run();
  const startedMs = performance.now();
  for (let i = 0; i < ALONE; i++) prepare("update reports set position_ms = ? where id = 'one'").run(i);
  answerParent({ msEach: (performance.now() - startedMs) / ALONE });
}

const compare = (): Promise<void> =>
  onStage(async ({ folder, settings, tokens }) => {
    const built = buildSlow(folder);
    if ('reason' in built) {
      console.log(`Reports on a slow disk were not measured: ${built.reason}`);
      return;
    }
    const slow = { LD_PRELOAD: built.library };
    const ours = await openSide(import.meta.filename, 'ours', { ...settings(), ...slow }, tokens);
    const rounds: Round[] = [];
    const waits: number[] = [];
    const alone: number[] = [];
    for (let i = 0; i <= ROUNDS; i++) {
      const FILE = path.join(folder, `alone-${i}.db`);
      const child = await startMeasured<{ msEach: number }>(import.meta.filename, 'alone', { FILE, ...slow });
      await child.kill();
      const round = await runRound(ours, REPORTS);
      const p99Ms = await runSteadily(ours, STEADY, STEADY_SECONDS);
      // The first warms up.
      if (i === 0) continue;
      alone.push(child.hello.msEach);
      rounds.push(round);
      waits.push(p99Ms);
    }
    await ours.close();
    const syncMs = Math.min(...alone);
    if (syncMs < SYNC_MS) throw new Error(`a transaction took ${syncMs} ms: the disk was not slow`);
    const perSecond = Math.max(...rounds.map((round) => round.perSecond));
    print([
      { name: 'slow disk: one transaction each', value: rounded(syncMs), unit: 'ms' },
      { name: 'slow disk: listen:progress acknowledged', value: Math.round(perSecond), unit: '/s' },
      {
        name: 'slow disk: acknowledgements a second against one transaction each',
        value: rounded(perSecond / (1000 / syncMs)),
        unit: '×',
        must: 50,
        direction: 'min',
      },
      {
        name: 'slow disk: p99 to the acknowledgement at full load, in syncs',
        value: rounded(Math.min(...rounds.map((round) => round.p99Ms)) / syncMs),
        unit: 'syncs',
      },
      {
        name: `slow disk: p99 to the acknowledgement at ${STEADY} reports a second, in syncs`,
        value: rounded(Math.min(...waits) / syncMs),
        unit: 'syncs',
        must: 4,
        direction: 'max',
      },
    ]);
  });

const mode = process.argv[2];
await (mode === 'ours' ? serveOurs() : mode === 'alone' ? commitAlone() : compare());
