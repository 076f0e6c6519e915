export interface UserPlaylistsTable {
  id: string;
  user_id: string;
  name: string;
  description: string;
  is_public: number;
  is_collaborative: number;
  cover_image_url: string | null;
  created_at: number;
  updated_at: number;
  track_count: number;
  /** Seconds. */
  total_duration: number;
  source_service: string;
  external_id: string | null;
  /** Rises with each stored update. */
  version: number;
}

/** The rows of a live list, derived from its document. */
export interface PlaylistTracksTable {
  playlist_id: string;
  entry_id: string;
  track_id: string | null;
  text_json: string | null;
  /** 0 is the first. */
  position: number;
  /** Fractional index, compared by code unit; null while nobody has placed the entry. */
  order_key: string | null;
  added_at: number;
  added_by_user_id: string | null;
}

/** Who really added which entry: the server's own ledger, kept after the entry is gone so that an undo brings back the same. */
export interface PlaylistEntriesTable {
  playlist_id: string;
  entry_id: string;
  track_id: string | null;
  text_json: string | null;
  added_by_user_id: string | null;
  added_at: number;
}

export interface PlaylistCollaboratorsTable {
  playlist_id: string;
  user_id: string;
  role: 'editor' | 'viewer';
  added_at: number;
  added_by_user_id: string | null;
}

/** The append-only update log of a document; a snapshot row replaces all rows before it. */
export interface PlaylistUpdatesTable {
  playlist_id: string;
  seq: number;
  kind: 'update' | 'snapshot';
  bytes: Uint8Array;
  user_id: string | null;
  created_at: number;
}

/** Whose a Yjs client id is, within one document; it belongs to the person who first used it. */
export interface PlaylistClientsTable {
  playlist_id: string;
  client_id: number;
  user_id: string;
  first_seen_at: number;
}

/** Single-use tickets for one /yjs connection; only a hash is kept. */
export interface PlaylistTicketsTable {
  hash: string;
  playlist_id: string;
  user_id: string;
  /** Who asked, and by what: the socket lives as long as that does. */
  asker_json: string;
  expires_at: number;
}

export interface PlaylistsTables {
  user_playlists: UserPlaylistsTable;
  playlist_tracks: PlaylistTracksTable;
  playlist_entries: PlaylistEntriesTable;
  playlist_collaborators: PlaylistCollaboratorsTable;
  playlist_updates: PlaylistUpdatesTable;
  playlist_clients: PlaylistClientsTable;
  playlist_tickets: PlaylistTicketsTable;
}
