/** A day of a person whose rollups are not what its sessions say any more; a day under way stays here until it is over. */
export interface StaleDaysTable {
  user_id: string;
  local_day: number;
}

/** What is counted: all of it, or one track, artist, album or genre. */
export const KIND = { total: 0, track: 1, artist: 2, album: 3, genre: 4 } as const;
/** How long: the bucket is the local day (days since 1970-01-01) the span begins on; 0 for all time. Weeks begin on Monday. */
export const GRAIN = { day: 0, week: 1, month: 2, year: 3, all: 4 } as const;

/** Sums over a person's listens, derived from `listening_sessions` and equal to a recount of them, always. */
export interface ListenRollupsTable {
  user_id: string;
  kind: (typeof KIND)[keyof typeof KIND];
  /** '' for the total; else `t:<track_id>` or `r:<recording_id>`, or what library.rules.ts makes of a name. */
  key: string;
  /** 1: heard in private sessions, which others' eyes leave out. */
  is_hidden: number;
  grain: (typeof GRAIN)[keyof typeof GRAIN];
  bucket: number;
  /** Sessions that counted. */
  listens: number;
  /** Wall time of listening. In the total two devices at once are not twice. */
  heard_ms: number;
  /** Sessions, counted or not. */
  plays: number;
  skips: number;
  /** Total by day only: heard_ms by local hour, 24 numbers. */
  hours_json: string | null;
}

export interface StatsTables {
  stale_days: StaleDaysTable;
  listen_rollups: ListenRollupsTable;
}
