import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dayOf, yearDays } from '#domain/stats/calendar.rules.ts';
import { GRAIN, KIND } from '#domain/stats/stats.table.ts';
import { countFirsts, thingSumsOf } from '#domain/stats/thing-sums.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const YEAR = yearDays(2026);
/** More than are asked for by name in one question. */
const ARTISTS = 2_400;

describe.each(DIALECTS)('sums over very many artists on $name', (dialect) => {
  let database: TestDatabase;
  let user_id: string;
  beforeAll(async () => {
    database = await dialect.open();
    const ctx = testCtx(database);
    ({ user_id } = await person(ctx, 'ana'));
    const owner = user_id;
    // The more an artist was heard, the earlier for the first time; every seventh first, or only, in private.
    const rows = Array.from({ length: ARTISTS }, (_, n) => {
      const isPrivate = n % 7 === 0;
      const own_listens = ARTISTS - n;
      const listens = isPrivate ? (n % 2 === 0 ? own_listens - 1 : 0) : own_listens;
      const own_first_day = n < 1_600 ? YEAR.from - 10 : YEAR.from + 10;
      return {
        user_id: owner,
        kind: KIND.artist,
        key: `artist ${n}`,
        listens,
        heard_ms: listens * 1000,
        plays: listens,
        own_listens,
        own_heard_ms: own_listens * 1000,
        private_plays: own_listens - listens,
        own_first_day,
        first_day: listens === 0 ? null : isPrivate ? YEAR.from + 20 : own_first_day,
      };
    });
    await ctx.write(async (trx) => {
      for (let i = 0; i < rows.length; i += 200) {
        const some = rows.slice(i, i + 200);
        await trx
          .insertInto('listen_rollups')
          .values(some.map((row) => ({ ...row, grain: GRAIN.all, bucket: 0 })))
          .execute();
        await trx
          .insertInto('listen_rollups')
          .values(
            some.map((row) => ({ ...row, grain: GRAIN.year, bucket: YEAR.from, first_day: null, own_first_day: null })),
          )
          .execute();
      }
    });
  });
  afterAll(() => database.close());

  const open = async (isSelf: boolean) => {
    const view = { user_id, isSelf };
    const sums = await thingSumsOf(database.db, view, YEAR, { from: YEAR.from, to: dayOf('2026-06-30') });
    return { view, artists: sums(KIND.artist) };
  };
  const keysOf = (rows: readonly { key: string }[]) => rows.map(({ key }) => key);

  test('[ST6] the newest artists are found far down the list, each side by its own first days', async () => {
    const mine = await open(true);
    expect(keysOf(await mine.artists.topNew(3, YEAR))).toEqual(['artist 1600', 'artist 1601', 'artist 1602']);
    expect(await countFirsts(database.db, mine.view, KIND.artist, YEAR)).toBe(800);

    const theirs = await open(false);
    // Heard in private last year already, openly in this one.
    expect(keysOf(await theirs.artists.topNew(3, YEAR))).toEqual(['artist 0', 'artist 14', 'artist 28']);
  });

  test('[ST8] each side has its own order and count', async () => {
    const mine = await open(true);
    expect(keysOf(await mine.artists.top(4))).toEqual(['artist 0', 'artist 1', 'artist 2', 'artist 3']);
    expect(await mine.artists.count()).toBe(ARTISTS);

    const theirs = await open(false);
    // Equal to the next in listens and time, and behind it by its key.
    expect(keysOf(await theirs.artists.top(4))).toEqual(['artist 1', 'artist 0', 'artist 2', 'artist 3']);
    const onlyInPrivate = Array.from({ length: ARTISTS }, (_, n) => n).filter((n) => n % 14 === 7).length;
    expect(await theirs.artists.count()).toBe(ARTISTS - onlyInPrivate);
  });
});
