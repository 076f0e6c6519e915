import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPresenceRoom } from '#rooms/presence/presence-room.ts';
import { person, testCtx } from '../support/ctx.ts';
import { DIALECTS } from '../support/dialects.ts';
import { putTracks } from '../support/room.ts';
import type { ListeningUpdate } from '#contract/listens.ts';
import type { DomainEvents } from '#domain/events.ts';
import type { Broadcaster } from '#rooms/broadcaster.ts';
import type { PresenceRoom } from '#rooms/presence/presence-room.ts';
import type { TestCtx } from '../support/ctx.ts';
import type { TestDatabase } from '../support/dialects.ts';

type Progress = DomainEvents['listen.progressed'];

describe('now playing', () => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let room: PresenceRoom;
  let sent: ListeningUpdate[];
  let progress: (more?: Partial<Progress>) => Promise<void>;

  /** Time passes for the clock and for the timers alike. */
  function pass(ms: number): void {
    ctx.clock.advance(ms);
    vi.advanceTimersByTime(ms);
  }

  beforeEach(async () => {
    database = await DIALECTS[0]!.open();
    ctx = testCtx(database);
    const ana = await person(ctx, 'ana');
    const [track_id] = await putTracks(ctx, 1, { duration: 100 });
    sent = [];
    const broadcaster: Broadcaster = {
      emit: (_audience, name, payload) => {
        if (name === 'listening:update') sent.push(payload as ListeningUpdate);
      },
      setAudiences() {},
      hasListeners: () => true,
      onlineUsers: () => [],
    };
    room = createPresenceRoom(ctx, broadcaster);
    progress = (more = {}) =>
      room.progressed({
        user_id: ana.user_id,
        username: 'ana',
        session_id: 'first',
        track_id: track_id!,
        track_duration: 100,
        position_ms: 0,
        at_ms: ctx.clock.nowMs(),
        rate: 1,
        state: 'playing',
        ...more,
      });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(async () => {
    room.close();
    vi.useRealTimers();
    await database.close();
  });

  test('[PR3] the end of an earlier playback does not end the current one', async () => {
    await progress();
    pass(2_000);
    await progress({ session_id: 'second' });
    await progress({ session_id: 'first', state: 'stopped' });
    await progress({ session_id: 'first', state: 'paused' });
    pass(2_000);
    expect(sent.map((update) => update.state)).toEqual(['playing', 'playing']);
    await progress({ session_id: 'second', state: 'stopped' });
    expect(sent.at(-1)?.state).toBe('stopped');
  });

  test('[PR3] a report queued offline tells of the past and is not shown as now', async () => {
    await progress({ at_ms: ctx.clock.nowMs() - 3_600_000 });
    pass(5_000);
    expect(sent).toEqual([]);
  });

  test('[PR4] who falls silent is forgotten when the track would have ended, and 10 s', async () => {
    await progress({ position_ms: 40_000 });
    pass(69_999);
    expect(sent.map((update) => update.state)).toEqual(['playing']);
    pass(1);
    expect(sent.map((update) => update.state)).toEqual(['playing', 'stopped']);
  });

  test('[PR4] twice as fast is over in half the time, and a pause is kept for half an hour', async () => {
    await progress({ position_ms: 0, rate: 2 });
    pass(60_000);
    expect(sent.at(-1)?.state).toBe('stopped');
    await progress({ session_id: 'second' });
    pass(1_000);
    await progress({ session_id: 'second', state: 'paused' });
    pass(30 * 60_000 - 1);
    expect(sent.at(-1)?.state).toBe('paused');
    pass(1);
    expect(sent.at(-1)?.state).toBe('stopped');
  });
});
