/**
 * What ListenBrainz takes, by its own rules and in its words (metabrainz/listenbrainz-server: webserver/views/api_tools.py), so
 * that programs written for it find here what they know. Lenient where its clients are sloppy, as it is.
 */
import { DomainError } from '../errors.ts';
import { cleanIsrc, cleanTag, cleanUuid } from '../library/library.rules.ts';
import type { NamedRecording } from './recordings.rules.ts';

/** [LBZ1-3] */
export const LISTEN_BYTES_MAX = 10_240;
export const BODY_BYTES_MAX = 10_240_000;
export const LISTENS_MAX = 1_000;
/** 2002-10-01, when Last.fm began. */
export const OLDEST_LISTEN = 1_033_430_400;
/** Clocks may be ahead (seconds). */
const FUTURE_TOLERANCE = 3_600;
const TAGS_MAX = 50;
const TAG_CHARS_MAX = 64;
/** 24 days (seconds). */
const DURATION_MAX = 24 * 86_400;
/** Plays of tracks up to this (ms) are no listens. */
const SHORTEST_MS = 30_000;
/** Longer names are cut: an index and a page hold no more. */
const NAME_CHARS_MAX = 1_000;

/** What is kept of `additional_info`, to be given back; the rest is of no use here, or nobody's business. */
const KEPT_INFO = [
  'media_player',
  'media_player_version',
  'submission_client',
  'submission_client_version',
  'original_submission_client',
  'music_service',
  'music_service_name',
  'origin_url',
  'spotify_id',
  'tracknumber',
  'discnumber',
  'recording_mbid',
  'track_mbid',
  'release_mbid',
  'release_group_mbid',
  'artist_mbids',
  'work_mbids',
  'tags',
  'isrc',
  'duration_ms',
  'duration_played',
  'release_artist_name',
] as const;
const ONE_MBID = ['recording_mbid', 'track_mbid', 'release_mbid', 'release_group_mbid'];
const MANY_MBIDS = ['artist_mbids', 'work_mbids'];

export interface SubmittedListen extends NamedRecording {
  /** Null: playing now. */
  listened_at: number | null;
  played_ms: number | null;
  info: Record<string, unknown>;
  /** [LBZ1-5] Why it is taken and not kept; programs take a refusal for a failed sign-in. */
  unwanted: 'too_short' | 'too_old' | null;
}

export interface Submission {
  listen_type: 'single' | 'playing_now' | 'import';
  listens: SubmittedListen[];
}

const bad = (message: string) => new DomainError('invalid', message);
type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A body of `submit-listens`. One listen that is wrong refuses them all [LBZ1-4].
 * @throws DomainError invalid, in ListenBrainz' words
 */
export function readSubmission(body: unknown, { bytes, now }: { bytes: number; now: number }): Submission {
  if (!isObject(body) || !('listen_type' in body) || !('payload' in body)) {
    throw bad('Invalid JSON document submitted. It must have the keys listen_type and payload.');
  }
  const { listen_type, payload } = body;
  if (listen_type !== 'single' && listen_type !== 'playing_now' && listen_type !== 'import') {
    throw bad('JSON document requires a valid listen_type key.');
  }
  if (!Array.isArray(payload)) throw bad('The payload in the JSON document should be a list of listens.');
  if (payload.length === 0) throw bad('JSON document does not contain any listens.');
  if (listen_type !== 'import' && payload.length > 1) {
    const what = listen_type === 'playing_now' ? 'playing_now' : 'single listen';
    throw bad(`JSON document contains more than listen for a ${what}. It should contain only one.`);
  }
  if (payload.length > LISTENS_MAX) {
    throw bad(`Too many listens. You may not submit more than ${LISTENS_MAX} listens at once.`);
  }
  if (bytes > LISTEN_BYTES_MAX * payload.length) {
    throw bad(
      `JSON document is too large. In aggregate, listens may not be larger than ${LISTEN_BYTES_MAX} characters.`,
    );
  }
  return { listen_type, listens: payload.map((listen: unknown) => readListen(listen, listen_type, now)) };
}

function readListen(listen: unknown, listen_type: Submission['listen_type'], now: number): SubmittedListen {
  if (!isObject(listen)) throw bad('Listen is empty and cannot be validated.');
  const isPlayingNow = listen_type === 'playing_now';
  if (hasNul(listen)) throw bad('Listen contains a NUL character, which cannot be stored.');
  const extra = Object.keys(listen).filter((key) => key !== 'track_metadata' && key !== 'listened_at');
  if (isPlayingNow) {
    if ('listened_at' in listen) throw bad('JSON document must not contain listened_at while submitting playing_now.');
    if (extra.length > 0) {
      throw bad('JSON document may only contain track_metadata as top level key when submitting playing_now.');
    }
  } else {
    if (!('listened_at' in listen)) throw bad('JSON document must contain the key listened_at at the top level.');
    if (!Number.isSafeInteger(listen.listened_at)) {
      throw bad('JSON document must contain an int value for listened_at.');
    }
    if (extra.length > 0) {
      throw bad('JSON document may only contain listened_at and track_metadata top level keys.');
    }
  }
  const listened_at = isPlayingNow ? null : (listen.listened_at as number);
  if (listened_at !== null && listened_at >= now + FUTURE_TOLERANCE) {
    throw bad('Value for key listened_at is too high.');
  }
  const named = readMetadata(listen.track_metadata);
  const isTooShort = named.duration_ms !== null && named.duration_ms <= SHORTEST_MS;
  const isTooOld = listened_at !== null && listened_at < OLDEST_LISTEN;
  const unwanted = isTooOld ? 'too_old' : isTooShort && !isPlayingNow ? 'too_short' : null;
  return { ...named, listened_at, unwanted };
}

function readMetadata(metadata: unknown): Omit<SubmittedListen, 'listened_at' | 'unwanted'> {
  if (!isObject(metadata)) throw bad('JSON document does not contain required track_metadata.');
  const artist = readName(metadata, 'artist_name');
  const title = readName(metadata, 'track_name');
  const { release_name } = metadata;
  if (release_name !== undefined && typeof release_name !== 'string') {
    throw bad('track_metadata.release_name must be a string, or be left out.');
  }
  const given = metadata.additional_info ?? {};
  if (!isObject(given)) throw bad('track_metadata.additional_info must be an object.');
  checkTags(given.tags);
  const mbids = readMbids(given);
  const duration_ms = readDuration(given);
  const isrc =
    String(given.isrc ?? '')
      .split(/[\n;,]/)
      .map(cleanIsrc)
      .find((one) => one !== null) ?? null;
  const played = Number(given.duration_played ?? NaN);
  const info: Record<string, unknown> = {};
  for (const key of KEPT_INFO) {
    const value = key in mbids ? mbids[key] : keepable(given[key]);
    if (value !== undefined && value !== null && value !== '') info[key] = value;
  }
  if (isrc !== null) info.isrc = isrc;
  const track_number = /^\s*(\d{1,5})/.exec(String(given.tracknumber ?? ''))?.[1];
  if (track_number === undefined) delete info.tracknumber;
  else info.tracknumber = Number(track_number);
  if (duration_ms !== null) info.duration_ms = duration_ms;
  return {
    title,
    artist,
    album: typeof release_name === 'string' ? cleanTag(release_name, NAME_CHARS_MAX) : null,
    duration_ms,
    recording_mbid: (mbids.recording_mbid as string | undefined) ?? null,
    isrc,
    played_ms: played > 0 && played <= DURATION_MAX ? Math.round(played * 1000) : null,
    info,
  };
}

function readName(metadata: Fields, key: 'artist_name' | 'track_name'): string {
  const value = metadata[key];
  if (value === undefined) throw bad(`JSON document does not contain required track_metadata.${key}.`);
  if (typeof value !== 'string') throw bad(`JSON document must contain track_metadata.${key} as string.`);
  const name = cleanTag(value, NAME_CHARS_MAX);
  if (name === null) throw bad(`required field track_metadata.${key} is empty.`);
  return name;
}

function checkTags(tags: unknown): void {
  if (tags === undefined || tags === null) return;
  if (!Array.isArray(tags)) throw bad('track_metadata.additional_info.tags must be a list.');
  if (tags.length > TAGS_MAX) {
    throw bad(`JSON document may not contain more than ${TAGS_MAX} items in track_metadata.additional_info.tags.`);
  }
  if (tags.some((tag) => typeof tag !== 'string' || tag.length > TAG_CHARS_MAX)) {
    throw bad(
      `JSON document may not contain track_metadata.additional_info.tags longer than ${TAG_CHARS_MAX} characters.`,
    );
  }
}

/** Null and the empty text are dropped, whatever else is no UUID refused. */
function readMbids(given: Fields): Record<string, string | string[] | undefined> {
  const read = (key: string, value: unknown): string | undefined => {
    if (value === undefined || value === null || value === '') return undefined;
    const mbid = typeof value === 'string' ? cleanUuid(value) : null;
    if (mbid === null) throw bad(`${key} MBID format is invalid.`);
    return mbid;
  };
  const found: Record<string, string | string[] | undefined> = {};
  for (const key of ONE_MBID) found[key] = read(key, given[key]);
  for (const key of MANY_MBIDS) {
    const values: unknown = given[key];
    if (values === undefined || values === null || values === '') continue;
    if (!Array.isArray(values)) throw bad(`${key} must be a list of MBIDs.`);
    found[key] = values.slice(0, 100).flatMap((value: unknown) => read(key, value) ?? []);
  }
  return found;
}

/** Milliseconds; clients send numbers and texts of numbers. */
function readDuration(given: Fields): number | null {
  const isGiven = (key: string) => given[key] !== undefined && given[key] !== null && given[key] !== '';
  if (isGiven('duration') && isGiven('duration_ms')) {
    throw bad('JSON document should not contain both duration and duration_ms.');
  }
  for (const [key, unit] of [
    ['duration', 1_000],
    ['duration_ms', 1],
  ] as const) {
    if (!isGiven(key)) continue;
    const value = given[key];
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof number !== 'number' || !(number > 0))
      throw bad(`Value for ${key} is invalid, should be a positive integer.`);
    if (number * unit > DURATION_MAX * 1_000) throw bad(`Value for ${key} is too large, the maximum is 24 days.`);
    return Math.round(number * unit);
  }
  return null;
}

/** A short text or number, or a list of them. */
function keepable(value: unknown): unknown {
  if (typeof value === 'string') return cleanTag(value, 512);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.slice(0, 100).filter((one) => typeof one === 'string');
  return undefined;
}

/** PostgreSQL takes no NUL in a text, and no name has one. */
function hasNul(value: unknown): boolean {
  return JSON.stringify(value).includes('\\u0000');
}

/** Whole numbers of a query. @throws DomainError invalid */
export function readInteger(name: string, value: unknown): number | null {
  if (value === undefined || value === '') return null;
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : NaN;
  if (Number.isNaN(number)) throw bad(`'${name}' should be a valid integer.`);
  return number;
}
const LISTENS_AT_ONCE = 25;

/** [LBZ1-12] Of which listens a page is to be. @throws DomainError invalid */
export function readRange(query: Fields): { count: number; min_ts: number | null; max_ts: number | null } {
  const read = (name: string) => readInteger(name, query[name]);
  const [count, min_ts, max_ts] = [read('count') ?? LISTENS_AT_ONCE, read('min_ts'), read('max_ts')];
  if (count < 0) throw bad("'count' should be a non-negative integer.");
  if (min_ts !== null && max_ts !== null && max_ts <= min_ts) throw bad('max_ts should be greater than min_ts.');
  return { count: Math.min(count, LISTENS_MAX), min_ts, max_ts };
}

/** [LBZ1-15] A body of `recording-feedback`. @throws DomainError invalid */
export function readFeedback(body: unknown): {
  recording_mbid: string | null;
  recording_msid: string | null;
  score: 1 | 0 | -1;
} {
  if (!isObject(body) || !('score' in body) || !('recording_mbid' in body || 'recording_msid' in body)) {
    throw bad('JSON document must contain either recording_msid or recording_mbid, and score top level keys.');
  }
  if (Object.keys(body).some((key) => !['recording_mbid', 'recording_msid', 'score'].includes(key))) {
    throw bad('JSON document may only contain recording_msid, recording_mbid and score top level keys.');
  }
  const { score } = body;
  if (score !== 1 && score !== 0 && score !== -1) throw bad('Feedback can have a value of 1, 0 or -1.');
  const read = (key: 'recording_mbid' | 'recording_msid'): string | null => {
    const value = body[key];
    if (value === undefined || value === null || value === '') return null;
    const uuid = typeof value === 'string' ? cleanUuid(value) : null;
    if (uuid === null) throw bad(`${key} is not a valid UUID.`);
    return uuid;
  };
  const [recording_mbid, recording_msid] = [read('recording_mbid'), read('recording_msid')];
  if (recording_mbid === null && recording_msid === null) {
    throw bad('JSON document must contain either recording_msid or recording_mbid, and score top level keys.');
  }
  return { recording_mbid, recording_msid, score };
}

/** A body of `delete-listen`. @throws DomainError invalid */
export function readDeletion(body: unknown): { listened_at: number; recording_msid: string } {
  if (!isObject(body) || !('listened_at' in body)) throw bad('Listen timestamp missing.');
  if (!('recording_msid' in body)) throw bad('Recording MSID missing.');
  const { listened_at, recording_msid } = body;
  if (!Number.isSafeInteger(listened_at)) throw bad('Listen timestamp invalid.');
  const uuid = typeof recording_msid === 'string' ? cleanUuid(recording_msid) : null;
  if (uuid === null) throw bad('Recording MSID format is invalid.');
  return { listened_at: listened_at as number, recording_msid: uuid };
}

/** A body of `latest-import`. @throws DomainError invalid */
export function readLatestImport(body: unknown): number {
  const ts = isObject(body) ? body.ts : undefined;
  if (!Number.isSafeInteger(ts) || (ts as number) < 0) throw bad('Invalid data sent');
  return ts as number;
}
