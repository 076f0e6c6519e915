/** Reports of one listening session, as fast-check makes them. */
import fc from 'fast-check';
import type { Report } from '#domain/listens/listens.rules.ts';

const states = fc.constantFrom<Report['state'][]>('playing', 'playing', 'playing', 'paused', 'stopped');

/** Anything that gets past the door: repeated, out of order, at odd times and places. */
export function anyReports(startMs: number): fc.Arbitrary<Report[]> {
  return fc.array(
    fc.record({
      seq: fc.integer({ min: 0, max: 60 }),
      position_ms: fc.oneof(fc.integer({ min: 0, max: 300_000 }), fc.double({ min: 0, max: 86_400_000, noNaN: true })),
      state: states,
      rate: fc.double({ min: 0.25, max: 4, noNaN: true }),
      occurred_at_ms: fc.integer({ min: startMs - 100_000, max: startMs + 600_000 }),
      is_dated: fc.boolean(),
    }),
    { maxLength: 60 },
  );
}

type Deed = 'play' | 'pause' | 'seek' | 'stall' | 'loop' | 'rate' | 'nothing' | 'stop';

/** What a player that does as it says reports, in order: it plays, pauses, seeks, stalls, begins again and stops. */
export function honestReports(startMs: number, durationMs: number | null): fc.Arbitrary<Report[]> {
  const deed = fc.record({
    does: fc.constantFrom<Deed[]>('play', 'play', 'play', 'pause', 'seek', 'stall', 'loop', 'rate', 'nothing', 'stop'),
    took_ms: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20_000 })),
    chance: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    skipped_seqs: fc.integer({ min: 0, max: 3 }),
  });
  return fc.array(deed, { minLength: 1, maxLength: 60 }).map((deeds) => {
    const endMs = durationMs ?? 600_000;
    let occurred_at_ms = startMs;
    let position_ms = 0;
    let rate = 1;
    let state: Report['state'] = 'playing';
    let seq = -1;
    return deeds.map(({ does, took_ms, chance, skipped_seqs }): Report => {
      occurred_at_ms += took_ms;
      if (state === 'playing') position_ms = Math.min(endMs, position_ms + took_ms * rate);
      if (does === 'stall') position_ms = Math.max(0, position_ms - took_ms * chance);
      if (does === 'seek') position_ms = chance * endMs;
      if (does === 'loop') position_ms = (position_ms + took_ms) % endMs;
      if (does === 'rate') rate = 0.25 + chance * 3.75;
      if (does === 'pause') state = 'paused';
      if (does === 'play' || does === 'loop') state = 'playing';
      if (does === 'stop') state = 'stopped';
      seq += 1 + skipped_seqs;
      return { seq, position_ms, state, rate, occurred_at_ms, is_dated: true };
    });
  });
}

/** The same reports, some of them several times, so that at most `window` later ones overtake one. */
export function inOtherOrder<T>(reports: readonly T[], window: number): fc.Arbitrary<T[]> {
  // One may move by half the window, and another the other way.
  const block = Math.floor(window / 2);
  const blocks: T[][] = [];
  for (let i = 0; i < reports.length; i += block) blocks.push(reports.slice(i, i + block));
  const repeated = (part: T[]) =>
    fc.subarray(part).chain((again) => {
      const both = [...part, ...again];
      return fc.shuffledSubarray(both, { minLength: both.length, maxLength: both.length });
    });
  return fc.tuple(...blocks.map(repeated)).map((parts) => parts.flat());
}
