import { notFound } from '../errors.ts';
import { cutPage, readCursor } from '../page.ts';
import { tracksByIds } from '../library/library.queries.ts';
import { isCompleted, judgeListen } from './listens.rules.ts';
import { findSession } from './listens.repository.ts';
import { presentListen, spansOf } from './listens.present.ts';
import type { getListenSession, listHistory } from '#contract/listens.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';

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
  const tracks = await tracksByIds(
    ctx.db,
    rows.map((row) => row.track_id),
  );
  const items = rows.flatMap((row) => {
    const track = tracks.get(row.track_id);
    return track === undefined ? [] : [presentListen(row, track)];
  });
  return { items, next_cursor };
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
  return {
    session_id: row.id,
    track_id: row.track_id,
    spans: spans.map(([from_ms, to_ms]) => ({ from_ms, to_ms })),
    duration_played: row.duration_played,
    completed: isCompleted(spans, durationMs),
    ...judgeListen(spans, durationMs),
  };
}
