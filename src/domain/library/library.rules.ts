import type { TracksTable } from './library.table.ts';

/** Letters that Unicode does not take apart, and the quotes people do not type. */
const LETTERS: Record<string, string> = {
  ß: 'ss', ø: 'o', æ: 'ae', œ: 'oe', đ: 'd', ð: 'd', þ: 'th', ł: 'l', ħ: 'h', ı: 'i', 'ŋ': 'ng',
  '‘': "'", '’': "'", 'ʼ': "'", '“': '"', '”': '"', '‐': '-', '–': '-', '—': '-',
}; // prettier-ignore
const FOLDABLE = new RegExp(`[${Object.keys(LETTERS).join('')}]`, 'g');
/** Scripts written without spaces between words. */
const SPACELESS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;

/** Text as it is searched and sorted: lower case, without accents, one space between words. */
export function fold(text: string): string {
  return text
    .normalize('NFKD')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{Mn}+/gu, '')
    .replace(FOLDABLE, (letter) => LETTERS[letter] ?? letter)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}

/** What makes two names the same artist, album or genre: case and spacing do not count, accents and punctuation do. */
export function nameKey(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}

/**
 * The words a text is found by, each after a space: as written, from each letter or digit that follows punctuation, and
 * without punctuation (`AC/DC` by `ac/dc`, `dc` and `acdc`).
 */
export function searchText(...texts: (string | null)[]): string {
  const words = new Set<string>();
  for (const text of texts) {
    if (text === null) continue;
    for (const word of fold(text).slice(0, 600).split(' ')) {
      words.add(word);
      for (const { index } of word.matchAll(/(?<=[^\p{L}\p{N}])[\p{L}\p{N}]/gu)) words.add(word.slice(index));
      words.add(word.replace(/[^\p{L}\p{N}]+/gu, ''));
    }
  }
  words.delete('');
  return ` ${[...words].join(' ')}`;
}

/** LIKE patterns (escape character `\`) that all must match a `searchText` for every word of `q` to begin one of its words. */
export function searchPatterns(q: string): string[] {
  const words = fold(q)
    .split(' ')
    .filter((word) => word !== '')
    .slice(0, 12);
  return words.map((word) => {
    const escaped = word.replace(/[\\%_]/g, '\\$&');
    return SPACELESS.test(word) ? `%${escaped}%` : `% ${escaped}%`;
  });
}

/** Sorts after any text. */
const LAST = '\uffff';
/** Sorts before any text, so that a shorter name comes before a longer one. */
const BETWEEN = '\u0001';
/** PostgreSQL refuses index entries over 2,700 bytes: five parts of this many characters stay below. */
const SORTED_CHARS = 80;

function sortPart(text: string | null): string {
  const folded = text === null ? '' : fold(text);
  return folded === '' ? LAST : [...folded].slice(0, SORTED_CHARS).join('');
}

/** How a name is sorted: folded; one without any letter comes last. */
export function sortKey(...parts: (string | number | null)[]): string {
  return parts
    .map((part) =>
      typeof part === 'number' ? String(Math.min(Math.max(part, 0), 99_999)).padStart(5, '0') : sortPart(part),
    )
    .join(BETWEEN);
}

/** What a file says of itself, cleaned. */
export interface TrackTags {
  title: string;
  artist: string | null;
  /** The artist whose page the track is on: the first when the file names several one by one. */
  main_artist: string | null;
  album: string | null;
  album_artist: string | null;
  genres: string[];
  year: number | null;
  track_number: number | null;
  disc_number: number | null;
  recording_mbid: string | null;
  isrc: string | null;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** ISO 3901: country, registrant, year, number. */
const ISRC = /^[A-Z]{2}[A-Z0-9]{3}\d{7}$/;

/** A UUID in its usual spelling, or null when the text is none. */
export function cleanUuid(text: string | null | undefined): string | null {
  const uuid = text?.trim().toLowerCase() ?? '';
  return UUID.test(uuid) ? uuid : null;
}

/** An ISRC without hyphens, or null when the text is none. */
export function cleanIsrc(text: string | null | undefined): string | null {
  const isrc = text?.replace(/[\s-]/g, '').toUpperCase() ?? '';
  return ISRC.test(isrc) ? isrc : null;
}

type SortColumns = Pick<TracksTable, 'search_text' | 'title_sort' | 'artist_sort' | 'album_sort'>;

/** The columns lists are sorted and searched by: an artist's tracks by album, an album's by disc and number. */
export function sortColumns(tags: TrackTags): SortColumns {
  const inAlbum = [tags.album, tags.disc_number ?? 1, tags.track_number ?? 99_999] as const;
  return {
    search_text: searchText(tags.title, tags.artist, tags.album),
    title_sort: sortKey(tags.title, tags.artist),
    artist_sort: sortKey(tags.artist, ...inAlbum, tags.title),
    album_sort: sortKey(
      tags.album,
      tags.album_artist ?? tags.artist,
      tags.disc_number ?? 1,
      tags.track_number ?? 99_999,
      tags.title,
    ),
  };
}

/** Whose album it is: the tag, else the artist. */
export function albumArtistOf(tags: Pick<TrackTags, 'album_artist' | 'main_artist'>): string | null {
  return tags.album_artist ?? tags.main_artist;
}

/** One line of text out of a tag: no control characters, no broken surrogates, composed; null when nothing is left. */
export function cleanTag(text: string | null | undefined, maxChars = 500): string | null {
  if (typeof text !== 'string') return null;
  const cleaned = text
    .toWellFormed()
    .normalize('NFC')
    .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .trim();
  return cleaned === '' ? null : cleaned.slice(0, maxChars).toWellFormed();
}

/** A title for a file without one: its name without ending and track number (`03 - Night Train.mp3` → `Night Train`). */
export function titleFromPath(trackPath: string): string {
  const name = trackPath.slice(trackPath.lastIndexOf('/') + 1);
  const bare = cleanTag(name.replace(/\.[^.]+$/, '').replaceAll('_', ' ')) ?? name;
  const withoutNumber = bare.replace(/^(?:\d{1,2}[-.])?\d{1,3}(?:\s*[-.)]\s*|\s+)(?=\S)/, '');
  return withoutNumber === '' ? bare : withoutNumber;
}

/** A known track, as far as it matters for whether a file is it. */
export type KnownTrack = Pick<
  TracksTable,
  'id' | 'library_root' | 'track_path' | 'title' | 'artist' | 'album' | 'audio_hash' | 'missing_since'
>;

/** A file that was read because it is new or changed. */
export interface FoundFile {
  library_root: string;
  track_path: string;
  audio_hash: string;
  tags: Pick<TrackTags, 'title' | 'artist' | 'album'>;
}

const samePlace = (a: { library_root: string; track_path: string }, b: typeof a) =>
  a.library_root === b.library_root && a.track_path === b.track_path;
const baseName = (p: string) => p.slice(p.lastIndexOf('/') + 1);

/** Whether the file at a known track's place, with other audio, is the same piece in another encoding. */
export function isUpgrade(track: KnownTrack, file: FoundFile): boolean {
  return track.title === file.tags.title && track.artist === file.tags.artist && track.album === file.tags.album;
}

/**
 * Decides which known track each file is; files not in the answer are new tracks. In this order, each track and file once:
 * 1. the same place and the same audio (a retag);
 * 2. the same audio and the same path under another root; then the same audio and file name; then the same audio alone:
 *    each only where exactly one track and one file are left to fit (a move);
 * 3. the same place, other audio, title, artist and album unchanged (an upgrade).
 * Where two fit, none is taken: history must not be handed to the wrong piece.
 * @param tracks those whose file is gone, or was among `files`; never one whose file is known to be where it was.
 */
export function matchFiles<F extends FoundFile>(
  files: readonly F[],
  tracks: readonly KnownTrack[],
): Map<F, KnownTrack> {
  const matched = new Map<F, KnownTrack>();
  const left = new Map(tracks.map((track) => [track.id, track]));
  const take = (file: F, track: KnownTrack) => {
    matched.set(file, track);
    left.delete(track.id);
  };
  const sole = (key: (x: KnownTrack | F) => string, isWanted: (track: KnownTrack, file: F) => boolean) => {
    const candidates = Map.groupBy(left.values(), key);
    for (const [value, rivals] of Map.groupBy(
      files.filter((file) => !matched.has(file)),
      key,
    )) {
      const fitting = candidates.get(value) ?? [];
      const [track, secondTrack] = fitting;
      const [file, secondFile] = rivals;
      if (track === undefined || file === undefined || secondTrack !== undefined || secondFile !== undefined) continue;
      if (isWanted(track, file)) take(file, track);
    }
  };
  const at = (x: KnownTrack | F) => `${x.library_root}\0${x.track_path}`;

  // A place may have had several tracks over time; the one still there, or the one with this audio, is meant.
  const byPlace = Map.groupBy(tracks, at);
  for (const file of files) {
    const same = (byPlace.get(at(file)) ?? []).filter(
      (track) => track.audio_hash === file.audio_hash && left.has(track.id),
    );
    const track = same.find((one) => one.missing_since === null) ?? (same.length === 1 ? same[0] : undefined);
    if (track !== undefined) take(file, track);
  }
  sole(
    (x) => `${x.audio_hash}\0${x.track_path}`,
    () => true,
  );
  sole(
    (x) => `${x.audio_hash}\0${baseName(x.track_path)}`,
    () => true,
  );
  sole(
    (x) => x.audio_hash,
    () => true,
  );
  for (const file of files) {
    if (matched.has(file)) continue;
    const here = (byPlace.get(at(file)) ?? []).filter((track) => left.has(track.id) && samePlace(track, file));
    const alike = here.filter((track) => isUpgrade(track, file));
    const track = alike.find((one) => one.missing_since === null) ?? (alike.length === 1 ? alike[0] : undefined);
    if (track !== undefined) take(file, track);
  }
  return matched;
}
