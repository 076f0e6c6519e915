import { prepareStart } from './start-listen.ts';
import { prepareReport } from './report-progress.ts';
import type { BATCH_EVENTS, ListenProgress, ListenSession } from '#contract/listens.ts';
import type { Actor, Ctx } from '../context.ts';
import type { z } from 'zod';

/** One event of a batch, parsed. */
export type BatchEvent = {
  [N in keyof typeof BATCH_EVENTS]: { event: N; input: z.output<(typeof BATCH_EVENTS)[N]> };
}[keyof typeof BATCH_EVENTS];

type Answer = z.input<typeof ListenSession> | z.input<typeof ListenProgress>;

/**
 * Takes what was queued offline, in order: each event builds on the ones before it at once in memory, and all go to the
 * disk together. An event that is refused, or was before it came here, holds up no other.
 * @returns what became of each, in order, once all of it is on disk
 */
export async function submitBatch(
  ctx: Ctx,
  actor: Actor,
  events: readonly (BatchEvent | Error)[],
): Promise<PromiseSettledResult<Answer>[]> {
  const running: Promise<Answer>[] = [];
  // Its one `sent_at_ms` is held against one time: while events are looked up the clock goes on, and would stretch what was heard.
  const arrivedMs = ctx.clock.nowMs();
  for (const event of events) {
    let answer: Promise<Answer>;
    try {
      answer = event instanceof Error ? Promise.reject(event) : (await prepare(ctx, actor, event, arrivedMs))();
    } catch (error) {
      answer = Promise.reject(error as Error);
    }
    // Looked at below, with all the others.
    answer.catch(() => undefined);
    running.push(answer);
  }
  return Promise.allSettled(running);
}

function prepare(ctx: Ctx, actor: Actor, event: BatchEvent, arrivedMs: number): Promise<() => Promise<Answer>> {
  switch (event.event) {
    case 'listen:start':
      return prepareStart(ctx, actor, event.input, arrivedMs);
    case 'listen:progress':
      return prepareReport(ctx, actor, event.input, event.input.state, event.input.rate, arrivedMs);
    case 'listen:complete':
      return prepareReport(ctx, actor, event.input, 'stopped', 1, arrivedMs);
  }
}
