import { DomainError } from '../../errors.ts';
import { cleanMbid } from '../../library/matching/match.rules.ts';

/** One entry of a playlist file, as it names it. */
export interface ReadEntry {
  title: string;
  artist: string | null;
  album: string | null;
  duration_ms: number | null;
  isrc: string | null;
  recording_mbid: string | null;
  /** A file name or path as it stands, to be compared and never opened; null when it is an address elsewhere. */
  path: string | null;
  /** Our own id, from a file of ours. */
  track_id: string | null;
  /** Epoch seconds. */
  added_at: number | null;
  /** Other ways to read an ambiguous line, `Artist - Title` with more than one dash. */
  others: readonly { title: string; artist: string | null }[];
}

export interface ReadPlaylist {
  name: string | null;
  description: string | null;
  entries: ReadEntry[];
  /** What stood there and is no entry. */
  skipped: { place: string; reason: string }[];
}

/** Entries taken of one list; the shared document holds no more. */
export const ENTRIES_MAX = 10_000;
const TEXT_MAX = 500;

/** Text of a file as we keep it: one line, without control characters, of bounded length. */
export function oneLine(text: string | null | undefined, max = TEXT_MAX): string {
  return (text ?? '')
    .normalize('NFC')
    .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069\s]+/gu, ' ')
    .trim()
    .slice(0, max)
    .trim();
}

const orNull = (text: string | null | undefined, max?: number): string | null => oneLine(text, max) || null;

/** An entry of what was found; what is missing is null. @returns null when not even a title, path or id is there */
export function readEntry(found: {
  title?: string | null | undefined;
  artist?: string | null | undefined;
  album?: string | null | undefined;
  duration_ms?: number | null | undefined;
  isrc?: string | null | undefined;
  recording_mbid?: string | null | undefined;
  path?: string | null | undefined;
  track_id?: string | null | undefined;
  added_at?: number | null | undefined;
  others?: ReadEntry['others'] | undefined;
}): ReadEntry | null {
  const path = found.path === null || found.path === undefined || found.path === '' ? null : found.path.slice(0, 4096);
  const ids = [found.recording_mbid, found.isrc].map((id) => oneLine(id, 64));
  const title = oneLine(found.title) || oneLine(path === null ? '' : nameOfPath(path)) || (ids.find(Boolean) ?? '');
  if (title === '') return null;
  const duration = found.duration_ms;
  const isLength = typeof duration === 'number' && Number.isFinite(duration) && duration > 0 && duration <= 86_400_000;
  const isTime = typeof found.added_at === 'number' && Number.isInteger(found.added_at) && found.added_at > 0;
  return {
    title,
    artist: orNull(found.artist),
    album: orNull(found.album),
    duration_ms: isLength ? Math.round(duration) : null,
    isrc: orNull(found.isrc, 32),
    recording_mbid: cleanMbid(found.recording_mbid),
    path,
    track_id: orNull(found.track_id, 64),
    added_at: isTime ? (found.added_at ?? null) : null,
    others: found.others ?? [],
  };
}

/** A file's name without folders, number in front and ending. */
export function nameOfPath(path: string): string {
  const name = path.split(/[\\/]/).findLast((part) => part !== '') ?? '';
  return name.replace(/\.[a-z0-9]{2,5}$/i, '').replace(/^\d{1,3}(?:[.\-_]|\s-)?\s+(?=\S)/, '');
}

/** `file:` addresses as paths, plain paths as they are, everything else null: an address elsewhere is nothing of ours. */
export function pathOfLocation(location: string): string | null {
  const text = location.trim();
  if (/^file:/i.test(text)) {
    const path = text.replace(/^file:(?:\/\/[^/]*)?/i, '');
    try {
      return decodeURIComponent(path);
    } catch (error) {
      // A stray % is part of the name then.
      if (error instanceof URIError) return path;
      throw error;
    }
  }
  if (/^[a-z][a-z0-9+.-]+:/i.test(text) && !/^[a-z]:[\\/]/i.test(text)) return null;
  return text;
}

/** This file is no playlist we can read. */
export function unreadable(message: string): DomainError {
  return new DomainError('unprocessable', message, { errors: [{ path: 'file', message }] });
}

const BOMS: readonly [bytes: readonly number[], encoding: string][] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
];

/** Text of unknown encoding: by its mark, else UTF-8 if it is that, else Windows-1252. */
export function decodeText(bytes: Uint8Array): string {
  const bom = BOMS.find(([mark]) => mark.every((byte, i) => bytes[i] === byte));
  if (bom !== undefined) return new TextDecoder(bom[1]).decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return new TextDecoder('windows-1252').decode(bytes);
    throw error;
  }
}
