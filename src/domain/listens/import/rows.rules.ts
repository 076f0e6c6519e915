/** One row of what a person brings along: what it says, or why it says nothing (docs/protocol.md, IM1). */
import { cleanIsrc, cleanTag, cleanUuid } from '../../library/library.rules.ts';
import { OLDEST_LISTEN } from '../listenbrainz.rules.ts';
import type { ImportFormat, ImportReason } from '#contract/jobs.ts';
import type { WholeListen } from '../record-listens.ts';
import type { z } from 'zod';

export type Format = z.output<typeof ImportFormat>;
export type Play = Omit<WholeListen, 'told_by'> & {
  /** What ListenBrainz called it, by which its feedback names it. */
  msid: string | null;
};
export type Row =
  | { is: 'play'; format: Format; play: Play }
  | { is: 'feedback'; format: Format; msid: string | null; mbid: string | null; score: 1 | -1; created_at: number }
  | { is: 'bad'; format: Format | null; reason: ImportReason; text: string };

/** [IM1-6] */
const FUTURE_TOLERANCE = 3_600;
const NAME_CHARS_MAX = 1_000;
const ROW_CHARS = 200;
/** A listen of Spotify, whose track's length is not known, counts from here on (ms), as Spotify itself counts. */
const SPOTIFY_COUNTS_MS = 30_000;
const SHORTEST_COUNTED_MS = 30_000;
const COUNTS_AFTER_MS = 240_000;
/** No play is longer (ms): such a number is a fault of its writer. */
const LONGEST_PLAY_MS = 86_400_000;

type Fields = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** What a row is called where something is to be said of it. */
export function rowText(...parts: (string | null | undefined)[]): string {
  const named = parts.filter((part) => typeof part === 'string' && part.trim() !== '').join(' – ');
  return cleanTag(named.slice(0, 4 * ROW_CHARS), ROW_CHARS) ?? '';
}

/** What every format's row comes down to. */
interface Raw {
  format: Format;
  title: string | null;
  artist: string | null;
  album: string | null;
  /** Epoch seconds, perhaps with a fraction; null: not to be read. */
  at: number | null;
  precision_s: number;
  duration_ms?: number | null;
  played_ms?: number | null;
  recording_mbid?: string | null;
  isrc?: string | null;
  msid?: string | null;
  is_hidden?: boolean;
  was_skipped?: boolean;
  counts?: (duration_ms: number | null) => boolean;
}

function toRow(raw: Raw, now: number): Row {
  const { format } = raw;
  const text = rowText(raw.artist, raw.title);
  const bad = (reason: ImportReason): Row => ({ is: 'bad', format, reason, text });
  if ((raw.title?.length ?? 0) > NAME_CHARS_MAX || (raw.artist?.length ?? 0) > NAME_CHARS_MAX)
    return bad('too_long_text');
  const title = cleanTag(raw.title);
  if (title === null) return bad('no_title');
  const artist = cleanTag(raw.artist);
  if (artist === null) return bad('no_artist');
  if (raw.at === null || !Number.isFinite(raw.at)) return bad('no_time');
  const listened_at = Math.floor(raw.at);
  if (listened_at < OLDEST_LISTEN) return bad('too_old');
  if (listened_at >= now + FUTURE_TOLERANCE) return bad('in_future');
  const played_ms = positive(raw.played_ms);
  if (raw.counts !== undefined && played_ms === null) return bad('too_short');
  const play: Play = {
    title,
    artist,
    album: cleanTag(raw.album),
    duration_ms: positive(raw.duration_ms),
    recording_mbid: cleanUuid(raw.recording_mbid),
    isrc: cleanIsrc(raw.isrc),
    listened_at,
    played_ms,
    precision_s: raw.precision_s,
    is_hidden: raw.is_hidden ?? false,
    was_skipped: raw.was_skipped ?? false,
    counts: raw.counts ?? (() => true),
    msid: cleanUuid(raw.msid),
  };
  return { is: 'play', format, play };
}

function positive(value: number | null | undefined): number | null {
  return typeof value === 'number' && value > 0 && value <= LONGEST_PLAY_MS ? Math.round(value) : null;
}

/** [IM1-4] An object of a JSON file; null: of none of the formats we know. */
export function readJsonRow(value: unknown, now: number): Row | null {
  if (!isObject(value)) return null;
  if ('track_metadata' in value) return listenBrainzRow(value, now);
  if ('score' in value && ('recording_msid' in value || 'recording_mbid' in value)) return feedbackRow(value);
  if ('ts' in value && 'ms_played' in value) return spotifyRow(value, now);
  if ('endTime' in value && 'msPlayed' in value) return spotifyAccountRow(value, now);
  return null;
}

function listenBrainzRow(value: Fields, now: number): Row {
  const metadata = isObject(value.track_metadata) ? value.track_metadata : {};
  const info = isObject(metadata.additional_info) ? metadata.additional_info : {};
  const mapping = isObject(metadata.mbid_mapping) ? metadata.mbid_mapping : {};
  const seconds = Number(info.duration ?? NaN);
  const ms = Number(info.duration_ms ?? NaN);
  return toRow(
    {
      format: 'listenbrainz',
      title: textOf(metadata.track_name),
      artist: textOf(metadata.artist_name),
      album: textOf(metadata.release_name),
      at: typeof value.listened_at === 'number' ? value.listened_at : null,
      precision_s: 1,
      duration_ms: Number.isNaN(ms) ? seconds * 1000 : ms,
      played_ms: Number(info.duration_played ?? NaN) * 1000,
      recording_mbid: textOf(info.recording_mbid) ?? textOf(mapping.recording_mbid),
      isrc: textOf(info.isrc)?.split(/[\n;,]/)[0] ?? null,
      msid: textOf(metadata.recording_msid) ?? textOf(value.recording_msid),
    },
    now,
  );
}

function feedbackRow(value: Fields): Row | null {
  const [msid, mbid] = [cleanUuid(textOf(value.recording_msid)), cleanUuid(textOf(value.recording_mbid))];
  if ((msid === null && mbid === null) || (value.score !== 1 && value.score !== -1)) return null;
  const created = Number(value.created);
  const created_at = Number.isFinite(created) && created > 0 && created < 1e11 ? Math.floor(created) : 0;
  return { is: 'feedback', format: 'listenbrainz', msid, mbid, score: value.score, created_at };
}

/** [IM1-7] Half the track, or four minutes of it, of a track over 30 s; where its length is not known, 30 s. */
const countsOnSpotify = (played_ms: number) => (duration_ms: number | null) =>
  duration_ms === null
    ? played_ms >= SPOTIFY_COUNTS_MS
    : duration_ms > SHORTEST_COUNTED_MS && played_ms >= Math.min(duration_ms / 2, COUNTS_AFTER_MS);

const playedOf = (value: unknown): number | null =>
  typeof value === 'number' && value >= 0 && value <= LONGEST_PLAY_MS ? value : null;

function spotifyRow(value: Fields, now: number): Row {
  const title = textOf(value.master_metadata_track_name);
  const artist = textOf(value.master_metadata_album_artist_name);
  const spoken = textOf(value.episode_name) ?? textOf(value.audiobook_title) ?? textOf(value.audiobook_chapter_title);
  if (title === null && (spoken !== null || typeof value.spotify_episode_uri === 'string')) {
    return { is: 'bad', format: 'spotify', reason: 'podcast', text: rowText(textOf(value.episode_show_name), spoken) };
  }
  const played = playedOf(value.ms_played);
  const endMs = Date.parse(textOf(value.ts) ?? '');
  return toRow(
    {
      format: 'spotify',
      title,
      artist,
      album: textOf(value.master_metadata_album_album_name),
      // `ts` is when it ended.
      at: played === null || Number.isNaN(endMs) ? null : (endMs - played) / 1000,
      precision_s: 5,
      played_ms: played,
      is_hidden: value.incognito_mode === true,
      was_skipped: value.skipped === true || value.reason_end === 'fwdbtn',
      counts: countsOnSpotify(played ?? 0),
    },
    now,
  );
}

function spotifyAccountRow(value: Fields, now: number): Row {
  const title = textOf(value.trackName);
  const spoken = textOf(value.episodeName) ?? textOf(value.podcastName) ?? textOf(value.audiobookName);
  if (title === null && spoken !== null)
    return { is: 'bad', format: 'spotify', reason: 'podcast', text: rowText(spoken) };
  const played = playedOf(value.msPlayed);
  const end = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})/.exec(textOf(value.endTime) ?? '');
  const endMs = end === null ? NaN : Date.parse(`${end[1]}T${end[2]}:00Z`);
  return toRow(
    {
      format: 'spotify',
      title,
      artist: textOf(value.artistName),
      album: null,
      at: played === null || Number.isNaN(endMs) ? null : (endMs - played) / 1000,
      precision_s: 60,
      played_ms: played,
      counts: countsOnSpotify(played ?? 0),
    },
    now,
  );
}

/** Where a Last.fm file has what: which cell. */
export type Columns = Partial<Record<'artist' | 'album' | 'track' | 'uts' | 'date' | 'track_mbid', number>>;

const COLUMN_NAMES: Readonly<Record<string, keyof Columns>> = {
  artist: 'artist',
  'artist name': 'artist',
  artist_name: 'artist',
  album: 'album',
  'album name': 'album',
  album_name: 'album',
  track: 'track',
  name: 'track',
  title: 'track',
  song: 'track',
  'track name': 'track',
  track_name: 'track',
  uts: 'uts',
  timestamp: 'uts',
  date: 'date',
  utc_time: 'date',
  'utc time': 'date',
  'date and time': 'date',
  track_mbid: 'track_mbid',
};
const UTS = /^\s*\d{9,13}\s*$/;

/** [IM1-5] What the cells of a record are, if it names them. */
export function columnsOfHeader(cells: readonly string[]): Columns | null {
  const columns: Columns = {};
  for (const [i, cell] of cells.entries()) {
    const column = COLUMN_NAMES[cell.trim().toLowerCase()];
    if (column !== undefined) columns[column] ??= i;
  }
  const isWhole = columns.artist !== undefined && columns.track !== undefined;
  return isWhole && (columns.uts !== undefined || columns.date !== undefined) ? columns : null;
}

/** The same of a file that names none, by what stands where the common exporters put it. */
export function columnsOfRecord(cells: readonly string[]): Columns | null {
  if (cells.length >= 7 && UTS.test(cells[0]!)) {
    return { uts: 0, date: 1, artist: 2, album: 4, track: 6, track_mbid: 7 };
  }
  if (cells.length === 4 && readDate(cells[3]!) !== null) return { artist: 0, album: 1, track: 2, date: 3 };
  return null;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** `03 Feb 2021 14:05`, `2021-02-03 14:05[:06]`, both UTC. @returns epoch seconds, and whether it is of a second */
export function readDate(text: string): { at: number; precision_s: number } | null {
  const words = /^\s*(\d{1,2}) (\w{3})\w* (\d{4}),? (\d{1,2}):(\d{2})(?::(\d{2}))?/.exec(text);
  const digits = /^\s*(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2})(?::(\d{2}))?/.exec(text);
  const [year, month, day, hour, minute, second] =
    words !== null
      ? [words[3], String(MONTHS.indexOf(words[2]!.toLowerCase()) + 1), words[1], words[4], words[5], words[6]]
      : digits !== null
        ? digits.slice(1)
        : [];
  if (year === undefined || Number(month) < 1 || Number(month) > 12 || Number(day) > 31) return null;
  const atMs = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second ?? 0),
  );
  return { at: atMs / 1000, precision_s: second === undefined ? 60 : 1 };
}

/** A record of a Last.fm file. */
export function readCsvRow(cells: readonly string[], columns: Columns, now: number): Row {
  const cell = (column: keyof Columns) => (columns[column] === undefined ? null : (cells[columns[column]] ?? null));
  const uts = cell('uts');
  let time = readDate(cell('date') ?? '');
  if (uts !== null && UTS.test(uts)) {
    const number = Number(uts);
    time = { at: number >= 1e11 ? number / 1000 : number, precision_s: 1 };
  }
  return toRow(
    {
      format: 'lastfm',
      title: cell('track'),
      artist: cell('artist'),
      album: cell('album'),
      at: time?.at ?? null,
      precision_s: time?.precision_s ?? 60,
      recording_mbid: cell('track_mbid'),
    },
    now,
  );
}

/** Cells of one record (RFC 4180); a quote that is not closed ends with the record. */
export function splitCsv(record: string, delimiter: string): string[] {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    let cell = '';
    if (record[at] === '"') {
      at++;
      for (;;) {
        const quote = record.indexOf('"', at);
        if (quote < 0) {
          cell += record.slice(at);
          at = record.length;
          break;
        }
        cell += record.slice(at, quote);
        at = quote + 1;
        if (record[at] !== '"') break;
        cell += '"';
        at++;
      }
    }
    const next = record.indexOf(delimiter, at);
    cells.push(cell + record.slice(at, next < 0 ? undefined : next));
    if (next < 0) return cells;
    at = next + delimiter.length;
  }
}

/** Whether a record goes on in the next line: a quote that opens a cell is not closed. */
export function isOpenCsv(text: string): boolean {
  let quotes = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) quotes++;
  return quotes % 2 === 1;
}
