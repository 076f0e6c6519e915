import Database from 'better-sqlite3';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DIALECTS } from '../support/dialects.ts';
import { testCtx } from '../support/ctx.ts';
import { inTransaction } from '#domain/unit-of-work.ts';
import type { TestDatabase } from '../support/dialects.ts';

let database: TestDatabase;
afterEach(() => database.close());

function addLink(hash: string) {
  return (trx: Parameters<Parameters<TestDatabase['write']>[0]>[0]) =>
    trx.insertInto('one_time_links').values({ hash, purpose: 'setup', created_at: 1, expires_at: 2 }).execute();
}
const hashes = async () =>
  (await database.db.selectFrom('one_time_links').select('hash').orderBy('hash').execute()).map((row) => row.hash);

describe.each(DIALECTS)('writing on $name', (dialect) => {
  beforeEach(async () => {
    database = await dialect.open();
  });

  test('[DB3] a hundred at once are all there, and one that is rolled back hurts nobody', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) =>
        database.write(async (trx) => {
          await addLink(String(i).padStart(3, '0'))(trx);
          if (i % 10 === 0) throw new Error('on purpose');
        }),
      ),
    );
    expect(results.filter((one) => one.status === 'rejected').length).toBe(10);
    const stored = await hashes();
    expect(stored.length).toBe(90);
    expect(stored.every((hash) => !hash.endsWith('0'))).toBe(true);
  });

  test('[DB3] a refused row rejects its own transaction only', async () => {
    await database.write(addLink('a'));
    const [again, other] = await Promise.allSettled([database.write(addLink('a')), database.write(addLink('b'))]);
    expect(again.status).toBe('rejected');
    expect(again.status === 'rejected' && database.dialect.isUniqueViolation(again.reason)).toBe(true);
    expect(other.status).toBe('fulfilled');
    expect(await hashes()).toEqual(['a', 'b']);
  });

  test('[DB3] whoever fails because of what another did is told once that can be read', async () => {
    const seen: string[][] = [];
    // A group is committed at 20 ms of age: the first of all takes longer.
    await database.write(addLink('first'));
    await expect(database.write(addLink('first'))).rejects.toThrow();
    await Promise.all([
      database.write(addLink('a')),
      ...['a', 'a'].map((hash) => database.write(addLink(hash)).catch(async () => seen.push(await hashes()))),
      // Takes its time, so that its group is not committed at once.
      database.write(async (trx) => {
        for (let i = 0; i < 100; i++) await addLink(`b${i}`)(trx);
      }),
    ]);
    expect(seen.map((rows) => rows.includes('a'))).toEqual([true, true]);
  });

  test('[DB3] a unit is asked for its statements when its turn has come, and holds what has happened until then', async () => {
    let hash = 'early';
    const add = (value: string) => {
      const { sql: text, parameters } = database.db
        .insertInto('one_time_links')
        .values({ hash: value, purpose: 'setup', created_at: 1, expires_at: 2 })
        .compile();
      return { sql: text, parameters };
    };
    const first = database.writeUnit([add('first')]);
    let isFirstThere = false;
    const late = database.writeUnit(
      () => [add(hash)],
      first.then(() => (isFirstThere = true)),
    );
    hash = 'late';
    const failing = database.writeUnit(() => {
      throw new Error('it cannot say');
    });
    const other = database.writeUnit(() => [add('other')], failing);
    await expect(failing).rejects.toThrow('it cannot say');
    expect(await Promise.all([first, late, other])).toEqual([true, true, true]);
    expect(isFirstThere).toBe(true);
    expect(await hashes()).toEqual(['first', 'late', 'other']);
  });

  test('[DB3] a unit that fails late leaves nothing of itself, and all of the others of its group', async () => {
    const statement = (query: { compile(): { sql: string; parameters: readonly unknown[] } }, mustChange = 0) => {
      const { sql: text, parameters } = query.compile();
      return { sql: text, parameters, mustChange };
    };
    const add = (hash: string) =>
      statement(
        database.db.insertInto('one_time_links').values({ hash, purpose: 'setup', created_at: 1, expires_at: 2 }),
      );
    const touch = (hash: string, rows: number) =>
      statement(database.db.updateTable('one_time_links').set({ expires_at: 3 }).where('hash', '=', hash), rows);
    const outcomes = await Promise.allSettled([
      database.writeUnit([add('a'), touch('a', 1)]),
      // Nothing to undo.
      database.writeUnit([touch('nobody', 1), add('b')]),
      // Too little is changed after something was.
      database.writeUnit([add('c'), touch('c', 2)]),
      // An error after something was changed.
      database.writeUnit([add('d'), add('a')]),
      database.writeUnit([add('e'), touch('a', 1)]),
    ]);
    expect(outcomes.map((one) => (one.status === 'fulfilled' ? one.value : 'failed'))).toEqual([
      true,
      false,
      false,
      'failed',
      true,
    ]);
    expect(await hashes()).toEqual(['a', 'e']);
  });

  test('[DB3] whose turn it is to write learns of it, also when another unit fails', async () => {
    await database.turnToWrite();
    const failing = database.writeUnit([{ sql: 'nonsense', parameters: [] }]);
    const turn = database.turnToWrite();
    await expect(failing).rejects.toThrow();
    await turn;
  });

  test('[DB3] what happened is told after the commit, and not at all after a rollback', async () => {
    const ctx = testCtx(database);
    const event = { name: 'profile.changed', payload: { user_id: 'x' } } as const;
    await expect(
      inTransaction(ctx, async (tx) => {
        tx.publish(event);
        throw new Error('on purpose');
      }),
    ).rejects.toThrow('on purpose');
    expect(ctx.happened).toEqual([]);
    await inTransaction(ctx, async (tx) => tx.publish(event));
    expect(ctx.happened).toEqual([event]);
  });
});

describe('the SQLite writer', () => {
  beforeEach(async () => {
    database = await DIALECTS[0]!.open();
  });

  test('[DB2] commits with full sync in WAL, enforces references, and reads elsewhere', async () => {
    const pragma = (name: string) =>
      database.write(
        async (trx) => Object.values((await sql<object>`${sql.raw(`pragma ${name}`)}`.execute(trx)).rows[0]!)[0],
      );
    expect(await pragma('synchronous')).toBe(2);
    expect(await pragma('journal_mode')).toBe('wal');
    expect(await pragma('foreign_keys')).toBe(1);
    await expect(addLink('x')(database.db as never)).rejects.toThrow(/readonly/);
  });

  test(
    '[DB5] a database locked by another program says so, stalls nothing, and heals',
    { timeout: 30_000 },
    async () => {
      const ctx = testCtx(database);
      const other = new Database(database.file!);
      other.exec('begin exclusive');
      let longestMs = 0;
      let before = performance.now();
      const ticks = setInterval(() => {
        const now = performance.now();
        longestMs = Math.max(longestMs, now - before);
        before = now;
      }, 5);
      await expect(inTransaction(ctx, (tx) => addLink('a')(tx.trx))).rejects.toMatchObject({ code: 'unavailable' });
      clearInterval(ticks);
      // Waiting for the lock (5 s) happens beside the main thread.
      expect(longestMs).toBeLessThan(2_500);
      other.exec('rollback');
      other.close();
      await inTransaction(ctx, (tx) => addLink('b')(tx.trx));
      expect(await hashes()).toEqual(['b']);
    },
  );

  test('[DB3] a database closes also when nothing was ever written', async () => {
    const unused = await DIALECTS[0]!.open();
    await unused.close();
    await expect(unused.write(addLink('x'))).rejects.toThrow();
  });
});
