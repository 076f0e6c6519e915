import type { Album, Artist, Track } from '#contract/library.ts';
import type { TracksTable } from './library.table.ts';

/** The columns a track is shown by. */
export const TRACK_COLUMNS = [
  'id',
  'track_path',
  'title',
  'artist',
  'album',
  'album_id',
  'artist_id',
  'album_artist',
  'genre',
  'year',
  'track_number',
  'disc_number',
  'duration',
  'codec',
  'cover_hash',
  'missing_since',
  'added_at',
] as const satisfies (keyof TracksTable)[];

export type TrackRow = Pick<TracksTable, (typeof TRACK_COLUMNS)[number]>;

/** A track as everybody sees it; where its file lies on the server's disk is not part of it. */
export function presentTrack(row: TrackRow): Track {
  return {
    id: row.id,
    track_path: row.track_path,
    title: row.title,
    artist: row.artist,
    album: row.album,
    album_id: row.album_id,
    artist_id: row.artist_id,
    album_artist: row.album_artist,
    genre: row.genre,
    year: row.year,
    track_number: row.track_number,
    disc_number: row.disc_number,
    duration: row.duration,
    codec: row.codec,
    has_cover: row.cover_hash !== null,
    missing: row.missing_since !== null,
    added_at: row.added_at,
  };
}

export interface AlbumRow {
  id: string;
  title: string;
  album_artist: string | null;
  year: number | null;
  track_count: number | string | bigint;
  duration: number | null;
  cover_track_id: string | null;
}

/** An album with its sums over the tracks that are there. */
export function presentAlbum({
  id,
  title,
  album_artist,
  year,
  track_count,
  duration,
  cover_track_id,
}: AlbumRow): Album {
  return {
    id,
    title,
    album_artist,
    year,
    track_count: Number(track_count),
    duration: Number(duration ?? 0),
    cover_track_id,
  };
}

export interface ArtistRow {
  id: string;
  name: string;
  track_count: number | string | bigint;
  album_count: number | string | bigint;
}

export function presentArtist({ id, name, track_count, album_count }: ArtistRow): Artist {
  return { id, name, track_count: Number(track_count), album_count: Number(album_count) };
}
