import { z } from 'zod';
import { User } from './accounts.ts';
import { defineEndpoint } from './endpoint.ts';
import { defineNotice } from './event.ts';
import { Track } from './library.ts';
import { EpochSeconds, Id, Nothing, PageQuery, line, page, text } from './primitives.ts';
import type { Operation } from './endpoint.ts';

export const PLAYLIST_NAME_MAX = 200;
export const PLAYLIST_DESCRIPTION_MAX = 16_384;
/** Tracks one REST call may add, move or remove; clients split larger acts. */
export const PLAYLIST_BATCH_MAX = 1000;

export const MemberRole = z.enum(['editor', 'viewer']);
export type MemberRole = z.infer<typeof MemberRole>;
/** What the caller is to a list; `public` reads a public list without being a member. */
export const PlaylistRole = z.enum(['owner', 'editor', 'viewer', 'public']);
export type PlaylistRole = z.infer<typeof PlaylistRole>;

export const Playlist = z.object({
  id: Id,
  name: z.string(),
  description: z.string(),
  owner: User,
  is_public: z.boolean(),
  is_collaborative: z.boolean(),
  role: PlaylistRole,
  track_count: z.int(),
  total_duration: z.number(),
  created_at: EpochSeconds,
  updated_at: EpochSeconds,
});
export type Playlist = z.infer<typeof Playlist>;

/** What is known of a song that is not in the library. */
export const EntryText = z.strictObject({
  title: line(500),
  artist: line(500, 0),
  album: line(500, 0).optional(),
  duration_ms: z.number().nonnegative().max(86_400_000).optional(),
  isrc: z.string().max(32).optional(),
  mbid: z.string().max(64).optional(),
});

export const PlaylistTrack = z.object({
  entry_id: Id,
  track_id: Id.nullable(),
  track: Track.nullable(),
  text: EntryText.nullable(),
  position: z.int(),
  added_by: User.nullable(),
  added_at: EpochSeconds,
});
export type PlaylistTrack = z.infer<typeof PlaylistTrack>;

export const Collaborator = User.extend({ role: PlaylistRole, added_at: EpochSeconds });
export type Collaborator = z.infer<typeof Collaborator>;

const IdParams = z.strictObject({ id: Id });
const MemberParams = z.strictObject({ id: Id, user_id: Id });
const EntryIds = z.array(Id).min(1).max(PLAYLIST_BATCH_MAX);

export const listPlaylists = defineEndpoint({
  name: 'playlists.list',
  method: 'GET',
  path: '/playlists',
  access: 'guest',
  summary: 'Playlists I own or belong to; with scope=public, public ones of people who share them',
  query: z.strictObject({ ...PageQuery.shape, scope: z.enum(['mine', 'public']).default('mine') }),
  reply: page(Playlist),
});
export const createPlaylist = defineEndpoint({
  name: 'playlists.create',
  method: 'POST',
  path: '/playlists',
  access: 'user',
  summary: 'Make a playlist; I am its owner',
  body: z.strictObject({
    name: line(PLAYLIST_NAME_MAX),
    description: text(PLAYLIST_DESCRIPTION_MAX).default(''),
    is_public: z.boolean().default(false),
    is_collaborative: z.boolean().default(false),
  }),
  status: 201,
  reply: Playlist,
});
export const getPlaylist = defineEndpoint({
  name: 'playlists.get',
  method: 'GET',
  path: '/playlists/{id}',
  access: 'guest',
  summary: 'One playlist I may see',
  params: IdParams,
  reply: Playlist,
});
export const updatePlaylist = defineEndpoint({
  name: 'playlists.update',
  method: 'PUT',
  path: '/playlists/{id}',
  access: 'user',
  summary: 'Change the named fields; name and description are edits of the shared document, the rest is for the owner',
  params: IdParams,
  body: z.strictObject({
    name: line(PLAYLIST_NAME_MAX).optional(),
    description: text(PLAYLIST_DESCRIPTION_MAX).optional(),
    is_public: z.boolean().optional(),
    is_collaborative: z.boolean().optional(),
  }),
  reply: Playlist,
});
/** Part of `playlists.update`: who may see the list, and who may be asked to edit it. */
export const setVisibility = {
  name: 'playlists.update.visibility',
  access: 'user',
  scope: 'write',
} as const satisfies Operation;
export const deletePlaylist = defineEndpoint({
  name: 'playlists.delete',
  method: 'DELETE',
  path: '/playlists/{id}',
  access: 'user',
  summary: 'Delete a playlist I own',
  params: IdParams,
  status: 204,
  reply: Nothing,
});
export const listPlaylistTracks = defineEndpoint({
  name: 'playlists.tracks',
  method: 'GET',
  path: '/playlists/{id}/tracks',
  access: 'guest',
  summary: 'The entries of a playlist in order',
  params: IdParams,
  query: PageQuery,
  reply: page(PlaylistTrack),
});
export const addPlaylistTracks = defineEndpoint({
  name: 'playlists.tracks.add',
  method: 'POST',
  path: '/playlists/{id}/tracks',
  access: 'user',
  summary: 'Add tracks in the given order, at the end or before an entry',
  params: IdParams,
  body: z.strictObject({
    track_ids: z.array(Id).min(1).max(PLAYLIST_BATCH_MAX),
    before_entry_id: Id.nullable().optional(),
  }),
  status: 201,
  reply: z.object({ entry_ids: z.array(Id) }),
});
export const movePlaylistTracks = defineEndpoint({
  name: 'playlists.tracks.move',
  method: 'PUT',
  path: '/playlists/{id}/tracks',
  access: 'user',
  summary: 'Move entries, keeping their order, before an entry or (null) to the end',
  params: IdParams,
  body: z.strictObject({ entry_ids: EntryIds, before_entry_id: Id.nullable() }),
  status: 204,
  reply: Nothing,
});
export const removePlaylistTracks = defineEndpoint({
  name: 'playlists.tracks.remove',
  method: 'DELETE',
  path: '/playlists/{id}/tracks',
  access: 'user',
  summary: 'Remove entries; one that is already gone is no error',
  params: IdParams,
  body: z.strictObject({ entry_ids: EntryIds }),
  status: 204,
  reply: Nothing,
});
export const listCollaborators = defineEndpoint({
  name: 'playlists.collaborators',
  method: 'GET',
  path: '/playlists/{id}/collaborators',
  access: 'guest',
  summary: 'Owner and members of a playlist I belong to',
  params: IdParams,
  reply: z.object({ items: z.array(Collaborator), next_cursor: z.null() }),
});
export const setCollaborator = defineEndpoint({
  name: 'playlists.collaborators.set',
  method: 'PUT',
  path: '/playlists/{id}/collaborators/{user_id}',
  access: 'user',
  summary: 'Add a person to my playlist, or change their role; counts from their next edit',
  params: MemberParams,
  body: z.strictObject({ role: MemberRole }),
  reply: Collaborator,
});
export const removeCollaborator = defineEndpoint({
  name: 'playlists.collaborators.remove',
  method: 'DELETE',
  path: '/playlists/{id}/collaborators/{user_id}',
  access: 'user',
  summary: 'Take a person off my playlist; their songs stay, their sockets end',
  params: MemberParams,
  status: 204,
  reply: Nothing,
});
export const createTicket = defineEndpoint({
  name: 'playlists.ticket',
  showsSecret: true,
  method: 'POST',
  path: '/playlists/{id}/ticket',
  access: 'guest',
  // It opens the list for reading; whether its holder may edit is asked of every edit.
  scope: 'read',
  summary: 'A single-use ticket for one /yjs connection, good for 30 seconds',
  params: IdParams,
  status: 201,
  reply: z.object({ ticket: z.string(), expires_at: EpochSeconds }),
});

export const ExportFormat = z.enum(['m3u8', 'xspf', 'jspf', 'json']);
export type ExportFormat = z.infer<typeof ExportFormat>;
const FoundBy = z.enum([
  'id',
  'path',
  'mbid',
  'isrc',
  'same',
  'similar_title',
  'other_length',
  'unknown_artist',
  'other_script',
  'extra_words',
]);
/** A playlist made of a file, and what became of each of its entries. */
export const ImportedPlaylist = z.object({
  playlist: Playlist,
  matched: z.int(),
  /** Something like it is in the library: a person decides. Until then the entry is text. */
  close: z.int(),
  missing: z.int(),
  entries: z.array(
    z.object({
      entry_id: Id,
      position: z.int(),
      text: z.object({ title: z.string(), artist: z.string().nullable(), album: z.string().nullable() }),
      outcome: z.enum(['match', 'close', 'none']),
      track_id: Id.nullable(),
      reason: FoundBy.nullable(),
      /** 0 to 1. */
      score: z.number().nullable(),
      candidates: z.array(z.object({ track: Track, score: z.number(), reason: FoundBy })),
    }),
  ),
  /** What stood in the file and is no entry. */
  skipped: z.array(z.object({ place: z.string(), reason: z.string() })),
});
export type ImportedPlaylist = z.infer<typeof ImportedPlaylist>;
export const PlaylistImport = z.object({ items: z.array(ImportedPlaylist) });
export type PlaylistImport = z.infer<typeof PlaylistImport>;

/** Rights over a list's document at `/yjs/{id}`: to open and read it, to edit any of it, to show where one is in it. */
export const openDocument = { name: 'yjs.open', access: 'guest', scope: 'read' } as const satisfies Operation;
export const editDocument = { name: 'yjs.edit', access: 'user', scope: 'write' } as const satisfies Operation;
export const showAwareness = { name: 'yjs.awareness', access: 'guest', scope: 'read' } as const satisfies Operation;

export const playlistChanged = defineNotice({
  name: 'playlist:changed',
  payload: z.object({ playlist_id: Id, version: z.int() }),
  volatile: false,
});
