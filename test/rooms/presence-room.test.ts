import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { insertStatement } from '#domain/listens/listens.repository.ts';
import { createPresenceRoom } from '#rooms/presence/presence-room.ts';
import { person, testCtx } from '../support/ctx.ts';
import { DIALECTS } from '../support/dialects.ts';
import { putTracks } from '../support/room.ts';
import type { ListeningUpdate } from '#contract/listens.ts';
import type { Ctx } from '#domain/context.ts';
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
  let ana_id: string;
  let begin: (session_id: string, is_hidden?: number) => Promise<void>;
  let progress: (more?: Partial<Progress>) => Promise<void>;

  /** Time passes for the clock and for the timers alike. */
  function pass(ms: number): void {
    vi.advanceTimersByTime(ms);
  }

  beforeEach(async () => {
    database = await DIALECTS[0]!.open();
    ctx = testCtx(database);
    const ana = await person(ctx, 'ana');
    ana_id = ana.user_id;
    const [track_id] = await putTracks(ctx, 1, { duration: 100 });
    sent = [];
    const broadcaster: Broadcaster = {
      emit: (_audience, name, payload) => {
        if (name === 'listening:update') sent.push(payload as ListeningUpdate);
      },
      setAudiences() {},
      mayHear: () => true,
      hasListeners: () => true,
      onlineUsers: () => [],
    };
    room = createPresenceRoom(ctx, broadcaster);
    begin = async (session_id, is_hidden = 0) => {
      await ctx.writeUnit([
        insertStatement(ctx.db, {
          id: session_id,
          user_id: ana.user_id,
          track_id: track_id!,
          client_session_id: null,
          started_at: 1,
          time_zone: null,
          utc_offset_s: 0,
          local_day: 0,
          skipped: 0,
          is_hidden,
          inserted_at: 1,
          ended_at: null,
          duration_played: 0,
          completed: 0,
          counted: 0,
          source: 'api',
          client_info_json: '{}',
          last_seq: -1,
          position_ms: 0,
          reported_at_ms: 1,
          state: 'playing',
          rate: 1,
          spans_json: '[]',
        }),
      ]);
    };
    for (const session_id of ['first', 'second', 'third']) await begin(session_id);
    await begin('hidden', 1);
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
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: ctx.clock.nowMs() });
    ctx.clock.nowMs = () => Date.now();
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
    await progress({ session_id: 'first', state: 'paused' });
    await progress({ session_id: 'first', state: 'stopped' });
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

  test('[PR10-5] of two devices the one that began last shows, the other again when it is over; neither flickers', async () => {
    await progress({ session_id: 'first', position_ms: 1 });
    pass(2_000);
    await progress({ session_id: 'second', position_ms: 2 });
    for (let i = 0; i < 5; i++) {
      pass(2_000);
      await progress({ session_id: 'first', position_ms: 100 + i });
      await progress({ session_id: 'second', position_ms: 200 + i });
    }
    expect(sent.map((update) => update.position_ms)).toEqual([1, 2, 200, 201, 202, 203, 204]);
    pass(2_000);
    await progress({ session_id: 'second', state: 'stopped' });
    expect(sent.at(-1)).toMatchObject({ state: 'playing', position_ms: 104 });
    // Paused, it gives way to one that plays, and comes back when it goes on.
    pass(2_000);
    await progress({ session_id: 'third', position_ms: 3 });
    pass(2_000);
    await progress({ session_id: 'third', position_ms: 4, state: 'paused' });
    expect(sent.at(-1)).toMatchObject({ state: 'playing', position_ms: 104 });
    pass(2_000);
    await progress({ session_id: 'third', position_ms: 5 });
    expect(sent.at(-1)).toMatchObject({ state: 'playing', position_ms: 5 });
  });

  test('[PR10-4] the last word of one playback and the first of the next are not two within a second', async () => {
    await progress({ session_id: 'first' });
    pass(5_000);
    await progress({ session_id: 'first', state: 'stopped' });
    await progress({ session_id: 'second', position_ms: 7 });
    expect(sent.map((update) => update.state)).toEqual(['playing', 'stopped']);
    pass(1_000);
    expect(sent.map((update) => update.state)).toEqual(['playing', 'stopped', 'playing']);
  });

  test('[LP42] a hidden session is never shown; a withdrawn one only after another look', async () => {
    await progress({ session_id: 'hidden' });
    pass(5_000);
    await progress({ session_id: 'hidden', position_ms: 1 });
    expect([sent, room.listeningOf(ana_id)]).toEqual([[], null]);
    await progress({ session_id: 'first' });
    expect(room.listeningOf(ana_id)).toMatchObject({ state: 'playing' });
    const underWay = progress({ session_id: 'second' });
    room.withdraw(ana_id);
    await underWay;
    pass(5_000);
    expect([sent.length, room.listeningOf(ana_id)]).toEqual([1, null]);
    await ctx.write((trx) => trx.updateTable('listening_sessions').set({ is_hidden: 1 }).execute());
    await progress({ session_id: 'first' });
    await progress({ session_id: 'second' });
    pass(5_000);
    expect([sent.length, room.listeningOf(ana_id)]).toEqual([1, null]);
  });

  test('[PR4] a person is remembered with ten playbacks at most, however many they begin', async () => {
    for (let i = 0; i < 50; i++) {
      await begin(`many-${i}`);
      await progress({ session_id: `many-${i}`, position_ms: i });
      pass(1_000);
    }
    for (let i = 49; i >= 40; i--) {
      expect(room.listeningOf(ana_id)?.position_ms).toBe(i);
      await progress({ session_id: `many-${i}`, state: 'stopped' });
    }
    expect(room.listeningOf(ana_id)).toBeNull();
  });
});

describe('being here', () => {
  let emitted: [string, string][];
  let room: PresenceRoom;
  let nextDelayMs = 0;
  const pass = (ms: number) => vi.advanceTimersByTime(ms);
  beforeEach(() => {
    emitted = [];
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    const broadcaster: Broadcaster = {
      emit: (audience, _name, payload) => emitted.push([audience, (payload as { status: string }).status]) as never,
      setAudiences() {},
      mayHear: () => true,
      hasListeners: () => true,
      onlineUsers: () => [],
    };
    room = createPresenceRoom({ clock: { nowMs: () => Date.now() } } as Ctx, broadcaster, {
      offlineDelayMs: () => nextDelayMs,
    });
  });
  afterEach(() => {
    room.close();
    vi.useRealTimers();
  });

  test('[PR10-2] a departure shows only after its delay; who is back within it was never gone', () => {
    nextDelayMs = 17_000;
    const first = room.enter('ana');
    first.leave();
    pass(16_999);
    expect([emitted, room.statusOf('ana')]).toEqual([[['presence:ana', 'online']], 'online']);
    const second = room.enter('ana');
    pass(60_000);
    expect(emitted).toHaveLength(1);
    second.leave();
    pass(16_999);
    expect(emitted).toHaveLength(1);
    pass(1);
    expect([emitted.at(-1), room.statusOf('ana')]).toEqual([['presence:ana', 'offline'], 'offline']);
  });

  test('[PR10-2] whoever comes and goes within the delay begins no second one, and comes back as they left', () => {
    nextDelayMs = 10_000;
    room.enter('ana').leave();
    pass(9_000);
    room.enter('ana').leave();
    pass(9_999);
    expect(emitted).toHaveLength(1);
    pass(1);
    expect(emitted.map(([, status]) => status)).toEqual(['online', 'offline']);
  });

  test('[PR10-3] to be hidden counts at once, and one who is hidden leaves without a word', () => {
    nextDelayMs = 10_000;
    const seat = room.enter('ana');
    seat.set('hidden');
    expect(emitted.map(([, status]) => status)).toEqual(['online', 'offline']);
    seat.leave();
    pass(60_000);
    expect(emitted).toHaveLength(2);
  });

  test('[PR10-2] delays are spread over half a minute, anew for each departure', () => {
    const spread = createPresenceRoom({ clock: { nowMs: () => Date.now() } } as Ctx, {
      emit: (_audience, _name, payload) => {
        if ((payload as { status: string }).status === 'offline') gone.push(Date.now());
      },
      setAudiences() {},
      mayHear: () => true,
      hasListeners: () => true,
      onlineUsers: () => [],
    });
    const gone: number[] = [];
    const leftMs = Date.now();
    for (let i = 0; i < 1_000; i++) spread.enter(`person-${i}`).leave();
    pass(30_000);
    const delays = gone.map((atMs) => atMs - leftMs);
    expect(delays).toHaveLength(1_000);
    // In each of ten parts of the time about as many as in another.
    for (let part = 0; part < 10; part++) {
      const within = delays.filter((delay) => Math.min(9, Math.floor(delay / 3_000)) === part).length;
      expect(within).toBeGreaterThan(50);
      expect(within).toBeLessThan(160);
    }
    spread.close();
  });
});
