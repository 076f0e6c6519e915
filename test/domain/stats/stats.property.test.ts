import { expect, describe, test } from 'vitest';
import { StatsQuery } from '#contract/stats.ts';
import { updatePreferences } from '#domain/accounts/preferences.ts';
import { updateProfile } from '#domain/accounts/update-profile.ts';
import { writeTracks } from '#domain/library/library.repository.ts';
import { deleteHistory, deleteListen } from '#domain/listens/delete-listen.ts';
import { localTime } from '#domain/listens/local-time.rules.ts';
import { completeListen, reportProgress } from '#domain/listens/report-progress.ts';
import { markStaleDays } from '#domain/listens/stale-days.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { followUser } from '#domain/social/follow-user.ts';
import { rebuildStats } from '#domain/stats/rebuild-stats.ts';
import { myStats, personStats, yearInReview } from '#domain/stats/stats.queries.ts';
import { inTransaction } from '#domain/unit-of-work.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { seeded } from '../../support/random.ts';
import { recount } from '../../support/recount.ts';
import type { z } from 'zod';
import type { Stats, TopAlbum, TopArtist, TopTrack, YearInReview } from '#contract/stats.ts';
import type { Actor } from '#domain/context.ts';
import type { Random } from '../../support/random.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDialect } from '../../support/dialects.ts';

const DAY_S = 86_400;
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'Asia/Kolkata', 'Pacific/Kiritimati'];
const ARTISTS = ['Ada', 'ADA', 'Björk', 'Can', 'Dvořák'];
const ALBUMS = ['One', 'one', 'Two', null];
const GENRES = ['Rock', 'rock', 'Jazz', 'Folk'];

interface World {
  ctx: TestCtx;
  random: Random;
  ana: Actor;
  ben: Actor;
  zone: string;
  tracks: string[];
  recordings: string[];
  live: { session_id: string; seq: number; position_ms: number; reported_at_ms: number }[];
}

function tagsOf(random: Random, n: number) {
  const artist = random.int(8) === 0 ? null : random.pick(ARTISTS);
  return {
    title: `Song ${n}`,
    artist,
    main_artist: artist,
    album: random.pick(ALBUMS),
    album_artist: random.int(4) === 0 ? random.pick(ARTISTS) : null,
    genres: GENRES.filter(() => random.int(3) === 0),
    year: null,
    track_number: null,
    disc_number: null,
    isrc: null,
    recording_mbid: null,
  };
}

/** Puts a track there as a scan does, new or with other tags. */
async function scanTrack({ ctx, random }: World, n: number, track_id: string | null): Promise<void> {
  await inTransaction(ctx, (tx) =>
    writeTracks(
      tx,
      [
        {
          track_id,
          file: {
            library_root: '/music',
            track_path: `${n}.flac`,
            tags: tagsOf(random, n),
            duration: 200,
            codec: 'FLAC',
            container: 'flac',
            audio_hash: `hash ${n}`,
            file_size_bytes: 1,
            file_mtime_ms: 1,
            cover: null,
            cover_hash: null,
            cover_source: null,
          },
        },
      ],
      { artists: new Map(), albums: new Map() },
    ),
  );
}

async function openWorld(dialect: TestDialect, random: Random): Promise<World & { close(): Promise<void> }> {
  const database = await dialect.open();
  const ctx = testCtx(database);
  const [ana, ben] = [await person(ctx, 'ana'), await person(ctx, 'ben')];
  await updateProfile(ctx, ana, { share_listening_history: true });
  await followUser(ctx, ana, { user_id: ben.user_id });
  await followUser(ctx, ben, { user_id: ana.user_id });
  const world: World = { ctx, random, ana, ben, zone: 'UTC', tracks: [], recordings: [], live: [] };
  for (let n = 0; n < 12; n++) await scanTrack(world, n, null);
  world.tracks = (await ctx.db.selectFrom('tracks').select('id').orderBy('track_path').execute()).map(({ id }) => id);
  for (let n = 0; n < 5; n++) {
    const id = ctx.ids.id();
    world.recordings.push(id);
    await ctx.write((trx) =>
      trx
        .insertInto('recordings')
        .values({
          id,
          recording_key: id,
          match_key: id,
          title: `Elsewhere ${n}`,
          artist: random.pick([...ARTISTS, 'Nowhere Band', 'nowhere  band']),
          album: random.pick(['One', 'Three', null]),
          duration_ms: null,
          recording_mbid: null,
          isrc: null,
          search_text: '',
          track_id: null,
          created_at: 1,
        })
        .execute(),
    );
  }
  return { ...world, close: () => database.close() };
}

/** When a session that begins then was on: some parts, often past midnight, now and then days later. */
function wallOf(random: Random, started_at: number): [number, number][] {
  const wall: [number, number][] = [];
  let at = started_at * 1000;
  for (let n = random.int(4); n > 0; n--) {
    const to = at + 1 + random.int(random.int(5) === 0 ? 40_000_000 : 300_000);
    wall.push([at, to]);
    at = to + 1 + random.int(random.int(8) === 0 ? 3 * DAY_S * 1000 : 600_000);
  }
  return wall;
}
const secondsOf = (wall: readonly [number, number][]) => wall.reduce((sum, [from, to]) => sum + to - from, 0) / 1000;

/** A listen that comes whole, as an import writes it. */
async function addSession(world: World): Promise<void> {
  const { ctx, random, ana } = world;
  const now = Math.floor(ctx.clock.nowMs() / 1000);
  const started_at = now - random.int(random.int(3) === 0 ? 430 * DAY_S : 3 * DAY_S);
  const time_zone = random.int(4) === 0 ? random.pick(ZONES) : null;
  const local = localTime(time_zone ?? world.zone, started_at);
  const wall = wallOf(random, started_at);
  const counted = random.int(4) === 0 ? 0 : 1;
  const isElsewhere = random.int(4) === 0;
  await ctx.write(async (trx) => {
    await markStaleDays(trx, ana.user_id, [local.local_day]);
    await trx
      .insertInto('listening_sessions')
      .values({
        id: ctx.ids.id(),
        user_id: ana.user_id,
        track_id: isElsewhere ? null : random.pick(world.tracks),
        recording_id: isElsewhere ? random.pick(world.recordings) : null,
        client_session_id: null,
        external_key: ctx.ids.id(),
        started_at,
        ended_at: started_at,
        time_zone,
        ...local,
        duration_played: secondsOf(wall),
        completed: 0,
        counted,
        skipped: counted === 0 && random.int(2) === 0 ? 1 : 0,
        is_hidden: random.int(5) === 0 ? 1 : 0,
        source: 'import',
        client_info_json: '{}',
        last_seq: 0,
        position_ms: 0,
        reported_at_ms: started_at * 1000,
        state: 'stopped',
        rate: 1,
        spans_json: '[]',
        wall_json: JSON.stringify(wall),
        inserted_at: now,
      })
      .execute();
  });
}

/** Changes one of the sessions as a late report or a private session that begins does: its day is marked. */
async function changeSession(world: World): Promise<void> {
  const { ctx, random } = world;
  const row = await someSession(world);
  if (row === undefined) return;
  const wall = wallOf(random, row.started_at);
  const change =
    random.int(3) === 0
      ? { is_hidden: 1 }
      : { wall_json: JSON.stringify(wall), duration_played: secondsOf(wall), counted: random.int(2), skipped: 0 };
  await ctx.write(async (trx) => {
    await markStaleDays(trx, row.user_id, [row.local_day]);
    await trx.updateTable('listening_sessions').set(change).where('id', '=', row.id).execute();
  });
}

async function someSession({ ctx, random, ana }: World) {
  const rows = await ctx.db
    .selectFrom('listening_sessions')
    .selectAll()
    .where('user_id', '=', ana.user_id)
    .orderBy('started_at')
    .orderBy('id')
    .execute();
  return rows.length === 0 ? undefined : random.pick(rows);
}

/** Plays on with a session under way, begins one, or ends one. */
async function playOn(world: World): Promise<void> {
  const { ctx, random, ana } = world;
  // A report after half a day of silence marks its day by itself: `changeSession` stands for those.
  const live = world.live.filter((session) => ctx.clock.nowMs() - session.reported_at_ms < 11 * 3_600_000);
  world.live = live;
  if (live.length === 0 || random.int(3) === 0) {
    const { session_id } = await startListen(ctx, ana, {
      track_id: random.pick(world.tracks),
      source: 'web',
      position_ms: 0,
      ...(random.int(3) === 0 ? { time_zone: random.pick(ZONES) } : {}),
    });
    live.push({ session_id, seq: 0, position_ms: 0, reported_at_ms: ctx.clock.nowMs() });
    return;
  }
  const session = random.pick(live);
  const heardMs = 1000 * (1 + random.int(120));
  ctx.clock.advance(heardMs);
  session.seq += 1;
  session.reported_at_ms = ctx.clock.nowMs();
  session.position_ms += heardMs;
  const { session_id, seq, position_ms } = session;
  if (random.int(3) > 0) {
    await reportProgress(ctx, ana, { session_id, seq, position_ms, state: 'playing', rate: 1 });
    return;
  }
  await completeListen(ctx, ana, { session_id, seq, position_ms });
  live.splice(live.indexOf(session), 1);
}

async function act(world: World): Promise<void> {
  const { ctx, random, ana } = world;
  const dice = random.int(100);
  if (dice < 45) return addSession(world);
  if (dice < 65) return playOn(world);
  if (dice < 74) return changeSession(world);
  if (dice < 84) {
    const row = await someSession(world);
    if (row === undefined) return;
    await deleteListen(ctx, ana, { id: row.id });
    world.live = world.live.filter(({ session_id }) => session_id !== row.id);
    return;
  }
  if (dice < 89) {
    const n = random.int(world.tracks.length);
    return scanTrack(world, n, world.tracks[n]!);
  }
  if (dice < 92) {
    world.zone = random.pick(ZONES);
    await updatePreferences(ctx, ana, { time_zone: world.zone });
    return;
  }
  if (dice < 97) return void ctx.clock.advance(random.int(40) * 3_600_000);
  if (dice < 99) return rebuildStats(ctx, ana.user_id);
  await deleteHistory(ctx, ana);
  world.live = [];
}

const plainly = (text: string | null) => (text ?? '').toLowerCase().replace(/\s+/g, ' ');
const nameOf = {
  track: (top: z.input<typeof TopTrack>) => top.track_id ?? `${top.text.title} by ${plainly(top.text.artist)}`,
  artist: (top: z.input<typeof TopArtist>) => plainly(top.name),
  album: (top: z.input<typeof TopAlbum>) => `${plainly(top.artist)} / ${plainly(top.title)}`,
};
type Counted = Map<string, { listens: number; seconds: number }>;

/** The list shows all of what was counted, each with its own sums, most listens first. */
function expectList<T extends { listens: number; seconds: number }>(
  shown: readonly T[],
  name: (top: T) => string,
  counted: Counted,
) {
  const listed = new Map(shown.map((top) => [name(top), { listens: top.listens, seconds: top.seconds }]));
  expect(listed).toEqual(counted);
  const ranks = shown.map(({ listens, seconds }) => [listens, seconds] as const);
  expect(ranks).toEqual([...ranks].sort((a, b) => b[0] - a[0] || b[1] - a[1]));
}

function todayOf(world: World): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: world.zone }).format(world.ctx.clock.nowMs());
}

type Recount = Awaited<ReturnType<typeof recount>>;

function compare(world: World, stats: z.input<typeof Stats>, plain: Recount): void {
  const range = plain.within(stats.from, stats.to);
  expect(stats.totals).toEqual(range.totals);
  if (stats.previous !== null) {
    expect(stats.previous.totals).toEqual(plain.within(stats.previous.from, stats.previous.to).totals);
  }
  expectList(stats.top_tracks, nameOf.track, range.lists.tracks);
  expectList(stats.top_artists, nameOf.artist, range.lists.artists);
  expectList(stats.top_albums, nameOf.album, range.lists.albums);
  expectList(stats.top_genres, (top) => top.name.toLowerCase(), range.lists.genres);
  expect(stats.clock).toEqual(range.clock);
  for (const step of stats.series) {
    const its = plain.within(step.from, step.to);
    const expected =
      step.hour === null
        ? { listens: its.totals.listens, seconds: its.totals.seconds }
        : { listens: its.startHours[step.hour], seconds: its.hourSeconds[step.hour] };
    expect({ listens: step.listens, seconds: step.seconds }).toEqual(expected);
  }
  expect(stats.series[0]?.from).toBe(stats.from);
  expect(stats.series.at(-1)?.to).toBe(stats.to);
  expect(stats.streaks).toEqual(plain.streaks(todayOf(world)));
  const fresh = plain.discoveries(stats.from, stats.to);
  const { tracks, artists, albums, top_artists } = stats.discoveries;
  expect({ tracks, artists, albums }).toEqual({
    tracks: fresh.tracks.size,
    artists: fresh.artists.size,
    albums: fresh.albums.size,
  });
  const freshCounts = new Map([...range.lists.artists].filter(([name]) => fresh.artists.has(name)));
  expectList(top_artists, nameOf.artist, freshCounts);
}

function compareYear(review: z.input<typeof YearInReview>, plain: Recount): void {
  const [from, to] = [`${review.year}-01-01`, `${review.year}-12-31`];
  const range = plain.within(from, to);
  expect(review.totals).toEqual(range.totals);
  expect(review.previous).toEqual(plain.within(`${review.year - 1}-01-01`, `${review.year - 1}-12-31`).totals);
  for (const month of review.months) {
    const first = `${review.year}-${String(month.month).padStart(2, '0')}-01`;
    const last = new Date(Date.UTC(review.year, month.month, 0)).toISOString().slice(0, 10);
    const its = plain.within(first, last);
    expect([month.listens, month.seconds]).toEqual([its.totals.listens, its.totals.seconds]);
    const most = Math.max(0, ...[...its.lists.tracks.values()].map(({ listens }) => listens));
    expect(month.top_track?.listens ?? 0).toBe(most);
    const mostArtist = Math.max(0, ...[...its.lists.artists.values()].map(({ listens }) => listens));
    expect(month.top_artist?.listens ?? 0).toBe(mostArtist);
  }
  expect(review.busiest_day?.seconds ?? 0).toBe(plain.busiestDay(from, to));
  const mostInHour = Math.max(...range.hourSeconds);
  expect(review.busiest_hour === null ? 0 : range.hourSeconds[review.busiest_hour]).toBe(mostInHour);
  expect(review.longest_streak).toEqual(plain.longestWithin(from, to));
  expect(review.on_repeat?.track.listens ?? 0).toBe(plain.onRepeat(from, to));
  expect(review.first_listen?.at ?? null).toBe(plain.firstListen(from, to));
  expect(review.years).toEqual(plain.years);
}

async function readAndCompare(world: World): Promise<void> {
  const { ctx, random, ana, ben } = world;
  const today = todayOf(world);
  const ago = (days: number) =>
    new Date(Date.parse(`${today}T00:00:00Z`) - days * DAY_S * 1000).toISOString().slice(0, 10);
  const period = random.pick(['day', 'week', 'month', 'year', 'all', 'custom'] as const);
  const to = random.int(100);
  const query = StatsQuery.parse({
    period,
    limit: 100,
    ...(period === 'custom'
      ? { from: ago(to + random.int(500)), to: ago(to) }
      : random.int(2) === 0
        ? {}
        : { date: ago(random.int(400)) }),
  });
  const [mine, theirs] = await Promise.all([
    myStats(ctx, ana, query),
    personStats(ctx, ben, { username: 'ana', ...query }),
  ]);
  const plain = await recount(ctx.db, ana.user_id, true);
  compare(world, mine, plain);
  compare(world, theirs, await recount(ctx.db, ana.user_id, false));
  expect([mine.time_zone, theirs.time_zone]).toEqual([world.zone, null]);
  compareYear(await yearInReview(ctx, ana, { year: random.pick([2025, 2026]) }), plain);
  await expectOwnDays(world);
}

/** Each session's day is that of its own zone, or of its listener's as it is now. */
async function expectOwnDays({ ctx, ana, zone }: World): Promise<void> {
  const rows = await ctx.db.selectFrom('listening_sessions').selectAll().where('user_id', '=', ana.user_id).execute();
  for (const row of rows) {
    const date = new Intl.DateTimeFormat('sv-SE', { timeZone: row.time_zone ?? zone }).format(row.started_at * 1000);
    expect(new Date(row.local_day * DAY_S * 1000).toISOString().slice(0, 10)).toBe(date);
  }
}

async function snapshot({ ctx, ana }: World): Promise<unknown> {
  const { db } = ctx;
  return {
    days: await db
      .selectFrom('listen_days')
      .selectAll()
      .where('user_id', '=', ana.user_id)
      .orderBy('local_day')
      .orderBy('is_hidden')
      .execute(),
    rollups: await db
      .selectFrom('listen_rollups')
      .selectAll()
      .where('user_id', '=', ana.user_id)
      .orderBy('grain')
      .orderBy('bucket')
      .orderBy('kind')
      .orderBy('key')
      .execute(),
  };
}

const RUNS = { sqlite: 6, pglite: 3, postgres: 3 } as const;
const STEPS = 140;

describe.each(DIALECTS)('statistics on $name', (dialect) => {
  test.each(Array.from({ length: RUNS[dialect.name] }, (_, run) => run))(
    '[ST1] sums equal a full recount, whatever happened in whatever order (run %i)',
    async () => {
      const random = seeded();
      console.log(`SEED=${random.seed}`);
      const world = await openWorld(dialect, random);
      try {
        for (let step = 0; step < STEPS; step++) {
          await act(world);
          if (random.int(7) === 0) await readAndCompare(world);
        }
        await readAndCompare(world);
        const before = await snapshot(world);
        await rebuildStats(world.ctx, world.ana.user_id);
        expect(await snapshot(world)).toEqual(before);
        await deleteHistory(world.ctx, world.ana);
        expect(await snapshot(world)).toEqual({ days: [], rollups: [] });
      } finally {
        await world.close();
      }
    },
  );
});
