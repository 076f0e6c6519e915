import { describe, expect, test } from 'vitest';
import { readSubmission } from '#domain/listens/listenbrainz.rules.ts';
import type { SubmittedListen } from '#domain/listens/listenbrainz.rules.ts';

const NOW = 1_790_000_000;
const MBID = '8f3471b5-7e6a-48da-86a9-c1c07a0f47ae';
const at = { listened_at: NOW - 600 };
const named = { artist_name: 'Rick Astley', track_name: 'Never Gonna Give You Up' };
const one = (info: object = {}, more: object = {}) => ({
  ...at,
  track_metadata: { ...named, ...more, additional_info: info },
});
const submission = (payload: unknown, listen_type = 'import') => ({ listen_type, payload });
const read = (body: unknown, bytes = JSON.stringify(body)?.length ?? 0) => {
  try {
    return readSubmission(body, { bytes, now: NOW });
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
};
const readOne = (listen: unknown, listen_type?: string): SubmittedListen | string => {
  const found = read(submission([listen], listen_type));
  return typeof found === 'string' ? found : found.listens[0]!;
};
const deep = (depth: number): unknown => (depth === 0 ? 'x' : { a: deep(depth - 1) });

describe('what ListenBrainz refuses, in its words', () => {
  test.each<[string, unknown, RegExp]>([
    ['no object', [], /must have the keys/],
    ['null', null, /must have the keys/],
    ['no payload', { listen_type: 'single' }, /must have the keys/],
    ['no type', { payload: [one()] }, /must have the keys/],
    ['an unknown type', submission([one()], 'scrobble'), /valid listen_type/],
    ['a type that is no text', { listen_type: ['single'], payload: [one()] }, /valid listen_type/],
    ['a payload that is no list', submission(one()), /should be a list/],
    ['no listens', submission([]), /does not contain any listens/],
    ['two as single', submission([one(), one()], 'single'), /only one/],
    [
      'two as playing_now',
      submission([{ track_metadata: named }, { track_metadata: named }], 'playing_now'),
      /only one/,
    ],
    ['1,001', submission(Array.from({ length: 1_001 }, () => one())), /more than 1000 listens/],
  ])('[LBZ1-3] %s', (_what, body, message) => {
    expect(read(body)).toMatch(message);
  });

  test('[LBZ1-3] 10,240 bytes a listen, of all together', () => {
    const body = submission([one(), one()]);
    expect(read(body, 20_480)).toMatchObject({ listens: { length: 2 } });
    expect(read(body, 20_481)).toMatch(/may not be larger than 10240/);
  });

  test.each<[string, unknown, RegExp, string?]>([
    ['no listen at all', null, /empty/],
    ['a text', 'x', /empty/],
    ['no time', { track_metadata: named }, /must contain the key listened_at/],
    ['a time with a fraction', { listened_at: 1.5, track_metadata: named }, /int value/],
    ['a time as a text', { listened_at: '1790000000', track_metadata: named }, /int value/],
    ['a time that is no number', { listened_at: null, track_metadata: named }, /int value/],
    ['an hour ahead', { listened_at: NOW + 3_600, track_metadata: named }, /too high/],
    ['milliseconds', { listened_at: NOW * 1000, track_metadata: named }, /too high/],
    ['another key', { ...one(), user_name: 'x' }, /may only contain/],
    ['a time for playing_now', one(), /must not contain listened_at/, 'playing_now'],
    ['another key for playing_now', { track_metadata: named, x: 1 }, /may only contain track_metadata/, 'playing_now'],
    ['no metadata', { ...at }, /required track_metadata/],
    ['metadata that are a list', { ...at, track_metadata: [] }, /required track_metadata/],
    ['no artist', { ...at, track_metadata: { track_name: 'x' } }, /artist_name/],
    ['no title', { ...at, track_metadata: { artist_name: 'x' } }, /track_name/],
    ['a title that is a number', one({}, { track_name: 5 }), /track_name as string/],
    ['an artist of blanks', one({}, { artist_name: ' \t ' }), /artist_name is empty/],
    ['release_name null', one({}, { release_name: null }), /release_name/],
    ['a NUL', one({}, { track_name: 'a\0b' }), /NUL/],
    ['a NUL deep within', one({ x: { y: ['a\0'] } }), /NUL/],
    ['51 tags', one({ tags: Array<string>(51).fill('x') }), /more than 50 items/],
    ['a tag of 65', one({ tags: ['x'.repeat(65)] }), /longer than 64/],
    ['tags that are a text', one({ tags: 'jazz' }), /must be a list/],
    ['an MBID that is none', one({ recording_mbid: 'x' }), /recording_mbid MBID format is invalid/],
    ['a number as MBID', one({ release_mbid: 5 }), /release_mbid MBID format/],
    ['one bad of many', one({ artist_mbids: [MBID, 'x'] }), /artist_mbids MBID format/],
    ['duration twice', one({ duration: 200, duration_ms: 200_000 }), /both duration and duration_ms/],
    ['no duration at all', one({ duration_ms: 0 }), /positive integer/],
    ['a negative one', one({ duration: -5 }), /positive integer/],
    ['a duration in words', one({ duration: 'long' }), /positive integer/],
    ['25 days', one({ duration: 25 * 86_400 }), /too large/],
  ])('[LBZ1-4] %s', (_what, listen, message, type) => {
    expect(readOne(listen, type)).toMatch(message);
  });

  test('[LBZ1-4] one that is wrong refuses all', () => {
    expect(read(submission([one(), one({ tags: 5 }), one()]))).toMatch(/^invalid/);
  });
});

describe('what ListenBrainz takes', () => {
  test.each<[string, unknown, Partial<SubmittedListen>]>([
    [
      'the least',
      { ...at, track_metadata: named },
      { title: named.track_name, artist: named.artist_name, album: null },
    ],
    ['names are trimmed', one({}, { track_name: '  One\u0007 ' }), { title: 'One' }],
    ['an empty release', one({}, { release_name: '' }), { album: null }],
    [
      'MBIDs of null and nothing',
      one({ recording_mbid: null, release_mbid: '', artist_mbids: null }),
      { recording_mbid: null },
    ],
    ['an MBID in capitals', one({ recording_mbid: MBID.toUpperCase() }), { recording_mbid: MBID }],
    ['seconds', one({ duration: 200 }), { duration_ms: 200_000 }],
    ['seconds as a text', one({ duration: '200' }), { duration_ms: 200_000 }],
    ['milliseconds with a fraction', one({ duration_ms: 200_000.4 }), { duration_ms: 200_000 }],
    ['both, one of them empty', one({ duration: null, duration_ms: 5_000_000 }), { duration_ms: 5_000_000 }],
    ['what was heard of it', one({ duration: 200, duration_played: 150 }), { played_ms: 150_000 }],
    ['several ISRCs', one({ isrc: 'GB-AAA-87-00123\nUSRC17607839' }), { isrc: 'GBAAA8700123' }],
    ['an ISRC that is none', one({ isrc: 'unknown' }), { isrc: null }],
    ['a quarter of an hour ahead', { listened_at: NOW + 900, track_metadata: named }, { unwanted: null }],
    ['deep nonsense beside it', one({ deep: deep(50) }), { unwanted: null }],
  ])('[LBZ1-4] %s', (_what, listen, expected) => {
    expect(readOne(listen)).toMatchObject(expected);
  });

  test.each([
    ['7', 7],
    ['7/12', 7],
    [' 07 of 12', 7],
    [7, 7],
    ['A1', undefined],
    [null, undefined],
    [{}, undefined],
  ])('[LBZ1-4] a track number %j', (tracknumber, expected) => {
    const found = readOne(one({ tracknumber }));
    expect((found as SubmittedListen).info.tracknumber).toBe(expected);
  });

  test.each<[string, unknown, string | null]>([
    ['30 seconds', one({ duration: 30 }), 'too_short'],
    ['31 seconds', one({ duration: 31 }), null],
    ['before there was Last.fm', { listened_at: 1_033_430_399, track_metadata: named }, 'too_old'],
    ['as it began', { listened_at: 1_033_430_400, track_metadata: named }, null],
    ['the clock of a device that has none', { listened_at: 0, track_metadata: named }, 'too_old'],
    ['before the epoch', { listened_at: -5, track_metadata: named }, 'too_old'],
  ])('[LBZ1-5] what is not wanted is no error: %s', (_what, listen, unwanted) => {
    expect(readOne(listen)).toMatchObject({ unwanted });
  });

  test('[LBZ1-3] a thousand at once', () => {
    expect(read(submission(Array.from({ length: 1_000 }, () => one())))).toMatchObject({ listens: { length: 1_000 } });
  });

  test('[LBZ1-19] only what is of use is kept of additional_info', () => {
    const found = readOne(
      one({ media_player: 'Rhythmbox', ip: '192.0.2.1', secret: 'x', tags: ['a'], artist_mbids: [MBID] }),
    );
    expect((found as SubmittedListen).info).toEqual({ media_player: 'Rhythmbox', tags: ['a'], artist_mbids: [MBID] });
  });
});
