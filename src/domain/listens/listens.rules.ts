/** Pure rules of listening: what was really heard, and when it counts (contract §3; docs/protocol.md LP). */
import type { CountReason } from '#contract/listens.ts';
import type { z } from 'zod';

/** Clients' timers and clocks jitter; a step ahead by less than this is playing, not seeking. */
const SEEK_TOLERANCE_MS = 2_000;
/** [LP6] */
const COMPLETED_SHARE = 0.8;
/** [LP7] ListenBrainz' rule, with Last.fm's 30 s minimum. */
const COUNTS_AFTER_MS = 240_000;
const SHORTEST_COUNTED_MS = 30_000;
/** A report from further ahead than this is refused. */
const FUTURE_TOLERANCE_MS = 600_000;

/** A heard part of a track: [from, to) in milliseconds from its start. */
export type Span = [from_ms: number, to_ms: number];

export interface Playback {
  last_seq: number;
  position_ms: number;
  reported_at_ms: number;
  state: 'playing' | 'paused' | 'stopped';
  rate: number;
  /** Merged, in order. */
  spans: Span[];
  /** Wall milliseconds of listening. */
  played_ms: number;
}

export interface Report {
  seq: number;
  position_ms: number;
  state: 'playing' | 'paused' | 'stopped';
  rate: number;
  /** Server time. */
  occurred_at_ms: number;
}

/**
 * When a report happened by the server's clock. `sent_at_ms` shows how wrong the client's clock is.
 * @returns null when it lies further in the future than can be excused.
 */
export function toServerTime(
  nowMs: number,
  { occurred_at_ms, sent_at_ms }: { occurred_at_ms?: number | undefined; sent_at_ms?: number | undefined },
): number | null {
  if (occurred_at_ms === undefined) return nowMs;
  const errorMs = sent_at_ms === undefined ? 0 : sent_at_ms - nowMs;
  const atMs = Math.round(occurred_at_ms - errorMs);
  if (atMs > nowMs + FUTURE_TOLERANCE_MS) return null;
  return Math.max(0, Math.min(atMs, nowMs));
}

/** Adds a span to merged spans. */
export function mergeSpan(spans: readonly Span[], added: Span): Span[] {
  const merged: Span[] = [];
  let [from, to] = added;
  for (const span of spans) {
    if (span[1] < from || span[0] > to) merged.push(span);
    else {
      from = Math.min(from, span[0]);
      to = Math.max(to, span[1]);
    }
  }
  merged.push([from, to]);
  return merged.sort((a, b) => a[0] - b[0]);
}

export function coveredMs(spans: readonly Span[]): number {
  return spans.reduce((sum, [from, to]) => sum + to - from, 0);
}

/**
 * [LP3] Takes one report. A repeated or older `seq` changes nothing; time while paused is not listening; a seek is not
 * listening; the part heard never exceeds wall time × rate.
 */
export function advance(playback: Playback, report: Report, durationMs: number | null): Playback {
  if (report.seq <= playback.last_seq || playback.state === 'stopped') return playback;
  const atMs = Math.max(report.occurred_at_ms, playback.reported_at_ms);
  const position = durationMs === null ? report.position_ms : Math.min(report.position_ms, durationMs);
  const next: Playback = {
    last_seq: report.seq,
    position_ms: position,
    reported_at_ms: atMs,
    state: report.state,
    rate: report.rate,
    spans: playback.spans,
    played_ms: playback.played_ms,
  };
  if (playback.state !== 'playing') return next;
  const wallMs = atMs - playback.reported_at_ms;
  const movedMs = position - playback.position_ms;
  const possibleMs = wallMs * playback.rate;
  if (movedMs <= 0 || movedMs > possibleMs + SEEK_TOLERANCE_MS) return next;
  const heardMs = Math.min(movedMs, possibleMs);
  if (heardMs <= 0) return next;
  next.spans = mergeSpan(playback.spans, [position - heardMs, position]);
  next.played_ms = playback.played_ms + heardMs / playback.rate;
  return next;
}

/** [LP6] Over 80 % of the track was covered. */
export function isCompleted(spans: readonly Span[], durationMs: number | null): boolean {
  return durationMs !== null && durationMs > 0 && coveredMs(spans) > COMPLETED_SHARE * durationMs;
}

export interface Judgement {
  counted: boolean;
  /** In words for its listener. */
  why: string;
  reason: z.output<typeof CountReason>;
  covered_ms: number;
  /** What it takes; null where nothing would do. */
  needed_ms: number | null;
}

/** [LP7] Why a session counts as a listen or not. */
export function judgeListen(spans: readonly Span[], durationMs: number | null): Judgement {
  const covered_ms = coveredMs(spans);
  if (durationMs === null) {
    const why = 'The length of this track is not known.';
    return { counted: false, why, reason: 'length_unknown', covered_ms, needed_ms: null };
  }
  if (durationMs <= SHORTEST_COUNTED_MS) {
    const why = 'Tracks of 30 seconds or less do not count.';
    return { counted: false, why, reason: 'too_short_a_track', covered_ms, needed_ms: null };
  }
  const seconds = (ms: number) => Math.round(ms / 1000);
  const needed_ms = Math.min(durationMs / 2, COUNTS_AFTER_MS);
  const counted = covered_ms >= needed_ms;
  return {
    counted,
    why: `${counted ? '' : 'Only '}${seconds(covered_ms)} s of the track were heard; ${seconds(needed_ms)} s are needed.`,
    reason: counted ? 'heard_enough' : 'heard_too_little',
    covered_ms,
    needed_ms,
  };
}

/** [LP14] Left for something else before it counted, by its own end: the far end of the track is no skip. */
export function isSkip(state: Playback['state'], counted: boolean, durationMs: number | null): boolean {
  return state === 'stopped' && !counted && durationMs !== null && durationMs > SHORTEST_COUNTED_MS;
}
