import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  axisEnd,
  barsOf,
  changeOf,
  depthOf,
  fullestHour,
  highestOf,
  hourLabel,
  labelledOf,
  stepLabels,
  weekdayLabel,
} from '../../../client/src/features/stats/chart-math.ts';

describe('charts', () => {
  it.each([
    [0, 1],
    [1, 1],
    [3, 4],
    [7, 8],
    [10, 10],
    [11, 20],
    [21, 25],
    [26, 50],
    [101, 200],
    [999, 1000],
    [4200, 5000],
    [Number.NaN, 1],
  ])('an axis for %d ends at %d', (highest, end) => {
    expect(axisEnd(highest)).toBe(end);
  });

  it('an axis ends at or above the highest value and not far above it', () => {
    fc.assert(
      fc.property(fc.double({ min: 1.001, max: 1e9, noNaN: true }), (highest) => {
        const end = axisEnd(highest);
        expect(end).toBeGreaterThanOrEqual(highest - 1e-6 * highest);
        expect(end).toBeLessThanOrEqual(highest * 2.5);
      }),
    );
  });

  it('bars lie side by side inside the square, as high as their share', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { minLength: 1, maxLength: 400 }), (values) => {
        const end = axisEnd(Math.max(...values));
        const bars = barsOf(values, end);
        expect(bars).toHaveLength(values.length);
        for (const [i, bar] of bars.entries()) {
          expect(bar.x).toBeGreaterThanOrEqual(0);
          expect(bar.x + bar.width).toBeLessThanOrEqual(100 + 1e-9);
          const next = bars[i + 1];
          if (next) expect(bar.x + bar.width).toBeLessThan(next.x);
          expect(bar.height).toBeCloseTo(((values[i] ?? 0) / end) * 100);
        }
      }),
    );
  });

  it('labels are never more than there is room for, and begin with the first', () => {
    expect(labelledOf(0, 5)).toEqual([]);
    expect(labelledOf(7, 7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(labelledOf(24, 6)).toEqual([0, 4, 8, 12, 16, 20]);
    expect(labelledOf(31, 0)).toEqual([0]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 30 }), (count, most) => {
        const shown = labelledOf(count, most);
        expect(shown.length).toBeLessThanOrEqual(most);
        expect(shown[0]).toBe(0);
        expect(Math.max(...shown)).toBeLessThan(count);
      }),
    );
  });

  it.each([
    [10, 5, { kind: 'more', share: 1 }],
    [5, 10, { kind: 'less', share: 0.5 }],
    [0, 10, { kind: 'less', share: 1 }],
    [5, 0, { kind: 'fresh' }],
    [0, 0, { kind: 'same' }],
    [1000, 1001, { kind: 'same' }],
  ])('%d after %d is %o', (now, before, change) => {
    expect(changeOf(now, before)).toEqual(change);
  });

  it('the highest is the first of equals, and none where all is nothing', () => {
    expect(highestOf([1, 3, 3, 2])).toBe(1);
    expect(highestOf([0, 0])).toBeNull();
    expect(highestOf([])).toBeNull();
  });

  it('the fullest hour of the week is found in its row', () => {
    const clock = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => 0));
    expect(fullestHour(clock)).toBeNull();
    clock[6]![23] = 5;
    clock[2]![7] = 9;
    expect(fullestHour(clock)).toEqual({ weekday: 2, hour: 7 });
  });

  it('a cell of the map is empty only where nothing was', () => {
    expect(depthOf(0, 10)).toBe(0);
    expect(depthOf(0.01, 1000)).toBe(1);
    expect(depthOf(5, 10)).toBe(2);
    expect(depthOf(10, 10)).toBe(4);
    expect(depthOf(5, 0)).toBe(0);
  });

  it('weekdays begin with Monday and hours read as a clock, in both languages', () => {
    expect([0, 6].map((day) => weekdayLabel(day, 'en', 'long'))).toEqual(['Monday', 'Sunday']);
    expect(weekdayLabel(2, 'de', 'long')).toBe('Mittwoch');
    expect(hourLabel(17, 'de')).toBe('17:00');
    expect(hourLabel(17, 'en-GB')).toBe('17:00');
  });

  it.each([
    ['hour', { from: '2026-11-25', to: '2026-11-25', hour: 7 }, { short: '07:00', full: '07:00' }],
    [
      'day',
      { from: '2026-11-25', to: '2026-11-25', hour: null },
      { short: '25. Nov.', full: 'Mittwoch, 25. November' },
    ],
    ['month', { from: '2026-11-01', to: '2026-11-30', hour: null }, { short: 'Nov', full: 'November 2026' }],
    ['year', { from: '2026-01-01', to: '2026-12-31', hour: null }, { short: '2026', full: '2026' }],
  ] as const)('a step by %s has its labels', (by, step, labels) => {
    expect(stepLabels(by, step, 'de', '2026-11-25')).toEqual(labels);
  });
});
