import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { updateProfile } from '#domain/accounts/update-profile.ts';
import { writeFeedCursor } from '#domain/feed/feed-cursor.ts';
import { removeOldItems } from '#domain/feed/remove-old-items.ts';
import { beginPrivateSession } from '#domain/listens/private-session.ts';
import { followUser } from '#domain/social/follow-user.ts';
import { createAudiences } from '#rooms/audience.ts';
import { createFeedRoom } from '#rooms/feed/feed-room.ts';
import { person, testCtx } from '../support/ctx.ts';
import { DIALECTS } from '../support/dialects.ts';
import { fakeGateway } from '../support/fake-gateway.ts';
import { putListen } from '../support/heard.ts';
import { seeded } from '../support/random.ts';
import { putTracks } from '../support/room.ts';
import type { FeedItem } from '#contract/feed.ts';
import type { Actor } from '#domain/context.ts';
import type { FeedReplay } from '#rooms/feed/feed-room.ts';
import type { FakeSocket } from '../support/fake-gateway.ts';
import type { TestCtx } from '../support/ctx.ts';
import type { TestDatabase } from '../support/dialects.ts';

const DAY_MS = 86_400_000;

describe.each(DIALECTS)('the feed as it happens, on $name', (dialect) => {
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
    await updateProfile(ctx, ben, { privacy_level: 2, share_listening_history: true });
    await followUser(ctx, ana, ben);
  });

  /** A server's rooms, as after a start. */
  function startServer() {
    const gateway = fakeGateway();
    const audiences = createAudiences(ctx, gateway.broadcaster);
    const room = createFeedRoom(ctx, gateway.broadcaster);
    return {
      room,
      async connect() {
        const socket = gateway.connect(ana.user_id);
        await audiences.refresh(ana.user_id);
        return socket;
      },
      subscribe: (socket: FakeSocket, cursor?: string): Promise<FeedReplay> =>
        room.subscribe(ana.user_id, cursor, (isLive) => void (socket.isFeedLive = isLive)),
      cut() {
        gateway.disconnect(ana.user_id);
        audiences.forget(ana.user_id);
      },
      async listens() {
        await putListen(ctx, ben.user_id, track_id);
        await room.changed();
      },
    };
  }
  const allIds = async () =>
    (await ctx.db.selectFrom('feed_items').select('id').orderBy('seq').execute()).map(({ id }) => id);
  const itemsOf = (socket: FakeSocket) => socket.heard.map(({ payload }) => payload as FeedItem);

  test(
    '[FE1-7] 200 cuts of up to five minutes, with restarts and lost answers amid: every item once and in order',
    { timeout: 120_000 },
    async () => {
      const random = seeded();
      console.log(`seed ${random.seed}`);
      let server = startServer();
      const taken: string[] = [];
      let cursor: string | undefined;
      let cuts = 0;
      let restarts = 0;
      let lost = 0;
      // From the first subscription on.
      const before = (await allIds()).length;
      while (cuts < 200) {
        const socket = await server.connect();
        const meanwhile = Array.from({ length: random.int(4) }, () => server.listens());
        for (let has_more = true; has_more;) {
          const answer: FeedReplay = await server.subscribe(socket, cursor);
          expect(answer.resync).toBe(false);
          has_more = answer.has_more;
          if (random.int(10) === 0 && cursor !== undefined) {
            // The line is cut before the answer is there: nothing of it, nor of what came live, was taken.
            lost++;
            socket.heard.length = 0;
            socket.isFeedLive = false;
            has_more = true;
            continue;
          }
          taken.push(...answer.items.map(({ id }) => id));
          cursor = answer.cursor;
        }
        await Promise.all(meanwhile);
        for (let n = random.int(4); n > 0; n--) await server.listens();
        for (const item of itemsOf(socket)) {
          taken.push(item.id);
          cursor = item.cursor;
        }
        server.cut();
        cuts++;
        ctx.clock.advance(100 + random.int(300_000));
        // What happens while nobody listens, now and then more than fits one answer.
        const missed = random.int(25) === 0 ? 120 : random.int(4);
        for (let n = 0; n < missed; n++) await server.listens();
        if (random.int(5) === 0) {
          restarts++;
          server = startServer();
        }
      }
      const socket = await server.connect();
      for (let has_more = true; has_more;) {
        const answer: FeedReplay = await server.subscribe(socket, cursor);
        taken.push(...answer.items.map(({ id }) => id));
        ({ cursor, has_more } = answer);
      }
      const all = await allIds();
      expect(taken.length).toBeGreaterThan(300);
      // The first subscription named no place: it begins wherever the feed stood as it was answered.
      const from = all.indexOf(taken[0]!);
      expect(from - before).toBeLessThanOrEqual(4);
      expect(taken).toEqual(all.slice(from));
      console.log(`${cuts} cuts, ${restarts} restarts, ${lost} lost answers: ${taken.length} items, 0 lost, 0 doubled`);
    },
  );

  test('[FE1-7] what is told while an answer is on its way comes after it', async () => {
    const server = startServer();
    const socket = await server.connect();
    const { cursor } = await server.subscribe(socket);
    server.cut();
    for (let i = 0; i < 3; i++) await server.listens();
    const again = await server.connect();
    const [answer] = await Promise.all([
      server.subscribe(again, cursor),
      server.listens(),
      server.listens(),
      server.listens(),
    ]);
    const order = [...answer.items, ...itemsOf(again)].map(({ id }) => id);
    expect(order).toEqual(await allIds());
    expect(order).toHaveLength(6);
  });

  test('[FE1-6] a cursor of more than 30 days says so, and only such a one', async () => {
    const server = startServer();
    const socket = await server.connect();
    const { cursor } = await server.subscribe(socket);
    await server.listens();
    ctx.clock.advance(30 * DAY_MS - 1_000);
    expect(await server.subscribe(socket, cursor)).toMatchObject({ resync: false, items: [{}] });
    await server.listens();
    ctx.clock.advance(1_000);
    await removeOldItems(ctx);
    const late = await server.subscribe(socket, cursor);
    expect(late).toMatchObject({ resync: true, has_more: false, items: [{}] });
    expect(await server.subscribe(socket, late.cursor)).toMatchObject({ resync: false, items: [] });
    // Of a database that was put back since.
    const ahead = writeFeedCursor(ctx, { seq: 1_000, at: Math.floor(ctx.clock.nowMs() / 1000) });
    expect(await server.subscribe(socket, ahead)).toMatchObject({ resync: true, items: [] });
    await expect(server.subscribe(socket, 'nonsense')).rejects.toMatchObject({ code: 'malformed' });
    // One that is refused does not hold up the next.
    expect(await server.subscribe(socket, late.cursor)).toMatchObject({ items: [] });
  });

  test('[FE1-4] a replay is asked who may see it as it is given, and unsubscribing ends it', async () => {
    const server = startServer();
    const socket = await server.connect();
    const { cursor } = await server.subscribe(socket);
    await server.listens();
    expect(itemsOf(socket)).toHaveLength(1);
    await server.room.unsubscribe((isLive) => void (socket.isFeedLive = isLive));
    await server.listens();
    expect(itemsOf(socket)).toHaveLength(1);
    expect((await server.subscribe(socket, cursor)).items).toHaveLength(2);
    await updateProfile(ctx, ben, { share_listening_history: false });
    expect((await server.subscribe(socket, cursor)).items).toEqual([]);
    await updateProfile(ctx, ben, { share_listening_history: true });
    // What was heard before a private session stays; what is under way as it begins is taken back.
    await ctx.write((trx) =>
      trx
        .updateTable('listening_sessions')
        .set({ state: 'playing', reported_at_ms: ctx.clock.nowMs() })
        .where('id', '=', (eb) => eb.selectFrom('feed_items').select('session_id').where('seq', '=', 2))
        .execute(),
    );
    await beginPrivateSession(ctx, ben, { minutes: 5 });
    expect((await server.subscribe(socket, cursor)).items).toHaveLength(1);
  });

  test('[FE1-7] more than fits one answer is told in several, and nothing live in between', async () => {
    const server = startServer();
    const socket = await server.connect();
    let { cursor } = await server.subscribe(socket);
    server.cut();
    for (let i = 0; i < 250; i++) await putListen(ctx, ben.user_id, track_id);
    const again = await server.connect();
    const taken: string[] = [];
    const sizes: number[] = [];
    for (let has_more = true; has_more;) {
      const answer: FeedReplay = await server.subscribe(again, cursor);
      sizes.push(answer.items.length);
      taken.push(...answer.items.map(({ id }) => id));
      ({ cursor, has_more } = answer);
      if (has_more) await server.listens();
      expect(itemsOf(again)).toEqual([]);
    }
    expect(sizes).toEqual([100, 100, 52]);
    expect(taken).toEqual(await allIds());
  });
});
