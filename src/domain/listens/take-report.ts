import { lockPersonStatement } from '../accounts/lock-person.ts';
import { DomainError, notFound } from '../errors.ts';
import { listenNewsStatements, noNewsStatement } from '../feed/listen-news.ts';
import { toStorageError } from '../unit-of-work.ts';
import { isCompleted, isSkip, judgeListen, take, toMs, writeReports, writeSpans } from './listens.rules.ts';
import { playbackOf } from './listens.present.ts';
import { hideCountedStatement } from './private-session.ts';
import { countStatement, findSession, progressStatement } from './listens.repository.ts';
import { staleDayStatement } from './stale-days.ts';
import { takeOverStatements } from './whole-listens.repository.ts';
import type { ListenProgress } from '#contract/listens.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Heard, Playback, Report } from './listens.rules.ts';
import type { LivePlayback } from './playbacks.ts';
import type { z } from 'zod';

export type Taken = z.input<typeof ListenProgress>;

/** More than this many others at one session at once is no accident. */
const TRIES = 10;
/** A session whose last report is this old may be taken to be over; half of what stale days allow it. */
const UNDER_WAY_MS = 12 * 3_600_000;

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
    local_day: row.local_day,
    counted: row.counted === 1,
    playback: playbackOf(row, toMs(row.track_duration)),
    revision: row.revision,
    waiting: null,
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
  for (let live = opened, tries = 1; tries <= TRIES; tries++) {
    const before = live.playback;
    const wasCounted = live.counted;
    const durationMs = toMs(live.track_duration);
    const after = take(before, report, durationMs);
    if (after === before) {
      const taken = answerOf(live, durationMs);
      try {
        await live.stored;
        return taken;
      } catch {
        // What this repeats was not stored after all: it is taken anew, from what is on disk.
      }
    } else {
      live.playback = after;
      // Only a late report can make less of what was heard; a track that is measured anew does not.
      live.counted = (wasCounted && !isLate(before, after)) || judgeListen(after.heard.spans, durationMs).counted;
      const taken = answerOf(live, durationMs);
      live.waiting ??= write(ctx, actor, live, { playback: before, counted: wasCounted });
      if (await live.waiting) return taken;
    }
    // By the client's own name, if it has one: ours was never stored if another start came first.
    live = await openPlayback(ctx, actor.user_id, live.client_session_id ?? live.session_id);
  }
  throw new DomainError('unavailable', 'This session is being reported from too many places at once. Try again.', {
    retryAfter: 1,
  });
}

const isLate = (before: Playback, after: Playback): boolean => after.heard.last_seq <= before.heard.last_seq;

function answerOf({ session_id, counted, playback: { heard } }: LivePlayback, durationMs: number | null): Taken {
  return {
    session_id,
    seq: heard.last_seq,
    duration_played: heard.played_ms / 1000,
    completed: isCompleted(heard.spans, durationMs),
    counted,
  };
}

/**
 * Writes the session as it is when the write's turn comes: all that was reported of it until then.
 * @returns false when another process has moved the session on, or what this builds on was not stored
 * @throws DomainError unavailable, disk_full
 */
async function write(
  ctx: Ctx,
  actor: Actor,
  live: LivePlayback,
  before: Pick<LivePlayback, 'playback' | 'counted'>,
): Promise<boolean> {
  let { heard } = live.playback;
  let { counted } = live;
  const stored = ctx.writeUnit(() => {
    live.waiting = null;
    ({ heard } = live.playback);
    ({ counted } = live);
    return statementsOf(ctx, live, before);
  }, live.stored);
  live.stored = stored.then((isStored) => {
    if (!isStored) throw new Error('not stored');
  });
  // Whoever repeats this report looks at it; nobody may.
  live.stored.catch(() => undefined);
  try {
    if (!(await stored)) {
      ctx.playbacks.forget(live);
      return false;
    }
  } catch (error) {
    ctx.playbacks.forget(live);
    throw toStorageError(ctx, error);
  }
  // A late report says nothing of now, unless it says that it had ended.
  if (heard.last_seq !== before.playback.heard.last_seq) await tellProgress(ctx, actor, live, heard);
  if (counted && !before.counted) {
    const { user_id, session_id, track_id } = live;
    await ctx.events.publish({ name: 'listen.recorded', payload: { user_id, session_id, track_id } });
  }
  if (heard.state === 'stopped' && live.waiting === null) ctx.playbacks.forget(live);
  return true;
}

/** What makes a session a listen, and tells of it; or makes it none again, when a late report says that it was not heard. */
function countingStatements(ctx: Ctx, { session_id, user_id, counted, playback }: LivePlayback): UnitStatement[] {
  const count = countStatement(ctx.db, { id: session_id, user_id, counted: counted ? 1 : 0 });
  if (!counted) return [count, noNewsStatement(ctx.db, session_id)];
  return [
    count,
    hideCountedStatement(ctx.db, { id: session_id, user_id, to_ms: playback.heard.reported_at_ms }),
    ...takeOverStatements(ctx.db, { session_id, user_id }),
    ...listenNewsStatements(ctx, { session_id, user_id }),
  ];
}

/** All that changes with a session's reports, in one unit. */
function statementsOf(
  ctx: Ctx,
  live: LivePlayback,
  before: Pick<LivePlayback, 'playback' | 'counted'>,
): readonly UnitStatement[] {
  const { session_id: id, user_id, local_day, counted, playback } = live;
  const { heard } = playback;
  const durationMs = toMs(live.track_duration);
  const builds_on_revision = live.revision;
  live.revision += 1;
  const statements = [
    progressStatement(ctx.db, {
      id,
      user_id,
      builds_on_revision,
      revision: live.revision,
      last_seq: heard.last_seq,
      position_ms: heard.position_ms,
      reported_at_ms: heard.reported_at_ms,
      state: heard.state,
      rate: heard.rate,
      spans_json: writeSpans(heard.spans),
      wall_json: writeSpans(heard.wall),
      reports_json: writeReports(playback),
      duration_played: heard.played_ms / 1000,
      completed: isCompleted(heard.spans, durationMs) ? 1 : 0,
      skipped: isSkip(heard, counted, durationMs) ? 1 : 0,
      ended_at: heard.state === 'stopped' ? Math.floor(heard.reported_at_ms / 1000) : null,
    }),
  ];
  if (maybeSettled(ctx, before.playback.heard)) statements.push(staleDayStatement(ctx.db, { user_id, local_day }));
  // Last, because the feed's clock stays locked from here to the commit.
  if (counted === before.counted) return statements;
  return [lockPersonStatement(ctx.db, user_id), ...statements, ...countingStatements(ctx, live)];
}

/** [LP20] Its day's sums may have been made for good: a day stays stale while a session of it is under way. */
function maybeSettled(ctx: Ctx, { state, reported_at_ms }: Heard): boolean {
  return state === 'stopped' || ctx.clock.nowMs() - reported_at_ms > UNDER_WAY_MS;
}

async function tellProgress(ctx: Ctx, actor: Actor, live: LivePlayback, heard: Heard): Promise<void> {
  await ctx.events.publish({
    name: 'listen.progressed',
    payload: {
      user_id: live.user_id,
      username: actor.username,
      session_id: live.session_id,
      track_id: live.track_id,
      track_duration: live.track_duration,
      position_ms: heard.position_ms,
      at_ms: heard.reported_at_ms,
      rate: heard.rate,
      state: heard.state,
    },
  });
}
