import { notFound } from '../errors.ts';
import { cutPage, readCursor } from '../page.ts';
import { tracksByIds } from '../library/library.queries.ts';
import { coveredMs, explain, judgeListen, toMs } from './listens.rules.ts';
import { findSession, recordingsByIds } from './listens.repository.ts';
import { heardOf, heardText, presentListen } from './listens.present.ts';
import type { getListenSession, listHistory } from '#contract/listens.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Track } from '#contract/library.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Judgement } from './listens.rules.ts';
import type { ListeningSessionsTable, RecordingsTable } from './listens.table.ts';
import type { Selectable } from 'kysely';

/** My listens, newest first. */
export async function history(
  ctx: Ctx,
  actor: Actor,
  { limit, cursor }: Input<typeof listHistory>,
): Promise<Reply<typeof listHistory>> {
  const after = readCursor<[number, string]>(cursor);
  let query = ctx.db
    .selectFrom('listening_sessions')
    .selectAll()
    .where('user_id', '=', actor.user_id)
    .where('counted', '=', 1)
    .orderBy('started_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (after !== null) {
    const [started_at, id] = after;
    query = query.where((eb) =>
      eb.or([eb('started_at', '<', started_at), eb.and([eb('started_at', '=', started_at), eb('id', '<', id)])]),
    );
  }
  const { rows, next_cursor } = cutPage(await query.execute(), limit, (row) => [row.started_at, row.id]);
  const heard = await heardThings(ctx, rows);
  return { items: rows.map((row) => presentListen(row, ...heard(row))), next_cursor };
}

type Heard = Pick<Selectable<ListeningSessionsTable>, 'track_id' | 'recording_id'>;

/** Looks up what was heard in these sessions. @returns the track and the recording of each */
async function heardThings(
  ctx: Ctx,
  rows: readonly Heard[],
): Promise<(row: Heard) => [Track | null, RecordingsTable | null]> {
  const tracks = await tracksByIds(
    ctx.db,
    rows.flatMap((row) => row.track_id ?? []),
  );
  const recordings = await recordingsByIds(
    ctx.db,
    rows.flatMap((row) => (row.track_id === null ? (row.recording_id ?? []) : [])),
  );
  return (row) => [tracks.get(row.track_id ?? '') ?? null, recordings.get(row.recording_id ?? '') ?? null];
}

/** One of my sessions, with what was heard and why it counts or not. */
export async function explainSession(
  ctx: Ctx,
  actor: Actor,
  { session_id }: Input<typeof getListenSession>,
): Promise<Reply<typeof getListenSession>> {
  const row = await findSession(ctx.db, actor.user_id, session_id);
  if (row === undefined) throw notFound('listening session');
  const heard = heardOf(row);
  const durationMs = toMs(row.track_duration);
  const [track, recording] = (await heardThings(ctx, [row]))(row);
  // What came whole, from another program, was judged by it.
  const judgement: Judgement =
    row.external_key === null
      ? judgeListen(heard.spans, durationMs)
      : { counted: row.counted === 1, reason: 'as_reported', covered_ms: coveredMs(heard.spans), needed_ms: null };
  return {
    session_id: row.id,
    track_id: row.track_id,
    track,
    text: heardText(track, recording),
    started_at: row.started_at,
    skipped: row.skipped === 1,
    heard_at: heard.wall.map(([from_ms, to_ms]) => ({ from_ms, to_ms })),
    spans: heard.spans.map(([from_ms, to_ms]) => ({ from_ms, to_ms })),
    duration_played: row.duration_played,
    completed: row.completed === 1,
    ...judgement,
    why: explain(judgement, heard, row.started_at * 1000),
  };
}
