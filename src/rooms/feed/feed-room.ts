import { readFeedCursor, writeFeedCursor } from '#domain/feed/feed-cursor.ts';
import { feedHead, isTooOld, itemsSince, missedItems, presentItems } from '#domain/feed/feed.queries.ts';
import { epochSeconds } from '#domain/ports.ts';
import type { FeedItem } from '#contract/feed.ts';
import type { Ctx } from '#domain/context.ts';
import type { Broadcaster } from '../broadcaster.ts';

/** Items read at once as they happen, and told in one answer of what was missed. */
const AT_ONCE = 100;

export interface FeedReplay {
  items: FeedItem[];
  cursor: string;
  has_more: boolean;
  resync: boolean;
}

/** What people did, told to those who follow them as it happens, and to whoever comes back after a gap. */
export interface FeedRoom {
  /** There is something new; resolves once it was told. */
  changed(): Promise<void>;
  /**
   * What a viewer missed since the cursor. When that is all of it, `setLive` is called at the very place where it ends: what is
   * told from then on follows without a gap or a double. Until then nothing is.
   * @throws DomainError malformed
   */
  subscribe(viewer_id: string, cursor: string | undefined, setLive: (isLive: boolean) => void): Promise<FeedReplay>;
  /** Calls `setLive` with false once what was asked for before was answered. */
  unsubscribe(setLive: (isLive: boolean) => void): Promise<void>;
  /** Resolves once nothing that was read before this moment is on its way any more. */
  settled(): Promise<void>;
}

export function createFeedRoom(ctx: Ctx, broadcaster: Broadcaster): FeedRoom {
  /** What was told so far; null until somebody listens for the first time. */
  let toldUpTo: number | null = null;
  /** Everything that reads and tells takes its turn here, so that each item has one place between two of them. */
  let turns: Promise<unknown> = Promise.resolve();
  let isAwaited = false;

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = turns.then(work, work);
    turns = turn.catch(() => undefined);
    return turn;
  }

  /** Tells what is new, in order. */
  async function catchUp(from: number): Promise<number> {
    for (let at = from; ;) {
      const rows = await itemsSince(ctx, at, AT_ONCE);
      const heard = rows.filter((row) => broadcaster.hasListeners(`feed:${row.actor_id}`));
      const items = await presentItems(ctx, heard);
      // From here on without a pause: who may hear it is who is in the audience now.
      for (const item of items) broadcaster.emit(`feed:${item.actor.id}`, 'feed:item', item);
      at = rows.at(-1)?.seq ?? at;
      toldUpTo = at;
      if (rows.length < AT_ONCE) return at;
    }
  }

  return {
    async changed() {
      // One look that has not begun yet sees everything that was there before it.
      if (isAwaited) return turns.then(() => undefined);
      isAwaited = true;
      await inTurn(async () => {
        isAwaited = false;
        if (toldUpTo !== null) await catchUp(toldUpTo);
      });
    },
    subscribe: (viewer_id, cursor, setLive) =>
      inTurn(async () => {
        setLive(false);
        const place = cursor === undefined ? null : readFeedCursor(ctx, cursor);
        const head = toldUpTo === null ? await feedHead(ctx) : await catchUp(toldUpTo);
        toldUpTo = head;
        // A place that is yet to come was given out by a database that has been put back since.
        const isLost = place !== null && (isTooOld(ctx, place) || place.seq > head);
        const after = Math.min(place?.seq ?? head, head);
        const found = await missedItems(ctx, viewer_id, { after, upTo: head, limit: AT_ONCE });
        const rows = found.slice(0, AT_ONCE);
        const has_more = found.length > AT_ONCE;
        const items = await presentItems(ctx, rows);
        const last = rows.at(-1);
        const stands = has_more && last !== undefined ? { seq: last.seq, at: last.created_at } : null;
        if (!has_more) setLive(true);
        return {
          // Whoever has shut the viewer out meanwhile is not heard of by this answer either.
          items: items.filter((item) => broadcaster.mayHear(viewer_id, `feed:${item.actor.id}`)),
          cursor: writeFeedCursor(ctx, stands ?? { seq: head, at: epochSeconds(ctx.clock) }),
          has_more,
          resync: isLost,
        };
      }),
    unsubscribe: (setLive) => inTurn(async () => setLive(false)),
    settled: () => turns.then(() => undefined),
  };
}
