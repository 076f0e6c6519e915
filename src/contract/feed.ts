import { z } from 'zod';
import { User } from './accounts.ts';
import { defineEndpoint } from './endpoint.ts';
import { defineNotice, defineRequest } from './event.ts';
import { Track } from './library.ts';
import { EpochSeconds, Id, PageQuery, page } from './primitives.ts';
import { HeardText } from './stats.ts';

export const FeedType = z.enum(['listen']);
export type FeedType = z.infer<typeof FeedType>;
const Cursor = z.string().max(512);

/** Something a person I follow did, as far as they let me see it. */
export const FeedItem = z.object({
  id: Id,
  type: FeedType,
  actor: User,
  object: z.object({
    track_id: Id.nullable(),
    track: Track.nullable(),
    text: HeardText,
    started_at: EpochSeconds,
  }),
  created_at: EpochSeconds,
  /** Where to go on after this item. */
  cursor: Cursor,
});
export type FeedItem = z.infer<typeof FeedItem>;

export const listFeed = defineEndpoint({
  name: 'social.feed',
  method: 'GET',
  path: '/social/feed',
  access: 'guest',
  summary: 'What the people I follow did, newest first',
  query: PageQuery,
  reply: page(FeedItem),
});
/** Without a cursor only what happens from now on is sent. */
export const feedSubscribe = defineRequest({
  name: 'feed:subscribe',
  access: 'guest',
  scope: 'read',
  payload: z.strictObject({ cursor: Cursor.optional() }),
  reply: z.object({
    /** What was missed since the cursor, oldest first. */
    items: z.array(FeedItem),
    /** Where the feed stands after them. */
    cursor: Cursor,
    /** There is more than fits one answer: subscribe again with `cursor`. */
    has_more: z.boolean(),
    /** The cursor is older than 30 days: what is between it and `items` is not kept any more. */
    resync: z.boolean(),
  }),
});
export const feedUnsubscribe = defineRequest({
  name: 'feed:unsubscribe',
  access: 'guest',
  scope: 'read',
  payload: z.strictObject({}),
  reply: z.object({}),
});
export const feedItem = defineNotice({ name: 'feed:item', payload: FeedItem, volatile: false });
