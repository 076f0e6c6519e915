import { api } from '../../lib/api.ts';
import type { ListEntry } from '#contract/playlist-doc.ts';
import type { Playlist, PlaylistImport } from '#contract/playlists.ts';
import type { Known } from './track-cache.ts';

/** The server takes up to 1,000 a call, and JSON of 64 KiB: 500 ids are 20 kB. */
const PART = 500;

/** Makes a playlist of mine of what this device has of one. @returns its id. @throws ApiProblem */
export async function saveAsOwn(
  name: string,
  description: string,
  list: readonly ListEntry[],
  trackOf: (track_id: string) => Known,
): Promise<string> {
  // Songs that are only a text go in by a file alone; the server writes and reads such files itself.
  if (list.some(({ text }) => text !== undefined)) return saveByFile(name, description, list, trackOf);
  const { id } = await api.post<Playlist>('/playlists', { name, description });
  const track_ids = list.flatMap(({ track_id }) => (track_id === null ? [] : [track_id]));
  for (let i = 0; i < track_ids.length; i += PART) {
    await api.post(`/playlists/${id}/tracks`, { track_ids: track_ids.slice(i, i + PART) });
  }
  return id;
}

async function saveByFile(
  name: string,
  description: string,
  list: readonly ListEntry[],
  trackOf: (track_id: string) => Known,
): Promise<string> {
  const entries = list.map(({ track_id, text, added_at }) => {
    const known = track_id === null ? undefined : trackOf(track_id);
    const track = known === 'unknown' ? undefined : known;
    return {
      // An entry without a title is passed over; by its id it is found whatever it is called.
      title: text?.title ?? track?.title ?? track_id,
      artist: text?.artist ?? track?.artist ?? null,
      album: text?.album ?? track?.album ?? null,
      duration_ms: text?.duration_ms ?? (track?.duration ? Math.round(track.duration * 1000) : null),
      isrc: text?.isrc ?? null,
      recording_mbid: text?.mbid ?? null,
      track_id,
      added_at,
    };
  });
  const file = JSON.stringify({ format: 'stepheybot-playlist', version: 1, name, description, entries });
  const { items } = await api.post<PlaylistImport>(
    '/playlists/import',
    new Blob([file], { type: 'application/octet-stream' }),
    { query: { name: 'copy.json' } },
  );
  const made = items[0];
  if (made === undefined) throw new Error('the copy was read as no playlist');
  return made.playlist.id;
}
