import { localTime } from '../listens/local-time.rules.ts';
import { zoneOf } from '../listens/listener-zone.ts';
import { firstListen } from '../listens/history.queries.ts';
import { findUserByUsername } from '../accounts/accounts.queries.ts';
import { canSee, sightsOf } from '../social/social.access.ts';
import { DomainError, notFound } from '../errors.ts';
import { byAmount } from './day-sums.rules.ts';
import * as calendar from './calendar.rules.ts';
import { namedAlbums, namedArtists, namedGenres, namedTracks } from './names.ts';
import { settleDays } from './settle-days.ts';
import { KIND } from './stats.table.ts';
import { countFirsts, thingSumsOf, thingSumsOfAllTime } from './thing-sums.ts';
import type { getPersonStats, getStats, getYearInReview } from '#contract/stats.ts';
import type { StatsPeriod, StatsTotals } from '#contract/stats.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Days } from './calendar.rules.ts';
import type { Kind } from './stats.table.ts';
import type { Summed, ThingSums, View } from './thing-sums.ts';
import type { z } from 'zod';

/** Artists shown of those heard for the first time. */
const NEW_ARTISTS = 10;
const TOP_OF_YEAR = 10;
/** Years are written in four digits. */
const FIRST_DAY = calendar.dayOf('0001-01-01');

/** My listening in numbers. */
export function myStats(ctx: Ctx, actor: Actor, input: Input<typeof getStats>): Promise<Reply<typeof getStats>> {
  return statsOf(ctx, { user_id: actor.user_id, isSelf: true }, input);
}

/** [ST8] Somebody's listening in numbers, as far as they share it. @throws DomainError not_found, whatever the reason */
export async function personStats(
  ctx: Ctx,
  actor: Actor,
  input: Input<typeof getPersonStats>,
): Promise<Reply<typeof getPersonStats>> {
  const owner = await findUserByUsername(ctx.db, input.username);
  const sight = owner === null ? undefined : (await sightsOf(ctx, actor.user_id, [owner.id])).get(owner.id);
  if (owner === null || sight === undefined || !canSee(sight, 'listening')) throw notFound('person');
  return statsOf(ctx, { user_id: owner.id, isSelf: sight.is_self }, input);
}

/** One day's totals as the viewer sees them. */
interface DayTotals {
  day: number;
  listens: number;
  heard_ms: number;
  plays: number;
  skips: number;
}

/**
 * Makes the sums right, or, where the disk refuses, takes them as they are.
 * @returns the moment up to which they hold all that was acknowledged
 */
async function settled(ctx: Ctx, user_id: string): Promise<number> {
  const nowMs = ctx.clock.nowMs();
  try {
    await settleDays(ctx, user_id);
    return nowMs;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    ctx.log.warn('statistics are read as they are, because they cannot be brought up to date', { code: error.code });
    const row = await ctx.db
      .selectFrom('listen_sums')
      .select('settled_at_ms')
      .where('user_id', '=', user_id)
      .executeTakeFirst();
    return row?.settled_at_ms ?? 0;
  }
}

/** Totals of every day with anything, in order. */
async function dayTotals(db: Ctx['db'], { user_id, isSelf }: View): Promise<DayTotals[]> {
  const rows = await db
    .selectFrom('listen_days')
    .select(['local_day', 'listens', 'heard_ms', 'plays', 'skips'])
    .where('user_id', '=', user_id)
    .where('is_hidden', '<=', isSelf ? 1 : 0)
    .where((eb) => eb.or([eb('plays', '>', 0), eb('heard_ms', '>', 0)]))
    .orderBy('local_day')
    .execute();
  const days: DayTotals[] = [];
  for (const { local_day: day, ...sums } of rows) {
    const last = days.at(-1);
    if (last?.day === day) addTo(last, sums);
    else days.push({ day, ...sums });
  }
  return days;
}

function addTo(sum: Omit<DayTotals, 'day'>, more: Omit<DayTotals, 'day'>): void {
  sum.listens += more.listens;
  sum.heard_ms += more.heard_ms;
  sum.plays += more.plays;
  sum.skips += more.skips;
}

function within<T extends { day: number }>(days: readonly T[], { from, to }: Days): T[] {
  return days.filter(({ day }) => day >= from && day <= to);
}

function sumOf(days: readonly DayTotals[]): Omit<DayTotals, 'day'> {
  const sum = { listens: 0, heard_ms: 0, plays: 0, skips: 0 };
  for (const day of days) addTo(sum, day);
  return sum;
}

const amountOf = ({ listens, heard_ms }: { listens: number; heard_ms: number }) => ({
  listens,
  seconds: heard_ms / 1000,
});
const datesOf = ({ from, to }: Days) => ({ from: calendar.dateOf(from), to: calendar.dateOf(to) });

function extentOf(days: readonly DayTotals[]): Days | null {
  const [first, last] = [days[0], days.at(-1)];
  return first === undefined || last === undefined ? null : { from: first.day, to: last.day };
}

async function totalsOf(
  days: readonly DayTotals[],
  range: Days,
  sums: (kind: Kind) => ThingSums,
): Promise<z.input<typeof StatsTotals>> {
  const { plays, skips, ...amount } = sumOf(within(days, range));
  return {
    ...amountOf(amount),
    plays,
    skips,
    tracks: await sums(KIND.track).count(),
    artists: await sums(KIND.artist).count(),
    albums: await sums(KIND.album).count(),
    genres: await sums(KIND.genre).count(),
  };
}

/** Heard milliseconds and listens by local hour: one row of 48 a day. */
async function hoursOf(
  db: Ctx['db'],
  { user_id, isSelf }: View,
  { from, to }: Days,
): Promise<{ day: number; hours: number[] }[]> {
  const rows = await db
    .selectFrom('listen_days')
    .select(['local_day', 'hours_json'])
    .where('user_id', '=', user_id)
    .where('local_day', '>=', from)
    .where('local_day', '<=', to)
    .where('is_hidden', '<=', isSelf ? 1 : 0)
    .execute();
  return rows.map(({ local_day, hours_json }) => ({ day: local_day, hours: JSON.parse(hours_json) as number[] }));
}

/** Heard milliseconds by weekday and hour. */
function clockOf(hours: readonly { day: number; hours: readonly number[] }[]): number[][] {
  const clock = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => 0));
  for (const one of hours) {
    const row = clock[calendar.weekdayOf(one.day)];
    if (row === undefined) continue;
    for (let hour = 0; hour < 24; hour++) row[hour] = (row[hour] ?? 0) + (one.hours[hour] ?? 0);
  }
  return clock;
}

interface Streak extends Days {
  days: number;
}

/** Days in a row with a listen. */
function streaksOf(days: readonly DayTotals[]): Streak[] {
  const streaks: Streak[] = [];
  for (const { day, listens } of days) {
    if (listens === 0) continue;
    const last = streaks.at(-1);
    if (last !== undefined && last.to === day - 1) {
      last.to = day;
      last.days += 1;
    } else streaks.push({ from: day, to: day, days: 1 });
  }
  return streaks;
}

/** The longest, of several the first. */
function longestOf(streaks: readonly Streak[]): Streak | null {
  return streaks.reduce<Streak | null>((best, one) => (best === null || one.days > best.days ? one : best), null);
}

async function discoveriesOf(db: Ctx['db'], view: View, range: Days, sums: (kind: Kind) => ThingSums) {
  return {
    tracks: await countFirsts(db, view, KIND.track, range),
    artists: await countFirsts(db, view, KIND.artist, range),
    albums: await countFirsts(db, view, KIND.album, range),
    top_artists: await namedArtists(db, view, await sums(KIND.artist).topNew(NEW_ARTISTS, range)),
  };
}

async function topsOf(db: Ctx['db'], view: View, sums: (kind: Kind) => ThingSums, limit: number) {
  return {
    top_tracks: await namedTracks(db, await sums(KIND.track).top(limit)),
    top_artists: await namedArtists(db, view, await sums(KIND.artist).top(limit)),
    top_albums: await namedAlbums(db, view, await sums(KIND.album).top(limit)),
    top_genres: await namedGenres(db, view, await sums(KIND.genre).top(limit)),
  };
}

function rangeOf(input: Input<typeof getStats>, period: StatsPeriod, today: number, heard: Days | null): Days {
  if (period === 'all') return { from: Math.min(heard?.from ?? today, today), to: Math.max(heard?.to ?? today, today) };
  if (period === 'custom') return { from: calendar.dayOf(input.from ?? ''), to: calendar.dayOf(input.to ?? '') };
  return calendar.periodAround(period, input.date === undefined ? today : calendar.dayOf(input.date));
}

async function statsOf(ctx: Ctx, view: View, input: Input<typeof getStats>): Promise<Reply<typeof getStats>> {
  const { db } = ctx;
  const as_of_ms = await settled(ctx, view.user_id);
  const time_zone = await zoneOf(ctx, view.user_id);
  const today = localTime(time_zone, Math.floor(ctx.clock.nowMs() / 1000)).local_day;
  const period = input.period ?? (input.from === undefined ? 'week' : 'custom');
  const days = await dayTotals(db, view);
  const heard = extentOf(days);
  const range = rangeOf(input, period, today, heard);
  const before = period === 'all' ? null : calendar.periodBefore(period, range);
  const sums = period === 'all' ? await thingSumsOfAllTime(db, view) : await thingSumsOf(db, view, range, heard);
  const hours = await hoursOf(db, view, range);
  const streaks = streaksOf(days);
  const [last, longest] = [streaks.at(-1), longestOf(streaks)];
  const series_by = calendar.stepOf(period, range);
  return {
    period,
    ...datesOf(range),
    // Where somebody lives is not part of what they share.
    time_zone: view.isSelf ? time_zone : null,
    totals: await totalsOf(days, range, sums),
    previous:
      before === null || before.from < FIRST_DAY
        ? null
        : { ...datesOf(before), totals: await totalsOf(days, before, await thingSumsOf(db, view, before, heard)) },
    ...(await topsOf(db, view, sums, input.limit)),
    series_by,
    series: series_by === 'hour' ? hourSeries(range, hours) : daySeries(days, calendar.stepsOf(series_by, range)),
    clock: clockOf(hours).map((row) => row.map((ms) => ms / 1000)),
    streaks: {
      current: last !== undefined && last.to >= today - 1 ? last.days : 0,
      longest: longest?.days ?? 0,
      longest_from: longest === null ? null : calendar.dateOf(longest.from),
      longest_to: longest === null ? null : calendar.dateOf(longest.to),
    },
    discoveries: await discoveriesOf(db, view, range, sums),
    as_of_ms,
  };
}

function daySeries(days: readonly DayTotals[], steps: readonly Days[]) {
  let at = 0;
  return steps.map((step) => {
    const sum = { listens: 0, heard_ms: 0 };
    for (; at < days.length && (days[at]?.day ?? 0) <= step.to; at++) {
      const day = days[at];
      if (day === undefined || day.day < step.from) continue;
      sum.listens += day.listens;
      sum.heard_ms += day.heard_ms;
    }
    return { ...datesOf(step), hour: null, ...amountOf(sum) };
  });
}

function hourSeries(range: Days, hours: readonly { hours: readonly number[] }[]) {
  return Array.from({ length: 24 }, (_, hour) => {
    const sum = { listens: 0, heard_ms: 0 };
    for (const one of hours) {
      sum.heard_ms += one.hours[hour] ?? 0;
      sum.listens += one.hours[24 + hour] ?? 0;
    }
    return { ...datesOf(range), hour, ...amountOf(sum) };
  });
}

/** [ST7] My year in review. */
export async function yearInReview(
  ctx: Ctx,
  actor: Actor,
  { year }: Input<typeof getYearInReview>,
): Promise<Reply<typeof getYearInReview>> {
  const { db } = ctx;
  const view: View = { user_id: actor.user_id, isSelf: true };
  const as_of_ms = await settled(ctx, view.user_id);
  const days = await dayTotals(db, view);
  const heard = extentOf(days);
  const range = calendar.yearDays(year);
  const before = calendar.yearDays(year - 1);
  const sums = await thingSumsOf(db, view, range, heard);
  const inYear = within(days, range);
  const hours = clockOf(await hoursOf(db, view, range));
  const byHour = Array.from({ length: 24 }, (_, hour) => hours.reduce((sum, row) => sum + (row[hour] ?? 0), 0));
  const most = Math.max(...byHour);
  const busiest = inYear.reduce<DayTotals | null>(
    (best, day) => (best === null || day.heard_ms > best.heard_ms ? day : best),
    null,
  );
  const longest = longestOf(streaksOf(inYear));
  const months = [];
  for (let month = 0; month < 12; month++) {
    const its = calendar.monthDays(year, month);
    const ofMonth = await thingSumsOf(db, view, its, heard);
    const [top_artist = null] = await namedArtists(db, view, await ofMonth(KIND.artist).top(1));
    const [top_track = null] = await namedTracks(db, await ofMonth(KIND.track).top(1));
    months.push({ month: month + 1, ...amountOf(sumOf(within(inYear, its))), top_artist, top_track });
  }
  return {
    year,
    time_zone: await zoneOf(ctx, view.user_id),
    totals: await totalsOf(days, range, sums),
    previous: await totalsOf(days, before, await thingSumsOf(db, view, before, heard)),
    ...(await topsOf(db, view, sums, TOP_OF_YEAR)),
    months,
    busiest_day: busiest === null ? null : { date: calendar.dateOf(busiest.day), ...amountOf(busiest) },
    busiest_hour: most > 0 ? byHour.indexOf(most) : null,
    longest_streak: longest === null ? null : { days: longest.days, ...datesOf(longest) },
    on_repeat: await onRepeat(db, view, range),
    discoveries: await discoveriesOf(db, view, range, sums),
    first_listen: await firstOf(db, view, range),
    years: [...new Set(days.filter(({ listens }) => listens > 0).map(({ day }) => calendar.yearOf(day)))],
    as_of_ms,
  };
}

/** The track heard most often within one day; of several the first. */
async function onRepeat(db: Ctx['db'], { user_id }: View, { from, to }: Days) {
  const rows = await db
    .selectFrom('listen_days')
    .select(['local_day', 'is_hidden', 'most_json'])
    .where('user_id', '=', user_id)
    .where('local_day', '>=', from)
    .where('local_day', '<=', to)
    .where('most_json', 'is not', null)
    .$narrowType<{ most_json: string }>()
    .orderBy('local_day')
    .orderBy('is_hidden', 'desc')
    .execute();
  let best: (Summed & { day: number }) | null = null;
  const seen = new Set<number>();
  for (const { local_day: day, most_json } of rows) {
    // A day's hidden row, which comes first, is of all that was heard.
    if (seen.has(day)) continue;
    seen.add(day);
    const [key, listens, heard_ms] = JSON.parse(most_json) as [string, number, number];
    const sum = { key, listens, heard_ms, day };
    if (best === null || (sum.listens !== best.listens && byAmount(sum, best) < 0)) best = sum;
  }
  if (best === null) return null;
  const [track] = await namedTracks(db, [best]);
  return track === undefined ? null : { date: calendar.dateOf(best.day), track };
}

async function firstOf(db: Ctx['db'], { user_id }: View, range: Days) {
  const row = await firstListen(db, user_id, range);
  if (row === null) return null;
  const key = row.track_id === null ? `r:${row.recording_id}` : `t:${row.track_id}`;
  const [track] = await namedTracks(db, [{ key, listens: 1, heard_ms: Math.round(row.duration_played * 1000) }]);
  return track === undefined ? null : { at: row.started_at, track };
}
