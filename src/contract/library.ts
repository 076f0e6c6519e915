import { z } from 'zod';
import { defineEndpoint } from './endpoint.ts';
import { Id, PageQuery, QueryFlag, page } from './primitives.ts';

export const Track = z.object({
  id: Id,
  /** Relative to its library root; shown, looked up, never opened. */
  track_path: z.string(),
  title: z.string(),
  artist: z.string().nullable(),
  album: z.string().nullable(),
  album_id: Id.nullable(),
  artist_id: Id.nullable(),
  album_artist: z.string().nullable(),
  genre: z.string().nullable(),
  year: z.int().nullable(),
  track_number: z.int().nullable(),
  disc_number: z.int().nullable(),
  /** Seconds, with a fraction. */
  duration: z.number().nullable(),
  codec: z.string().nullable(),
  has_cover: z.boolean(),
  /** The file is gone for now; history and playlists keep the track. */
  missing: z.boolean(),
  added_at: z.int(),
});
export type Track = z.infer<typeof Track>;

export const Album = z.object({
  id: Id,
  title: z.string(),
  album_artist: z.string().nullable(),
  year: z.int().nullable(),
  track_count: z.int(),
  duration: z.number(),
  /** Any track whose cover stands for the album. */
  cover_track_id: Id.nullable(),
});
export type Album = z.infer<typeof Album>;

export const Artist = z.object({ id: Id, name: z.string(), track_count: z.int(), album_count: z.int() });
export type Artist = z.infer<typeof Artist>;

export const Genre = z.object({ name: z.string(), track_count: z.int() });

export const ScanState = z.object({
  state: z.enum(['idle', 'running', 'failed']),
  /** Files seen so far and, once known, how many there are. */
  done: z.int(),
  total: z.int().nullable(),
  added: z.int(),
  updated: z.int(),
  moved: z.int(),
  missing: z.int(),
  unchanged: z.int(),
  /** Files that could not be read as music, with the reason; at most 200 are listed. */
  problems: z.array(z.object({ track_path: z.string(), reason: z.string() })),
  problem_count: z.int(),
  started_at: z.int().nullable(),
  ended_at: z.int().nullable(),
  /** What to do when the library cannot be read at all. */
  hint: z.string().nullable(),
});
export type ScanState = z.infer<typeof ScanState>;

/** `waiting`: not analysed yet; `failed`: it could not be. */
export const FeaturesState = z.enum(['ready', 'waiting', 'failed']);

/** How loud a track is and how it sounds, computed from its audio; null where it is not known, or there is nothing to hear. */
export const TrackFeatures = z.object({
  track_id: Id,
  state: FeaturesState,
  problem: z.string().nullable(),
  /** Of the whole file (EBU R 128). */
  loudness_lufs: z.number().nullable(),
  /** What brings it to −18 LUFS (ReplayGain 2): alone, or its album as a whole. */
  gain_db: z.number().nullable(),
  album_gain_db: z.number().nullable(),
  /** The highest point of the wave, between samples too; 1 is full scale. Times the gain it should stay below 1. */
  peak: z.number().nullable(),
  album_peak: z.number().nullable(),
  /** Beats a minute, within one octave: 80 to 160. */
  tempo: z.number().nullable(),
  /** 0 to 1; below 0.5 it is a guess. */
  tempo_confidence: z.number().nullable(),
  /** Shares of the pitch classes, C first. */
  chroma: z.array(z.number()).length(12).nullable(),
  /** The centre of the spectrum. */
  brightness_hz: z.number().nullable(),
  /** Between loud and quiet moments. */
  dynamics_db: z.number().nullable(),
  computed_at: z.int().nullable(),
});
export type TrackFeatures = z.infer<typeof TrackFeatures>;

export const TrackQuery = z.strictObject({
  ...PageQuery.shape,
  q: z.string().trim().max(200).optional(),
  sort: z.enum(['title', 'artist', 'album', 'year', 'added', 'duration']).default('artist'),
  order: z.enum(['asc', 'desc']).default('asc'),
  artist: z.string().max(300).optional(),
  album_id: Id.optional(),
  artist_id: Id.optional(),
  genre: z.string().max(200).optional(),
  missing: QueryFlag.optional(),
});
const AlbumQuery = z.strictObject({
  ...PageQuery.shape,
  q: z.string().trim().max(200).optional(),
  artist_id: Id.optional(),
});
const ArtistQuery = z.strictObject({ ...PageQuery.shape, q: z.string().trim().max(200).optional() });
const TrackParams = z.strictObject({ track_id: Id });
const IdParams = z.strictObject({ id: Id });

export const listTracks = defineEndpoint({
  name: 'library.tracks',
  method: 'GET',
  path: '/library/tracks',
  access: 'guest',
  summary: 'Tracks, sorted and filtered',
  query: TrackQuery,
  reply: page(Track),
});
export const getTrack = defineEndpoint({
  name: 'library.track',
  method: 'GET',
  path: '/library/tracks/{track_id}',
  access: 'guest',
  summary: 'One track, missing or not',
  params: TrackParams,
  reply: Track,
});
export const getFeatures = defineEndpoint({
  name: 'library.features',
  method: 'GET',
  path: '/library/tracks/{track_id}/features',
  access: 'guest',
  summary: 'How loud a track is and how it sounds: gain for the player, tempo, harmony, brightness, dynamics',
  params: TrackParams,
  reply: TrackFeatures,
});
export const listAlbums = defineEndpoint({
  name: 'library.albums',
  method: 'GET',
  path: '/library/albums',
  access: 'guest',
  summary: 'Albums by title',
  query: AlbumQuery,
  reply: page(Album),
});
export const getAlbum = defineEndpoint({
  name: 'library.album',
  method: 'GET',
  path: '/library/albums/{id}',
  access: 'guest',
  summary: 'One album with its tracks in order',
  params: IdParams,
  reply: Album.extend({ tracks: z.array(Track) }),
});
export const listArtists = defineEndpoint({
  name: 'library.artists',
  method: 'GET',
  path: '/library/artists',
  access: 'guest',
  summary: 'Artists by name',
  query: ArtistQuery,
  reply: page(Artist),
});
export const getArtist = defineEndpoint({
  name: 'library.artist',
  method: 'GET',
  path: '/library/artists/{id}',
  access: 'guest',
  summary: 'One artist with their albums',
  params: IdParams,
  reply: Artist.extend({ albums: z.array(Album) }),
});
export const listGenres = defineEndpoint({
  name: 'library.genres',
  method: 'GET',
  path: '/library/genres',
  access: 'guest',
  summary: 'Genres with their track counts',
  reply: z.object({ items: z.array(Genre), next_cursor: z.null() }),
});
export const startScan = defineEndpoint({
  name: 'library.scan.start',
  method: 'POST',
  path: '/library/scan',
  access: 'admin',
  summary: 'Look for new, changed, moved and missing files; one scan runs at a time',
  status: 202,
  reply: ScanState,
});
export const getScan = defineEndpoint({
  name: 'library.scan',
  method: 'GET',
  path: '/library/scan',
  access: 'guest',
  summary: 'How the running or last scan is doing; file names of problems are for admins',
  reply: ScanState.extend({
    /** How many of the tracks that are new since the last analysis are analysed; null when that is done. */
    analysing: z.object({ done: z.int(), total: z.int() }).nullable(),
  }),
});

/** Sizes a cover is served in, in pixels of its longer side. */
export const COVER_SIZES = [96, 320, 640] as const;
