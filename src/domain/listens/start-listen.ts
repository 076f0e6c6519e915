import { existingTrackIds, findTrackByPath } from '../library/library.queries.ts';
import { DomainError, notFound } from '../errors.ts';
import { inTransaction } from '../unit-of-work.ts';
import { toServerTime } from './listens.rules.ts';
import { findByClientSession, insertSession } from './listens.repository.ts';
import type { ListenSession, StartListen } from '#contract/listens.ts';
import type { Actor, Ctx } from '../context.ts';
import type { z } from 'zod';

/**
 * A track begins to play. The same `client_session_id` twice is one session.
 * @throws DomainError not_found, unprocessable
 */
export async function startListen(
  ctx: Ctx,
  actor: Actor,
  input: z.output<typeof StartListen>,
): Promise<z.input<typeof ListenSession>> {
  const track_id = input.track_id ?? (await findTrackByPath(ctx.db, input.track_path ?? ''))?.id;
  if (track_id === undefined || !(await existingTrackIds(ctx.db, [track_id])).has(track_id)) throw notFound('track');
  const nowMs = ctx.clock.nowMs();
  const atMs = toServerTime(nowMs, input);
  if (atMs === null) throw new DomainError('unprocessable', 'That start lies in the future.');
  const session_id = ctx.ids.id();
  // A guest's reports are accepted, shown to nobody and not stored (contract §2).
  if (actor.role === 'guest') return { session_id: input.client_session_id ?? session_id };

  return inTransaction(ctx, async (tx) => {
    const isNew = await insertSession(tx.trx, {
      id: session_id,
      user_id: actor.user_id,
      track_id,
      client_session_id: input.client_session_id ?? null,
      started_at: Math.floor(atMs / 1000),
      ended_at: null,
      duration_played: 0,
      completed: 0,
      counted: 0,
      source: input.source,
      client_info_json: JSON.stringify(input.client_info ?? {}),
      last_seq: -1,
      position_ms: input.position_ms,
      reported_at_ms: atMs,
      state: 'playing',
      rate: 1,
      spans_json: '[]',
    });
    if (!isNew && input.client_session_id !== undefined) {
      const known = await findByClientSession(tx.trx, actor.user_id, input.client_session_id);
      if (known === undefined) throw notFound('listening session');
      return { session_id: known.id };
    }
    tx.publish({
      name: 'listen.progressed',
      payload: {
        user_id: actor.user_id,
        username: actor.username,
        session_id,
        track_id,
        track_duration: null,
        position_ms: input.position_ms,
        at_ms: atMs,
        rate: 1,
        state: 'playing',
      },
    });
    return { session_id };
  });
}
