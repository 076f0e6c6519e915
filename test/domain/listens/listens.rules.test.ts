import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  KEPT_REPORTS,
  advance,
  begin,
  coveredMs,
  explain,
  isCompleted,
  isSkip,
  judgeListen,
  mergeSpan,
  readReports,
  take,
  toServerTime,
  writeReports,
} from '#domain/listens/listens.rules.ts';
import { anyReports, honestReports, inOtherOrder } from '../../support/reports.ts';
import type { Heard, Playback, Report, Span } from '#domain/listens/listens.rules.ts';

const T0 = 1_800_000_000_000;
/** A report `at` ms after the start. */
const says = (seq: number, at: number, position_ms: number, state: Report['state'] = 'playing', rate = 1): Report => ({
  seq,
  position_ms,
  state,
  rate,
  occurred_at_ms: T0 + at,
  is_dated: true,
});
const all = (reports: readonly Report[], durationMs: number | null = 300_000, from = begin(0, T0)): Playback =>
  reports.reduce((playback, report) => take(playback, report, durationMs), from);
/** From T0 on. */
const wallOf = ({ wall }: Heard): Span[] => wall.map(([from, to]) => [from - T0, to - T0]);

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
    ['a jitter ahead counts as the time allows', [says(0, 10_000, 11_000)], [[0, 10_000]], 10_000],
    [
      'a clock that runs a little fast leaves no gaps',
      Array.from({ length: 50 }, (_, i) => says(i, (i + 1) * 5_000, (i + 1) * 5_005)),
      [[0, 250_000]],
      250_000,
    ],
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
    const { heard } = all(reports);
    expect(heard.spans).toEqual(spans);
    expect(heard.played_ms).toBe(played);
    expect(coveredMs(heard.wall)).toBe(played);
  });

  test.each<[string, Report[], Span[]]>([
    ['nothing, when nothing was heard', [], []],
    ['playing on', [says(0, 5_000, 5_000), says(1, 10_000, 10_000)], [[0, 10_000]]],
    [
      'with a pause',
      [says(0, 5_000, 5_000, 'paused'), says(1, 60_000, 5_000), says(2, 65_000, 10_000)],
      [
        [0, 5_000],
        [60_000, 65_000],
      ],
    ],
    ['a player that stood still was on at the end of its time', [says(0, 60_000, 10_000)], [[50_000, 60_000]]],
    ['a timer that fires late is not a pause', [says(0, 5_000, 4_900), says(1, 10_000, 9_700)], [[0, 9_700]]],
    [
      'a clock read anew for each report adds nothing',
      [says(0, 25_011, 25_000), says(1, 40_022, 40_000)],
      [[0, 40_000]],
    ],
    [
      'many small delays are a gap once they are more than a jitter',
      [says(0, 5_000, 4_800), says(1, 10_000, 9_600), says(2, 15_000, 14_400)],
      [
        [0, 9_600],
        [10_000, 14_800],
      ],
    ],
    ['twice as fast, half as long', [says(0, 0, 0, 'playing', 2), says(1, 60_000, 20_000)], [[50_000, 60_000]]],
    [
      'a seek is no time',
      [says(0, 5_000, 5_000), says(1, 6_000, 90_000), says(2, 7_000, 91_000)],
      [
        [0, 5_000],
        [6_000, 7_000],
      ],
    ],
  ])('[LP14] when it was on: %s', (_name, reports, wall) => {
    const { heard } = all(reports);
    expect(wallOf(heard)).toEqual(wall);
    expect(heard.played_ms).toBe(coveredMs(wall));
  });

  test.each<[string, Report[], Span[], number]>([
    ['again from the end', [says(0, 9_000, 9_000), says(1, 14_000, 4_000)], [[0, 10_000]], 14_000],
    ['twice round between two reports', [says(0, 9_000, 9_000), says(1, 24_000, 4_000)], [[0, 10_000]], 24_000],
    [
      'a bit too far for the time counts as the time allows',
      [says(0, 0, 5_000), says(1, 8_000, 4_500)],
      [
        [0, 3_000],
        [5_000, 10_000],
      ],
      8_000,
    ],
    ['a step back of another length is a seek', [says(0, 9_000, 9_000), says(1, 11_000, 4_000)], [[0, 9_000]], 9_000],
    ['back to the start, and no further', [says(0, 9_000, 9_000), says(1, 10_000, 0)], [[0, 10_000]], 10_000],
    [
      'from the beginning after a pause is a seek',
      [says(0, 9_000, 9_000, 'paused'), says(1, 14_000, 4_000)],
      [[0, 9_000]],
      9_000,
    ],
    [
      'a hundred times round',
      Array.from({ length: 200 }, (_, i) => says(i, (i + 1) * 5_000, ((i + 1) * 5_000) % 10_000)),
      [[0, 10_000]],
      1_000_000,
    ],
  ])('[LP17] a track of 10 s that begins again: %s', (_name, reports, spans, played) => {
    const { heard } = all(reports, 10_000);
    expect(heard.spans).toEqual(spans);
    expect(heard.played_ms).toBe(played);
    expect(heard.wall.length).toBeLessThanOrEqual(2);
  });

  test('[LP17] of a track of unknown length nobody can say that it began again', () => {
    const { heard } = all([says(0, 9_000, 9_000), says(1, 14_000, 4_000)], null);
    expect(heard.spans).toEqual([[0, 9_000]]);
  });

  const steps = (n: number): Report[] => Array.from({ length: n }, (_, i) => says(i, (i + 1) * 1_000, (i + 1) * 1_000));

  test.each<[string, Report[], Report, Span[]]>([
    [
      'a pause that nobody knew of',
      [says(0, 10_000, 10_000), says(4, 30_000, 20_000)],
      says(2, 12_000, 12_000, 'paused'),
      [[0, 12_000]],
    ],
    [
      'a seek that nobody knew of',
      [says(0, 10_000, 10_000), says(4, 30_000, 120_000)],
      says(2, 20_000, 110_000),
      [
        [0, 10_000],
        [110_000, 120_000],
      ],
    ],
    ['before the first', [says(5, 20_000, 20_000)], says(1, 10_000, 10_000, 'paused'), [[0, 10_000]]],
    ['after the end came', [says(5, 20_000, 120_000, 'stopped')], says(1, 10_000, 110_000), [[110_000, 120_000]]],
    [
      'an end that was earlier',
      [says(1, 10_000, 10_000), says(5, 20_000, 20_000), says(6, 30_000, 30_000)],
      says(3, 15_000, 15_000, 'stopped'),
      [[0, 15_000]],
    ],
  ])('[LP15] a late report is fitted in: %s', (_name, reports, late, spans) => {
    const { heard } = all([...reports, late]);
    expect(heard.spans).toEqual(spans);
    const inOrder = [...reports, late].sort((a, b) => a.seq - b.seq);
    expect(all([...reports, late])).toEqual(all(inOrder));
  });

  test.each<[string, Report[], Report]>([
    [
      'it happened before the one before it',
      [says(0, 10_000, 10_000), says(4, 30_000, 20_000)],
      says(2, 9_999, 5_000, 'paused'),
    ],
    [
      'it happened after the one after it',
      [says(0, 10_000, 10_000), says(4, 30_000, 20_000)],
      says(2, 30_001, 5_000, 'paused'),
    ],
    ['it happened before the start', [says(4, 30_000, 20_000)], says(2, -1, 5_000, 'paused')],
    ['it does not say when', [says(4, 30_000, 20_000)], { ...says(2, 10_000, 5_000, 'paused'), is_dated: false }],
    [
      'its seq was seen, with other content',
      [says(2, 10_000, 10_000), says(4, 30_000, 20_000)],
      says(2, 11_000, 5_000, 'paused'),
    ],
    [
      'it is older than what is kept',
      [says(0, 0, 0), ...steps(KEPT_REPORTS + 8).map((one) => ({ ...one, seq: one.seq + 10 }))],
      says(5, 500, 500, 'paused'),
    ],
    ['it comes after the end', [says(0, 10_000, 10_000, 'stopped')], says(1, 20_000, 20_000)],
  ])('[LP15] a late report changes nothing: %s', (_name, reports, late) => {
    const before = all(reports);
    expect(take(before, late, 300_000)).toBe(before);
  });

  test('[LP15] the last reports are kept, and no more; as they are stored they are read again', () => {
    let playback = begin(0, T0);
    for (const report of steps(100)) {
      playback = take(playback, report, 300_000);
      const kept = playback.blocks.reduce((sum, block) => sum + block.count, 0);
      expect(kept).toBeGreaterThanOrEqual(Math.min(report.seq + 1, KEPT_REPORTS));
      expect(kept).toBeLessThanOrEqual(KEPT_REPORTS + 8);
      expect(playback.settled.last_seq).toBe(report.seq - kept);
      expect(readReports(writeReports(playback), playback.heard, 300_000)).toEqual(playback);
    }
  });

  test('a session of more parts than anybody listens in takes no more of them', () => {
    const hop = (i: number) => [
      says(2 * i, i * 1_000, i * 3_000, 'playing'),
      says(2 * i + 1, i * 1_000 + 500, i * 3_000 + 500, 'paused'),
    ];
    const { heard } = all(Array.from({ length: 2_000 }, (_, i) => hop(i)).flat(), 86_400_000);
    expect(heard.spans).toHaveLength(500);
    expect(writeReports(all([])).length).toBeLessThan(100);
    expect(heard.last_seq).toBe(3_999);
  });

  const EPSILON = 1e-3;
  const durations = fc.constantFrom(null, 1_000, 10_000, 30_000, 300_000);

  test('[LP14] however late and unevenly a player reports, it is never heard for longer than it moved', () => {
    const steps = fc.array(fc.record({ moved_ms: fc.nat(20_000), late_ms: fc.nat(600) }), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, fc.constantFrom(0.5, 1, 1.3, 2), (taken, rate) => {
        let [at, position] = [0, 0];
        const reports = taken.map(({ moved_ms, late_ms }, i) => {
          position += moved_ms;
          at += Math.ceil(moved_ms / rate) + late_ms;
          return says(i + 1, at, position, 'playing', rate);
        });
        const { heard } = all([says(0, 0, 0, 'playing', rate), ...reports], null);
        expect(heard.played_ms * rate).toBeLessThanOrEqual(position);
        // A step loses less than the millisecond that is not whole.
        expect(heard.played_ms).toBeGreaterThan(position / rate - taken.length - 1);
        expect(coveredMs(heard.spans)).toBeLessThanOrEqual(position);
      }),
      { numRuns: 500 },
    );
  });

  test('[LP4] whatever is reported, in whatever order: never more than wall time × rate, nor than the track', () => {
    fc.assert(
      fc.property(anyReports(T0), durations, (reports, durationMs) => {
        let playback = begin(0, T0);
        for (const report of reports) {
          const before = playback.heard;
          playback = take(playback, report, durationMs);
          const { heard } = playback;
          const elapsedMs = heard.reported_at_ms - T0;
          expect(heard.played_ms).toBe(coveredMs(heard.wall));
          expect(heard.played_ms).toBeLessThanOrEqual(elapsedMs);
          expect(coveredMs(heard.spans)).toBeLessThanOrEqual(elapsedMs * 4 + EPSILON);
          if (report.seq > before.last_seq && before.state !== 'stopped') {
            const wallMs = heard.reported_at_ms - before.reported_at_ms;
            expect(wallMs).toBeGreaterThanOrEqual(0);
            const addedMs = coveredMs(heard.spans) - coveredMs(before.spans);
            const allowedMs = before.state === 'playing' ? wallMs * before.rate : 0;
            expect(addedMs).toBeLessThanOrEqual(allowedMs + EPSILON);
            // More reports never take anything away.
            expect(addedMs).toBeGreaterThanOrEqual(-EPSILON);
            expect(heard.played_ms).toBeGreaterThanOrEqual(before.played_ms);
          }
          for (const spans of [heard.spans, heard.wall]) {
            let end = -Infinity;
            for (const [from, to] of spans) {
              expect(to).toBeGreaterThan(from);
              // Merged: the next begins where the last one no longer reaches.
              expect(from).toBeGreaterThan(end);
              end = to;
            }
          }
          if (heard.wall.length > 0) expect(heard.wall[0]?.[0]).toBeGreaterThanOrEqual(T0);
          if (heard.spans.length > 0) expect(heard.spans[0]?.[0]).toBeGreaterThanOrEqual(-EPSILON);
          if (durationMs !== null) expect(heard.spans.at(-1)?.[1] ?? 0).toBeLessThanOrEqual(durationMs + EPSILON);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('[LP16] any order and repetition of the same reports comes to the same', () => {
    fc.assert(
      fc.property(
        durations.chain((durationMs) =>
          honestReports(T0, durationMs).chain((reports) =>
            fc.record({
              durationMs: fc.constant(durationMs),
              reports: fc.constant(reports),
              order: inOtherOrder(reports, KEPT_REPORTS),
            }),
          ),
        ),
        ({ durationMs, reports, order }) => {
          const inOrder = all(reports, durationMs).heard;
          expect(all(order, durationMs).heard).toEqual(inOrder);
          // Said all over again, also with other words, it changes nothing.
          const once = all(order, durationMs);
          for (const report of order) {
            expect(take(once, report, durationMs)).toBe(once);
            expect(take(once, { ...report, position_ms: 1, state: 'paused' }, durationMs)).toBe(once);
          }
          // The reports one by one, without memory of more than where the last one left it.
          const start = begin(0, T0).heard;
          const end = reports.findIndex((one) => one.state === 'stopped');
          const taken = end < 0 ? reports : reports.slice(0, end + 1);
          expect(taken.reduce((heard, one) => advance(heard, one, durationMs), start)).toEqual(inOrder);
        },
      ),
      { numRuns: 1_500 },
    );
  });

  test('[LP16] a process that forgets in between, and reads what was stored, comes to the same', () => {
    fc.assert(
      fc.property(
        honestReports(T0, 30_000).chain((reports) => inOtherOrder(reports, KEPT_REPORTS)),
        fc.integer({ min: 1, max: 10 }),
        (order, every) => {
          let playback = begin(0, T0);
          for (const [i, report] of order.entries()) {
            playback = take(playback, report, 30_000);
            if (i % every === 0) playback = readReports(writeReports(playback), playback.heard, 30_000);
          }
          expect(playback).toEqual(all(order, 30_000));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('[LP4] spans merge to the same, whatever their order', () => {
    const span = fc
      .tuple(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 1, max: 100 }))
      .map(([from, length]): Span => [from, from + length]);
    fc.assert(
      fc.property(fc.array(span, { maxLength: 30 }), (spans) => {
        const merged = spans.reduce<readonly Span[]>(mergeSpan, []);
        expect([...spans].reverse().reduce<readonly Span[]>(mergeSpan, [])).toEqual(merged);
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

describe('why', () => {
  const why = (reports: readonly Report[], durationMs: number | null) => {
    const { heard } = all(reports, durationMs);
    return explain(judgeListen(heard.spans, durationMs), heard, T0);
  };
  test.each<[string, Report[], number | null, string]>([
    ['enough', [says(0, 60_000, 60_000)], 100_000, 'It counts: 1 min of the track heard, 50 s needed.'],
    [
      'too little, and what is missing',
      [says(0, 10_000, 10_000)],
      100_000,
      'It does not count: only 10 s of the track heard, 50 s needed, 40 s missing.',
    ],
    [
      'nearly: never "0 s missing"',
      [says(0, 49_900, 49_900)],
      100_000,
      'It does not count: only 50 s of the track heard, 50 s needed, 1 s missing.',
    ],
    [
      'a long track',
      [says(0, 200_000, 200_000)],
      3_600_000,
      'It does not count: only 3 min 20 s of the track heard, 4 min needed, 40 s missing.',
    ],
    [
      'a seek and a pause',
      [says(0, 10_000, 10_000), says(1, 10_100, 80_000, 'paused'), says(2, 70_100, 80_000), says(3, 80_100, 90_000)],
      100_000,
      'It does not count: only 20 s of the track heard, 50 s needed, 30 s missing. Passed over by seeking, not counted: 1 min 10 s. ' +
        'Paused or standing still, not counted: 1 min.',
    ],
    [
      'a part heard again',
      [says(0, 20_000, 20_000), says(1, 20_000, 0), says(2, 40_000, 20_000)],
      100_000,
      'It does not count: only 20 s of the track heard, 50 s needed, 30 s missing. Heard again, each part counted once: 20 s.',
    ],
    [
      'a jingle',
      [says(0, 20_000, 20_000)],
      20_000,
      'It does not count: tracks of 30 seconds or less never do; 20 s of the track heard.',
    ],
    [
      'who knows',
      [says(0, 3_700_000, 3_700_000)],
      null,
      'It does not count: the length of this track is not known; 1 h 1 min 40 s of the track heard.',
    ],
  ])('[LP19] %s', (_name, reports, durationMs, words) => {
    expect(why(reports, durationMs)).toBe(words);
  });

  test.each<[string, Report[], number | null, boolean]>([
    ['left early', [says(0, 10_000, 10_000, 'stopped')], 100_000, true],
    ['not left yet', [says(0, 10_000, 10_000)], 100_000, false],
    ['left after it counted', [says(0, 60_000, 60_000, 'stopped')], 100_000, false],
    [
      'to the end by seeking',
      [says(0, 10_000, 10_000), says(1, 10_100, 95_000), says(2, 15_000, 99_000, 'stopped')],
      100_000,
      false,
    ],
    [
      'to the end, and back at its start when it says so',
      [says(0, 1_000, 95_000), says(1, 6_000, 100_000), says(2, 6_100, 0, 'stopped')],
      100_000,
      false,
    ],
    ['a jingle', [says(0, 1_000, 1_000, 'stopped')], 30_000, false],
    ['of unknown length', [says(0, 1_000, 1_000, 'stopped')], null, false],
    ['left without hearing anything', [says(0, 0, 0, 'stopped')], 100_000, true],
  ])('[LP18] skipped: %s', (_name, reports, durationMs, skipped) => {
    const { heard } = all(reports, durationMs);
    expect(isSkip(heard, judgeListen(heard.spans, durationMs).counted, durationMs)).toBe(skipped);
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
