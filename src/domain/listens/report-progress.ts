import { DomainError } from '../errors.ts';
import { toServerTime } from './listens.rules.ts';
import { openPlayback, takeReport } from './take-report.ts';
import type { CompleteListen, ReportProgress } from '#contract/listens.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Report } from './listens.rules.ts';
import type { Taken } from './take-report.ts';
import type { z } from 'zod';

/**
 * Takes where the player is now; resolves once it is on disk.
 * @throws DomainError not_found (also for somebody else's session), unprocessable
 */
export async function reportProgress(ctx: Ctx, actor: Actor, input: z.output<typeof ReportProgress>): Promise<Taken> {
  const { state, rate } = input;
  const live = ctx.playbacks.find(actor.user_id, input.session_id);
  // As nearly always: nothing has to be looked up.
  if (live !== undefined && actor.role !== 'guest') {
    return takeReport(ctx, actor, live, toReport(input, state, rate, ctx.clock.nowMs()));
  }
  return (await prepareReport(ctx, actor, input, state, rate))();
}

/**
 * The player has left the track; later reports of this session change nothing.
 * @throws DomainError not_found, unprocessable
 */
export async function completeListen(ctx: Ctx, actor: Actor, input: z.output<typeof CompleteListen>): Promise<Taken> {
  return (await prepareReport(ctx, actor, input, 'stopped', 1))();
}

/**
 * Finds the session a report is of. What it answers takes the report at once in memory, so that the next builds on it, and
 * resolves once it is on disk. `arrivedMs`: when it came, which is one time for all that comes together.
 * @throws DomainError not_found, unprocessable
 */
export async function prepareReport(
  ctx: Ctx,
  actor: Actor,
  input: z.output<typeof CompleteListen>,
  state: Report['state'],
  rate: number,
  arrivedMs = ctx.clock.nowMs(),
): Promise<() => Promise<Taken>> {
  const report = toReport(input, state, rate, arrivedMs);
  const { session_id, seq } = input;
  // A guest's reports are accepted, shown to nobody and not stored (contract §2).
  if (actor.role === 'guest') {
    return async () => ({ session_id, seq, duration_played: 0, completed: false, counted: false });
  }
  const live = ctx.playbacks.find(actor.user_id, session_id) ?? (await openPlayback(ctx, actor.user_id, session_id));
  return () => takeReport(ctx, actor, live, report);
}

/** @throws DomainError unprocessable */
function toReport(
  input: z.output<typeof CompleteListen>,
  state: Report['state'],
  rate: number,
  arrivedMs: number,
): Report {
  const occurred_at_ms = toServerTime(arrivedMs, input);
  if (occurred_at_ms === null) throw new DomainError('unprocessable', 'That report lies in the future.');
  const { seq, position_ms } = input;
  return { seq, position_ms, state, rate, occurred_at_ms, is_dated: input.occurred_at_ms !== undefined };
}
