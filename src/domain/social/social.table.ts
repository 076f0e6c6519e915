export interface UserFollowsTable {
  follower_id: string;
  following_id: string;
  /** Epoch seconds. */
  created_at: number;
}

export interface SocialTables {
  user_follows: UserFollowsTable;
}
