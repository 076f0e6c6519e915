import type { Generated } from 'kysely';

/** What a person holds of a track. A row of nothing stays for its version. */
export interface UserFavoritesTable {
  user_id: string;
  track_id: string;
  /** 1 to 5, or null: a heart without stars. */
  rating: number | null;
  /** Null: stars or a note without a heart. */
  favorited_at: number | null;
  notes: string | null;
  /** Rises with every change. */
  version: Generated<number>;
}

export interface UserFavoriteAlbumsTable {
  user_id: string;
  album_id: string;
  favorited_at: number | null;
  notes: string | null;
  version: Generated<number>;
}

export interface UserFavoriteArtistsTable {
  user_id: string;
  artist_id: string;
  favorited_at: number | null;
  notes: string | null;
  version: Generated<number>;
}

export interface FavoritesTables {
  user_favorites: UserFavoritesTable;
  user_favorite_albums: UserFavoriteAlbumsTable;
  user_favorite_artists: UserFavoriteArtistsTable;
}
