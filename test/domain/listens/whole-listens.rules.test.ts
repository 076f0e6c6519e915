import { describe, expect, test } from 'vitest';
import {
  chooseTrack,
  matchKey,
  recordingId,
  recordingKey,
  trackOfUuid,
  uuidOfTrack,
} from '#domain/listens/recordings.rules.ts';
import { findSame } from '#domain/listens/whole-listens.rules.ts';
import { sortColumns } from '#domain/library/library.rules.ts';
import { newIds } from '#server/ids.ts';
import type { Candidate, NamedRecording } from '#domain/listens/recordings.rules.ts';
import type { KnownListen, ToldListen } from '#domain/listens/whole-listens.rules.ts';

const told = (started_at: number, more: Partial<ToldListen> = {}): ToldListen => ({
  started_at,
  precision_s: 1,
  track_id: null,
  match_key: 'song',
  ...more,
});
const known = (session_id: string, started_at: number, more: Partial<KnownListen> = {}): KnownListen => ({
  session_id,
  started_at,
  precision_s: 1,
  track_id: null,
  match_key: 'song',
  isLive: false,
  track_duration: null,
  isTaken: false,
  ...more,
});
const LIVE = { isLive: true, track_id: 't', match_key: null, track_duration: 200 };

describe('when a told listen is one we have', () => {
  test.each<[string, ToldListen, KnownListen[], string | null]>([
    ['the same second', told(1000), [known('a', 1000)], 'a'],
    ['two programs at one player', told(1000), [known('a', 1012)], 'a'],
    ['further apart than that', told(1000), [known('a', 1013)], null],
    ['other music', told(1000, { match_key: 'other' }), [known('a', 1000)], null],
    [
      'by its track, whatever it is called',
      told(1000, { match_key: 'x', track_id: 't' }),
      [known('a', 1001, { track_id: 't' })],
      'a',
    ],
    ['no track is no track', told(1000, { match_key: 'x' }), [known('a', 1000)], null],
    ['a service that keeps minutes', told(1000, { precision_s: 60 }), [known('a', 1071)], 'a'],
    ['and not two of them', told(1000, { precision_s: 60 }), [known('a', 1072)], null],
    ['the nearest of two', told(1000), [known('a', 991), known('b', 1004)], 'b'],
    ['our own player, within the track', told(1199, { track_id: 't' }), [known('a', 1000, LIVE)], 'a'],
    ['our own player, told from the end of the track', told(801, { track_id: 't' }), [known('a', 1000, LIVE)], 'a'],
    ['the track once more, right after', told(1200, { track_id: 't' }), [known('a', 1000, LIVE)], null],
    [
      'our own player, told before',
      told(1100, { track_id: 't' }),
      [known('a', 1000, { ...LIVE, isTaken: true })],
      null,
    ],
    [
      'and told by a second program',
      told(1003, { track_id: 't' }),
      [known('a', 1000, { ...LIVE, isTaken: true })],
      'a',
    ],
  ])('[LBZ1-10] %s', (_what, listen, sessions, expected) => {
    expect(findSame(listen, sessions, { isEachOnce: false })?.session_id ?? null).toBe(expected);
  });

  test('[IM1-8] within one import a session is one row and no other', () => {
    const taken = [known('a', 1000, { isTaken: true })];
    expect(findSame(told(1000), taken, { isEachOnce: true })).toBeNull();
    expect(findSame(told(1000), [...taken, known('b', 1010)], { isEachOnce: true })?.session_id).toBe('b');
  });
});

const song = (more: Partial<NamedRecording> = {}): NamedRecording => ({
  title: 'Heroes',
  artist: 'David Bowie',
  album: null,
  duration_ms: null,
  recording_mbid: null,
  isrc: null,
  ...more,
});
const track = (id: string, more: Partial<Candidate> = {}): Candidate => ({
  id,
  title: 'Heroes',
  artist: 'David Bowie',
  album: null,
  duration: 371,
  recording_mbid: null,
  isrc: null,
  missing_since: null,
  ...more,
});
const MBID = '8f3471b5-7e6a-48da-86a9-c1c07a0f47ae';

describe('which track a recording is', () => {
  test.each<[string, NamedRecording, Candidate[], string | null]>([
    ['the only one', song(), [track('a')], 'a'],
    ['whatever case and accents', song({ title: 'HÉROES' }), [track('a')], 'a'],
    ['none of that name', song({ title: 'Heroes (live)' }), [track('a')], null],
    ['another artist', song({ artist: 'Wallflowers' }), [track('a')], null],
    ['never one of two', song(), [track('a'), track('b')], null],
    ['of the album', song({ album: 'Stage' }), [track('a', { album: 'Heroes' }), track('b', { album: 'STAGE' })], 'b'],
    ['of the length', song({ duration_ms: 210_000 }), [track('a'), track('b', { duration: 212 })], 'b'],
    ['an album nobody has, and no length', song({ album: 'X' }), [track('a'), track('b')], null],
    ['whose file is there', song(), [track('a', { missing_since: 5 }), track('b')], 'b'],
    ['whose file is gone, if it is the only one', song(), [track('a', { missing_since: 5 })], 'a'],
    [
      'the MBID before the name',
      song({ recording_mbid: MBID }),
      [track('a'), track('b', { title: 'Helden', recording_mbid: MBID })],
      'b',
    ],
    [
      'the ISRC before the name',
      song({ isrc: 'GBAYE7700157' }),
      [track('a'), track('b', { title: 'Helden', isrc: 'GBAYE7700157' })],
      'b',
    ],
    [
      'an MBID twice',
      song({ recording_mbid: MBID }),
      [track('a', { recording_mbid: MBID }), track('b', { recording_mbid: MBID })],
      null,
    ],
    ['nothing to choose from', song(), [], null],
  ])('[LBZ1-20] %s', (_what, recording, candidates, expected) => {
    expect(chooseTrack(recording, candidates)?.id ?? null).toBe(expected);
  });

  test('[LBZ1-20] it is looked for under the key tracks are sorted by', () => {
    for (const [title, artist] of [
      ['Heroes', 'David Bowie'],
      ['Ærø – Løvé', 'Mötley  Crüe'],
      ['x'.repeat(300), 'y'.repeat(300)],
      ['草', '椎名'],
    ]) {
      const tags = {
        title: title!,
        artist: artist!,
        main_artist: artist!,
        album: null,
        album_artist: null,
        genres: [],
      };
      const columns = sortColumns({
        ...tags,
        year: null,
        track_number: null,
        disc_number: null,
        recording_mbid: null,
        isrc: null,
      });
      expect(matchKey({ title: title!, artist: artist! })).toBe(columns.title_sort);
    }
  });

  test('[LBZ1-9] the same names are the same id, for ever; others are others', () => {
    const id = (more: Partial<NamedRecording>) => recordingId(recordingKey(song(more)));
    expect(id({})).toBe('515a42c2-f455-8eaa-81c0-7675e9ad64e9');
    expect(id({ title: ' heroes ', artist: 'DAVID  BOWIE', duration_ms: 5 })).toBe(id({}));
    const others = [{}, { title: 'Heroes!' }, { artist: 'Bowie' }, { album: 'Heroes' }, { recording_mbid: MBID }];
    expect(new Set(others.map(id)).size).toBe(5);
    expect(id({})).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('[LBZ1-9] a track’s id is a UUID and back', () => {
    for (let i = 0; i < 200; i++) {
      const track_id = newIds.id();
      expect(trackOfUuid(uuidOfTrack(track_id))).toBe(track_id);
      expect(uuidOfTrack(track_id)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    }
  });
});
