export interface UserTasteProfilesTable {
  user_id: string;
  favorite_genres_json: string;
  favorite_artists_json: string;
  audio_features_json: string;
  listening_patterns_json: string;
  recommendation_settings_json: string;
  last_updated: number;
}

export interface UserRecommendationsTable {
  id: string;
  user_id: string;
  track_id: string;
  recommendation_type: string;
  /** 0 to 1. */
  confidence_score: number;
  reason_json: string;
  generated_at: number;
  viewed_at: number | null;
  clicked_at: number | null;
  dismissed_at: number | null;
  feedback_rating: number | null;
}

/** Each pair once, the smaller id first, per kind of evidence. */
export interface UserSimilarityTable {
  user_id_1: string;
  user_id_2: string;
  similarity_score: number;
  based_on: string;
  calculated_at: number;
}

export interface RecommendationsTables {
  user_taste_profiles: UserTasteProfilesTable;
  user_recommendations: UserRecommendationsTable;
  user_similarity: UserSimilarityTable;
}
