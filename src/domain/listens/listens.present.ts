import type { HistoryItem } from '#contract/listens.ts';
import type { Track } from '#contract/library.ts';
import type { Playback, Span } from './listens.rules.ts';
import type { ListeningSessionsTable } from './listens.table.ts';
import type { Selectable } from 'kysely';
import type { z } from 'zod';

type Row = Selectable<ListeningSessionsTable>;

export function spansOf(row: Pick<Row, 'spans_json'>): Span[] {
  return JSON.parse(row.spans_json) as Span[];
}

/** The row as the rules see it. */
export function playbackOf(row: Row): Playback {
  return {
    last_seq: row.last_seq,
    position_ms: row.position_ms,
    reported_at_ms: row.reported_at_ms,
    state: row.state,
    rate: row.rate,
    spans: spansOf(row),
    played_ms: row.duration_played * 1000,
  };
}

/** A session that counted, as one line of history. */
export function presentListen(row: Row, track: z.input<typeof Track>): z.input<typeof HistoryItem> {
  return {
    id: row.id,
    session_id: row.id,
    track_id: row.track_id,
    track,
    started_at: row.started_at,
    ended_at: row.ended_at,
    duration_played: row.duration_played,
    completed: row.completed === 1,
    source: row.source,
  };
}
