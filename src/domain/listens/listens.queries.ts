import { notFound } from '../errors.ts';
import { cutPage, readCursor } from '../page.ts';
import { tracksByIds } from '../library/library.queries.ts';
import { isCompleted, judgeListen } from './listens.rules.ts';
import { findSession, recordingsByIds } from './listens.repository.ts';
import { heardText, presentListen, spansOf, wallOf } from './listens.present.ts';
import type { getListenSession, listHistory } from '#contract/listens.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Track } from '#contract/library.ts';
import type { HeardText } from '#contract/stats.ts';
import type { Actor, Ctx } from '../context.ts';
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

/** Whether anybody else may ever see a session, as far as the session itself has a say in it. */
export async function isShownSession(db: Ctx['db'], session_id: string): Promise<boolean> {
  const row = await db
    .selectFrom('listening_sessions')
    .select('is_hidden')
    .where('id', '=', session_id)
    .executeTakeFirst();
  return row?.is_hidden === 0;
}

/** What was heard in these sessions, as others are told of it. */
export async function heardInSessions(
  ctx: Ctx,
  session_ids: readonly string[],
): Promise<Map<string, { track_id: string | null; track: Track | null; text: HeardText; started_at: number }>> {
  if (session_ids.length === 0) return new Map();
  const rows = await ctx.db
    .selectFrom('listening_sessions')
    .select(['id', 'track_id', 'recording_id', 'started_at'])
    .where('id', 'in', session_ids)
    .execute();
  const heard = await heardThings(ctx, rows);
  return new Map(
    rows.map((row) => {
      const [track, recording] = heard(row);
      const { track_id, started_at } = row;
      return [row.id, { track_id, track, text: heardText(track, recording), started_at }];
    }),
  );
}

/** One of my sessions, with what was heard and why it counts or not. */
export async function explainSession(
  ctx: Ctx,
  actor: Actor,
  { session_id }: Input<typeof getListenSession>,
): Promise<Reply<typeof getListenSession>> {
  const row = await findSession(ctx.db, actor.user_id, session_id);
  if (row === undefined) throw notFound('listening session');
  const spans = spansOf(row);
  const durationMs = row.track_duration === null ? null : row.track_duration * 1000;
  const [track, recording] = (await heardThings(ctx, [row]))(row);
  return {
    session_id: row.id,
    track_id: row.track_id,
    track,
    text: heardText(track, recording),
    started_at: row.started_at,
    skipped: row.skipped === 1,
    heard_at: wallOf(row).map(([from_ms, to_ms]) => ({ from_ms, to_ms })),
    spans: spans.map(([from_ms, to_ms]) => ({ from_ms, to_ms })),
    duration_played: row.duration_played,
    completed: isCompleted(spans, durationMs),
    ...judgeListen(spans, durationMs),
  };
}
