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
export const importPlaylistsDoor = defineDoor({
  name: 'playlists.import',
  method: 'POST',
  path: '/playlists/import',
  access: 'user',
  scope: 'write',
  summary:
    'Make playlists of a file: M3U, XSPF, JSPF, JSON, CSV of Exportify, Spotify account data, or a zip of them; at most 64 MB. Answers with what became of each entry',
  query: ['name'],
  body: [
    'multipart/form-data',
    'audio/x-mpegurl',
    'application/xspf+xml',
    'application/json',
    'text/csv',
    'application/zip',
    'application/octet-stream',
  ],
  responses: { 201: 'The playlists, and what became of each entry' },
});
export const exportDoor = defineDoor({
  name: 'playlists.export',
  method: 'GET',
  path: '/playlists/{id}/export',
  access: 'guest',
  scope: 'read',
  summary: 'A playlist as a file: format is m3u8, xspf, jspf or json',
  query: ['format'],
  responses: { 200: 'The file' },
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

export const importDoor = defineDoor({
  name: 'listen.import',
  method: 'POST',
  path: '/listen/import',
  access: 'user',
  scope: 'listen:write',
  summary:
    'Import what was heard elsewhere: an export of ListenBrainz, Last.fm or Spotify of at most 64 MB, as the body or the file of a form',
  query: [],
  body: [
    'multipart/form-data',
    'application/zip',
    'application/json',
    'application/x-ndjson',
    'text/csv',
    'application/octet-stream',
  ],
  responses: { 202: 'The job that reads it: `{"job_id": …}`' },
});

/** What ListenBrainz' programs call, below `/1/` of the host's root and below `/api/v1/1/`. */
const LISTENBRAINZ = { path: '/1', query: [] as string[], body: ['application/json'] };
export const lbValidateDoor = defineDoor({
  name: 'listenbrainz.validate_token',
  method: 'GET',
  path: '/1/validate-token',
  access: 'public',
  scope: 'never',
  summary: 'ListenBrainz: whether a token is good, and whose it is',
  query: [],
  responses: { 200: 'Whether it is valid', 400: 'There is no token' },
});
export const lbSubmitDoor = defineDoor({
  ...LISTENBRAINZ,
  name: 'listenbrainz.submit_listens',
  method: 'POST',
  path: '/1/submit-listens',
  access: 'guest',
  scope: 'listen:write',
  summary: 'ListenBrainz: submit listens, or what is playing now',
  query: ['return_msid'],
  responses: { 200: 'Taken', 400: 'Not valid, none of it is stored', 413: 'More than 10,240,000 bytes' },
});
const OF_PERSON = { method: 'GET', access: 'guest', scope: 'read', query: [] as string[] } as const;
export const lbListensDoor = defineDoor({
  ...OF_PERSON,
  name: 'listenbrainz.listens',
  path: '/1/user/{username}/listens',
  summary: 'ListenBrainz: the listens of a person who lets the caller see them, newest first',
  query: ['count', 'min_ts', 'max_ts'],
  responses: { 200: 'Listens' },
});
export const lbListenCountDoor = defineDoor({
  ...OF_PERSON,
  name: 'listenbrainz.listen_count',
  path: '/1/user/{username}/listen-count',
  summary: 'ListenBrainz: how many listens a person has',
  responses: { 200: 'A number' },
});
export const lbPlayingNowDoor = defineDoor({
  ...OF_PERSON,
  name: 'listenbrainz.playing_now',
  path: '/1/user/{username}/playing-now',
  summary: 'ListenBrainz: what a person is hearing',
  responses: { 200: 'None or one listen' },
});
export const lbGetFeedbackDoor = defineDoor({
  ...OF_PERSON,
  name: 'listenbrainz.feedback',
  path: '/1/feedback/user/{username}/get-feedback',
  summary: 'ListenBrainz: what a person loves and hates',
  query: ['score', 'count', 'offset', 'metadata'],
  responses: { 200: 'Feedback, newest first' },
});
export const lbGiveFeedbackDoor = defineDoor({
  ...LISTENBRAINZ,
  name: 'listenbrainz.feedback.give',
  method: 'POST',
  path: '/1/feedback/recording-feedback',
  access: 'user',
  scope: 'write',
  summary: 'ListenBrainz: love (1, a favourite), hate (-1) or neither (0)',
  responses: { 200: 'Done' },
});
export const lbDeleteListenDoor = defineDoor({
  ...LISTENBRAINZ,
  name: 'listenbrainz.delete_listen',
  method: 'POST',
  path: '/1/delete-listen',
  access: 'user',
  scope: 'write',
  summary: 'ListenBrainz: delete one of my listens, at once',
  responses: { 200: 'It is not there (any more)' },
});
export const lbLatestImportDoor = defineDoor({
  ...OF_PERSON,
  name: 'listenbrainz.latest_import',
  path: '/1/latest-import',
  summary: 'ListenBrainz: up to when a program of mine has imported',
  query: ['user_name', 'service'],
  responses: { 200: 'A time, 0 before the first import' },
});
export const lbSetLatestImportDoor = defineDoor({
  ...LISTENBRAINZ,
  name: 'listenbrainz.latest_import.set',
  method: 'POST',
  path: '/1/latest-import',
  access: 'user',
  scope: 'listen:write',
  summary: 'ListenBrainz: a program of mine has imported up to a time, which only moves forward',
  query: ['service'],
  responses: { 200: 'Noted' },
});
/** Their errors are in ListenBrainz' words: `{"code": 401, "error": "…"}`. */
export const LISTENBRAINZ_DOORS = [
  lbValidateDoor,
  lbSubmitDoor,
  lbListensDoor,
  lbListenCountDoor,
  lbPlayingNowDoor,
  lbGetFeedbackDoor,
  lbGiveFeedbackDoor,
  lbDeleteListenDoor,
  lbLatestImportDoor,
  lbSetLatestImportDoor,
] as const;

/** Every door that answers with something else than JSON. */
export const DOORS = [
  streamDoor,
  coverDoor,
  takeAvatarDoor,
  avatarDoor,
  importPlaylistsDoor,
  exportDoor,
  importDoor,
  takePlaylistCoverDoor,
  playlistCoverDoor,
  loginDoor,
  loginFormDoor,
  callbackDoor,
  backchannelLogoutDoor,
] as const;
