import { notFound } from '../errors.ts';
import { isCompleted, judgeListen } from './listens.rules.ts';
import { heardThings } from './history.queries.ts';
import { findSession } from './listens.repository.ts';
import { heardText, spansOf, wallOf } from './listens.present.ts';
import type { getListenSession } from '#contract/listens.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';

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
