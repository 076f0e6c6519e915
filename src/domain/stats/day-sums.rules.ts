/** What a day of listening adds up to. Pure: sessions in, sums out; whole milliseconds, so that sums are exact in any order. */
import { createHash } from 'node:crypto';
import { nameKey } from '../library/library.rules.ts';
import { KIND } from './stats.table.ts';
import type { Kind } from './stats.table.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** PostgreSQL refuses index entries over 2,700 bytes, and a name comes from anybody's file. */
const KEY_CHARS = 300;

/** Something heard: by what it is counted, and how it was spelled where the library has no name for it. */
export interface Thing {
  kind: Kind;
  key: string;
  name: string | null;
}

/** A session as far as it counts. */
export interface HeardSession {
  id: string;
  local_day: number;
  started_at: number;
  utc_offset_s: number;
  /** Its own wall time. */
  heard_ms: number;
  counted: number;
  skipped: number;
  is_hidden: number;
  /** When it was on, server time in whole milliseconds: [[from_ms, to_ms], …]. */
  wall: readonly (readonly [number, number])[];
  things: readonly Thing[];
}

export interface Amount {
  listens: number;
  heard_ms: number;
  plays: number;
  skips: number;
}
export interface ThingSum extends Amount, Thing {}

/** One half of a day: what was heard openly, or in private. */
export interface DaySums extends Amount {
  hours: { heard_ms: number[]; listens: number[] };
  most: [key: string, listens: number, heard_ms: number] | null;
  /** By `thingId`. */
  things: Map<string, ThingSum>;
}

/** The key of a name, or of names that belong together; one too long for an index ends in a hash of itself. */
export function keyOf(...names: (string | null)[]): string {
  return shortKey(names.map((name) => nameKey(name ?? '')).join('\n'));
}

/** As `keyOf`, of a key the library made. */
export function shortKey(key: string): string {
  if (key.length <= KEY_CHARS) return key;
  const hash = createHash('sha256').update(key).digest('base64url').slice(0, 22);
  return `${key.slice(0, KEY_CHARS - 50).toWellFormed()}\u0001${hash}`;
}

export function thingId({ kind, key }: Pick<Thing, 'kind' | 'key'>): string {
  return `${kind}${key}`;
}

const localMs = ({ utc_offset_s }: Pick<HeardSession, 'utc_offset_s'>, ms: number) => ms + utc_offset_s * 1000;

/** The local days a session was on in. */
export function daysTouched(session: Pick<HeardSession, 'utc_offset_s' | 'wall'>): Set<number> {
  const days = new Set<number>();
  for (const [from, to] of session.wall) {
    const last = Math.floor((localMs(session, to) - 1) / DAY_MS);
    for (let day = Math.floor(localMs(session, from) / DAY_MS); day <= last; day++) days.add(day);
  }
  return days;
}

function noSums(): DaySums {
  const hours = () => Array.from({ length: 24 }, () => 0);
  return {
    listens: 0,
    heard_ms: 0,
    plays: 0,
    skips: 0,
    hours: { heard_ms: hours(), listens: hours() },
    most: null,
    things: new Map(),
  };
}

/** The parts of [from, to) that `taken`, merged and in order, does not cover; they are taken then. */
function takeFree(taken: [number, number][], from: number, to: number): [number, number][] {
  const free: [number, number][] = [];
  const rest: [number, number][] = [];
  let [start, end, at] = [from, to, from];
  for (const span of taken) {
    if (span[1] < from || span[0] > to) rest.push(span);
    else {
      if (span[0] > at) free.push([at, span[0]]);
      at = Math.max(at, span[1]);
      start = Math.min(start, span[0]);
      end = Math.max(end, span[1]);
    }
  }
  if (at < to) free.push([at, to]);
  rest.push([start, end]);
  taken.splice(0, taken.length, ...rest.sort((a, b) => a[0] - b[0]));
  return free;
}

function addWall(sums: DaySums, day: number, session: HeardSession, taken: [number, number][]): void {
  const shift = session.utc_offset_s * 1000;
  const [dayStart, dayEnd] = [day * DAY_MS - shift, (day + 1) * DAY_MS - shift];
  for (const [from, to] of session.wall) {
    const [start, end] = [Math.max(from, dayStart), Math.min(to, dayEnd)];
    if (start >= end) continue;
    for (const [freeFrom, freeTo] of takeFree(taken, start, end)) {
      sums.heard_ms += freeTo - freeFrom;
      for (let at = freeFrom; at < freeTo;) {
        const hour = Math.floor((at - dayStart) / HOUR_MS);
        const until = Math.min(freeTo, dayStart + (hour + 1) * HOUR_MS);
        sums.hours.heard_ms[hour] = (sums.hours.heard_ms[hour] ?? 0) + until - at;
        at = until;
      }
    }
  }
}

function addSession(sums: DaySums, session: HeardSession): void {
  const { counted, skipped, heard_ms } = session;
  sums.listens += counted;
  sums.plays += 1;
  sums.skips += skipped;
  const hour = Math.floor((localMs(session, session.started_at * 1000) - session.local_day * DAY_MS) / HOUR_MS);
  sums.hours.listens[hour] = (sums.hours.listens[hour] ?? 0) + counted;
  for (const thing of session.things) {
    const id = thingId(thing);
    const known = sums.things.get(id);
    if (known === undefined) {
      sums.things.set(id, { ...thing, listens: counted, heard_ms, plays: 1, skips: skipped });
      continue;
    }
    known.listens += counted;
    known.heard_ms += heard_ms;
    known.plays += 1;
    known.skips += skipped;
    // Of several spellings the first by code unit, so that a recount comes to the same.
    if (thing.name !== null && (known.name === null || thing.name < known.name)) known.name = thing.name;
  }
}

type Most = DaySums['most'];
/** Ranks as the lists of statistics do: listens, then time, then key. */
export function byAmount(
  a: { listens: number; heard_ms: number; key: string },
  b: { listens: number; heard_ms: number; key: string },
): number {
  return b.listens - a.listens || b.heard_ms - a.heard_ms || (a.key < b.key ? 1 : a.key > b.key ? -1 : 0);
}

function mostOf(halves: readonly DaySums[]): Most {
  const tracks = new Map<string, { key: string; listens: number; heard_ms: number }>();
  for (const { things } of halves) {
    for (const { kind, key, listens, heard_ms } of things.values()) {
      if (kind !== KIND.track || listens === 0) continue;
      const known = tracks.get(key) ?? { key, listens: 0, heard_ms: 0 };
      tracks.set(key, { key, listens: known.listens + listens, heard_ms: known.heard_ms + heard_ms });
    }
  }
  const [most] = [...tracks.values()].sort(byAmount);
  return most === undefined ? null : [most.key, most.listens, most.heard_ms];
}

/**
 * [ST3] Adds up one local day from the sessions begun on it and those of earlier days that were on in it. Each moment counts
 * once, however many devices were on: first for what was heard openly, then for what was heard in private, each in the order the
 * sessions began.
 */
export function sumDay(day: number, sessions: readonly HeardSession[]): { open: DaySums; hidden: DaySums } {
  const halves = { open: noSums(), hidden: noSums() };
  const taken: [number, number][] = [];
  const inOrder = [...sessions].sort(
    (a, b) => a.is_hidden - b.is_hidden || a.started_at - b.started_at || (a.id < b.id ? -1 : 1),
  );
  for (const session of inOrder) {
    const sums = session.is_hidden === 1 ? halves.hidden : halves.open;
    if (session.local_day === day) addSession(sums, session);
    addWall(sums, day, session, taken);
  }
  halves.open.most = mostOf([halves.open]);
  halves.hidden.most = halves.hidden.plays === 0 ? null : mostOf([halves.open, halves.hidden]);
  return halves;
}

/** Whether a day's half is nothing at all. */
export function isNothing(sums: DaySums): boolean {
  return sums.plays === 0 && sums.heard_ms === 0;
}

type PackedThing = [
  kind: Kind,
  key: string,
  listens: number,
  heard_ms: number,
  plays: number,
  skips: number,
  name?: string,
];

/** What was heard, as one text; in order, so that the same is the same text. */
export function packThings(things: ReadonlyMap<string, ThingSum>): string {
  const packed = [...things.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(
    packed.map(([, { kind, key, listens, heard_ms, plays, skips, name }]): PackedThing =>
      name === null ? [kind, key, listens, heard_ms, plays, skips] : [kind, key, listens, heard_ms, plays, skips, name],
    ),
  );
}

export function unpackThings(json: string): ThingSum[] {
  return (JSON.parse(json) as PackedThing[]).map(([kind, key, listens, heard_ms, plays, skips, name = null]) => ({
    kind,
    key,
    listens,
    heard_ms,
    plays,
    skips,
    name,
  }));
}
