import { DomainError, notFound } from '../errors.ts';
import { inTransaction } from '../unit-of-work.ts';
import { advance, isCompleted, judgeListen, toServerTime } from './listens.rules.ts';
import { findSession, updateSession } from './listens.repository.ts';
import { playbackOf } from './listens.present.ts';
import type { CompleteListen, ListenProgress, ReportProgress } from '#contract/listens.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Report } from './listens.rules.ts';
import type { z } from 'zod';

type Taken = z.input<typeof ListenProgress>;

/**
 * Takes where the player is now; resolves once it is on disk.
 * @throws DomainError not_found (also for somebody else's session), unprocessable
 */
export function reportProgress(ctx: Ctx, actor: Actor, input: z.output<typeof ReportProgress>): Promise<Taken> {
  return takeReport(ctx, actor, input, { state: input.state, rate: input.rate });
}

/**
 * The player has left the track; later reports of this session change nothing.
 * @throws DomainError not_found, unprocessable
 */
export function completeListen(ctx: Ctx, actor: Actor, input: z.output<typeof CompleteListen>): Promise<Taken> {
  return takeReport(ctx, actor, input, { state: 'stopped', rate: 1 });
}

async function takeReport(
  ctx: Ctx,
  actor: Actor,
  input: z.output<typeof CompleteListen>,
  { state, rate }: Pick<Report, 'state' | 'rate'>,
): Promise<Taken> {
  const atMs = toServerTime(ctx.clock.nowMs(), input);
  if (atMs === null) throw new DomainError('unprocessable', 'That report lies in the future.');
  if (actor.role === 'guest') {
    return { session_id: input.session_id, seq: input.seq, duration_played: 0, completed: false, counted: false };
  }
  return inTransaction(ctx, async (tx) => {
    const row = await findSession(tx.trx, actor.user_id, input.session_id);
    if (row === undefined) throw notFound('listening session');
    const before = playbackOf(row);
    const durationMs = row.track_duration === null ? null : row.track_duration * 1000;
    const report = { seq: input.seq, position_ms: input.position_ms, state, rate, occurred_at_ms: atMs };
    const after = advance(before, report, durationMs);
    const completed = isCompleted(after.spans, durationMs);
    const { counted } = judgeListen(after.spans, durationMs);
    const taken: Taken = {
      session_id: row.id,
      seq: after.last_seq,
      duration_played: after.played_ms / 1000,
      completed,
      counted,
    };
    if (after === before) return taken;
    await updateSession(tx.trx, row, {
      last_seq: after.last_seq,
      position_ms: after.position_ms,
      reported_at_ms: after.reported_at_ms,
      state: after.state,
      rate: after.rate,
      spans_json: JSON.stringify(after.spans),
      duration_played: after.played_ms / 1000,
      completed: completed ? 1 : 0,
      counted: counted ? 1 : 0,
      ended_at: after.state === 'stopped' ? Math.floor(after.reported_at_ms / 1000) : null,
    });
    tx.publish({
      name: 'listen.progressed',
      payload: {
        user_id: actor.user_id,
        username: actor.username,
        session_id: row.id,
        track_id: row.track_id,
        track_duration: row.track_duration,
        position_ms: after.position_ms,
        at_ms: after.reported_at_ms,
        rate: after.rate,
        state: after.state,
      },
    });
    if (counted && row.counted === 0) {
      tx.publish({
        name: 'listen.recorded',
        payload: { user_id: actor.user_id, session_id: row.id, track_id: row.track_id },
      });
    }
    return taken;
  });
}
