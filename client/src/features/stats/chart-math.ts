import { daysInWords } from './stats-period.ts';
import type { Stats } from '#contract/stats.ts';

/** What is counted: listens, or minutes of them. */
export type Measure = 'listens' | 'minutes';
interface Amount {
  listens: number;
  seconds: number;
}

export function amountBy(measure: Measure, { listens, seconds }: Amount): number {
  return measure === 'listens' ? listens : seconds / 60;
}

/** The end of an axis: 1, 2, 2.5 or 5 times a power of ten, at or above the highest value; at least 1. */
export function axisEnd(highest: number): number {
  if (!(highest > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  // What counts whole things has no half ticks.
  const steps = power >= 10 ? [1, 2, 2.5, 5, 10] : [1, 2, 4, 6, 8, 10];
  return (steps.find((step) => step * power >= highest - 1e-9) ?? 10) * power;
}

export interface Bar {
  /** In parts of a hundred, from the left and from the bottom. */
  x: number;
  width: number;
  height: number;
}

/** Bars side by side with a gap of a fifth, in a square of a hundred by a hundred. */
export function barsOf(values: readonly number[], end: number): Bar[] {
  const step = 100 / Math.max(1, values.length);
  return values.map((value, i) => ({
    x: i * step + step * 0.1,
    width: step * 0.8,
    height: end > 0 ? Math.min(100, (Math.max(0, value) / end) * 100) : 0,
  }));
}

/** Which of so many labels are written, so that at most `most` stand side by side: the first, and evenly on. */
export function labelledOf(count: number, most: number): number[] {
  if (count === 0) return [];
  const step = Math.max(1, Math.ceil(count / Math.max(1, most)));
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);
}

/** How a number stands to the one before: a share of change, rounded to whole percent, or that there was nothing. */
export type Change =
  { kind: 'more'; share: number } | { kind: 'less'; share: number } | { kind: 'same' } | { kind: 'fresh' };
export function changeOf(now: number, before: number): Change {
  if (before <= 0) return { kind: now > 0 ? 'fresh' : 'same' };
  const share = Math.abs(now - before) / before;
  if (share < 0.005) return { kind: 'same' };
  return { kind: now > before ? 'more' : 'less', share };
}

/** The place of the highest value, the first of equals; null where all are nothing. */
export function highestOf(values: readonly number[]): number | null {
  let at: number | null = null;
  for (const [i, value] of values.entries()) if (value > (at === null ? 0 : (values[at] ?? 0))) at = i;
  return at;
}

/** The fullest hour of the week; null where nothing was heard. */
export function fullestHour(clock: readonly (readonly number[])[]): { weekday: number; hour: number } | null {
  const at = highestOf(clock.flat());
  return at === null ? null : { weekday: Math.floor(at / 24), hour: at % 24 };
}

/** How deep a cell of a heat map is drawn: 0 for nothing, 1 to 4 by its share of the highest. */
export function depthOf(value: number, highest: number): 0 | 1 | 2 | 3 | 4 {
  if (!(value > 0) || !(highest > 0)) return 0;
  return Math.min(4, Math.ceil((value / highest) * 4)) as 1 | 2 | 3 | 4;
}

/** What a step of a series is called: short under its bar, in full in the table. */
export function stepLabels(
  by: Stats['series_by'],
  step: Pick<Stats['series'][number], 'from' | 'to' | 'hour'>,
  locale: string,
  today: string,
): { short: string; full: string } {
  const utc = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, { timeZone: 'UTC', ...options });
  const at = Date.parse(step.from);
  switch (by) {
    case 'hour': {
      const hour = hourLabel(step.hour ?? 0, locale);
      return { short: hour, full: hour };
    }
    case 'day':
      return { short: utc({ day: 'numeric', month: 'short' }).format(at), full: daysInWords(step, locale, today) };
    case 'week':
      return { short: utc({ day: 'numeric', month: 'short' }).format(at), full: daysInWords(step, locale, today) };
    case 'month':
      return {
        short: utc({ month: 'short' }).format(at),
        full: utc({ month: 'long', year: 'numeric' }).format(at),
      };
    case 'year':
      return { short: step.from.slice(0, 4), full: step.from.slice(0, 4) };
  }
}

/** An hour of the day as the clock shows it. */
export function hourLabel(hour: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { timeZone: 'UTC', timeStyle: 'short' }).format(hour * 3_600_000);
}

/** A weekday by its name, 0 for Monday. */
export function weekdayLabel(weekday: number, locale: string, width: 'long' | 'short'): string {
  // The fifth of January 1970 was a Monday.
  return new Intl.DateTimeFormat(locale, { timeZone: 'UTC', weekday: width }).format((weekday + 4) * 86_400_000);
}
