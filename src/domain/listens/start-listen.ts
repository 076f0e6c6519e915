import { findTrackByPath, trackLengths } from '../library/library.queries.ts';
import { DomainError, notFound } from '../errors.ts';
import { toStorageError } from '../unit-of-work.ts';
import { findPlayback } from './take-report.ts';
import { zoneOf } from './listener-zone.ts';
import { localTime } from './local-time.rules.ts';
import { hideBegunStatement } from './private-session.ts';
import { staleDayStatement } from './stale-days.ts';
import { begin as beginPlayback, toServerTime } from './listens.rules.ts';
import { findByClientSession, insertStatement } from './listens.repository.ts';
import type { ListenSession, StartListen } from '#contract/listens.ts';
import type { Actor, Ctx } from '../context.ts';
import type { LocalTime } from './local-time.rules.ts';
import type { LivePlayback } from './playbacks.ts';
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
  return (await prepareStart(ctx, actor, input))();
}

/**
 * Looks up what a start needs. What it answers begins the session at once in memory, so that reports can follow, and
 * resolves once it is on disk. `arrivedMs`: when it came.
 * @throws DomainError not_found, unprocessable
 */
export async function prepareStart(
  ctx: Ctx,
  actor: Actor,
  input: z.output<typeof StartListen>,
  arrivedMs = ctx.clock.nowMs(),
): Promise<() => Promise<z.input<typeof ListenSession>>> {
  const track = await findTrack(ctx.db, input);
  if (track === undefined) throw notFound('track');
  const atMs = toServerTime(arrivedMs, input);
  if (atMs === null) throw new DomainError('unprocessable', 'That start lies in the future.');
  const session_id = ctx.ids.id();
  // A guest's reports are accepted, shown to nobody and not stored (contract §2).
  if (actor.role === 'guest') return async () => ({ session_id: input.client_session_id ?? session_id });
  // A start that is repeated after its session has ended.
  if (input.client_session_id !== undefined) await findPlayback(ctx, actor.user_id, input.client_session_id);
  const local = localTime(input.time_zone ?? (await zoneOf(ctx, actor.user_id)), Math.floor(atMs / 1000));
  return () => begin(ctx, actor, { input, track, atMs, local, session_id });
}

async function begin(
  ctx: Ctx,
  actor: Actor,
  {
    input,
    track,
    atMs,
    local,
    session_id,
  }: {
    input: z.output<typeof StartListen>;
    track: { id: string; duration: number | null };
    atMs: number;
    local: LocalTime;
    session_id: string;
  },
): Promise<z.input<typeof ListenSession>> {
  const { user_id } = actor;
  const client_session_id = input.client_session_id ?? null;
  const known = client_session_id === null ? undefined : ctx.playbacks.find(user_id, client_session_id);
  if (known !== undefined) {
    // The same start again, perhaps before the first is on disk; if that fails, the second begins anew.
    const isStored = await known.stored.then(
      () => true,
      () => false,
    );
    if (isStored) return { session_id: known.session_id };
  }
  const stored = ctx.writeUnit([
    staleDayStatement(ctx.db, { user_id, local_day: local.local_day }),
    insertStatement(ctx.db, {
      id: session_id,
      user_id,
      track_id: track.id,
      client_session_id,
      started_at: Math.floor(atMs / 1000),
      time_zone: input.time_zone ?? null,
      ...local,
      skipped: 0,
      is_hidden: 0,
      inserted_at: Math.floor(ctx.clock.nowMs() / 1000),
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
    }),
    hideBegunStatement(ctx.db, { id: session_id, user_id, to_ms: atMs }),
  ]);
  const live: LivePlayback = {
    session_id,
    client_session_id,
    user_id,
    track_id: track.id,
    track_duration: track.duration,
    local_day: local.local_day,
    counted: false,
    playback: beginPlayback(input.position_ms, atMs),
    revision: 0,
    waiting: null,
    stored: stored.then((isStored) => {
      if (!isStored) throw new Error('not stored');
    }),
  };
  // Whoever reports on it looks at it; nobody may.
  live.stored.catch(() => undefined);
  ctx.playbacks.keep(live);
  let isNew: boolean;
  try {
    isNew = await stored;
  } catch (error) {
    ctx.playbacks.forget(live);
    throw toStorageError(ctx, error);
  }
  if (!isNew) {
    ctx.playbacks.forget(live);
    const row = await findByClientSession(ctx.db, user_id, client_session_id ?? '');
    if (row === undefined) throw notFound('listening session');
    return { session_id: row.id };
  }
  await ctx.events.publish({
    name: 'listen.progressed',
    payload: {
      user_id,
      username: actor.username,
      session_id,
      track_id: track.id,
      track_duration: track.duration,
      position_ms: input.position_ms,
      at_ms: atMs,
      rate: 1,
      state: 'playing',
    },
  });
  return { session_id };
}

/** The track a start names, if the library ever had it. */
async function findTrack(
  db: Ctx['db'],
  { track_id, track_path }: Pick<z.output<typeof StartListen>, 'track_id' | 'track_path'>,
): Promise<{ id: string; duration: number | null } | undefined> {
  if (track_id === undefined) return (await findTrackByPath(db, track_path ?? '')) ?? undefined;
  return (await trackLengths(db, [track_id])).get(track_id);
}
