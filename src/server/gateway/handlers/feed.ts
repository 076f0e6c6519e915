import { feedSubscribe, feedUnsubscribe } from '#contract/feed.ts';
import { onEvent } from '../on-request.ts';
import type { Audiences } from '#rooms/audience.ts';
import type { FeedRoom } from '#rooms/feed/feed-room.ts';
import type { EventHandler } from '../on-request.ts';

export interface FeedParts {
  feed: FeedRoom;
  audiences: Audiences;
  /** Whether a socket hears what is new. */
  setLive(socketId: string, isLive: boolean): void;
}

export function feedEvents({ feed, audiences, setLive }: FeedParts): EventHandler[] {
  return [
    onEvent(feedSubscribe, async (_ctx, actor, { cursor }, socket) => {
      await audiences.ready(actor.user_id);
      return feed.subscribe(actor.user_id, cursor, (isLive) => setLive(socket.id, isLive));
    }),
    onEvent(feedUnsubscribe, async (_ctx, _actor, _input, socket) => {
      await feed.unsubscribe((isLive) => setLive(socket.id, isLive));
      return {};
    }),
  ];
}
