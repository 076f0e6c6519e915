import type { Generated } from 'kysely';

/** One client playing one track, from start to complete: what the design document calls a listening session. */
export interface ListeningSessionsTable {
  id: string;
  user_id: string;
  track_id: string;
  /** The client's own name for it; unique per user, so that a retried start is one session. */
  client_session_id: string | null;
  /** Epoch seconds, by the server's clock. */
  started_at: number;
  ended_at: number | null;
  /** Wall seconds of listening. */
  duration_played: number;
  /** More than 80 % of the track was covered. */
  completed: number;
  /** It counts as a listen. */
  counted: number;
  source: string;
  scrobbled_listenbrainz: Generated<number>;
  client_info_json: string;
  /** The highest `seq` taken; -1 before the first report. */
  last_seq: number;
  /** Where the last report said the player was, and when (server time). */
  position_ms: number;
  reported_at_ms: number;
  state: 'playing' | 'paused' | 'stopped';
  rate: number;
  /** Heard parts of the track, merged and in order: [[from_ms, to_ms], …]. */
  spans_json: string;
}

export interface ListensTables {
  listening_sessions: ListeningSessionsTable;
}
