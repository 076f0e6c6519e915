/** What was heard, as programs that do not know our tracks name it, and which track it is. */
import { createHash } from 'node:crypto';
import { fold, nameKey, sortKey } from '../library/library.rules.ts';
import type { RecordingsTable } from './listens.table.ts';

/** Something heard, by its names and the ids other catalogues give it. */
export type NamedRecording = Pick<
  RecordingsTable,
  'title' | 'artist' | 'album' | 'duration_ms' | 'recording_mbid' | 'isrc'
>;

/** Title and artist, so that `tracks.title_sort` is equal to it: case, accents and spacing do not count. */
export function matchKey({ title, artist }: Pick<NamedRecording, 'title' | 'artist'>): string {
  return sortKey(title, artist);
}

function hash(...parts: (string | number)[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('base64url');
}

/** The same artist, title, album and MBID, however spelled in case and spacing, are one recording. Short enough for an index. */
export function recordingKey({ title, artist, album, recording_mbid }: NamedRecording): string {
  return hash(nameKey(artist), nameKey(title), nameKey(album ?? ''), recording_mbid ?? '');
}

/** A UUID (RFC 9562, version 8) made of a key: whoever names the same recording, here or later, gets the same id. */
export function recordingId(recording_key: string): string {
  const bytes = createHash('sha256').update(recording_key).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return toUuid(bytes);
}

function toUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A track's id as ListenBrainz' programs want the id of a recording: its 128 bits, written as a UUID. */
export function uuidOfTrack(track_id: string): string {
  return toUuid(Buffer.from(track_id, 'base64url').subarray(0, 16));
}

/** The other way round, of whatever UUID. */
export function trackOfUuid(uuid: string): string {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url');
}

/** By what a listen that came whole is known to its listener: when, and which artist and title. A retry has the same. */
export function externalKey(listened_at: number, match_key: string): string {
  return `${listened_at} ${hash(match_key).slice(0, 22)}`;
}

/** How long it is (ms): as it was told, else as the track that it is; null when nobody knows. */
export function lengthMs(
  told: Pick<NamedRecording, 'duration_ms'> | null,
  track: Pick<Candidate, 'duration'> | null,
): number | null {
  const seconds = track?.duration ?? null;
  return told?.duration_ms ?? (seconds === null ? null : Math.round(seconds * 1000));
}

/** A track that may be the one. */
export interface Candidate {
  id: string;
  title: string;
  artist: string | null;
  album: string | null;
  /** Seconds. */
  duration: number | null;
  recording_mbid: string | null;
  isrc: string | null;
  missing_since: number | null;
}

/** Encoders and catalogues differ by less than this (seconds) about one recording's length. */
const LENGTH_TOLERANCE_S = 4;

/**
 * [LBZ1-20] Which of the tracks it is: by MBID, else by ISRC, else by artist and title; where several fit, those of the album,
 * then those of the length, then those whose file is there. Between two that are left it is none.
 */
export function chooseTrack<T extends Candidate>(song: NamedRecording, candidates: readonly T[]): T | null {
  const by = (fits: (candidate: T) => boolean) => candidates.filter(fits);
  const mbid = song.recording_mbid === null ? [] : by((one) => one.recording_mbid === song.recording_mbid);
  const isrc = song.isrc === null ? [] : by((one) => one.isrc === song.isrc);
  const [title, artist] = [fold(song.title), fold(song.artist)];
  const names = by((one) => fold(one.title) === title && fold(one.artist ?? '') === artist);
  let left = mbid.length > 0 ? mbid : isrc.length > 0 ? isrc : names;
  const prefer = (fits: (candidate: T) => boolean) => {
    if (left.length < 2) return;
    const fitting = left.filter(fits);
    if (fitting.length > 0) left = fitting;
  };
  const album = song.album === null ? null : fold(song.album);
  if (album !== null) prefer((one) => fold(one.album ?? '') === album);
  const seconds = song.duration_ms === null ? null : song.duration_ms / 1000;
  if (seconds !== null) prefer((one) => Math.abs((one.duration ?? Infinity) - seconds) <= LENGTH_TOLERANCE_S);
  prefer((one) => one.missing_since === null);
  const [only, second] = left;
  return second === undefined ? (only ?? null) : null;
}
