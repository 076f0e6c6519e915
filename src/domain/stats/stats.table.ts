import type { Generated } from 'kysely';

/** A day of a person whose rollups are not what its sessions say any more; a day under way stays here until it is over. */
export interface StaleDaysTable {
  user_id: string;
  local_day: number;
  /** How often it was marked: whoever settled it takes the mark away only if it was not marked again meanwhile. */
  marks: Generated<number>;
}

/** A person who has moved to another time zone while the days of what they heard still go by the one before. */
export interface StaleZonesTable {
  user_id: string;
  time_zone: string;
}

/** All that is derived of one person's listening. */
export interface ListenSumsTable {
  user_id: string;
  /** Another one with every change of the person's sums: a change is refused when it builds on an older one. */
  version: string;
  settled_at_ms: number;
}

/**
 * One local day of a person, from `listening_sessions` alone: all of its totals, and what was heard in it packed into one text,
 * because a row for each thing and day would be many times what the sessions themselves take.
 */
export interface ListenDaysTable {
  user_id: string;
  local_day: number;
  /** 1: heard in private sessions, which others' eyes leave out; its time is what it adds to that of the others. */
  is_hidden: number;
  /** Sessions begun on this day that counted. */
  listens: number;
  /** Wall time within this day; two devices at once are not twice. */
  heard_ms: number;
  /** Sessions begun on this day, counted or not. */
  plays: number;
  skips: number;
  /** By local hour: heard_ms in 24 numbers, then listens begun in 24. */
  hours_json: string;
  /** The track heard most often, [key, listens, heard_ms]; in the hidden row among all of the day. */
  most_json: string | null;
  /** Later days into which sessions begun on this day were on; in the row that is not hidden. */
  reaches_json: string;
  /** Earlier days with sessions that were on in this one; in the row that is not hidden. */
  reached_from_json: string;
  /** [[kind, key, listens, heard_ms, plays, skips, name?], …] in order; see day-sums.rules.ts. */
  things_json: string;
}

/** What is counted: one track, artist, album or genre. */
export const KIND = { track: 1, artist: 2, album: 3, genre: 4 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];
/** How long: the bucket is the local day (days since 1970-01-01) the span begins on; 0 for all time. Days are in `listen_days`. */
export const GRAIN = { month: 2, year: 3, all: 4 } as const;
export type Grain = (typeof GRAIN)[keyof typeof GRAIN];

/**
 * Sums over a person's listens to one thing, derived from `listening_sessions` and equal to a recount of them, always. What was
 * heard in private sessions is in the `own_` columns only, which others' eyes leave out.
 */
export interface ListenRollupsTable {
  user_id: string;
  kind: Kind;
  /** `t:<track_id>` or `r:<recording_id>`, or what library.rules.ts makes of a name. */
  key: string;
  grain: Grain;
  bucket: number;
  /** Sessions that counted. */
  listens: number;
  /** Wall time of its sessions. */
  heard_ms: number;
  /** Sessions, counted or not. */
  plays: number;
  /** For all time only: the day of the first listen; null while there is none. */
  first_day: number | null;
  own_listens: number;
  own_heard_ms: number;
  /** Private sessions, counted or not: while there are none, both sides are the same. */
  private_plays: number;
  own_first_day: number | null;
}

export interface StatsTables {
  stale_days: StaleDaysTable;
  stale_zones: StaleZonesTable;
  listen_sums: ListenSumsTable;
  listen_days: ListenDaysTable;
  listen_rollups: ListenRollupsTable;
}
