import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  advance,
  coveredMs,
  isCompleted,
  judgeListen,
  mergeSpan,
  toServerTime,
} from '#domain/listens/listens.rules.ts';
import type { Playback, Report, Span } from '#domain/listens/listens.rules.ts';

const T0 = 1_800_000_000_000;
const start = (more: Partial<Playback> = {}): Playback => ({
  last_seq: -1,
  position_ms: 0,
  reported_at_ms: T0,
  state: 'playing',
  rate: 1,
  spans: [],
  played_ms: 0,
  ...more,
});
/** A report `at` ms after the start. */
const says = (seq: number, at: number, position_ms: number, state: Report['state'] = 'playing', rate = 1): Report => ({
  seq,
  position_ms,
  state,
  rate,
  occurred_at_ms: T0 + at,
});
const after = (reports: readonly Report[], durationMs: number | null = 300_000, from = start()) =>
  reports.reduce((playback, report) => advance(playback, report, durationMs), from);

describe('what was heard', () => {
  test.each<[string, Report[], Span[], number]>([
    ['nothing, when nothing was reported', [], [], 0],
    ['playing on', [says(0, 10_000, 10_000)], [[0, 10_000]], 10_000],
    ['playing on in steps', [says(0, 5_000, 5_000), says(1, 10_000, 10_000)], [[0, 10_000]], 10_000],
    [
      'a pause is not listening',
      [says(0, 5_000, 5_000, 'paused'), says(1, 60_000, 5_000), says(2, 65_000, 10_000)],
      [[0, 10_000]],
      10_000,
    ],
    [
      'a seek ahead is not listening',
      [says(0, 5_000, 5_000), says(1, 5_100, 200_000), says(2, 15_100, 210_000)],
      [
        [0, 5_000],
        [200_000, 210_000],
      ],
      15_000,
    ],
    [
      'a seek back is not listening',
      [says(0, 10_000, 10_000), says(1, 10_500, 2_000), says(2, 12_500, 4_000)],
      [[0, 10_000]],
      12_000,
    ],
    [
      'a loop counts its time, and its part once',
      [says(0, 10_000, 10_000), says(1, 10_000, 0), says(2, 20_000, 10_000)],
      [[0, 10_000]],
      20_000,
    ],
    [
      'a seek while paused',
      [
        says(0, 5_000, 5_000, 'paused'),
        says(1, 9_000, 100_000, 'paused'),
        says(2, 10_000, 100_000),
        says(3, 12_000, 102_000),
      ],
      [
        [0, 5_000],
        [100_000, 102_000],
      ],
      7_000,
    ],
    ['twice as fast', [says(0, 0, 0, 'playing', 2), says(1, 10_000, 20_000, 'playing', 2)], [[0, 20_000]], 10_000],
    ['faster than said', [says(0, 10_000, 20_000)], [], 0],
    ['a jitter ahead counts as the time allows', [says(0, 10_000, 11_000)], [[1_000, 11_000]], 10_000],
    ['a stalled player', [says(0, 60_000, 10_000)], [[0, 10_000]], 10_000],
    ['over the end', [says(0, 400_000, 500_000)], [[0, 300_000]], 300_000],
    ['the same report again', [says(0, 10_000, 10_000), says(0, 20_000, 20_000)], [[0, 10_000]], 10_000],
    ['an older report later', [says(5, 10_000, 10_000), says(4, 20_000, 20_000)], [[0, 10_000]], 10_000],
    [
      'a report that happened before the last',
      [says(0, 10_000, 10_000), says(1, 5_000, 15_000)],
      [[0, 10_000]],
      10_000,
    ],
    ['after the end', [says(0, 10_000, 10_000, 'stopped'), says(1, 20_000, 20_000)], [[0, 10_000]], 10_000],
  ])('[LP3] %s', (_name, reports, spans, played) => {
    const heard = after(reports);
    expect(heard.spans).toEqual(spans);
    expect(heard.played_ms).toBe(played);
  });

  const reports = fc.array(
    fc.record({
      seq: fc.integer({ min: 0, max: 60 }),
      position_ms: fc.oneof(fc.integer({ min: 0, max: 300_000 }), fc.double({ min: 0, max: 86_400_000, noNaN: true })),
      state: fc.constantFrom(
        'playing' as const,
        'paused' as const,
        'stopped' as const,
        'playing' as const,
        'playing' as const,
      ),
      rate: fc.double({ min: 0.25, max: 4, noNaN: true }),
      at: fc.integer({ min: -100_000, max: 600_000 }),
    }),
    { maxLength: 60 },
  );
  const toReport = ({ at, ...report }: { at: number } & Omit<Report, 'occurred_at_ms'>): Report => ({
    ...report,
    occurred_at_ms: T0 + at,
  });
  const EPSILON = 1e-3;

  test('[LP4] any order and repetition of any reports never covers more than wall time × rate, nor more than the track', () => {
    fc.assert(
      fc.property(reports, fc.constantFrom(null, 1_000, 30_000, 300_000), (list, durationMs) => {
        let playback = start();
        let possibleMs = 0;
        for (const report of list.map(toReport)) {
          const before = playback;
          playback = advance(playback, report, durationMs);
          expect(playback.reported_at_ms).toBeGreaterThanOrEqual(before.reported_at_ms);
          expect(playback.last_seq).toBeGreaterThanOrEqual(before.last_seq);
          const wallMs = playback.reported_at_ms - before.reported_at_ms;
          const addedMs = coveredMs(playback.spans) - coveredMs(before.spans);
          expect(addedMs).toBeLessThanOrEqual(wallMs * before.rate + EPSILON);
          expect(playback.played_ms - before.played_ms).toBeLessThanOrEqual(wallMs + EPSILON);
          if (before.state !== 'playing') expect(addedMs).toBeLessThanOrEqual(EPSILON);
          possibleMs += wallMs * 4;
        }
        expect(coveredMs(playback.spans)).toBeLessThanOrEqual(possibleMs + EPSILON);
        expect(playback.played_ms).toBeLessThanOrEqual(playback.reported_at_ms - T0 + EPSILON);
        let end = -Infinity;
        for (const [from, to] of playback.spans) {
          expect(from).toBeGreaterThanOrEqual(-EPSILON);
          expect(to).toBeGreaterThan(from);
          // Merged: the next begins where the last one no longer reaches.
          expect(from).toBeGreaterThan(end);
          if (durationMs !== null) expect(to).toBeLessThanOrEqual(durationMs + EPSILON);
          end = to;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('[LP3] saying everything again, in any order, changes nothing', () => {
    fc.assert(
      fc.property(reports, fc.infiniteStream(fc.nat()), (list, chance) => {
        const once = after(list.map(toReport));
        const again = list
          .filter((report) => report.seq <= once.last_seq)
          .map((report) => ({ report, key: chance.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .reduce((playback, { report }) => advance(playback, toReport(report), 300_000), once);
        expect(again).toBe(once);
      }),
      { numRuns: 500 },
    );
  });

  test('[LP4] spans merge to the same, whatever their order', () => {
    const span = fc
      .tuple(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 1, max: 100 }))
      .map(([from, length]): Span => [from, from + length]);
    fc.assert(
      fc.property(fc.array(span, { maxLength: 30 }), (spans) => {
        const merged = spans.reduce<Span[]>((all, one) => mergeSpan(all, one), []);
        expect([...spans].reverse().reduce<Span[]>((all, one) => mergeSpan(all, one), [])).toEqual(merged);
        const heard = new Set(spans.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i)));
        expect(coveredMs(merged)).toBe(heard.size);
      }),
    );
  });
});

describe('when it counts', () => {
  test.each<[number | null, number, boolean]>([
    [null, 300_000, false],
    [30_000, 30_000, false],
    [29_000, 29_000, false],
    [30_001, 15_000, false],
    [30_001, 15_001, true],
    [100_000, 49_999, false],
    [100_000, 50_000, true],
    [480_000, 239_999, false],
    [480_000, 240_000, true],
    [3_600_000, 239_999, false],
    [3_600_000, 240_000, true],
  ])('[LP7] of a track of %s ms, %s ms heard: %s', (durationMs, heardMs, counted) => {
    const verdict = judgeListen([[0, heardMs]], durationMs);
    expect(verdict.counted).toBe(counted);
    expect(verdict.why.length).toBeGreaterThan(10);
  });

  test.each<[number | null, Span[], boolean]>([
    [null, [[0, 1_000]], false],
    [0, [[0, 1]], false],
    [100_000, [[0, 80_000]], false],
    [100_000, [[0, 80_001]], true],
    [
      100_000,
      [
        [0, 50_000],
        [60_000, 90_001],
      ],
      true,
    ],
  ])('[LP6] of %s ms, %j is over 80 %%: %s', (durationMs, spans, completed) => {
    expect(isCompleted(spans, durationMs)).toBe(completed);
  });
});

describe('when it was', () => {
  test.each<[string, { occurred_at_ms?: number; sent_at_ms?: number }, number | null]>([
    ['now, when nothing is said', {}, T0],
    ['as said', { occurred_at_ms: T0 - 5_000 }, T0 - 5_000],
    [
      'a client’s clock ahead is taken out',
      { occurred_at_ms: T0 + 3_600_000 - 5_000, sent_at_ms: T0 + 3_600_000 },
      T0 - 5_000,
    ],
    [
      'a client’s clock behind is taken out',
      { occurred_at_ms: T0 - 86_400_000, sent_at_ms: T0 - 86_395_000 },
      T0 - 5_000,
    ],
    ['a little ahead is now', { occurred_at_ms: T0 + 600_000 }, T0],
    ['far ahead is refused', { occurred_at_ms: T0 + 600_001 }, null],
    ['far ahead of its own sending is refused', { occurred_at_ms: T0 + 700_000, sent_at_ms: T0 }, null],
    ['before all time', { occurred_at_ms: -5 }, 0],
  ])('[LP5] %s', (_name, said, expected) => {
    expect(toServerTime(T0, said)).toBe(expected);
  });
});
