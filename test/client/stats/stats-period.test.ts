import { describe, expect, it } from 'vitest';
import {
  daysInWords,
  historyOfDays,
  neighbour,
  statsAddress,
  viewOf,
} from '../../../client/src/features/stats/stats-period.ts';

const TODAY = '2026-11-25';
const view = (search: string) => viewOf(new URLSearchParams(search));

describe('the time looked at', () => {
  it('is this week where the address says nothing, or nothing that makes sense', () => {
    const week = { period: 'week', date: '', from: '', to: '' };
    expect(view('')).toEqual(week);
    expect(view('period=decade')).toEqual(week);
    expect(view('period=custom')).toEqual(week);
    expect(view('period=custom&from=2026-02-01&to=2026-01-01')).toEqual(week);
    expect(view('period=custom&from=2026-02-30&to=2026-03-01')).toEqual(week);
    expect(view('date=nonsense')).toEqual(week);
    // All time has no day.
    expect(view('period=all&date=2026-01-01')).toEqual({ ...week, period: 'all' });
  });

  it.each([
    '',
    'period=month',
    'period=year&date=2025-06-01',
    'period=all',
    'period=custom&from=2026-01-01&to=2026-01-09',
  ])('comes back from its address: %s', (search) => {
    const one = view(search);
    expect(viewOf(new URL(statsAddress(one), 'http://x.invalid').searchParams)).toEqual(one);
  });

  it.each([
    ['day', { from: '2026-11-24', to: '2026-11-24' }, '2026-11-23', '2026-11-25'],
    ['week', { from: '2026-11-16', to: '2026-11-22' }, '2026-11-15', '2026-11-23'],
    ['month', { from: '2026-03-01', to: '2026-03-31' }, '2026-02-28', '2026-04-01'],
    ['year', { from: '2024-01-01', to: '2024-12-31' }, '2023-12-31', '2025-01-01'],
  ] as const)('a %s has one before and one after it', (period, shown, before, after) => {
    expect(neighbour(period, shown, -1, TODAY)).toMatchObject({ period, date: before });
    expect(neighbour(period, shown, 1, TODAY)).toMatchObject({ period, date: after });
  });

  it('has none after it that is still to come, and none around all time', () => {
    expect(neighbour('week', { from: '2026-11-23', to: '2026-11-29' }, 1, TODAY)).toBeNull();
    expect(neighbour('all', { from: '2020-01-01', to: TODAY }, -1, TODAY)).toBeNull();
  });

  it('of its own moves by its own length', () => {
    const shown = { from: '2026-02-25', to: '2026-03-06' };
    expect(neighbour('custom', shown, -1, TODAY)).toMatchObject({ from: '2026-02-15', to: '2026-02-24' });
    expect(neighbour('custom', shown, 1, TODAY)).toMatchObject({ from: '2026-03-07', to: '2026-03-16' });
  });

  it.each([
    [{ from: '2026-01-01', to: '2026-12-31' }, '2026'],
    [{ from: '2026-02-01', to: '2026-02-28' }, 'February 2026'],
    [{ from: '2024-02-01', to: '2024-02-28' }, 'Feb 1 – 28, 2024'],
    [{ from: '2026-11-16', to: '2026-11-22' }, 'Nov 16 – 22, 2026'],
    [{ from: '2026-11-25', to: '2026-11-25' }, 'Wednesday, November 25'],
  ])('%o is called %s', (days, words) => {
    expect(daysInWords(days, 'en', TODAY).replaceAll(/\s/gu, ' ')).toBe(words);
  });

  it('leads to the plays of the same days', () => {
    expect(historyOfDays({ from: '2026-11-16', to: '2026-11-22' }, { artist_id: 'a' })).toBe(
      '/history?from=2026-11-16&to=2026-11-22&artist_id=a',
    );
  });
});
