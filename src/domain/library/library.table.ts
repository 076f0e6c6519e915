import type { Generated } from 'kysely';

/** A piece of music. Its id stays when the file is moved, renamed or retagged, and when it is gone. */
export interface TracksTable {
  id: string;
  /** Absolute folder of MUSIC_DIR the file was found under. Never leaves the server. */
  library_root: string;
  /** Relative to the root, `/` between folders, as the file system spells it. */
  track_path: string;
  title: string;
  artist: string | null;
  album: string | null;
  album_artist: string | null;
  /** All genres of the file as it spells them, joined by `; `; one by one they are in `track_genres`. */
  genre: string | null;
  year: number | null;
  track_number: number | null;
  disc_number: number | null;
  /** Seconds. */
  duration: number | null;
  codec: string | null;
  container: string | null;
  album_id: string | null;
  artist_id: string | null;
  cover_hash: string | null;
  cover_source: 'embedded' | 'folder' | null;
  /** Hash of head, tail and length of the audio without its tags: the same after a retag. */
  audio_hash: string;
  /** What MusicBrainz calls the recording, and its ISRC (upper case, without hyphens), as the file says. */
  recording_mbid: Generated<string | null>;
  isrc: Generated<string | null>;
  file_size_bytes: number;
  file_mtime_ms: number;
  /** Which version of our reader read the tags: an older one's are read again by the next scan. */
  reader_version: Generated<number>;
  /** Folded words of title, artist, album: lower case, without accents, for search. */
  search_text: string;
  title_sort: string;
  artist_sort: string;
  album_sort: string;
  added_at: number;
  updated_at: number;
  /** Since when the file is gone; null while it is there. */
  missing_since: number | null;
}

export interface AlbumsTable {
  id: string;
  /** Album artist and title, in one case: unique. */
  album_key: string;
  title: string;
  album_artist: string | null;
  year: number | null;
  title_sort: string;
  search_text: string;
}

export interface ArtistsTable {
  id: string;
  artist_key: string;
  name: string;
  name_sort: string;
  search_text: string;
}

export interface TrackGenresTable {
  track_id: string;
  genre_key: string;
  name: string;
}

/** Cover pictures by content; the bytes lie in DATA_DIR/covers. */
export interface CoversTable {
  hash: string;
  mime: string;
  size_bytes: number;
}

/** The picture lying in a folder, which stands for its tracks that embed none. */
export interface FolderImagesTable {
  library_root: string;
  /** Relative to the root; '' is the root itself. */
  folder: string;
  file_name: string;
  file_size_bytes: number;
  file_mtime_ms: number;
  /** Null when the file is no picture we take. */
  cover_hash: string | null;
}

/** Files the last scan could not read as music. */
export interface ScanProblemsTable {
  library_root: string;
  track_path: string;
  reason: string;
  file_size_bytes: number;
  file_mtime_ms: number;
  seen_at: number;
}

/** How a track sounds: derived from its audio, kept as long as that is the same. */
export interface TrackFeaturesTable {
  track_id: string;
  /** Which version of our analysis computed it: an older one's are computed anew. */
  version: number;
  /** The `audio_hash` of the track it was computed from. */
  audio_hash: string;
  /** LUFS (EBU R 128) of the whole file; null for silence. */
  loudness: number | null;
  /** 1 is full scale; between samples too. */
  peak: number | null;
  /** How many blocks of 400 ms have which loudness, as `loudness.rules.ts` packs them: the album's loudness comes from these. */
  loudness_blocks: Uint8Array | null;
  /** Beats a minute, 80 to 160; to be believed by `tempo_confidence` only, 0 to 1. */
  tempo: number | null;
  tempo_confidence: number | null;
  /** Shares of the twelve pitch classes, C first, a byte each: 255 is all of it. */
  chroma: Uint8Array | null;
  /** Hz. */
  brightness: number | null;
  /** dB. */
  dynamics: number | null;
  /** Numbers of four bytes, little-endian, in the order of `SOUND_PARTS`. */
  vector: Uint8Array | null;
  /** Why there are none; null when there are. */
  problem: string | null;
  computed_at: number;
}

export interface LibraryTables {
  tracks: TracksTable;
  albums: AlbumsTable;
  artists: ArtistsTable;
  track_genres: TrackGenresTable;
  covers: CoversTable;
  folder_images: FolderImagesTable;
  scan_problems: ScanProblemsTable;
  track_features: TrackFeaturesTable;
}
