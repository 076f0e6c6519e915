import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { updateProfile } from '#domain/accounts/update-profile.ts';
import { readFeedCursor, writeFeedCursor } from '#domain/feed/feed-cursor.ts';
import { feed } from '#domain/feed/feed.queries.ts';
import { listenNewsStatements } from '#domain/feed/listen-news.ts';
import { removeOldItems } from '#domain/feed/remove-old-items.ts';
import { reportProgress } from '#domain/listens/report-progress.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { blockUser, unblockUser } from '#domain/social/block-user.ts';
import { followUser, unfollowUser } from '#domain/social/follow-user.ts';
import { writeCursor } from '#domain/page.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putListen } from '../../support/heard.ts';
import { putTracks } from '../../support/room.ts';
import type { FeedItem } from '#contract/feed.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const DAY_MS = 86_400_000;

describe.each(DIALECTS)('the feed on $name', (dialect) => {
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
    await openUp(ben);
    await followUser(ctx, ana, ben);
  });

  const openUp = (who: Actor) => updateProfile(ctx, who, { privacy_level: 2, share_listening_history: true });
  const seen = async (limit = 50): Promise<FeedItem[]> => (await feed(ctx, ana, { limit })).items as FeedItem[];
  async function everything(limit: number): Promise<FeedItem[]> {
    const items: FeedItem[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await feed(ctx, ana, { limit, cursor });
      items.push(...(page.items as FeedItem[]));
      if (page.next_cursor === null) return items;
      cursor = page.next_cursor;
    }
  }

  test('[FE1-2] a listen is news once, in the unit that makes it count, however its reports come', async () => {
    const { session_id } = await startListen(ctx, ben, { track_id, source: 'api', position_ms: 0 });
    const report = (seq: number, position_ms: number) =>
      reportProgress(ctx, ben, { session_id, seq, position_ms, state: 'playing', rate: 1 });
    ctx.clock.advance(49_000);
    await report(1, 49_000);
    expect(await seen()).toEqual([]);
    ctx.clock.advance(2_000);
    await Promise.all([report(2, 51_000), report(2, 51_000)]);
    const [item, ...others] = await seen();
    expect(others).toEqual([]);
    expect(item).toMatchObject({
      type: 'listen',
      actor: { id: ben.user_id, username: 'ben' },
      object: { track_id, track: { id: track_id }, text: { title: 'Track 0' } },
      created_at: Math.floor(ctx.clock.nowMs() / 1000),
    });
    // As if another process had counted it too.
    await ctx.writeUnit(listenNewsStatements(ctx, { session_id, user_id: ben.user_id }));
    ctx.clock.advance(10_000);
    await report(3, 61_000);
    expect(await seen()).toHaveLength(1);
  });

  test('[FE1-2] what is hidden, was heard a week ago, or does not count is no news', async () => {
    const now = Math.floor(ctx.clock.nowMs() / 1000);
    await putListen(ctx, ben.user_id, track_id, { is_hidden: 1 });
    await putListen(ctx, ben.user_id, track_id, { started_at: now - 7 * 86_400 - 1 });
    const { session_id } = await startListen(ctx, ben, { track_id, source: 'api', position_ms: 0 });
    await ctx.writeUnit(listenNewsStatements(ctx, { session_id, user_id: ben.user_id }));
    expect(await ctx.db.selectFrom('feed_items').selectAll().execute()).toEqual([]);
    await putListen(ctx, ben.user_id, track_id, { started_at: now - 7 * 86_400 });
    expect(await seen()).toHaveLength(1);
  });

  test('[FE1-3] numbers are given in the order of the commits, whatever is counted at once', async () => {
    await Promise.all(Array.from({ length: 40 }, () => putListen(ctx, ben.user_id, track_id)));
    const rows = await ctx.db.selectFrom('feed_items').select('seq').orderBy('seq').execute();
    expect(rows.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(await ctx.db.selectFrom('feed_clock').selectAll().execute()).toEqual([{ id: 1, seq: 40 }]);
  });

  test('[FE1-1] newest first, paged without a gap or a double while new ones come', async () => {
    for (let i = 0; i < 23; i++) await putListen(ctx, ben.user_id, track_id);
    const before = await everything(50);
    expect(before).toHaveLength(23);
    const paged: FeedItem[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await feed(ctx, ana, { limit: 5, cursor });
      paged.push(...(page.items as FeedItem[]));
      await putListen(ctx, ben.user_id, track_id);
      if (page.next_cursor === null) break;
      cursor = page.next_cursor;
    }
    expect(paged.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
  });

  test('[FE1-8] one person’s flood does not drown the others', async () => {
    const cat = await person(ctx, 'cat');
    await openUp(cat);
    await followUser(ctx, ana, cat);
    for (let i = 0; i < 5; i++) await putListen(ctx, cat.user_id, track_id);
    for (let i = 0; i < 300; i++) await putListen(ctx, ben.user_id, track_id);
    const items = await seen(50);
    const of = (who: Actor) => items.filter(({ actor }) => actor.id === who.user_id).length;
    expect([of(ben), of(cat)]).toEqual([10, 5]);
    // Alone, nothing of theirs is left out.
    await unfollowUser(ctx, ana, cat);
    expect(await everything(50)).toHaveLength(300);
  });

  test('[FE1-4] who may see it is asked as it is read: level, sharing, follow, block; and a hidden or deleted listen is gone', async () => {
    const session_id = await putListen(ctx, ben.user_id, track_id);
    const count = async () => (await seen()).length;
    expect(await count()).toBe(1);
    await updateProfile(ctx, ben, { share_listening_history: false });
    expect(await count()).toBe(0);
    await updateProfile(ctx, ben, { share_listening_history: true, privacy_level: 1 });
    expect(await count()).toBe(0);
    await followUser(ctx, ben, ana);
    expect(await count()).toBe(1);
    await updateProfile(ctx, ben, { privacy_level: 0 });
    expect(await count()).toBe(0);
    await updateProfile(ctx, ben, { privacy_level: 2 });
    await unfollowUser(ctx, ana, ben);
    expect(await count()).toBe(0);
    await followUser(ctx, ana, ben);
    expect(await count()).toBe(1);
    for (const [one, other] of [
      [ana, ben],
      [ben, ana],
    ] as const) {
      await blockUser(ctx, one, other);
      expect(await count()).toBe(0);
      await unblockUser(ctx, one, other);
      expect(await count()).toBe(0);
      await followUser(ctx, ana, ben);
      expect(await count()).toBe(1);
    }
    await ctx.write((trx) =>
      trx.updateTable('listening_sessions').set({ is_hidden: 1 }).where('id', '=', session_id).execute(),
    );
    expect(await count()).toBe(0);
    const second = await putListen(ctx, ben.user_id, track_id);
    expect(await count()).toBe(1);
    await ctx.write((trx) => trx.deleteFrom('listening_sessions').where('id', '=', second).execute());
    expect(await count()).toBe(0);
    // One's own listening is history, not news.
    await openUp(ana);
    await putListen(ctx, ana.user_id, track_id);
    expect(await count()).toBe(0);
  });

  test('[FE1-5] a cursor tells nothing and is as long as any other; what is none of ours is 400', async () => {
    await putListen(ctx, ben.user_id, track_id);
    const [{ cursor } = { cursor: '' }] = await seen();
    expect(readFeedCursor(ctx, cursor).seq).toBe(1);
    expect(cursor).toHaveLength(writeFeedCursor(ctx, { seq: 123_456_789, at: 1_700_000_000 }).length);
    expect(writeFeedCursor(ctx, { seq: 1, at: 1 })).not.toBe(writeFeedCursor(ctx, { seq: 1, at: 1 }));
    const elsewhere = testCtx(database);
    for (const bad of [
      '',
      'x',
      '1',
      writeCursor([1]),
      `${cursor}x`,
      cursor.slice(0, -1),
      cursor.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      writeFeedCursor(elsewhere, { seq: 1, at: 1 }),
      ctx.secrets.seal('1', { user_id: ana.user_id, table: 'feed_items', column: 'cursor' }),
    ]) {
      await expect(feed(ctx, ana, { limit: 5, cursor: bad }), bad).rejects.toMatchObject({ code: 'malformed' });
    }
  });

  test('[FE1-6] items are shown for 30 days, then removed', async () => {
    await putListen(ctx, ben.user_id, track_id);
    ctx.clock.advance(30 * DAY_MS - 1_000);
    await putListen(ctx, ben.user_id, track_id);
    expect(await seen()).toHaveLength(2);
    expect(await removeOldItems(ctx)).toBe(0);
    ctx.clock.advance(1_000);
    expect(await seen()).toHaveLength(1);
    expect(await removeOldItems(ctx)).toBe(1);
    expect(await ctx.db.selectFrom('feed_items').selectAll().execute()).toHaveLength(1);
  });
});
