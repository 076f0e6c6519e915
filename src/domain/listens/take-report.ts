import { DomainError, notFound } from '../errors.ts';
import { listenNewsStatements } from '../feed/listen-news.ts';
import { toStorageError } from '../unit-of-work.ts';
import { advance, isCompleted, judgeListen } from './listens.rules.ts';
import { playbackOf } from './listens.present.ts';
import { hideCountedStatement } from './private-session.ts';
import { countStatement, findSession, progressStatement } from './listens.repository.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { ListenProgress } from '#contract/listens.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Report } from './listens.rules.ts';
import type { LivePlayback } from './playbacks.ts';
import type { z } from 'zod';

export type Taken = z.input<typeof ListenProgress>;

/** More than this many others at one session at once is no accident. */
const TRIES = 10;

/** The session a report names, remembered or read. @throws DomainError not_found, also for somebody else's */
export async function openPlayback(ctx: Ctx, user_id: string, session_id: string): Promise<LivePlayback> {
  const found = await findPlayback(ctx, user_id, session_id);
  if (found === undefined) throw notFound('listening session');
  return found;
}

/** As `openPlayback`; undefined when it is not there. */
export async function findPlayback(ctx: Ctx, user_id: string, session_id: string): Promise<LivePlayback | undefined> {
  const known = ctx.playbacks.find(user_id, session_id);
  if (known !== undefined) return known;
  const row = await findSession(ctx.db, user_id, session_id);
  // What came whole, from another program, has no reports.
  if (row === undefined || row.track_id === null) return undefined;
  // Somebody else may have read it meanwhile, and have moved it on already.
  const raced = ctx.playbacks.find(user_id, row.id);
  if (raced !== undefined) return raced;
  const live: LivePlayback = {
    session_id: row.id,
    client_session_id: row.client_session_id,
    user_id,
    track_id: row.track_id,
    track_duration: row.track_duration,
    counted: row.counted === 1,
    playback: playbackOf(row),
    stored: Promise.resolve(),
  };
  ctx.playbacks.keep(live);
  return live;
}

/**
 * Takes one report of an opened session: at once in memory, so that the next report builds on it; resolves once it is on
 * disk and those who may see it were told. A report that changes nothing resolves once what it repeats is on disk.
 * @throws DomainError unavailable, disk_full; then nothing of it stays
 */
export async function takeReport(ctx: Ctx, actor: Actor, opened: LivePlayback, report: Report): Promise<Taken> {
  for (let live = opened, tries = 1; ; tries++) {
    const before = live.playback;
    const durationMs = live.track_duration === null ? null : live.track_duration * 1000;
    const after = advance(before, report, durationMs);
    const wasCounted = live.counted;
    const taken: Taken = {
      session_id: live.session_id,
      seq: after.last_seq,
      duration_played: after.played_ms / 1000,
      completed: isCompleted(after.spans, durationMs),
      counted: wasCounted,
    };
    if (after === before) {
      try {
        await live.stored;
        return taken;
      } catch {
        // What this repeats was not stored after all: it is taken anew, from what is on disk.
        if (tries >= TRIES) throw busy();
      }
    } else {
      taken.counted = judgeListen(after.spans, durationMs).counted;
      live.playback = after;
      live.counted = taken.counted;
      if (await store(ctx, live, before.last_seq, wasCounted, taken)) {
        await tell(ctx, actor, live, after, wasCounted, taken);
        if (after.state === 'stopped') ctx.playbacks.forget(live);
        return taken;
      }
      if (tries >= TRIES) throw busy();
    }
    // By the client's own name, if it has one: ours was never stored if another start came first.
    live = await openPlayback(ctx, actor.user_id, live.client_session_id ?? live.session_id);
  }
}

const busy = () =>
  new DomainError('unavailable', 'This session is being reported from too many places at once. Try again.', {
    retryAfter: 1,
  });

/** @returns false when another process has moved the session on, or what this builds on was not stored */
async function store(
  ctx: Ctx,
  live: LivePlayback,
  builds_on_seq: number,
  wasCounted: boolean,
  taken: Taken,
): Promise<boolean> {
  const { playback } = live;
  const stored = ctx.writeUnit([
    progressStatement(ctx.db, {
      id: live.session_id,
      user_id: live.user_id,
      builds_on_seq,
      last_seq: playback.last_seq,
      position_ms: playback.position_ms,
      reported_at_ms: playback.reported_at_ms,
      state: playback.state,
      rate: playback.rate,
      spans_json: JSON.stringify(playback.spans),
      duration_played: taken.duration_played,
      completed: taken.completed ? 1 : 0,
      ended_at: playback.state === 'stopped' ? Math.floor(playback.reported_at_ms / 1000) : null,
    }),
    ...(taken.counted && !wasCounted ? countingStatements(ctx, live) : []),
  ]);
  live.stored = stored.then((isStored) => {
    if (!isStored) throw new Error('not stored');
  });
  // Whoever repeats this report looks at it; nobody may.
  live.stored.catch(() => undefined);
  try {
    const isStored = await stored;
    if (!isStored) ctx.playbacks.forget(live);
    return isStored;
  } catch (error) {
    ctx.playbacks.forget(live);
    throw toStorageError(ctx, error);
  }
}

/** What makes a session a listen, and tells of it. */
function countingStatements(ctx: Ctx, { session_id, user_id, playback }: LivePlayback): UnitStatement[] {
  return [
    countStatement(ctx.db, { id: session_id, user_id }),
    hideCountedStatement(ctx.db, { id: session_id, user_id, to_ms: playback.reported_at_ms }),
    ...listenNewsStatements(ctx, { session_id, user_id }),
  ];
}

async function tell(
  ctx: Ctx,
  actor: Actor,
  live: LivePlayback,
  after: LivePlayback['playback'],
  wasCounted: boolean,
  taken: Taken,
): Promise<void> {
  await ctx.events.publish({
    name: 'listen.progressed',
    payload: {
      user_id: live.user_id,
      username: actor.username,
      session_id: live.session_id,
      track_id: live.track_id,
      track_duration: live.track_duration,
      position_ms: after.position_ms,
      at_ms: after.reported_at_ms,
      rate: after.rate,
      state: after.state,
    },
  });
  if (taken.counted && !wasCounted) {
    await ctx.events.publish({
      name: 'listen.recorded',
      payload: { user_id: live.user_id, session_id: live.session_id, track_id: live.track_id },
    });
  }
}
