import {
  BATCH_BYTES_MAX,
  BATCH_EVENTS,
  listenBatchEvent,
  listenCompleteEvent,
  listenProgressEvent,
  listenStartEvent,
} from '#contract/listens.ts';
import { DomainError } from '#domain/errors.ts';
import { completeListen, reportProgress } from '#domain/listens/report-progress.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { submitBatch } from '#domain/listens/submit-batch.ts';
import { problemOf } from '../../http/problem.ts';
import { newIds } from '../../ids.ts';
import { parseInput } from '../../parse.ts';
import { onEvent } from '../on-request.ts';
import type { BatchEvent } from '#domain/listens/submit-batch.ts';
import type { EventHandler } from '../on-request.ts';

/** One event of a batch, or why it is none. */
function parseEvent({ event, ...payload }: { event: string }, sent_at_ms: number): BatchEvent | Error {
  if (!(event in BATCH_EVENTS)) return new DomainError('malformed', 'A batch holds reports of listening only.');
  const name = event as keyof typeof BATCH_EVENTS;
  try {
    return { event: name, input: parseInput(BATCH_EVENTS[name], { ...payload, sent_at_ms }, event) } as BatchEvent;
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

export const listenEvents: EventHandler[] = [
  onEvent(listenStartEvent, startListen),
  onEvent(listenProgressEvent, reportProgress),
  onEvent(listenCompleteEvent, completeListen),
  onEvent(listenBatchEvent, async (ctx, actor, batch) => {
    if (Buffer.byteLength(JSON.stringify(batch)) > BATCH_BYTES_MAX) {
      throw new DomainError('too_large', 'A batch holds at most 48 KiB: send it in parts.');
    }
    const events = batch.events.map((one) => parseEvent(one, batch.sent_at_ms));
    const settled = await submitBatch(ctx, actor, events);
    const results = settled.map((one) =>
      one.status === 'fulfilled'
        ? { ok: true as const, data: one.value }
        : { ok: false as const, problem: problemOf(ctx, one.reason, newIds.id()).problem },
    );
    return { results };
  }),
];
