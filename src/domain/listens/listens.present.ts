import { readReports } from './listens.rules.ts';
import type { HistoryItem } from '#contract/listens.ts';
import type { HeardText } from '#contract/stats.ts';
import type { Track } from '#contract/library.ts';
import type { Heard, Playback, Span } from './listens.rules.ts';
import type { ListeningSessionsTable, RecordingsTable } from './listens.table.ts';
import type { Selectable } from 'kysely';
import type { z } from 'zod';

type Row = Selectable<ListeningSessionsTable>;

export function spansOf(row: Pick<Row, 'spans_json'>): Span[] {
  return JSON.parse(row.spans_json) as Span[];
}

/** When it was really on: server time in milliseconds, merged and in order. */
export function wallOf(row: Pick<Row, 'wall_json'>): Span[] {
  return JSON.parse(row.wall_json) as Span[];
}

/** What the reports of a session have come to. */
export function heardOf(row: Row): Heard {
  return {
    last_seq: row.last_seq,
    position_ms: row.position_ms,
    reported_at_ms: row.reported_at_ms,
    state: row.state,
    rate: row.rate,
    spans: spansOf(row),
    wall: wallOf(row),
    played_ms: Math.round(row.duration_played * 1000),
  };
}

/** The row as the rules see it. */
export function playbackOf(row: Row, durationMs: number | null): Playback {
  return readReports(row.reports_json, heardOf(row), durationMs);
}

/** What was heard, in words: the track's as it is now, else as it was named. */
export function heardText(
  track: z.input<typeof Track> | null,
  recording: Pick<RecordingsTable, 'title' | 'artist' | 'album' | 'duration_ms'> | null,
): HeardText {
  if (track !== null) {
    const { title, artist, album, duration } = track;
    return { title, artist, album, duration };
  }
  if (recording === null) return { title: '', artist: null, album: null, duration: null };
  const { title, artist, album, duration_ms } = recording;
  return { title, artist, album, duration: duration_ms === null ? null : duration_ms / 1000 };
}

/** A session as one line of history. */
export function presentListen(
  row: Row,
  track: z.input<typeof Track> | null,
  recording: RecordingsTable | null,
): z.input<typeof HistoryItem> {
  return {
    id: row.id,
    session_id: row.id,
    track_id: row.track_id,
    track,
    text: heardText(track, recording),
    started_at: row.started_at,
    ended_at: row.ended_at,
    duration_played: row.duration_played,
    completed: row.completed === 1,
    counted: row.counted === 1,
    skipped: row.skipped === 1,
    is_hidden: row.is_hidden === 1,
    source: row.source,
  };
}
