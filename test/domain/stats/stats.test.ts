import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HistoryQuery } from '#contract/listens.ts';
import { StatsQuery } from '#contract/stats.ts';
import { updatePreferences } from '#domain/accounts/preferences.ts';
import { updateProfile } from '#domain/accounts/update-profile.ts';
import { deleteHistory, deleteListen } from '#domain/listens/delete-listen.ts';
import { history } from '#domain/listens/history.queries.ts';
import { reportProgress } from '#domain/listens/report-progress.ts';
import { markStaleDays } from '#domain/listens/stale-days.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { rebuildStats } from '#domain/stats/rebuild-stats.ts';
import { myStats, personStats, yearInReview } from '#domain/stats/stats.queries.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const at = (date: string) => Date.parse(date) / 1000;

test.each([
  [{ period: 'custom' }],
  [{ from: '2026-01-01' }],
  [{ from: '2026-02-01', to: '2026-01-01' }],
  [{ period: 'week', from: '2026-01-01', to: '2026-01-02' }],
  [{ from: '2026-01-01', to: '2026-01-02', date: '2026-01-01' }],
  [{ date: '2026-02-30' }],
  [{ date: '1800-01-01' }],
  [{ period: 'decade' }],
  [{ limit: '101' }],
])('[ST5] %j is refused', (query) => {
  expect(StatsQuery.safeParse(query).success).toBe(false);
});

describe.each(DIALECTS)('numbers of listening on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let ana: Actor;
  let ben: Actor;
  let tracks: string[];
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await database.close();
    database = await dialect.open();
    ctx = testCtx(database);
    [ana, ben] = [await person(ctx, 'ana'), await person(ctx, 'ben')];
    tracks = await putTracks(ctx, 3);
  });

  interface Heard {
    track_id?: string | null;
    recording_id?: string;
    seconds?: number;
    counted?: number;
    skipped?: number;
    is_hidden?: number;
    source?: string;
    inserted_at?: number;
  }
  /** A listen that came whole, at a time UTC. */
  async function heard(actor: Actor, date: string, more: Heard = {}): Promise<string> {
    const { seconds = 180, ...rest } = more;
    const id = ctx.ids.id();
    const started_at = at(date);
    const local_day = Math.floor(started_at / 86_400);
    await ctx.write(async (trx) => {
      await markStaleDays(trx, actor.user_id, [local_day]);
      await trx
        .insertInto('listening_sessions')
        .values({
          id,
          user_id: actor.user_id,
          track_id: tracks[0]!,
          recording_id: null,
          client_session_id: null,
          external_key: null,
          started_at,
          ended_at: started_at + seconds,
          local_day,
          duration_played: seconds,
          completed: 1,
          counted: 1,
          source: 'web',
          client_info_json: '{}',
          last_seq: 0,
          position_ms: 0,
          reported_at_ms: (started_at + seconds) * 1000,
          state: 'stopped',
          rate: 1,
          spans_json: '[]',
          wall_json: JSON.stringify([[started_at * 1000, (started_at + seconds) * 1000]]),
          inserted_at: started_at,
          ...rest,
        })
        .execute();
    });
    return id;
  }
  const stats = (query: Record<string, unknown> = {}, who = ana) => myStats(ctx, who, StatsQuery.parse(query));
  const page = (query: Record<string, unknown> = {}, who = ana) => history(ctx, who, HistoryQuery.parse(query));
  const staleDays = () => database.db.selectFrom('stale_days').selectAll().execute();

  test('[ST1] right at once: after a listen, and after it is deleted', async () => {
    expect((await stats()).totals.listens).toBe(0);
    const id = await heard(ana, '2026-10-31T10:00:00Z');
    expect((await stats()).totals).toMatchObject({ listens: 1, seconds: 180, tracks: 1, plays: 1, skips: 0 });
    await deleteListen(ctx, ana, { id });
    expect((await stats()).totals).toMatchObject({ listens: 0, seconds: 0, tracks: 0, plays: 0 });
    expect(await staleDays()).toEqual([]);
  });

  test('[ST3] two devices at once are one time in the total, and each its own for its track', async () => {
    await heard(ana, '2026-10-31T10:00:00Z', { seconds: 600 });
    await heard(ana, '2026-10-31T10:05:00Z', { seconds: 600, track_id: tracks[1]! });
    const { totals, top_tracks } = await stats({ period: 'day', date: '2026-10-31' });
    expect(totals.seconds).toBe(900);
    expect(top_tracks.map(({ seconds }) => seconds)).toEqual([600, 600]);
  });

  test('[ST3] past midnight the time belongs to the next day, the listen to the day it began on', async () => {
    await heard(ana, '2026-10-30T23:55:00Z', { seconds: 600 });
    const [before, after] = [
      await stats({ period: 'day', date: '2026-10-30' }),
      await stats({ period: 'day', date: '2026-10-31' }),
    ];
    expect([before.totals.listens, before.totals.seconds, before.clock[4]![23]]).toEqual([1, 300, 300]);
    expect([after.totals.listens, after.totals.seconds, after.clock[5]![0]]).toEqual([0, 300, 300]);
    expect(before.series).toHaveLength(24);
    expect(before.series[23]).toMatchObject({ hour: 23, listens: 1, seconds: 300 });
  });

  test('[ST2] a day under way stays stale and is right at every read, until nothing was heard for a day', async () => {
    const { session_id } = await startListen(ctx, ana, { track_id: tracks[0]!, source: 'web', position_ms: 0 });
    for (const seq of [1, 2]) {
      ctx.clock.advance(20_000);
      await reportProgress(ctx, ana, { session_id, seq, position_ms: seq * 20_000, state: 'playing', rate: 1 });
      expect((await stats()).top_tracks).toHaveLength(0);
    }
    ctx.clock.advance(20_000);
    await reportProgress(ctx, ana, { session_id, seq: 3, position_ms: 60_000, state: 'playing', rate: 1 });
    expect((await stats()).top_tracks).toMatchObject([{ listens: 1, seconds: 60 }]);
    expect(await staleDays()).toHaveLength(1);
    ctx.clock.advance(25 * 3_600_000);
    await stats();
    expect(await staleDays()).toEqual([]);
  });

  test('[ST2] a listen acknowledged while others read is in the next answer, however many settle at once', async () => {
    for (let n = 0; n < 5; n++) {
      const other: Ctx = { ...ctx };
      const [, ...answers] = await Promise.all([
        heard(ana, `2026-10-3${n % 2}T0${n}:00:00Z`),
        ...[ctx, other, ctx].map((one) => myStats(one, ana, StatsQuery.parse({ period: 'all' }))),
      ]);
      expect(answers.every(({ totals }) => totals.listens === n || totals.listens === n + 1)).toBe(true);
      expect((await stats({ period: 'all' })).totals.listens).toBe(n + 1);
    }
  });

  test('[ST2] where the disk refuses, the answer is what is there, and says up to when', async () => {
    await heard(ana, '2026-10-31T10:00:00Z');
    const before = await stats();
    ctx.clock.advance(60_000);
    await heard(ana, '2026-10-31T11:00:00Z');
    const full = Object.assign(new Error('full'), { code: dialect.name === 'sqlite' ? 'SQLITE_FULL' : '53100' });
    const broken: Ctx = { ...ctx, writeUnit: () => Promise.reject(full) };
    const meanwhile = await myStats(broken, ana, StatsQuery.parse({}));
    expect(meanwhile.totals).toEqual(before.totals);
    expect(meanwhile.as_of_ms).toBe(before.as_of_ms);
    const after = await stats();
    expect([after.totals.listens, after.as_of_ms]).toEqual([2, ctx.clock.nowMs()]);
  });

  test('[ST4] who moves to another zone has their days by it at once, but for listens that name their own', async () => {
    await heard(ana, '2026-10-31T23:30:00Z');
    await startListen(ctx, ana, { track_id: tracks[0]!, source: 'web', position_ms: 0, time_zone: 'UTC' });
    expect((await stats({ period: 'day', date: '2026-10-31' })).totals.listens).toBe(1);
    await updatePreferences(ctx, ana, { time_zone: 'Asia/Tokyo' });
    expect((await stats({ period: 'day', date: '2026-10-31' })).totals.plays).toBe(0);
    const next = await stats({ period: 'day', date: '2026-11-01' });
    expect([next.time_zone, next.totals.listens, next.totals.plays]).toEqual(['Asia/Tokyo', 1, 2]);
    expect(next.clock[6]![8]).toBe(180);
  });

  test.each([
    [{}, '2026-10-26', '2026-11-01', 'day', 7, '2026-10-19'],
    [{ period: 'month' }, '2026-11-01', '2026-11-30', 'day', 30, '2026-10-01'],
    [{ period: 'year', date: '2024-02-29' }, '2024-01-01', '2024-12-31', 'month', 12, '2023-01-01'],
    [{ from: '2026-01-15', to: '2026-03-14' }, '2026-01-15', '2026-03-14', 'day', 59, '2025-11-17'],
    [{ from: '2025-11-05', to: '2026-10-31' }, '2025-11-05', '2026-10-31', 'week', 52, '2024-11-09'],
  ])(
    '[ST5] %j is the days of the calendar, with every step and what was before',
    async (query, from, to, by, steps, before) => {
      const answer = await stats(query);
      expect([answer.from, answer.to, answer.series_by, answer.series.length]).toEqual([from, to, by, steps]);
      expect(answer.previous?.from).toBe(before);
    },
  );

  test('[ST6] streaks, comparisons and what is new', async () => {
    for (const day of ['28', '29', '30', '31']) await heard(ana, `2026-10-${day}T10:00:00Z`);
    await heard(ana, '2026-10-20T10:00:00Z', { track_id: tracks[1]! });
    await heard(ana, '2026-10-31T11:00:00Z', { track_id: tracks[2]! });
    await heard(ana, '2026-10-31T12:00:00Z', { track_id: tracks[1]! });
    const answer = await stats();
    expect(answer.streaks).toEqual({ current: 4, longest: 4, longest_from: '2026-10-28', longest_to: '2026-10-31' });
    expect(answer.previous?.totals.listens).toBe(1);
    expect(answer.discoveries.tracks).toBe(2);
    ctx.clock.advance(2 * 86_400_000);
    expect((await stats()).streaks).toMatchObject({ current: 0, longest: 4 });
  });

  test('[ST7] the year in review', async () => {
    await heard(ana, '2026-03-01T09:00:00Z');
    for (const hour of ['10', '11', '12']) await heard(ana, `2026-05-0${Number(hour) - 9}T${hour}:00:00Z`);
    for (const minute of ['00', '20', '40']) await heard(ana, `2026-08-01T15:${minute}:00Z`, { track_id: tracks[1]! });
    await heard(ana, '2025-08-01T15:00:00Z');
    const review = await yearInReview(ctx, ana, { year: 2026 });
    expect(review.totals.listens).toBe(7);
    expect(review.previous.listens).toBe(1);
    expect(review.months.map(({ listens }) => listens)).toEqual([0, 0, 1, 0, 3, 0, 0, 3, 0, 0, 0, 0]);
    expect(review.months[7]!.top_track?.track_id).toBe(tracks[1]);
    expect(review.busiest_day).toEqual({ date: '2026-08-01', listens: 3, seconds: 540 });
    expect(review.busiest_hour).toBe(15);
    expect(review.longest_streak).toEqual({ days: 3, from: '2026-05-01', to: '2026-05-03' });
    expect(review.on_repeat).toMatchObject({ date: '2026-08-01', track: { track_id: tracks[1], listens: 3 } });
    expect(review.first_listen?.at).toBe(at('2026-03-01T09:00:00Z'));
    expect(review.years).toEqual([2025, 2026]);
    expect((await yearInReview(ctx, ana, { year: 2020 })).on_repeat).toBeNull();
  });

  test('[ST8] others see what is shared, without what was heard in private, and not where one lives', async () => {
    await heard(ana, '2026-10-31T10:00:00Z');
    await heard(ana, '2026-10-31T11:00:00Z', { track_id: tracks[1]!, is_hidden: 1 });
    const ofAna = () => personStats(ctx, ben, { username: 'ANA', ...StatsQuery.parse({}) });
    await expect(ofAna()).rejects.toMatchObject({ code: 'not_found' });
    await updateProfile(ctx, ana, { share_listening_history: true, privacy_level: 2 });
    const theirs = await ofAna();
    expect([theirs.totals.listens, theirs.totals.tracks, theirs.top_tracks.length, theirs.time_zone]).toEqual([
      1,
      1,
      1,
      null,
    ]);
    expect((await stats()).totals).toMatchObject({ listens: 2, tracks: 2 });
    await updateProfile(ctx, ana, { privacy_level: 0 });
    await expect(ofAna()).rejects.toMatchObject({ code: 'not_found' });
    const own = await personStats(ctx, ana, { username: 'ana', ...StatsQuery.parse({}) });
    expect(own.totals.listens).toBe(2);
  });

  test('[ST9] a rebuild mends whatever became of the sums', async () => {
    for (const day of ['01', '02', '03']) await heard(ana, `2026-10-${day}T10:00:00Z`);
    const before = await stats({ period: 'all' });
    await ctx.write((trx) => trx.updateTable('listen_rollups').set({ listens: 7 }).execute());
    await ctx.write((trx) => trx.deleteFrom('listen_days').where('local_day', '>', 20_000).execute());
    expect(await stats({ period: 'all' })).not.toEqual(before);
    const seen: number[] = [];
    await rebuildStats(ctx, ana.user_id, ({ done }) => seen.push(done));
    expect(seen.at(-1)).toBe(3);
    expect(await stats({ period: 'all' })).toEqual(before);
  });

  describe('history', () => {
    const ids = async (query: Record<string, unknown>) => (await page(query)).items.map(({ id }) => id);
    async function elsewhere(title: string, artist: string): Promise<string> {
      const id = ctx.ids.id();
      const names = { recording_key: id, match_key: id, title, artist, album: null, duration_ms: null };
      const search_text = ` ${title} ${artist}`.toLowerCase();
      await ctx.write((trx) =>
        trx
          .insertInto('recordings')
          .values({ id, ...names, recording_mbid: null, isrc: null, search_text, track_id: null, created_at: 1 })
          .execute(),
      );
      return id;
    }

    test('[LP30] filters: what counted, skips, all; time, track, source, in the library or not, words', async () => {
      await ctx.write((trx) =>
        trx.updateTable('tracks').set({ search_text: ' blue monday' }).where('id', '=', tracks[1]!).execute(),
      );
      const recording_id = await elsewhere('Monday Rain', 'Somebody');
      const a = await heard(ana, '2026-10-01T10:00:00Z');
      const b = await heard(ana, '2026-10-02T10:00:00Z', { track_id: tracks[1]!, source: 'mobile' });
      const c = await heard(ana, '2026-10-03T10:00:00Z', { counted: 0, skipped: 1 });
      const d = await heard(ana, '2026-10-04T10:00:00Z', { track_id: null, recording_id });
      await heard(ben, '2026-10-05T10:00:00Z');
      expect(await ids({})).toEqual([d, b, a]);
      expect(await ids({ include: 'all' })).toEqual([d, c, b, a]);
      expect(await ids({ include: 'skips' })).toEqual([c]);
      expect(await ids({ from: at('2026-10-02T10:00:00Z'), to: at('2026-10-04T10:00:00Z') })).toEqual([b]);
      expect(await ids({ track_id: tracks[1]! })).toEqual([b]);
      expect(await ids({ source: 'mobile' })).toEqual([b]);
      expect(await ids({ in_library: 'false' })).toEqual([d]);
      expect(await ids({ in_library: 'true' })).toEqual([b, a]);
      expect(await ids({ q: 'MOND' })).toEqual([d, b]);
      expect(await ids({ q: 'monday', in_library: 'true' })).toEqual([b]);
      expect(await ids({ q: 'rain somebody' })).toEqual([d]);
      expect(await ids({ q: 'nothing of that name' })).toEqual([]);
      expect((await page({ q: 'rain' })).items[0]).toMatchObject({ track: null, text: { title: 'Monday Rain' } });
    });

    test('[LP31] every filter pages without a gap or a double, also where thousands fit and where few among thousands do', async () => {
      const other = tracks[2]!;
      await ctx.write(async (trx) => {
        await trx.updateTable('tracks').set({ search_text: ' often' }).where('id', '=', tracks[0]!).execute();
        await trx.updateTable('tracks').set({ search_text: ' seldom' }).where('id', '=', other).execute();
      });
      const base = at('2026-01-01T00:00:00Z');
      const rows = Array.from({ length: 9000 }, (_, n) => ({
        id: ctx.ids.id(),
        user_id: ana.user_id,
        track_id: n % 1000 === 0 ? other : tracks[0]!,
        recording_id: null,
        client_session_id: null,
        external_key: null,
        // Several at the same second.
        started_at: base + Math.floor(n / 3),
        ended_at: base,
        local_day: Math.floor(base / 86_400),
        duration_played: 1,
        completed: 0,
        counted: 1,
        source: 'web',
        client_info_json: '{}',
        last_seq: 0,
        position_ms: 0,
        reported_at_ms: base * 1000,
        state: 'stopped' as const,
        rate: 1,
        spans_json: '[]',
        inserted_at: base,
      }));
      await ctx.write(async (trx) => {
        for (let i = 0; i < rows.length; i += 500) {
          await trx
            .insertInto('listening_sessions')
            .values(rows.slice(i, i + 500))
            .execute();
        }
      });
      const sorted = rows.toSorted((a, b) => b.started_at - a.started_at || (a.id < b.id ? 1 : -1));
      const walk = async (query: Record<string, unknown>) => {
        const found: string[] = [];
        let cursor: string | null = null;
        do {
          const { items, next_cursor } = await page({ ...query, limit: 200, ...(cursor === null ? {} : { cursor }) });
          found.push(...items.map(({ id }) => id));
          cursor = next_cursor;
        } while (cursor !== null);
        return found;
      };
      const often = sorted.filter((row) => row.track_id !== other).map(({ id }) => id);
      const seldom = sorted.filter((row) => row.track_id === other).map(({ id }) => id);
      expect(await walk({ q: 'often' })).toEqual(often);
      expect(await walk({ q: 'seldom' })).toEqual(seldom);
      expect(await walk({ track_id: other })).toEqual(seldom);
    });

    test('[LP32] a deleted listen is gone, its session takes no report, and nobody deletes another’s', async () => {
      const { session_id } = await startListen(ctx, ana, { track_id: tracks[0]!, source: 'web', position_ms: 0 });
      await expect(deleteListen(ctx, ben, { id: session_id })).rejects.toMatchObject({ code: 'not_found' });
      await deleteListen(ctx, ana, { id: session_id });
      ctx.clock.advance(60_000);
      const report = { session_id, seq: 1, position_ms: 60_000, state: 'playing', rate: 1 } as const;
      await expect(reportProgress(ctx, ana, report)).rejects.toMatchObject({ code: 'not_found' });
      await expect(deleteListen(ctx, ana, { id: session_id })).rejects.toMatchObject({ code: 'not_found' });
    });

    test('[LP33] deleting all leaves nothing derived, and neither what comes later nor other people', async () => {
      for (let n = 0; n < 7; n++) await heard(ana, `2026-10-0${n + 1}T10:00:00Z`);
      await heard(ben, '2026-10-01T10:00:00Z');
      await stats();
      // Queued offline, it comes to the server only after the call.
      const late = await heard(ana, '2026-10-02T12:00:00Z', { inserted_at: ctx.clock.nowMs() / 1000 + 1 });
      expect(await deleteHistory(ctx, ana)).toEqual({ deleted: 7 });
      expect(await ids({ include: 'all' })).toEqual([late]);
      expect((await stats({ period: 'all' })).totals).toMatchObject({ listens: 1, plays: 1 });
      expect((await stats({ period: 'all' }, ben)).totals.listens).toBe(1);
      await deleteListen(ctx, ana, { id: late });
      await stats();
      for (const table of ['listen_days', 'listen_rollups'] as const) {
        expect(await database.db.selectFrom(table).selectAll().where('user_id', '=', ana.user_id).execute()).toEqual(
          [],
        );
      }
    });
  });
});
