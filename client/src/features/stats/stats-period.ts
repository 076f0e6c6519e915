import { addDays, dateInWords, daysBetween, isDate } from '../../lib/calendar.ts';
import { historyAddress } from '../history/history-filter.ts';
import type { StatsPeriod } from '#contract/stats.ts';
import type { QueryValue } from '../../lib/api.ts';

export const PERIODS = ['day', 'week', 'month', 'year', 'all', 'custom'] as const satisfies readonly StatsPeriod[];

/** Which time is looked at; `date` is any day of the period, empty for today. */
export interface StatsView {
  period: StatsPeriod;
  date: string;
  from: string;
  to: string;
}
interface Days {
  from: string;
  to: string;
}

/** The time an address asks for: this week unless it says; a custom time needs two days in order. */
export function viewOf(params: Pick<URLSearchParams, 'get'>): StatsView {
  const day = (name: string) => {
    const text = params.get(name);
    return isDate(text) ? text : '';
  };
  const period = PERIODS.find((one) => one === params.get('period')) ?? 'week';
  const [from, to] = [day('from'), day('to')];
  if (period !== 'custom') return { period, date: period === 'all' ? '' : day('date'), from: '', to: '' };
  if (from === '' || to === '' || from > to) return { period: 'week', date: '', from: '', to: '' };
  return { period, date: '', from, to };
}

export function statsAddress({ period, date = '', from = '', to = '' }: Partial<StatsView>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries({ period: period === 'week' ? '' : period, date, from, to })) {
    if (value) params.set(name, value);
  }
  const search = params.toString();
  return search === '' ? '/stats' : `/stats?${search}`;
}

export function statsQuery({ period, date, from, to }: StatsView): Record<string, QueryValue> {
  return { period, date, from, to };
}

/** The time right before or after the one that is shown, or null where there is none: all time, or what is still to come. */
export function neighbour(period: StatsPeriod, shown: Days, direction: -1 | 1, today: string): StatsView | null {
  if (period === 'all') return null;
  if (direction === 1 && shown.to >= today) return null;
  if (period === 'custom') {
    const days = daysBetween(shown.from, shown.to) * direction;
    return { period, date: '', from: addDays(shown.from, days), to: addDays(shown.to, days) };
  }
  return { period, date: addDays(direction === 1 ? shown.to : shown.from, direction), from: '', to: '' };
}

/** What a stretch of days is called: a month and a year by their names. */
export function daysInWords({ from, to }: Days, locale: string, today: string): string {
  const utc = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, { timeZone: 'UTC', ...options });
  if (from === to) return dateInWords(from, locale, today);
  if (from.endsWith('-01-01') && to === `${from.slice(0, 4)}-12-31`) return from.slice(0, 4);
  if (from.endsWith('-01') && addDays(to, 1).endsWith('-01') && from.slice(0, 7) === to.slice(0, 7)) {
    return utc({ month: 'long', year: 'numeric' }).format(Date.parse(from));
  }
  return utc({ day: 'numeric', month: 'short', year: 'numeric' }).formatRange(Date.parse(from), Date.parse(to));
}

/** The plays of some days in the history. */
export function historyOfDays(
  { from, to }: Days,
  more: { track_id?: string; artist_id?: string; album_id?: string } = {},
) {
  return historyAddress({ from, to, ...more });
}
