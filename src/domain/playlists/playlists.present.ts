import type { User } from '#contract/accounts.ts';
import type { Track } from '#contract/library.ts';
import type { EntryText, Playlist, PlaylistRole, PlaylistTrack } from '#contract/playlists.ts';
import type { PlaylistTracksTable, UserPlaylistsTable } from './playlists.table.ts';
import type { Selectable } from 'kysely';
import type { z } from 'zod';

export function presentPlaylist(row: Selectable<UserPlaylistsTable>, owner: User, role: PlaylistRole): Playlist {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    owner,
    is_public: row.is_public === 1,
    is_collaborative: row.is_collaborative === 1,
    role,
    track_count: row.track_count,
    total_duration: row.total_duration,
    cover_image_url: row.cover_image_url,
    copied_from_id: row.copied_from_id,
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}

export function presentEntry(
  row: Selectable<PlaylistTracksTable> & { position: number; is_duplicate: boolean },
  tracks: ReadonlyMap<string, Track>,
  users: ReadonlyMap<string, User>,
): PlaylistTrack {
  return {
    entry_id: row.entry_id,
    track_id: row.track_id,
    track: row.track_id === null ? null : (tracks.get(row.track_id) ?? null),
    text: row.text_json === null ? null : (JSON.parse(row.text_json) as z.output<typeof EntryText>),
    position: row.position,
    is_duplicate: row.is_duplicate,
    added_by: row.added_by_user_id === null ? null : (users.get(row.added_by_user_id) ?? null),
    added_at: row.added_at,
  };
}
