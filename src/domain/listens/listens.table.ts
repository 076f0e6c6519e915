import type { Generated } from 'kysely';

/** One client playing one track, from start to complete: what the design document calls a listening session. */
export interface ListeningSessionsTable {
  id: string;
  user_id: string;
  /** Null for music that is not in the library (yet): then `recording_id` says what it was. */
  track_id: string | null;
  /** As another program named it; stays when it was matched to a track. */
  recording_id: string | null;
  /** The client's own name for it; unique per user, so that a retried start is one session. */
  client_session_id: string | null;
  /** What a listen that came whole (a scrobbler's, an import's) is known by; unique per user, so that it is there once. */
  external_key: string | null;
  /** Epoch seconds, by the server's clock. */
  started_at: number;
  ended_at: number | null;
  /** IANA zone the client said it was in; null: the person's own, whatever that is now. */
  time_zone: Generated<string | null>;
  /** Seconds east of UTC where and when it began. */
  utc_offset_s: Generated<number>;
  /** Days since 1970-01-01 by the listener's clock as it began: floor((started_at + utc_offset_s) / 86400). */
  local_day: number;
  /** Wall seconds of listening. */
  duration_played: number;
  /** More than 80 % of the track was covered. */
  completed: number;
  /** It counts as a listen. */
  counted: number;
  /** Its listener went on to something else before it counted. */
  skipped: Generated<number>;
  /** Heard in a private session: nobody else ever sees it. */
  is_hidden: Generated<number>;
  source: string;
  scrobbled_listenbrainz: Generated<number>;
  client_info_json: string;
  /** The highest `seq` taken; -1 before the first report. */
  last_seq: number;
  /** Rises with every write: a write says which one it builds on. */
  revision: Generated<number>;
  /** Where the last report said the player was, and when (server time). */
  position_ms: number;
  reported_at_ms: number;
  state: 'playing' | 'paused' | 'stopped';
  rate: number;
  /** Heard parts of the track, merged and in order: [[from_ms, to_ms], …]. */
  spans_json: string;
  /** When it was really on, by the server's clock, merged and in order: [[from_ms, to_ms], …]. */
  wall_json: Generated<string>;
  /** The last reports, from which late ones are fitted in; see listens.rules.ts. */
  reports_json: Generated<string>;
  inserted_at: number;
}

/** Something heard, as a program named it that does not know our tracks; its id is what ListenBrainz calls an MSID. */
export interface RecordingsTable {
  id: string;
  /** Artist, title, album and MBID, normalised: the same four are the same recording. */
  recording_key: string;
  /** Title and artist as `tracks.title_sort` has them: by these a track is found for it. */
  match_key: string;
  title: string;
  artist: string;
  album: string | null;
  duration_ms: number | null;
  recording_mbid: string | null;
  isrc: string | null;
  search_text: string;
  /** The library's track it is, once it is known. */
  track_id: string | null;
  created_at: number;
}

/** A time in which nobody else is to see what a person hears; kept when it is over, for what is reported late. */
export interface PrivateSessionsTable {
  user_id: string;
  started_at_ms: number;
  ends_at_ms: number;
}

/** A listen another program named that is a session we have. */
export interface ListenAliasesTable {
  user_id: string;
  external_key: string;
  session_id: string;
  /** The import that said so; null: a program that submits. */
  job_id: string | null;
}

/** What a person says of something heard, where it is no favourite: hate, and love of what is not in the library. */
export interface ListenFeedbackTable {
  user_id: string;
  /** `t:<track_id>`, `r:<recording_id>` or `m:<recording_mbid>`: the first that is known. */
  subject: string;
  track_id: string | null;
  recording_id: string | null;
  recording_mbid: string | null;
  score: 1 | -1;
  created_at: number;
}

/** Up to when (epoch seconds) a program has imported from a service; ListenBrainz keeps it for its importers. */
export interface LatestImportsTable {
  user_id: string;
  service: string;
  ts: number;
}

export interface ListensTables {
  listen_aliases: ListenAliasesTable;
  listen_feedback: ListenFeedbackTable;
  latest_imports: LatestImportsTable;
  listening_sessions: ListeningSessionsTable;
  recordings: RecordingsTable;
  private_sessions: PrivateSessionsTable;
}
