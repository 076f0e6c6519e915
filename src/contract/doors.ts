import { defineDoor } from './endpoint.ts';

const SENT_ON = { 303: 'On to the OpenID provider' };

export const streamDoor = defineDoor({
  name: 'library.stream',
  method: 'GET',
  path: '/library/tracks/{track_id}/stream',
  access: 'guest',
  scope: 'read',
  summary: 'The sound of a track, with Range',
  query: [],
  responses: { 200: 'The whole file', 206: 'The part asked for by Range', 304: 'Unchanged', 416: 'No such part' },
});
export const coverDoor = defineDoor({
  name: 'library.cover',
  method: 'GET',
  path: '/library/tracks/{track_id}/cover',
  access: 'guest',
  scope: 'read',
  summary: 'The cover of a track as WebP; size is 96, 320 or 640 pixels',
  query: ['size'],
  responses: { 200: 'The picture', 304: 'Unchanged' },
});
export const takeAvatarDoor = defineDoor({
  name: 'user.avatar.set',
  method: 'POST',
  path: '/user/avatar',
  access: 'user',
  scope: 'write',
  summary: 'Give myself a picture: PNG, JPEG or WebP of at most 2 MB; answers with my profile',
  query: [],
  body: ['image/png', 'image/jpeg', 'image/webp', 'multipart/form-data'],
  responses: { 200: 'My profile' },
});
export const avatarDoor = defineDoor({
  name: 'avatars.get',
  method: 'GET',
  path: '/avatars/{avatar_id}',
  access: 'guest',
  scope: 'read',
  summary: 'The picture of a person, a WebP of 256 pixels; its address is the avatar_url of a profile',
  query: [],
  responses: { 200: 'The picture', 304: 'Unchanged' },
});
export const takePlaylistCoverDoor = defineDoor({
  name: 'playlists.cover.set',
  method: 'POST',
  path: '/playlists/{id}/cover',
  access: 'user',
  scope: 'write',
  summary: 'Give a playlist I may edit a picture: PNG, JPEG or WebP of at most 2 MB; answers with the playlist',
  query: [],
  body: ['image/png', 'image/jpeg', 'image/webp', 'multipart/form-data'],
  responses: { 200: 'The playlist' },
});
export const playlistCoverDoor = defineDoor({
  name: 'playlists.cover',
  method: 'GET',
  path: '/playlists/{id}/cover',
  access: 'guest',
  scope: 'read',
  summary:
    'The picture of a playlist I may read, a WebP of 640 pixels; v is of its address and tells one from the next',
  query: ['v'],
  responses: { 200: 'The picture', 304: 'Unchanged' },
});
export const loginDoor = defineDoor({
  name: 'auth.login.get',
  method: 'GET',
  path: '/auth/login',
  access: 'public',
  scope: 'never',
  summary: 'Begin to sign in; return_to is a path on this server, prompt=login asks for the password anew',
  query: ['return_to', 'login_hint', 'prompt'],
  responses: SENT_ON,
});
export const loginFormDoor = defineDoor({ ...loginDoor, name: 'auth.login.post', method: 'POST' });
export const callbackDoor = defineDoor({
  name: 'auth.callback',
  method: 'GET',
  path: '/auth/callback',
  access: 'public',
  scope: 'never',
  summary: 'Where the provider sends a browser back to',
  query: ['code', 'state', 'iss', 'error'],
  responses: { 303: 'On to return_to, signed in' },
});
export const backchannelLogoutDoor = defineDoor({
  name: 'auth.backchannel_logout',
  method: 'POST',
  path: '/auth/backchannel-logout',
  access: 'public',
  scope: 'never',
  summary: 'Where an outside provider says that a session is over: a form with its logout_token',
  query: [],
  responses: { 200: 'Whatever belonged to it has ended', 400: 'Not a valid logout token, or used before' },
});

/** Every door that answers with something else than JSON. */
export const DOORS = [
  streamDoor,
  coverDoor,
  takeAvatarDoor,
  avatarDoor,
  takePlaylistCoverDoor,
  playlistCoverDoor,
  loginDoor,
  loginFormDoor,
  callbackDoor,
  backchannelLogoutDoor,
] as const;
