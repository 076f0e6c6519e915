import { exportDoor } from '#contract/doors.ts';
import { usersByIds } from '../accounts/accounts.queries.ts';
import { notFound } from '../errors.ts';
import { requireListRight } from './playlists.access.ts';
import { writeJson, writeJspf } from './files/jspf.ts';
import { writeM3u } from './files/m3u.ts';
import { fileNameOf } from './files/written.ts';
import { writeXspf } from './files/xspf.ts';
import type { EntryTextValue } from '#contract/playlist-doc.ts';
import type { ExportFormat } from '#contract/playlists.ts';
import type { Actor, Ctx } from '../context.ts';
import type { WrittenEntry, WrittenPlaylist } from './files/written.ts';

export interface ExportedFile {
  name: string;
  mime: string;
  text: string;
}

const TYPES: Readonly<Record<ExportFormat, string>> = {
  m3u8: 'audio/x-mpegurl; charset=utf-8',
  xspf: 'application/xspf+xml; charset=utf-8',
  jspf: 'application/json; charset=utf-8',
  json: 'application/json; charset=utf-8',
};

/**
 * A playlist as a file for other programs; read back it is the same list, in order, with what is not in the library [PL62].
 * @throws DomainError not_found
 */
export async function exportPlaylist(
  ctx: Ctx,
  actor: Actor,
  { id, format }: { id: string; format: ExportFormat },
): Promise<ExportedFile> {
  await requireListRight(ctx.db, actor, exportDoor, id);
  const list = await ctx.db
    .selectFrom('user_playlists')
    .innerJoin('users', 'users.id', 'user_playlists.user_id')
    .select(['user_playlists.name', 'description', 'is_public', 'user_playlists.created_at', 'users.username'])
    .where('user_playlists.id', '=', id)
    .executeTakeFirst();
  if (list === undefined) throw notFound('playlist');
  const written: WrittenPlaylist = {
    name: list.name,
    description: list.description,
    owner: list.username,
    created_at: list.created_at,
    entries: await entriesOf(ctx, id),
  };
  const text =
    format === 'm3u8'
      ? writeM3u(written)
      : format === 'xspf'
        ? writeXspf(written)
        : format === 'jspf'
          ? writeJspf(written, list.is_public === 1)
          : writeJson(written);
  return { name: `${fileNameOf(list.name)}.${format}`, mime: TYPES[format], text };
}

async function entriesOf(ctx: Ctx, playlist_id: string): Promise<WrittenEntry[]> {
  const rows = await ctx.db
    .selectFrom('playlist_tracks')
    .leftJoin('tracks', 'tracks.id', 'playlist_tracks.track_id')
    .select(['playlist_tracks.track_id', 'text_json', 'playlist_tracks.added_at', 'added_by_user_id'])
    .select(['title', 'artist', 'album', 'duration', 'isrc', 'recording_mbid', 'track_path'])
    .where('playlist_id', '=', playlist_id)
    .orderBy('place')
    .orderBy('entry_id')
    .execute();
  const users = await usersByIds(ctx.db, [...new Set(rows.flatMap((row) => row.added_by_user_id ?? []))]);
  return rows.map((row) => {
    const { track_id, added_at, duration } = row;
    const added_by = users.get(row.added_by_user_id ?? '')?.username ?? null;
    const text = row.text_json === null ? null : (JSON.parse(row.text_json) as EntryTextValue);
    if (text !== null) {
      const { title, artist, album = null, duration_ms = null, isrc = null, mbid = null } = text;
      return {
        title,
        artist: artist || null,
        album,
        duration_ms,
        isrc,
        recording_mbid: mbid,
        path: null,
        track_id: null,
        added_at,
        added_by,
      };
    }
    return {
      title: row.title ?? '',
      artist: row.artist,
      album: row.album,
      duration_ms: duration === null ? null : Math.round(duration * 1000),
      isrc: row.isrc,
      recording_mbid: row.recording_mbid,
      path: row.track_path,
      track_id,
      added_at,
      added_by,
    };
  });
}
