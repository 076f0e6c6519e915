import type { FeedType } from '#contract/feed.ts';

/** Something a person did, for those who follow them. */
export interface FeedItemsTable {
  /** In the order in which items became visible; never leaves the server. */
  seq: number;
  id: string;
  actor_id: string;
  type: FeedType;
  /** The listen it is of; goes with it. */
  session_id: string | null;
  created_at: number;
}

/** One row (id 1): the last `seq` given. */
export interface FeedClockTable {
  id: number;
  seq: number;
}

export interface FeedTables {
  feed_items: FeedItemsTable;
  feed_clock: FeedClockTable;
}
