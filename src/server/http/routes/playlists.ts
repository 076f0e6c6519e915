import {
  addPlaylistTracks,
  createPlaylist as createEndpoint,
  createTicket as ticketEndpoint,
  deletePlaylist as deleteEndpoint,
  getPlaylist,
  listCollaborators,
  listPlaylists,
  listPlaylistTracks,
  movePlaylistTracks,
  removeCollaborator as removeCollaboratorEndpoint,
  removePlaylistTracks,
  setCollaborator as setCollaboratorEndpoint,
  updatePlaylist as updateEndpoint,
} from '#contract/playlists.ts';
import { removeCollaborator, setCollaborator } from '#domain/playlists/collaborators.ts';
import { createPlaylist } from '#domain/playlists/create-playlist.ts';
import { deletePlaylist } from '#domain/playlists/delete-playlist.ts';
import { addTracks, moveTracks, removeTracks } from '#domain/playlists/edit-tracks.ts';
import { collaborators, playlist, playlists, playlistTracks } from '#domain/playlists/playlists.queries.ts';
import { createTicket } from '#domain/playlists/tickets.ts';
import { updatePlaylist } from '#domain/playlists/update-playlist.ts';
import { on } from '../mount.ts';
import type { Route } from '../mount.ts';

export const playlistsRoutes: Route[] = [
  on(listPlaylists, playlists),
  on(createEndpoint, createPlaylist),
  on(getPlaylist, playlist),
  on(updateEndpoint, updatePlaylist),
  on(deleteEndpoint, deletePlaylist),
  on(listPlaylistTracks, playlistTracks),
  on(addPlaylistTracks, addTracks),
  on(movePlaylistTracks, moveTracks),
  on(removePlaylistTracks, removeTracks),
  on(listCollaborators, collaborators),
  on(setCollaboratorEndpoint, setCollaborator),
  on(removeCollaboratorEndpoint, removeCollaborator),
  on(ticketEndpoint, createTicket),
];
