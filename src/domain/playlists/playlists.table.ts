import type { ChangeKind, CheckpointReason } from '#contract/playlists.ts';

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
  /** Rises when the document is begun anew: copies of an earlier one are not taken back. */
  epoch: number;
  /** The list it was copied from, which may be gone. */
  copied_from_id: string | null;
}

/** A view of `playlist_entries`: those that are in their list now. A list is in the order of `place`, then `entry_id`. */
export interface PlaylistTracksTable {
  playlist_id: string;
  entry_id: string;
  track_id: string | null;
  text_json: string | null;
  order_key: string | null;
  /** The order key, or what sorts behind every order key. Compared by code unit. */
  place: string;
  added_at: number;
  added_by_user_id: string | null;
}

/**
 * Who really added which entry: the server's own ledger, kept after the entry is gone so that an undo brings back the same. Whether
 * and where it is in the list now is derived from the document.
 */
export interface PlaylistEntriesTable {
  playlist_id: string;
  entry_id: string;
  track_id: string | null;
  text_json: string | null;
  added_by_user_id: string | null;
  added_at: number;
  is_live: number;
  /** Fractional index, compared by code unit; null while nobody has placed the entry, and when it is gone. */
  order_key: string | null;
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

/** A link by which one person joins a list; only a hash of its code is kept. */
export interface PlaylistInvitesTable {
  id: string;
  playlist_id: string;
  code_hash: string;
  role: 'editor' | 'viewer';
  created_at: number;
  expires_at: number;
  accepted_at: number | null;
  accepted_by: string | null;
}

export interface PlaylistCoversTable {
  playlist_id: string;
  /** Another for each picture, so that an address never shows a different one. */
  id: string;
  webp: Uint8Array;
  created_at: number;
}

/** What one person did in one turn of a room, by kind, for people to read. */
export interface PlaylistChangesTable {
  playlist_id: string;
  /** Of the update it was stored with. */
  seq: number;
  part: number;
  kind: ChangeKind;
  user_id: string | null;
  /** The entries concerned, as a JSON array. */
  entry_ids_json: string;
  /** `{from, to}` of a name, what was sorted by, or where a restore went back to. */
  details_json: string | null;
  created_at: number;
}

/** A list as it was, to go back to: its entries are in the ledger, its places here. */
export interface PlaylistCheckpointsTable {
  id: string;
  playlist_id: string;
  reason: CheckpointReason;
  /** Whose edit it was taken before; null when several people's. */
  user_id: string | null;
  name: string;
  description: string;
  /** `[entry id, order key or null][]` in the order of the list. */
  places_json: string;
  track_count: number;
  created_at: number;
}

/** Yjs client ids that wrote in an earlier epoch: whoever names one holds an old copy. */
export interface PlaylistRetiredClientsTable {
  playlist_id: string;
  client_id: number;
  /** The last epoch it was good in. */
  epoch: number;
}

export interface PlaylistsTables {
  user_playlists: UserPlaylistsTable;
  playlist_tracks: PlaylistTracksTable;
  playlist_entries: PlaylistEntriesTable;
  playlist_collaborators: PlaylistCollaboratorsTable;
  playlist_updates: PlaylistUpdatesTable;
  playlist_clients: PlaylistClientsTable;
  playlist_tickets: PlaylistTicketsTable;
  playlist_invites: PlaylistInvitesTable;
  playlist_covers: PlaylistCoversTable;
  playlist_changes: PlaylistChangesTable;
  playlist_checkpoints: PlaylistCheckpointsTable;
  playlist_retired_clients: PlaylistRetiredClientsTable;
}
