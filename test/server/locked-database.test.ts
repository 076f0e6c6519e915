import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { READER_PATIENCE_MS, WRITER_PATIENCE_MS, openSqlite } from '#db/sqlite-open.ts';
import { gatewayClient } from '../support/clients.ts';
import { DIALECTS } from '../support/dialects.ts';
import { putTracks } from '../support/room.ts';
import { openWorld } from '../support/world.ts';
import type { Problem } from '#contract/problems.ts';
import type { World } from '../support/world.ts';

const LOCK_MS = 10_000;
/** Held by a program of its own, as a backup or somebody's shell would hold it. */
const HOLD = `
const db = new (require('better-sqlite3'))(process.argv[1]);
db.exec('begin exclusive');
process.stdout.write('held');
setTimeout(() => { db.exec('rollback'); db.close(); }, Number(process.argv[2]));
`;

/** Holds a database for so long; resolves once it does. */
async function holdDatabase(file: string, ms: number): Promise<{ released: Promise<void> }> {
  const holder = spawn(process.execPath, ['-e', HOLD, file, String(ms)], {
    cwd: path.resolve(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const released = once(holder, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`whoever held the database ended with ${code}`);
  });
  await once(holder.stdout, 'data');
  return { released };
}

describe('a database that another program holds for ten seconds', () => {
  let world: World;
  let track_id: string;
  beforeEach(async () => {
    world = await openWorld(DIALECTS[0]!);
    [track_id] = (await putTracks(world.server.ctx, 1)) as [string];
  });
  afterEach(() => world.close());

  test(
    '[OP20] writes wait five seconds at most and are 503; reads and sockets go on; it heals by itself, and nothing is lost',
    { timeout: 60_000 },
    async () => {
      const ana = await world.someone('ana');
      const ben = await world.someone('ben');
      const reading = await gatewayClient(world.url, ana.token);
      const writing = await gatewayClient(world.url, ben.token);
      const start = () => ({ track_id, source: 'api' as const, client_session_id: crypto.randomUUID() });
      const acknowledged: string[] = [];
      const waits: number[] = [];
      let refused = 0;
      let isOver = false;

      // Writes by every way there is, a new one each quarter of a second, so that many are in line at once.
      async function write(how: 'socket' | 'rest' | 'transaction'): Promise<void> {
        const body = start();
        const askedMs = performance.now();
        if (how === 'socket') {
          const ack = await writing.request('listen:start', body);
          if (ack.ok) acknowledged.push(body.client_session_id);
          else expect(ack.problem).toMatchObject({ code: 'unavailable', status: 503 });
          if (!ack.ok) refused += 1;
        } else {
          const answer =
            how === 'rest'
              ? await ben.rest.call<Problem>('POST', '/listen/start', body)
              : await ben.rest.call<Problem>('POST', '/playlists', { name: body.client_session_id });
          if (answer.status < 300) acknowledged.push(body.client_session_id);
          else {
            expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } });
            expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
            refused += 1;
          }
        }
        waits.push(performance.now() - askedMs);
      }
      await Promise.all((['socket', 'rest', 'transaction'] as const).map(write));
      expect([acknowledged.length, refused]).toEqual([3, 0]);

      const delay = monitorEventLoopDelay({ resolution: 5 });
      const { released } = await holdDatabase(world.database.file!, LOCK_MS);
      delay.enable();
      let slowestReadMs = 0;
      let slowestEchoMs = 0;
      const reads = (async () => {
        while (!isOver) {
          let askedMs = performance.now();
          expect((await ana.rest.call('GET', '/listen/history')).status).toBe(200);
          slowestReadMs = Math.max(slowestReadMs, performance.now() - askedMs);
          askedMs = performance.now();
          expect((await reading.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
          slowestEchoMs = Math.max(slowestEchoMs, performance.now() - askedMs);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      const writes: Promise<void>[] = [];
      const writer = setInterval(() => {
        for (const how of ['socket', 'rest', 'transaction'] as const) writes.push(write(how));
      }, 250);
      await released;
      const releasedMs = performance.now();
      clearInterval(writer);
      await Promise.all(writes);
      await write('rest');
      await write('transaction');
      const healedMs = performance.now() - releasedMs;
      delay.disable();
      isOver = true;
      await reads;

      const rows = new Set(
        (await world.database.db.selectFrom('listening_sessions').select('client_session_id').execute()).map(
          (row) => row.client_session_id,
        ),
      );
      const lists = (await world.database.db.selectFrom('user_playlists').select('name').execute()).map(
        (row) => row.name,
      );
      const stored = [...rows, ...lists];
      const lost = acknowledged.filter((id) => !stored.includes(id));
      process.stdout.write(
        `locked for ${LOCK_MS / 1000} s: ${refused} refused after at most ${(Math.max(...waits) / 1000).toFixed(2)} s, ` +
          `${acknowledged.length} acknowledged, ${lost.length} lost; slowest read ${slowestReadMs.toFixed(0)} ms, ` +
          `echo ${slowestEchoMs.toFixed(0)} ms, loop delay ${(delay.max / 1e6).toFixed(0)} ms; all well ${healedMs.toFixed(0)} ms after\n`,
      );
      expect(refused).toBeGreaterThan(20);
      expect(Math.max(...waits)).toBeLessThan(6_000);
      expect(lost).toEqual([]);
      // What was refused is not there either.
      expect(stored.length).toBe(acknowledged.length);
      expect(delay.max / 1e6).toBeLessThan(250);
      expect(slowestEchoMs).toBeLessThan(500);
      expect(healedMs).toBeLessThan(5_000);
      reading.close();
      writing.close();
    },
  );

  test('[OP20] every connection of ours syncs fully at commit, in WAL, and only one waits for a lock', async () => {
    for (const readonly of [true, false]) {
      const { db } = openSqlite(world.database.file!, { readonly });
      expect([db.pragma('synchronous', { simple: true }), db.pragma('journal_mode', { simple: true })]).toEqual([
        2,
        'wal',
      ]);
      expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
      const patience = db.pragma('busy_timeout', { simple: true });
      expect(patience).toBe(readonly ? READER_PATIENCE_MS : WRITER_PATIENCE_MS);
      db.close();
    }
    expect(READER_PATIENCE_MS).toBeLessThan(250);
    // And there is no other way to open one.
    const root = path.resolve(import.meta.dirname, '../../src');
    const openers = globSync('**/*.ts', { cwd: root }).filter((file) =>
      /new Database\(/.test(readFileSync(path.join(root, file), 'utf8')),
    );
    expect(openers).toEqual([path.join('db', 'sqlite-open.ts')]);
  });
});
