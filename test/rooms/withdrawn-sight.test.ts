/** Somebody shuts the others out while they are being told of something, ten thousand times. */
import { expect, test } from 'vitest';
import { updatePreferences } from '#domain/accounts/preferences.ts';
import { updateProfile } from '#domain/accounts/update-profile.ts';
import { beginPrivateSession, endPrivateSession } from '#domain/listens/private-session.ts';
import { reportProgress } from '#domain/listens/report-progress.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { blockUser, unblockUser } from '#domain/social/block-user.ts';
import { followUser, unfollowUser } from '#domain/social/follow-user.ts';
import { createAudiences } from '#rooms/audience.ts';
import { createFeedRoom } from '#rooms/feed/feed-room.ts';
import { startFanout } from '#rooms/fanout.ts';
import { createPresenceRoom } from '#rooms/presence/presence-room.ts';
import { createPrivateSessions } from '#rooms/private-sessions.ts';
import { person, testCtx } from '../support/ctx.ts';
import { DIALECTS } from '../support/dialects.ts';
import { fakeGateway } from '../support/fake-gateway.ts';
import { seeded } from '../support/random.ts';
import { putTracks } from '../support/room.ts';
import type { NoticeName } from '#contract/gateway.ts';

/** How often somebody shuts another out, each time amid five things that are told: 10,000 interleavings of a flip and an emit. */
const FLIPS = { sqlite: 2_000, pglite: 150, postgres: 1_000 };
const EMITS = 5;
const LIVE: readonly NoticeName[] = ['listening:update', 'feed:item'];
const ALL: readonly NoticeName[] = [...LIVE, 'presence:update'];

test.each(DIALECTS)(
  '[SO10-3] nothing reaches whom it may not after the change is answered, on $name',
  { timeout: 240_000 },
  async (dialect) => {
    const random = seeded();
    console.log(`seed ${random.seed}`);
    const database = await dialect.open();
    const ctx = testCtx(database);
    const [ana, ben] = [await person(ctx, 'ana'), await person(ctx, 'ben')];
    const [track_id = ''] = await putTracks(ctx, 1, { duration: 60 });
    const { broadcaster, connect } = fakeGateway();
    const audiences = createAudiences(ctx, broadcaster);
    const presence = createPresenceRoom(ctx, broadcaster, { offlineDelayMs: () => 0 });
    const feed = createFeedRoom(ctx, broadcaster);
    const privateSessions = createPrivateSessions(ctx, (user_id) => audiences.refreshViewersOf(user_id));
    const none = { recheckAllOwnedBy: async () => undefined, recheck: async () => undefined };
    startFanout(ctx, {
      broadcaster,
      audiences,
      presence,
      feed,
      privateSessions,
      connections: {} as never,
      playlistRooms: none as never,
    });
    const socket = connect(ana.user_id);
    const seat = presence.enter(ben.user_id);
    await updateProfile(ctx, ben, { share_listening_history: true });
    await followUser(ctx, ana, ben);
    await followUser(ctx, ben, ana);
    await audiences.refresh(ana.user_id);
    await feed.subscribe(ana.user_id, undefined, (isLive) => void (socket.isFeedLive = isLive));

    /** Begins a track, hears half of it, and looks away and back: each is told to whoever may know. */
    async function live(): Promise<void> {
      // More than a second apart by the clock, each is told at once.
      ctx.clock.advance(2_000);
      const { session_id } = await startListen(ctx, ben, { track_id, source: 'api', position_ms: 0 });
      ctx.clock.advance(31_000);
      seat.set('away');
      await reportProgress(ctx, ben, { session_id, seq: 1, position_ms: 31_000, state: 'playing', rate: 1 });
      seat.set('online');
      ctx.clock.advance(2_000);
      await reportProgress(ctx, ben, { session_id, seq: 2, position_ms: 32_000, state: 'paused', rate: 1 });
    }
    const profile = (change: Parameters<typeof updateProfile>[2]) => () => updateProfile(ctx, ben, change);
    const preferences = (show_presence: boolean) => () => updatePreferences(ctx, ben, { show_presence });
    const befriend = () => Promise.all([followUser(ctx, ana, ben), followUser(ctx, ben, ana)]);
    const flips: [string, readonly NoticeName[], () => Promise<unknown>, () => Promise<unknown>][] = [
      ['level', ALL, profile({ privacy_level: 0 }), profile({ privacy_level: 1 })],
      ['sharing', LIVE, profile({ share_listening_history: false }), profile({ share_listening_history: true })],
      [
        'private session',
        LIVE,
        () => beginPrivateSession(ctx, ben, { minutes: 60 }),
        () => endPrivateSession(ctx, ben),
      ],
      ['presence', ['presence:update'], preferences(false), preferences(true)],
      ['unfollow', ALL, () => unfollowUser(ctx, ana, ben), befriend],
      ['no friend any more', ALL, () => unfollowUser(ctx, ben, ana), befriend],
      ['block', ALL, () => blockUser(ctx, ben, ana), async () => (await unblockUser(ctx, ben, ana), befriend())],
      [
        'being blocked',
        ALL,
        () => blockUser(ctx, ana, ben),
        async () => (await unblockUser(ctx, ana, ben), befriend()),
      ],
    ];
    const wrong = new Map<string, number>();
    const seen = new Map<string, number>();
    const count = (map: Map<string, number>, key: string) => void map.set(key, (map.get(key) ?? 0) + 1);
    for (let i = 0; i < FLIPS[dialect.name]; i++) {
      const [what, kinds, shut, open] = random.pick(flips);
      const living = live();
      for (let n = random.int(12); n > 0; n--) await (n % 3 === 0 ? new Promise(setImmediate) : Promise.resolve());
      await shut();
      for (const { name } of socket.heard) count(seen, name);
      socket.heard.length = 0;
      await living;
      if (i % 4 === 0) await live();
      for (const { name } of socket.heard) if (kinds.includes(name)) count(wrong, `${what}: ${name}`);
      socket.heard.length = 0;
      ctx.happened.length = 0;
      await open();
      if (i % 3 === 0) await live();
      for (const { name } of socket.heard) count(seen, name);
      socket.heard.length = 0;
    }
    privateSessions.close();
    presence.close();
    await database.close();
    console.log(
      `${FLIPS[dialect.name] * EMITS} interleavings, told rightly: ${JSON.stringify(Object.fromEntries(seen))}`,
    );
    expect(Object.fromEntries(wrong)).toEqual({});
    for (const name of ALL) expect([name, (seen.get(name) ?? 0) > FLIPS[dialect.name] / 4]).toEqual([name, true]);
  },
);
