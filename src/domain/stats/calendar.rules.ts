/** Days, weeks, months and years of the local calendar; a day is its number since 1970-01-01. */
import { GRAIN } from './stats.table.ts';
import type { StatsPeriod } from '#contract/stats.ts';
import type { Grain } from './stats.table.ts';

const DAY_MS = 86_400_000;
/** 1970-01-01 was a Thursday. */
const THURSDAY = 3;

/** From one day to another, both included. */
export interface Days {
  from: number;
  to: number;
}

/** `YYYY-MM-DD` of a day. */
export function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** The day of a `YYYY-MM-DD`. */
export function dayOf(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / DAY_MS;
}

export function yearOf(day: number): number {
  return new Date(day * DAY_MS).getUTCFullYear();
}

/** 0 for January. */
export function monthOf(day: number): number {
  return new Date(day * DAY_MS).getUTCMonth();
}

/** The first day of a month; months beyond the year are those of the years around it. */
export function firstOfMonth(year: number, month: number): number {
  // `Date.UTC` takes the years below 100 for those of the last century.
  const date = new Date(0);
  date.setUTCFullYear(year, month, 1);
  return date.getTime() / DAY_MS;
}

/** 0 for Monday. */
export function weekdayOf(day: number): number {
  return (((day + THURSDAY) % 7) + 7) % 7;
}

export function yearDays(year: number): Days {
  return { from: firstOfMonth(year, 0), to: firstOfMonth(year + 1, 0) - 1 };
}

export function monthDays(year: number, month: number): Days {
  return { from: firstOfMonth(year, month), to: firstOfMonth(year, month + 1) - 1 };
}

/** The bucket of a grain that a day belongs to. */
export function bucketOf(grain: Grain, day: number): number {
  if (grain === GRAIN.all) return 0;
  return firstOfMonth(yearOf(day), grain === GRAIN.year ? 0 : monthOf(day));
}

/** The period of its kind that a day lies in. */
export function periodAround(period: Exclude<StatsPeriod, 'all' | 'custom'>, day: number): Days {
  switch (period) {
    case 'day':
      return { from: day, to: day };
    case 'week': {
      const from = day - weekdayOf(day);
      return { from, to: from + 6 };
    }
    case 'month':
      return monthDays(yearOf(day), monthOf(day));
    case 'year':
      return yearDays(yearOf(day));
  }
}

/** [ST5] The period before: the day, week, month or year before; before a custom period, as many days. */
export function periodBefore(period: StatsPeriod, { from, to }: Days): Days {
  if (period === 'custom' || period === 'all') return { from: from - (to - from + 1), to: from - 1 };
  return periodAround(period, from - 1);
}

/**
 * What a range is put together from: whole years and months by their first days, and single days; those with a negative sign
 * are taken away.
 */
export interface Parts {
  buckets: { grain: Grain; bucket: number; sign: 1 | -1 }[];
  days: { day: number; sign: 1 | -1 }[];
}

/** About what one costs to read beside a single day: how much more is heard in it, less what is heard again. */
const COST = { day: 1, month: 12, year: 60 };

interface Cover extends Parts {
  cost: number;
}
const NOTHING: Cover = { buckets: [], days: [], cost: 0 };

function together(a: Cover, b: Cover): Cover {
  return { buckets: [...a.buckets, ...b.buckets], days: [...a.days, ...b.days], cost: a.cost + b.cost };
}
function cheaper(a: Cover, b: Cover): Cover {
  return b.cost < a.cost ? b : a;
}
const whole = (grain: Grain, bucket: number, cost: number): Cover => ({
  buckets: [{ grain, bucket, sign: 1 }],
  days: [],
  cost,
});
function takenAway({ buckets, days, cost }: Cover): Cover {
  const turned = <T extends { sign: 1 | -1 }>(parts: T[]) =>
    parts.map((part) => ({ ...part, sign: part.sign === 1 ? (-1 as const) : (1 as const) }));
  return { buckets: turned(buckets), days: turned(days), cost };
}
/** What of a whole lies outside of a range within it, in one or two pieces. */
function outside({ from, to }: Days, all: Days): Days[] {
  return [
    { from: all.from, to: from - 1 },
    { from: to + 1, to: all.to },
  ].filter((rest) => rest.from <= rest.to);
}

function coverWithinMonth(range: Days, month: Days): Cover {
  const oneByOne = (days: Days): Cover => {
    const length = days.to - days.from + 1;
    return {
      buckets: [],
      days: Array.from({ length }, (_, i) => ({ day: days.from + i, sign: 1 as const })),
      cost: length * COST.day,
    };
  };
  const rest = outside(range, month).map(oneByOne).reduce(together, NOTHING);
  return cheaper(oneByOne(range), together(whole(GRAIN.month, month.from, COST.month), takenAway(rest)));
}

function coverByMonths({ from, to }: Days): Cover {
  let cover = NOTHING;
  for (let day = from; day <= to;) {
    const month = monthDays(yearOf(day), monthOf(day));
    const range = { from: day, to: Math.min(month.to, to) };
    cover = together(cover, coverWithinMonth(range, month));
    day = range.to + 1;
  }
  return cover;
}

/** Takes a range apart into what is the least to read of what there are sums of. */
export function partsOf({ from, to }: Days): Parts {
  let cover = NOTHING;
  for (let day = from; day <= to;) {
    const year = yearDays(yearOf(day));
    const range = { from: day, to: Math.min(year.to, to) };
    const rest = outside(range, year).map(coverByMonths).reduce(together, NOTHING);
    cover = together(
      cover,
      cheaper(coverByMonths(range), together(whole(GRAIN.year, year.from, COST.year), takenAway(rest))),
    );
    day = range.to + 1;
  }
  return { buckets: cover.buckets, days: cover.days };
}

export type Step = 'hour' | 'day' | 'week' | 'month' | 'year';

/** Days that still make a readable chart one by one, and so on. */
const DAYS_SHOWN = 92;
const WEEKS_SHOWN_DAYS = 366;
const MONTHS_SHOWN_DAYS = 3660;

/** [ST6] The steps a period is shown in. */
export function stepOf(period: StatsPeriod, { from, to }: Days): Step {
  if (period === 'year') return 'month';
  const length = to - from + 1;
  if (length === 1) return 'hour';
  if (length <= DAYS_SHOWN) return 'day';
  if (length <= WEEKS_SHOWN_DAYS) return period === 'all' ? 'month' : 'week';
  return length <= MONTHS_SHOWN_DAYS ? 'month' : 'year';
}

/** Every step of a range, the first and the last cut to it; not for hours. */
export function stepsOf(step: Exclude<Step, 'hour'>, { from, to }: Days): Days[] {
  const steps: Days[] = [];
  for (let day = from; day <= to;) {
    const end = Math.min(periodAround(step, day).to, to);
    steps.push({ from: day, to: end });
    day = end + 1;
  }
  return steps;
}
