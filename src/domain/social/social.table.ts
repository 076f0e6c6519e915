export interface UserFollowsTable {
  follower_id: string;
  following_id: string;
  /** Epoch seconds. */
  created_at: number;
}

/** Each is to the other as if not there. */
export interface UserBlocksTable {
  blocker_id: string;
  blocked_id: string;
  /** Epoch seconds. */
  created_at: number;
}

export interface SocialTables {
  user_follows: UserFollowsTable;
  user_blocks: UserBlocksTable;
}
