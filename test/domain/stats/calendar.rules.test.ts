import { describe, expect, test } from 'vitest';
import { dayOf, partsOf, yearDays, monthDays, monthOf, yearOf } from '#domain/stats/calendar.rules.ts';
import { GRAIN } from '#domain/stats/stats.table.ts';
import { seeded } from '../../support/random.ts';
import type { Days } from '#domain/stats/calendar.rules.ts';

/** How often each day is in what a range is put together from. */
function countDays(range: Days): Map<number, number> {
  const counts = new Map<number, number>();
  const add = ({ from, to }: Days, sign: number) => {
    for (let day = from; day <= to; day++) counts.set(day, (counts.get(day) ?? 0) + sign);
  };
  const { buckets, days } = partsOf(range);
  for (const { grain, bucket, sign } of buckets) {
    add(grain === GRAIN.year ? yearDays(yearOf(bucket)) : monthDays(yearOf(bucket), monthOf(bucket)), sign);
  }
  for (const { day, sign } of days) add({ from: day, to: day }, sign);
  return new Map([...counts].filter(([, count]) => count !== 0));
}

describe('a range is put together', () => {
  test('[ST5] of each of its days once, whatever is taken away for it', () => {
    const random = seeded();
    console.log(`SEED=${random.seed}`);
    const start = dayOf('2019-01-01');
    for (let round = 0; round < 400; round++) {
      const from = start + random.int(1500);
      const to = from + random.int(random.pick([10, 70, 500, 1500]));
      const expected = new Map(Array.from({ length: to - from + 1 }, (_, i) => [from + i, 1]));
      expect(countDays({ from, to })).toEqual(expected);
    }
  });

  test('[ST5] of little: a year but for two weeks is the year without them, a month but for a day is that month', () => {
    const almost = partsOf({ from: dayOf('2025-01-15'), to: dayOf('2025-12-31') });
    expect(almost.buckets).toEqual([{ grain: GRAIN.year, bucket: dayOf('2025-01-01'), sign: 1 }]);
    expect(almost.days.map(({ sign }) => sign)).toEqual(Array.from({ length: 14 }, () => -1));

    const month = partsOf({ from: dayOf('2024-02-01'), to: dayOf('2024-02-28') });
    expect(month).toEqual({
      buckets: [{ grain: GRAIN.month, bucket: dayOf('2024-02-01'), sign: 1 }],
      days: [{ day: dayOf('2024-02-29'), sign: -1 }],
    });
  });
});
