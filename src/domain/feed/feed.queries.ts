import { usersByIds } from '../accounts/accounts.queries.ts';
import { heardInSessions } from '../listens/listens.queries.ts';
import { epochSeconds } from '../ports.ts';
import { canSee, sightsOf } from '../social/social.access.ts';
import { followeeIds } from '../social/social.queries.ts';
import { readFeedCursor, writeFeedCursor } from './feed-cursor.ts';
import type { FeedItem, listFeed } from '#contract/feed.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type { FeedItemsTable } from './feed.table.ts';
import type { FeedPlace } from './feed-cursor.ts';

/** [FE1-6] How long items are kept (seconds). */
const KEPT = 30 * 86_400;
/** [FE1-8] Of a page one person fills a fifth, so that whoever hears most does not drown the others. */
const SHARE_OF_ONE = 5;

export type FeedRow = FeedItemsTable & { session_id: string };

/** Items created before this are not shown any more. */
export function oldestKept(ctx: Pick<Ctx, 'clock'>): number {
  return epochSeconds(ctx.clock) - KEPT;
}

/** Items that may be shown at all, whoever looks. */
function shownItems(ctx: Pick<Ctx, 'db' | 'clock'>) {
  return ctx.db
    .selectFrom('feed_items')
    .innerJoin('listening_sessions', 'listening_sessions.id', 'feed_items.session_id')
    .selectAll('feed_items')
    .where('listening_sessions.is_hidden', '=', 0)
    .where('listening_sessions.counted', '=', 1)
    .where('feed_items.created_at', '>', oldestKept(ctx))
    .$narrowType<{ session_id: string }>();
}

/** Where the feed stands now. */
export async function feedHead(ctx: Pick<Ctx, 'db'>): Promise<number> {
  const { seq } = await ctx.db.selectFrom('feed_clock').select('seq').where('id', '=', 1).executeTakeFirstOrThrow();
  return seq;
}

/** Everybody's items after one place, oldest first. */
export function itemsSince(ctx: Pick<Ctx, 'db' | 'clock'>, seq: number, limit: number): Promise<FeedRow[]> {
  return shownItems(ctx).where('feed_items.seq', '>', seq).orderBy('feed_items.seq').limit(limit).execute();
}

/** Of those the viewer follows, whose history they may see now. */
async function visibleFollowees(ctx: Pick<Ctx, 'db' | 'clock'>, viewer_id: string): Promise<string[]> {
  const sights = await sightsOf(ctx, viewer_id, await followeeIds(ctx.db, viewer_id));
  return [...sights].flatMap(([id, sight]) => (sight.follows && canSee(sight, 'history') ? [id] : []));
}

/** What the viewer missed between two places, oldest first, and one more than `limit` if there is more. */
export async function missedItems(
  ctx: Pick<Ctx, 'db' | 'clock'>,
  viewer_id: string,
  { after, upTo, limit }: { after: number; upTo: number; limit: number },
): Promise<FeedRow[]> {
  if (after >= upTo) return [];
  const visible = await visibleFollowees(ctx, viewer_id);
  if (visible.length === 0) return [];
  return shownItems(ctx)
    .where('feed_items.seq', '>', after)
    .where('feed_items.seq', '<=', upTo)
    .where('feed_items.actor_id', 'in', visible)
    .orderBy('feed_items.seq')
    .limit(limit + 1)
    .execute();
}

/** Whether what happened right after this place may be gone. */
export function isTooOld(ctx: Pick<Ctx, 'clock'>, { at }: FeedPlace): boolean {
  return at <= oldestKept(ctx);
}

/** [FE1-1] What the people I follow did, newest first, as far as they let me see it as this is answered. */
export async function feed(
  ctx: Ctx,
  actor: Actor,
  { limit, cursor }: Input<typeof listFeed>,
): Promise<Reply<typeof listFeed>> {
  const before = cursor === undefined ? null : readFeedCursor(ctx, cursor).seq;
  const visible = await visibleFollowees(ctx, actor.user_id);
  const mostOfOne = visible.length === 1 ? limit + 1 : Math.ceil(limit / SHARE_OF_ONE);
  const found = visible.length === 0 ? [] : await newestOfEach(ctx, visible, { before, mostOfOne, limit });
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  // What they let me see may have changed while it was read.
  const still = await sightsOf(ctx, actor.user_id, [...new Set(rows.map((row) => row.actor_id))]);
  const shown = rows.filter((row) => {
    const sight = still.get(row.actor_id);
    return sight !== undefined && sight.follows && canSee(sight, 'history');
  });
  return {
    items: await presentItems(ctx, shown),
    next_cursor:
      last !== undefined && found.length > limit ? writeFeedCursor(ctx, { seq: last.seq, at: last.created_at }) : null,
  };
}

/** The newest of each, together newest first, and one more than `limit` if there is more. */
function newestOfEach(
  ctx: Ctx,
  actors: readonly string[],
  { before, mostOfOne, limit }: { before: number | null; mostOfOne: number; limit: number },
): Promise<FeedRow[]> {
  return (
    ctx.db
      .selectFrom('users')
      .innerJoin('feed_items', 'feed_items.actor_id', 'users.id')
      .innerJoin('listening_sessions', 'listening_sessions.id', 'feed_items.session_id')
      .selectAll('feed_items')
      .where('users.id', 'in', actors)
      // A few rows of each person's index, instead of everything a flood has put between.
      .where('feed_items.seq', 'in', (eb) =>
        eb
          .selectFrom('feed_items as theirs')
          .innerJoin('listening_sessions as heard', 'heard.id', 'theirs.session_id')
          .select('theirs.seq')
          .whereRef('theirs.actor_id', '=', 'users.id')
          .where('heard.is_hidden', '=', 0)
          .where('heard.counted', '=', 1)
          .where('theirs.created_at', '>', oldestKept(ctx))
          .$if(before !== null, (query) => query.where('theirs.seq', '<', before!))
          .orderBy('theirs.seq', 'desc')
          .limit(mostOfOne),
      )
      .orderBy('feed_items.seq', 'desc')
      .limit(limit + 1)
      .$narrowType<{ session_id: string }>()
      .execute()
  );
}

/** Items as they are sent; one whose listen or person has gone meanwhile is left out. */
export async function presentItems(ctx: Ctx, rows: readonly FeedRow[]): Promise<FeedItem[]> {
  if (rows.length === 0) return [];
  const actors = await usersByIds(
    ctx.db,
    rows.map((row) => row.actor_id),
  );
  const heard = await heardInSessions(
    ctx,
    rows.map((row) => row.session_id),
  );
  return rows.flatMap((row) => {
    const actor = actors.get(row.actor_id);
    const object = heard.get(row.session_id);
    if (actor === undefined || object === undefined) return [];
    const { id, type, seq, created_at } = row;
    return [{ id, type, actor, object, created_at, cursor: writeFeedCursor(ctx, { seq, at: created_at }) }];
  });
}
