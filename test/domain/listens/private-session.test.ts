import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { beginPrivateSession, endPrivateSession, readPrivateSession } from '#domain/listens/private-session.ts';
import { reportProgress } from '#domain/listens/report-progress.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { canSee, sightsOf } from '#domain/social/social.access.ts';
import { updateProfile } from '#domain/accounts/update-profile.ts';
import { createPrivateSessions } from '#rooms/private-sessions.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const MINUTE_MS = 60_000;

describe.each(DIALECTS)('a private session on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let ana: Actor;
  let ben: Actor;
  let track_id: string;
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await database.close();
    database = await dialect.open();
    ctx = testCtx(database);
    [ana, ben] = [await person(ctx, 'ana'), await person(ctx, 'ben')];
    [track_id = ''] = await putTracks(ctx, 1, { duration: 100 });
    await updateProfile(ctx, ana, { privacy_level: 2, share_listening_history: true });
  });

  const start = async (occurred_at_ms?: number) =>
    (await startListen(ctx, ana, { track_id, source: 'api', position_ms: 0, occurred_at_ms })).session_id;
  const report = (session_id: string, seq: number, position_ms: number, occurred_at_ms?: number) =>
    reportProgress(ctx, ana, { session_id, seq, position_ms, state: 'playing', rate: 1, occurred_at_ms });
  const isHidden = async (id: string) =>
    (await ctx.db.selectFrom('listening_sessions').select('is_hidden').where('id', '=', id).executeTakeFirstOrThrow())
      .is_hidden === 1;
  const isSeen = async (kind: 'listening' | 'history' | 'presence') =>
    canSee((await sightsOf(ctx, ben.user_id, [ana.user_id])).get(ana.user_id)!, kind);

  test('[LP40] it begins, goes on as long as was said last, ends by itself or by hand, and is by time alone', async () => {
    expect(await readPrivateSession(ctx, ana)).toEqual({ active: false, ends_at: null });
    const now = Math.floor(ctx.clock.nowMs() / 1000);
    expect(await beginPrivateSession(ctx, ana, { minutes: 10 })).toEqual({ active: true, ends_at: now + 600 });
    expect(await beginPrivateSession(ctx, ana, { minutes: 30 })).toEqual({ active: true, ends_at: now + 1_800 });
    expect(await readPrivateSession(ctx, ana)).toEqual({ active: true, ends_at: now + 1_800 });
    expect([await isSeen('listening'), await isSeen('history'), await isSeen('presence')]).toEqual([false, true, true]);
    ctx.clock.advance(30 * MINUTE_MS);
    expect(await readPrivateSession(ctx, ana)).toEqual({ active: false, ends_at: null });
    expect(await isSeen('listening')).toBe(true);
    await beginPrivateSession(ctx, ana, { minutes: 30 });
    await endPrivateSession(ctx, ana);
    await endPrivateSession(ctx, ana);
    expect(await readPrivateSession(ctx, ana)).toEqual({ active: false, ends_at: null });
    expect(await isSeen('listening')).toBe(true);
    // Another's is theirs.
    await beginPrivateSession(ctx, ben, { minutes: 30 });
    expect((await readPrivateSession(ctx, ana)).active).toBe(false);
  });

  test('[LP41] what is under way and what begins meanwhile is hidden for good, with its news; what is over, and what comes after, is not', async () => {
    const over = await start();
    await report(over, 1, 0);
    ctx.clock.advance(3 * 3_600_000);
    const underWay = await start();
    ctx.clock.advance(60_000);
    expect(await report(underWay, 1, 60_000)).toMatchObject({ counted: true });
    expect(await ctx.db.selectFrom('feed_items').select('session_id').execute()).toEqual([{ session_id: underWay }]);
    await ctx.write((trx) => trx.deleteFrom('stale_days').execute());
    await beginPrivateSession(ctx, ana, { minutes: 10 });
    expect(await ctx.db.selectFrom('feed_items').selectAll().execute()).toEqual([]);
    expect(await ctx.db.selectFrom('stale_days').selectAll().execute()).toHaveLength(1);
    const meanwhile = await start();
    ctx.clock.advance(60_000);
    expect(await report(meanwhile, 1, 60_000)).toMatchObject({ counted: true });
    await endPrivateSession(ctx, ana);
    const after = await start();
    ctx.clock.advance(60_000);
    expect(await report(after, 1, 60_000)).toMatchObject({ counted: true });
    expect([await isHidden(over), await isHidden(underWay), await isHidden(meanwhile), await isHidden(after)]).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(await ctx.db.selectFrom('feed_items').select('session_id').execute()).toEqual([{ session_id: after }]);
  });

  test('[LP41] what was heard offline in a private session is hidden when it arrives, begun in it or before it', async () => {
    const fromMs = ctx.clock.nowMs();
    await beginPrivateSession(ctx, ana, { minutes: 10 });
    ctx.clock.advance(3_600_000);
    const within = await start(fromMs + MINUTE_MS);
    const before = await start(fromMs - MINUTE_MS);
    await report(before, 1, 80_000, fromMs + 20_000);
    const later = await start(fromMs + 11 * MINUTE_MS);
    await report(later, 1, 60_000, fromMs + 12 * MINUTE_MS);
    expect([await isHidden(within), await isHidden(before), await isHidden(later)]).toEqual([true, true, false]);
    expect(await ctx.db.selectFrom('feed_items').select('session_id').execute()).toEqual([{ session_id: later }]);
  });

  test('[LP43] its end is noticed also after a restart, and not before a later one', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: ctx.clock.nowMs() });
    try {
      ctx.clock.nowMs = () => Date.now();
      await beginPrivateSession(ctx, ana, { minutes: 10 });
      const ended: string[] = [];
      const afterRestart = createPrivateSessions(ctx, async (user_id) => void ended.push(user_id));
      await afterRestart.start();
      vi.advanceTimersByTime(10 * MINUTE_MS - 1);
      expect(ended).toEqual([]);
      afterRestart.changed(ana.user_id, Date.now() + MINUTE_MS);
      vi.advanceTimersByTime(MINUTE_MS - 1);
      expect(ended).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(ended).toEqual([ana.user_id]);
      afterRestart.close();
    } finally {
      vi.useRealTimers();
    }
  });
});
