import {
  acceptInvite as acceptEndpoint,
  addPlaylistTracks,
  copyPlaylist as copyEndpoint,
  createPlaylistInvite,
  createPlaylist as createEndpoint,
  createTicket as ticketEndpoint,
  deletePlaylist as deleteEndpoint,
  getInvite,
  getPlaylist,
  leavePlaylist as leaveEndpoint,
  listCollaborators,
  listPlaylistInvites,
  listPlaylists,
  listPlaylistTracks,
  movePlaylistTracks,
  playlistHistory as historyEndpoint,
  removeCollaborator as removeCollaboratorEndpoint,
  removePlaylistCover,
  removePlaylistTracks,
  restorePlaylist as restoreEndpoint,
  revokePlaylistInvite,
  setCollaborator as setCollaboratorEndpoint,
  sortPlaylist as sortEndpoint,
  transferPlaylist as transferEndpoint,
  updatePlaylist as updateEndpoint,
} from '#contract/playlists.ts';
import {
  leavePlaylist,
  removeCollaborator,
  setCollaborator,
  transferPlaylist,
} from '#domain/playlists/collaborators.ts';
import { copyPlaylist } from '#domain/playlists/copy-playlist.ts';
import { removeCover } from '#domain/playlists/covers.ts';
import { createPlaylist } from '#domain/playlists/create-playlist.ts';
import { deletePlaylist } from '#domain/playlists/delete-playlist.ts';
import { addTracks, moveTracks, removeTracks } from '#domain/playlists/edit-tracks.ts';
import { playlistHistory } from '#domain/playlists/history.queries.ts';
import { acceptInvite, createInvite, listInvites, revokeInvite, showInvite } from '#domain/playlists/invites.ts';
import { collaborators, playlist, playlists, playlistTracks } from '#domain/playlists/playlists.queries.ts';
import { restorePlaylist } from '#domain/playlists/restore-playlist.ts';
import { sortPlaylist } from '#domain/playlists/sort-playlist.ts';
import { createTicket } from '#domain/playlists/tickets.ts';
import { updatePlaylist } from '#domain/playlists/update-playlist.ts';
import { on } from '../mount.ts';
import type { Route } from '../mount.ts';

export function playlistsRoutes({ publicUrl }: { publicUrl: string }): Route[] {
  return [
    on(listPlaylists, playlists),
    on(createEndpoint, createPlaylist),
    on(getPlaylist, playlist),
    on(updateEndpoint, updatePlaylist),
    on(deleteEndpoint, deletePlaylist),
    on(listPlaylistTracks, playlistTracks),
    on(addPlaylistTracks, addTracks),
    on(movePlaylistTracks, moveTracks),
    on(removePlaylistTracks, removeTracks),
    on(sortEndpoint, sortPlaylist),
    on(listCollaborators, collaborators),
    on(setCollaboratorEndpoint, setCollaborator),
    on(removeCollaboratorEndpoint, removeCollaborator),
    on(ticketEndpoint, createTicket),
    on(createPlaylistInvite, (ctx, actor, input) => createInvite(ctx, actor, input, publicUrl)),
    on(listPlaylistInvites, listInvites),
    on(revokePlaylistInvite, revokeInvite),
    on(getInvite, showInvite),
    on(acceptEndpoint, acceptInvite),
    on(copyEndpoint, copyPlaylist),
    on(leaveEndpoint, leavePlaylist),
    on(transferEndpoint, transferPlaylist),
    on(removePlaylistCover, removeCover),
    on(historyEndpoint, playlistHistory),
    on(restoreEndpoint, restorePlaylist),
  ];
}
