import { notFound } from '../errors.ts';
import { heardThings } from './history.queries.ts';
import { coveredMs, explain, judgeListen, toMs } from './listens.rules.ts';
import { findSession } from './listens.repository.ts';
import { heardOf, heardText } from './listens.present.ts';
import type { getListenSession } from '#contract/listens.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Track } from '#contract/library.ts';
import type { HeardText } from '#contract/stats.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Judgement } from './listens.rules.ts';

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
