export interface UserFavoritesTable {
  user_id: string;
  track_id: string;
  /** 1 to 5, or null: a heart without stars. */
  rating: number | null;
  /** Null: stars without a heart. */
  favorited_at: number | null;
  notes: string | null;
}

export interface FavoritesTables {
  user_favorites: UserFavoritesTable;
}
