/** Pure rules of listening: what was really heard, and when it counts (contract §3; docs/protocol.md LP). */
import type { CountReason } from '#contract/listens.ts';
import type { z } from 'zod';

/** Clients' timers and clocks jitter; a step ahead by less than this is playing, not seeking. */
const SEEK_TOLERANCE_MS = 2_000;
/**
 * What falls short of its time by no more than this is no pause: timers fire late, players buffer. It leaves no gap in when the
 * session was on; it is not time heard either.
 */
const STALL_TOLERANCE_MS = 250;
/** [LP6] */
const COMPLETED_SHARE = 0.8;
/** [LP7] ListenBrainz' rule, with Last.fm's 30 s minimum. */
const COUNTS_AFTER_MS = 240_000;
const SHORTEST_COUNTED_MS = 30_000;
/** A report from further ahead than this is refused. */
const FUTURE_TOLERANCE_MS = 600_000;
/**
 * [LP15] Reports that are kept at least, so that a late one finds its place: two minutes of a client that reports every five
 * seconds. They are let go of by the block, so that a report costs the same however many came before it.
 */
export const KEPT_REPORTS = 24;
const BLOCK = 8;
const MOST_BLOCKS = KEPT_REPORTS / BLOCK + 1;
/** Parts a session may be heard in: nobody seeks or pauses that often, and each report writes them all. */
const MOST_SPANS = 500;

/** [from, to) in milliseconds: of a track from its start, or of server time. */
export type Span = [from_ms: number, to_ms: number];

/** What a session's reports come to, up to one of them. */
export interface Heard {
  /** The highest `seq` taken; -1 before the first report. */
  last_seq: number;
  position_ms: number;
  reported_at_ms: number;
  state: 'playing' | 'paused' | 'stopped';
  rate: number;
  /** Parts of the track, merged and in order. */
  spans: readonly Span[];
  /** When it was on, by the server's clock, merged and in order. */
  wall: readonly Span[];
  /** Wall milliseconds of listening: as long as `wall`. */
  played_ms: number;
}

/** A session with the reports from which a late one is fitted in. */
export interface Playback {
  heard: Heard;
  /** As it was before the oldest report of `blocks`. */
  settled: Heard;
  /** The last reports taken, by rising `seq` and never falling time; all but the last block are full. */
  blocks: readonly Block[];
}

/** Some reports in order. */
interface Block {
  count: number;
  /** As they are stored (see `writeReport`). */
  kept: string;
  /** What was heard up to the last of them. */
  heard: Heard;
}

export interface Report {
  seq: number;
  position_ms: number;
  state: 'playing' | 'paused' | 'stopped';
  rate: number;
  /** Server time, whole milliseconds. */
  occurred_at_ms: number;
  /** The client said when; of one that did not, only its `seq` could say where it belongs. */
  is_dated: boolean;
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

/** A track's length (seconds; null when unknown) as the rules take it. */
export function toMs(track_duration: number | null): number | null {
  return track_duration === null ? null : Math.round(track_duration * 1000);
}

/** Adds a span to merged spans. */
export function mergeSpan(spans: readonly Span[], added: Span): readonly Span[] {
  const last = spans.at(-1);
  if (last === undefined || added[0] > last[1]) return [...spans, added];
  // Playing on, as nearly always.
  if (added[0] >= last[0]) return added[1] <= last[1] ? spans : [...spans.slice(0, -1), [last[0], added[1]]];
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
  let sum = 0;
  for (const [from, to] of spans) sum += to - from;
  return sum;
}

/** A playback at its start. */
export function begin(position_ms: number, atMs: number): Playback {
  const heard: Heard = {
    last_seq: -1,
    position_ms,
    reported_at_ms: atMs,
    state: 'playing',
    rate: 1,
    spans: [],
    wall: [],
    played_ms: 0,
  };
  return { heard, settled: heard, blocks: [] };
}

/** [LP4] The next report of a session: from it and the one before follows what was heard between them. */
export function advance(before: Heard, report: Report, durationMs: number | null): Heard {
  const reported_at_ms = Math.max(report.occurred_at_ms, before.reported_at_ms);
  // Whole milliseconds, like all that follows from them: they add up exactly, and are short to store.
  const said = Math.round(report.position_ms);
  const position_ms = durationMs === null ? said : Math.min(said, durationMs);
  const next: Heard = {
    last_seq: report.seq,
    position_ms,
    reported_at_ms,
    state: report.state,
    rate: report.rate,
    spans: before.spans,
    wall: before.wall,
    played_ms: before.played_ms,
  };
  const wallMs = reported_at_ms - before.reported_at_ms;
  if (before.state !== 'playing' || wallMs === 0) return next;
  const { heardMs, parts } = stepTo(position_ms, before, wallMs * before.rate, durationMs);
  if (heardMs <= 0) return next;
  // Never more than the track's own time: a clock read anew for each report runs on by some milliseconds in between.
  const lengthMs = Math.floor(heardMs / before.rate);
  if (lengthMs === 0) return next;
  const from = onSince(before, wallMs - lengthMs, reported_at_ms - lengthMs);
  const spans = parts.reduce(mergeSpan, before.spans);
  const wall = mergeSpan(before.wall, [from, from + lengthMs]);
  if (spans.length > MOST_SPANS || wall.length > MOST_SPANS) return next;
  next.spans = spans;
  next.wall = wall;
  next.played_ms = before.played_ms + lengthMs;
  return next;
}

/** [LP14] From when a step was on that falls short by `shortMs`: the end of what was heard before it, if that is near. */
function onSince({ wall, reported_at_ms }: Heard, shortMs: number, latestMs: number): number {
  if (shortMs > STALL_TOLERANCE_MS) return latestMs;
  const until = wall.at(-1)?.[1] ?? reported_at_ms;
  return reported_at_ms - until <= STALL_TOLERANCE_MS ? until : reported_at_ms;
}

interface Step {
  /** Milliseconds of the track, parts heard again counted again. */
  heardMs: number;
  parts: Span[];
}
const SEEK: Step = { heardMs: 0, parts: [] };

/** What a player went through on its way to `to`, when it could go as far as `possibleMs`: nothing if it was a seek. */
function stepTo(to: number, before: Heard, possibleMs: number, durationMs: number | null): Step {
  const from = before.position_ms;
  if (to >= from) {
    if (to - from > possibleMs + SEEK_TOLERANCE_MS) return SEEK;
    const start = heardUntil(before.spans, from);
    const heardMs = Math.floor(Math.min(to - start, possibleMs));
    return { heardMs, parts: [[start, start + heardMs]] };
  }
  // [LP17] It fell back. When that is as far as the track, begun again, plays in this time, it was begun again.
  if (durationMs === null || durationMs <= 0) return SEEK;
  const toEndMs = Math.max(0, durationMs - from);
  const rounds = Math.max(0, Math.round((possibleMs - toEndMs - to) / durationMs));
  const movedMs = toEndMs + to + rounds * durationMs;
  if (Math.abs(movedMs - possibleMs) > SEEK_TOLERANCE_MS) return SEEK;
  const heardMs = Math.floor(Math.min(movedMs, possibleMs));
  const start = Math.min(from, durationMs);
  if (heardMs <= toEndMs) return { heardMs, parts: [[start, start + heardMs]] };
  const again: Span = [0, Math.min(durationMs, heardMs - toEndMs)];
  return { heardMs, parts: toEndMs === 0 ? [again] : [again, [start, durationMs]] };
}

/**
 * Where a step from `from` goes on being heard. What was too far for its time by less than the tolerance was left off at its
 * end: a clock that runs a little fast would leave a gap in every step, if the next one did not begin there.
 */
function heardUntil(spans: readonly Span[], from: number): number {
  for (let i = spans.length - 1; i >= 0; i--) {
    const [begun, until] = spans[i] as Span;
    if (begun <= from) return until >= from || until < from - SEEK_TOLERANCE_MS ? from : until;
  }
  return from;
}

const STATES = ['playing', 'paused', 'stopped'] as const;

/** Where a report is seen from: the one before it. */
type Origin = Pick<Heard, 'last_seq' | 'reported_at_ms' | 'position_ms'>;

/** A report as it is kept, five numbers of JSON: what it adds to the one before it, its state and its rate. */
function writeReport(from: Origin, { last_seq, reported_at_ms, position_ms, state, rate }: Heard): string {
  // Joined, here and below: the engine puts off the work of `+`, and would do it again for every write.
  return [
    last_seq - from.last_seq,
    reported_at_ms - from.reported_at_ms,
    position_ms - from.position_ms,
    STATES.indexOf(state),
    rate,
  ].join();
}

function readReport(from: Origin, [seq = 0, at = 0, position = 0, state = 0, rate = 1]: readonly number[]): Report {
  return {
    seq: from.last_seq + seq,
    occurred_at_ms: from.reported_at_ms + at,
    position_ms: from.position_ms + position,
    state: STATES[state] ?? 'stopped',
    rate,
    is_dated: true,
  };
}

/** Reports as they are kept, in order. */
function readAll(settled: Heard, numbers: readonly number[]): Report[] {
  const reports: Report[] = [];
  let from: Origin = settled;
  for (let i = 0; i + 4 < numbers.length; i += 5) {
    const report = readReport(from, numbers.slice(i, i + 5));
    reports.push(report);
    from = { last_seq: report.seq, reported_at_ms: report.occurred_at_ms, position_ms: report.position_ms };
  }
  return reports;
}

/**
 * [LP3] Takes one report. A repeated `seq` changes nothing, and neither does one that comes after the end. [LP15] One that
 * comes late is fitted in where it belongs, if it says when it happened and that lies between its neighbours.
 * @returns the same playback when nothing changes
 */
export function take(playback: Playback, report: Report, durationMs: number | null): Playback {
  const { heard } = playback;
  if (report.seq <= heard.last_seq) return fitIn(playback, report, durationMs);
  return heard.state === 'stopped' ? playback : append(playback, report, durationMs);
}

function append({ heard, settled, blocks }: Playback, report: Report, durationMs: number | null): Playback {
  const next = advance(heard, report, durationMs);
  const kept = writeReport(heard, next);
  const last = blocks.at(-1);
  if (last !== undefined && last.count < BLOCK) {
    const longer: Block = { count: last.count + 1, kept: [last.kept, kept].join(), heard: next };
    return { heard: next, settled, blocks: [...blocks.slice(0, -1), longer] };
  }
  const isFull = blocks.length === MOST_BLOCKS;
  return {
    heard: next,
    settled: isFull ? (blocks[0]?.heard ?? settled) : settled,
    blocks: [...(isFull ? blocks.slice(1) : blocks), { count: 1, kept, heard: next }],
  };
}

function fitIn(playback: Playback, report: Report, durationMs: number | null): Playback {
  const { settled } = playback;
  if (!report.is_dated || report.seq <= settled.last_seq) return playback;
  const reports = readAll(settled, playback.blocks.flatMap((block) => block.kept.split(',')).map(Number));
  const place = reports.findIndex((one) => one.seq >= report.seq);
  const next = reports[place];
  const earliestMs = reports[place - 1]?.occurred_at_ms ?? settled.reported_at_ms;
  if (next === undefined || next.seq === report.seq) return playback;
  if (report.occurred_at_ms < earliestMs || report.occurred_at_ms > next.occurred_at_ms) return playback;
  reports.splice(place, 0, report);
  return again(settled, reports, durationMs);
}

/** Takes reports that are in order. What was taken as coming after the end comes after it. */
function again(settled: Heard, reports: readonly Report[], durationMs: number | null): Playback {
  let playback: Playback = { heard: settled, settled, blocks: [] };
  for (const report of reports) playback = take(playback, report, durationMs);
  return playback;
}

/** Spans as they are stored: JSON. */
export function writeSpans(spans: readonly Span[]): string {
  let text = '';
  for (const [from, to] of spans) text += `${text === '' ? '' : ','}[${from},${to}]`;
  return `[${text}]`;
}

/** The playback that was stored so. `heard`: what it had come to, as the other columns have it. */
export function readReports(reports_json: string, heard: Heard, durationMs: number | null): Playback {
  const [before, ...numbers] = JSON.parse(reports_json) as [StoredHeard?, ...number[]];
  // None were kept: it came here before they were, or has none.
  if (before === undefined) return { heard, settled: heard, blocks: [] };
  const [last_seq, reported_at_ms, position_ms, state, rate, played_ms, spans, wall] = before;
  const settled: Heard = {
    last_seq,
    position_ms,
    reported_at_ms,
    state: STATES[state] ?? 'stopped',
    rate,
    spans,
    wall,
    played_ms,
  };
  return { ...again(settled, readAll(settled, numbers), durationMs), heard };
}

type StoredHeard = [
  last_seq: number,
  reported_at_ms: number,
  position_ms: number,
  state: number,
  rate: number,
  played_ms: number,
  spans: Span[],
  wall: Span[],
];

/** What late reports are fitted in from, as one column: what is settled, then the five numbers of each report. */
export function writeReports({ settled, blocks }: Playback): string {
  const { last_seq, reported_at_ms, position_ms, state, rate, spans, wall, played_ms } = settled;
  const before = [last_seq, reported_at_ms, position_ms, STATES.indexOf(state), rate, played_ms].join();
  const parts = [`[[${before}`, writeSpans(spans), `${writeSpans(wall)}]`];
  for (const { kept } of blocks) parts.push(kept);
  return `${parts.join()}]`;
}

/** [LP6] Over 80 % of the track was covered. */
export function isCompleted(spans: readonly Span[], durationMs: number | null): boolean {
  return durationMs !== null && durationMs > 0 && coveredMs(spans) > COMPLETED_SHARE * durationMs;
}

export interface Judgement {
  counted: boolean;
  reason: z.output<typeof CountReason>;
  covered_ms: number;
  /** What it takes; null where nothing would do. */
  needed_ms: number | null;
}

/** [LP7] Whether a session counts as a listen. */
export function judgeListen(spans: readonly Span[], durationMs: number | null): Judgement {
  const covered_ms = coveredMs(spans);
  if (durationMs === null) return { counted: false, reason: 'length_unknown', covered_ms, needed_ms: null };
  if (durationMs <= SHORTEST_COUNTED_MS) {
    return { counted: false, reason: 'too_short_a_track', covered_ms, needed_ms: null };
  }
  const needed_ms = Math.min(durationMs / 2, COUNTS_AFTER_MS);
  const counted = covered_ms >= needed_ms;
  return { counted, reason: counted ? 'heard_enough' : 'heard_too_little', covered_ms, needed_ms };
}

/** [LP18] Left for something else before it counted. Whoever came to the end of the track has not skipped it. */
export function isSkip({ state, position_ms, spans }: Heard, counted: boolean, durationMs: number | null): boolean {
  if (state !== 'stopped' || counted || durationMs === null || durationMs <= SHORTEST_COUNTED_MS) return false;
  return Math.max(position_ms, spans.at(-1)?.[1] ?? 0) < durationMs - SEEK_TOLERANCE_MS;
}

/** [LP19] Why a session counts or not, in words for its listener. */
export function explain(
  { counted, reason, covered_ms, needed_ms }: Judgement,
  heard: Pick<Heard, 'spans' | 'played_ms' | 'reported_at_ms' | 'rate'>,
  begun_at_ms: number,
): string {
  if (reason === 'as_reported')
    return 'It counts: another program reported it as heard, without saying which parts of it.';
  const heardWords = `${inWords(covered_ms)} of the track heard`;
  const sentences: string[] = [];
  if (reason === 'length_unknown')
    sentences.push(`It does not count: the length of this track is not known; ${heardWords}.`);
  else if (needed_ms === null) {
    sentences.push(`It does not count: tracks of 30 seconds or less never do; ${heardWords}.`);
  } else if (counted) sentences.push(`It counts: ${heardWords}, ${inWords(needed_ms)} needed.`);
  else {
    // Up, so that it never says that nothing is missing.
    const missing = inWords(Math.ceil((needed_ms - covered_ms) / 1000) * 1000);
    sentences.push(`It does not count: only ${heardWords}, ${inWords(needed_ms)} needed, ${missing} missing.`);
  }
  const passedOverMs = gapsMs(heard.spans);
  if (passedOverMs >= 1_000) sentences.push(`Passed over by seeking, not counted: ${inWords(passedOverMs)}.`);
  // Only at the usual speed are milliseconds of listening those of the track, and timers' jitter is not a repeat.
  const againMs = heard.played_ms - covered_ms;
  if (heard.rate === 1 && againMs >= Math.max(5_000, covered_ms / 10)) {
    sentences.push(`Heard again, each part counted once: ${inWords(againMs)}.`);
  }
  const stillMs = heard.reported_at_ms - begun_at_ms - heard.played_ms;
  // When it began is known to the second.
  if (stillMs >= 2_000) sentences.push(`Paused or standing still, not counted: ${inWords(stillMs)}.`);
  return sentences.join(' ');
}

/** What lies between the parts that were heard. */
function gapsMs(spans: readonly Span[]): number {
  const [first, last] = [spans[0], spans.at(-1)];
  return first === undefined || last === undefined ? 0 : last[1] - first[0] - coveredMs(spans);
}

/** 3 min 20 s */
function inWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [h, min, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const parts = [h > 0 ? `${h} h` : '', min > 0 ? `${min} min` : '', s > 0 || seconds === 0 ? `${s} s` : ''];
  return parts.filter((part) => part !== '').join(' ');
}
