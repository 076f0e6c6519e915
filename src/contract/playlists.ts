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
  /** Where its own picture is, for those who may read the list; null when it has none. */
  cover_image_url: z.string().nullable(),
  /** The list it was copied from, whether that is still there or not. */
  copied_from_id: Id.nullable(),
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
  /** The same track stands further up in the list too. */
  is_duplicate: z.boolean(),
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
  summary: 'The entries of a playlist in order; with only, those of one kind',
  params: IdParams,
  query: z.strictObject({
    ...PageQuery.shape,
    /** `missing`: the file is gone; `unmatched`: was never in the library; `duplicates`: the same track stands further up. */
    only: z.enum(['missing', 'unmatched', 'duplicates']).optional(),
  }),
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
/** Seconds an invitation may be good for. */
export const PLAYLIST_INVITE_SECONDS = { least: 60, usual: 7 * 86_400, most: 30 * 86_400 } as const;

export const PlaylistInvite = z.object({
  id: Id,
  role: MemberRole,
  created_at: EpochSeconds,
  expires_at: EpochSeconds,
  accepted_at: EpochSeconds.nullable(),
  accepted_by: User.nullable(),
});
const InviteParams = z.strictObject({ id: Id, invite_id: Id });
/** Any text is looked up: a code that cannot be one is told like one that is not there. */
const CodeParams = z.strictObject({ code: z.string().max(512) });

export const createPlaylistInvite = defineEndpoint({
  name: 'playlists.invites.create',
  showsSecret: true,
  method: 'POST',
  path: '/playlists/{id}/invites',
  access: 'user',
  summary: 'Make a link by which one person joins my playlist; this answer alone shows its code',
  params: IdParams,
  body: z.strictObject({
    role: MemberRole,
    /** Seconds. */
    expires_in: z
      .int()
      .min(PLAYLIST_INVITE_SECONDS.least)
      .max(PLAYLIST_INVITE_SECONDS.most)
      .default(PLAYLIST_INVITE_SECONDS.usual),
  }),
  status: 201,
  reply: PlaylistInvite.extend({ code: z.string(), url: z.string() }),
});
export const listPlaylistInvites = defineEndpoint({
  name: 'playlists.invites',
  method: 'GET',
  path: '/playlists/{id}/invites',
  access: 'user',
  summary: 'Invitations to my playlist, the newest first; their codes are not kept',
  params: IdParams,
  query: PageQuery,
  reply: page(PlaylistInvite),
});
export const revokePlaylistInvite = defineEndpoint({
  name: 'playlists.invites.revoke',
  method: 'DELETE',
  path: '/playlists/{id}/invites/{invite_id}',
  access: 'user',
  summary: 'Make an invitation void; whoever came by it stays',
  params: InviteParams,
  status: 204,
  reply: Nothing,
});
export const getInvite = defineEndpoint({
  name: 'invites.get',
  method: 'GET',
  path: '/invites/{code}',
  access: 'guest',
  summary: 'What an invitation to a playlist offers; wrong, spent and expired ones are not there',
  params: CodeParams,
  reply: z.object({
    playlist_id: Id,
    name: z.string(),
    owner: User,
    /** What I would become: guests only ever viewers. */
    role: MemberRole,
    expires_at: EpochSeconds,
    /** What I am to the list already. */
    my_role: PlaylistRole.nullable(),
  }),
});
export const acceptInvite = defineEndpoint({
  name: 'invites.accept',
  method: 'POST',
  path: '/invites/{code}/accept',
  access: 'guest',
  summary: 'Join a playlist by an invitation, which is spent; one that would bring a member nothing is kept',
  params: CodeParams,
  reply: Playlist,
});
export const copyPlaylist = defineEndpoint({
  name: 'playlists.copy',
  method: 'POST',
  path: '/playlists/{id}/copy',
  access: 'user',
  summary: 'Make a playlist of my own of one I may read; nobody else sees it',
  params: IdParams,
  body: z.strictObject({ name: line(PLAYLIST_NAME_MAX).optional() }),
  status: 201,
  reply: Playlist,
});
export const leavePlaylist = defineEndpoint({
  name: 'playlists.leave',
  method: 'POST',
  path: '/playlists/{id}/leave',
  access: 'guest',
  summary: 'Leave a playlist I belong to; what I added stays',
  params: IdParams,
  status: 204,
  reply: Nothing,
});
export const transferPlaylist = defineEndpoint({
  name: 'playlists.transfer',
  method: 'POST',
  path: '/playlists/{id}/transfer',
  access: 'user',
  summary: 'Hand my playlist over to one of its members; I stay as an editor, open invitations end',
  params: IdParams,
  body: z.strictObject({ user_id: Id }),
  reply: Playlist,
});
export const removePlaylistCover = defineEndpoint({
  name: 'playlists.cover.remove',
  method: 'DELETE',
  path: '/playlists/{id}/cover',
  access: 'user',
  summary: 'Take the picture off a playlist; without one nothing happens',
  params: IdParams,
  status: 204,
  reply: Nothing,
});

export const SortBy = z.enum(['title', 'artist', 'album', 'added_at', 'duration', 'year']);
export type SortBy = z.infer<typeof SortBy>;
export const sortPlaylist = defineEndpoint({
  name: 'playlists.sort',
  method: 'POST',
  path: '/playlists/{id}/sort',
  access: 'user',
  summary: 'Put a playlist in order, as one edit; what is not known comes last, equals keep their order',
  params: IdParams,
  body: z.strictObject({ by: SortBy, descending: z.boolean().default(false) }),
  reply: z.object({
    /** How many entries stand elsewhere now. */
    moved: z.int(),
    /** The list as it was before; null when it was in that order already. */
    checkpoint_id: Id.nullable(),
  }),
});

export const ChangeKind = z.enum(['added', 'removed', 'moved', 'renamed', 'described', 'sorted', 'restored']);
export type ChangeKind = z.infer<typeof ChangeKind>;
export const CheckpointReason = z.enum(['hourly', 'before_removal', 'before_sort', 'before_restore']);
export type CheckpointReason = z.infer<typeof CheckpointReason>;
/** Entries of a change that are named; the others are counted. */
export const CHANGE_ENTRIES_SHOWN = 20;

const HistoryChange = z.object({
  kind: ChangeKind,
  /** Entries concerned. */
  count: z.int(),
  entries: z.array(
    z.object({ entry_id: Id, track_id: Id.nullable(), title: z.string().nullable(), artist: z.string().nullable() }),
  ),
  /** Of a renaming. */
  from: z.string().nullable(),
  to: z.string().nullable(),
  /** Of a sorting. */
  by: SortBy.nullable(),
  descending: z.boolean().nullable(),
  /** Of a restoring: what was gone back to. */
  checkpoint_id: Id.nullable(),
});
export const HistoryItem = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('edits'),
    /** Null: somebody who is not here any more. */
    user: User.nullable(),
    /** The first and the last within this minute. */
    first_at: EpochSeconds,
    last_at: EpochSeconds,
    changes: z.array(HistoryChange),
  }),
  z.object({
    type: z.literal('checkpoint'),
    id: Id,
    reason: CheckpointReason,
    /** Whose edit it was taken before; null: several people's. */
    user: User.nullable(),
    at: EpochSeconds,
    name: z.string(),
    track_count: z.int(),
  }),
]);
export type HistoryItem = z.infer<typeof HistoryItem>;
export const playlistHistory = defineEndpoint({
  name: 'playlists.history',
  method: 'GET',
  path: '/playlists/{id}/history',
  access: 'guest',
  summary: 'Who did what, by minute and person, and the checkpoints between; the newest first, for members',
  params: IdParams,
  query: z.strictObject({ ...PageQuery.shape, user_id: Id.optional() }),
  reply: page(HistoryItem),
});
export const restorePlaylist = defineEndpoint({
  name: 'playlists.restore',
  method: 'POST',
  path: '/playlists/{id}/restore',
  access: 'user',
  summary: 'Bring my playlist back to a checkpoint, or to the last one at or before a time; undone by another restore',
  params: IdParams,
  body: z
    .strictObject({ checkpoint_id: Id.optional(), at: EpochSeconds.optional() })
    .refine(({ checkpoint_id, at }) => (checkpoint_id === undefined) !== (at === undefined), {
      path: ['checkpoint_id'],
      message: 'name a checkpoint_id or a time (at), one of them',
    }),
  reply: z.object({
    /** What was gone back to, and when that was. */
    checkpoint_id: Id,
    at: EpochSeconds,
    /** The list as it was before this; null when nothing had to be changed. */
    undo_checkpoint_id: Id.nullable(),
    added: z.int(),
    removed: z.int(),
    moved: z.int(),
  }),
});

/** Rights over a list's document at `/yjs/{id}`: to open and read it, to edit any of it, to show where one is in it. */
export const openDocument = { name: 'yjs.open', access: 'guest', scope: 'read' } as const satisfies Operation;
export const editDocument = { name: 'yjs.edit', access: 'user', scope: 'write' } as const satisfies Operation;
export const showAwareness = { name: 'yjs.awareness', access: 'guest', scope: 'read' } as const satisfies Operation;

export const playlistChanged = defineNotice({
  name: 'playlist:changed',
  payload: z.object({ playlist_id: Id, version: z.int() }),
  volatile: false,
});
