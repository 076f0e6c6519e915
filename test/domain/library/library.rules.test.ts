import { describe, expect, test } from 'vitest';
import {
  cleanTag,
  fold,
  matchFiles,
  searchPatterns,
  searchText,
  sortKey,
  titleFromPath,
} from '#domain/library/library.rules.ts';
import type { FoundFile, KnownTrack } from '#domain/library/library.rules.ts';

/** Whether a text with these words is found by a query, as LIKE would. */
function isFound(text: string, q: string): boolean {
  const haystack = searchText(text);
  return searchPatterns(q).every((pattern) => {
    const source = pattern
      .replace(/\\([\\%_])|%|_|[.*+?^${}()|[\]/]/g, (all, escaped: string | undefined) =>
        escaped !== undefined
          ? `\\u{${escaped.codePointAt(0)?.toString(16)}}`
          : all === '%'
            ? '.*'
            : all === '_'
              ? '.'
              : `\\${all}`,
      )
      .replaceAll('-', '\\-');
    return new RegExp(`^${source}$`, 'u').test(haystack);
  });
}

describe('search words', () => {
  test.each([
    ['Björk', 'bjork', 'Bjork'],
    ['Straße', 'strasse', 'STRASSE'],
    ['Ægir Øst', 'aegir ost', 'ost ae'],
    ['Łódź', 'lodz', 'łó'],
    ['AC/DC', 'ac/dc', 'acdc'],
    ['AC/DC', 'ac dc', 'dc'],
    ['Don’t Stop (Live)', "don't", 'live'],
    ['Don’t Stop', 'dont', 'st don'],
    ['100% Pure', '100%', '100'],
    ['!!!', '!', '!!!'],
    ['夜に駆ける', '駆ける', '夜'],
    ['ＦＵＬＬ ｗｉｄｔｈ', 'full', 'width'],
    ['back\\slash', 'back\\', 'slash'],
  ])('[LB10] %s is found by %s and by %s', (text, q1, q2) => {
    expect([isFound(text, q1), isFound(text, q2)]).toEqual([true, true]);
  });

  test.each([
    ['Nightfall', 'fall'],
    ['1000 Nights', '100%'],
    ['abc', 'a_c'],
    ['anything', '%'],
    ['anything', '_'],
    ['anything', '\\'],
    ['one two', 'one three'],
  ])('[LB10] %s is not found by %s', (text, q) => {
    expect(isFound(text, q)).toBe(false);
  });

  test('[LB11] names are sorted without case and accents, nameless last, shorter before longer', () => {
    const names = ['Zebra', 'élan', null, 'Elan vital', 'apple', 'Élan'].map((name) => sortKey(name));
    expect([...names].sort()).toEqual([names[4], names[1], names[5], names[3], names[0], names[2]]);
    expect(fold('  Ein   ÄÖÜ ')).toBe('ein aou');
  });
});

describe('tags', () => {
  test.each([
    ['a/03 - Night Train.mp3', 'Night Train'],
    ['1-07. Blue_Moon.flac', 'Blue Moon'],
    ['99 Luftballons.ogg', 'Luftballons'],
    ['1979.mp3', '1979'],
    ['track6.ogg', 'track6'],
    ['07.wav', '07'],
    ['.mp3', '.mp3'],
  ])('[LB6] %s without a title is called %s', (file, title) => {
    expect(titleFromPath(file)).toBe(title);
  });

  test('[LB6] tags become one clean line', () => {
    expect(cleanTag(' a\0b\u202e\nc\ud800 ')).toBe('a b c\ufffd');
    expect(cleanTag('\0 \t')).toBeNull();
    expect(cleanTag('x'.repeat(600))).toHaveLength(500);
  });
});

describe('which track a file is', () => {
  const tags = { title: 't', artist: 'a', album: 'l' };
  const track = (id: string, track_path: string, audio_hash: string, more: Partial<KnownTrack> = {}): KnownTrack => ({
    id,
    library_root: '/m',
    track_path,
    audio_hash,
    missing_since: null,
    ...tags,
    ...more,
  });
  const file = (track_path: string, audio_hash: string, more: Partial<FoundFile> = {}): FoundFile => ({
    library_root: '/m',
    track_path,
    audio_hash,
    tags,
    ...more,
  });
  const other = { title: 'other', artist: 'a', album: 'l' };
  const cases: [string, FoundFile[], KnownTrack[], (string | null)[]][] = [
    ['a retag keeps the id', [file('x', 'H', { tags: other })], [track('A', 'x', 'H')], ['A']],
    ['a moved file keeps the id', [file('y', 'H', { tags: other })], [track('A', 'x', 'H')], ['A']],
    ['a better copy at the same place keeps the id', [file('x', 'H2')], [track('A', 'x', 'H')], ['A']],
    [
      'another song at the same place is another track',
      [file('x', 'H2', { tags: other })],
      [track('A', 'x', 'H')],
      [null],
    ],
    [
      'two files that swapped places swap back',
      [file('x', 'B'), file('y', 'A')],
      [track('A', 'x', 'A'), track('B', 'y', 'B')],
      ['B', 'A'],
    ],
    [
      'one vanished track and two copies elsewhere: neither is guessed',
      [file('y', 'H'), file('z', 'H')],
      [track('A', 'x', 'H')],
      [null, null],
    ],
    [
      'two vanished tracks and one file: neither is guessed',
      [file('z', 'H')],
      [track('A', 'x', 'H'), track('B', 'y', 'H')],
      [null],
    ],
    [
      'a folder with two equal files moved: the file names decide',
      [file('new/1', 'H'), file('new/2', 'H')],
      [track('A', 'old/1', 'H'), track('B', 'old/2', 'H')],
      ['A', 'B'],
    ],
    [
      'another root, the same paths: the paths decide',
      [file('a/1', 'H', { library_root: '/n' }), file('b/1', 'H', { library_root: '/n' })],
      [track('A', 'a/1', 'H'), track('B', 'b/1', 'H')],
      ['A', 'B'],
    ],
    [
      'the same place comes before the same audio',
      [file('x', 'H'), file('y', 'H')],
      [track('A', 'x', 'H', { missing_since: 5 })],
      ['A', null],
    ],
    ['a move comes before an upgrade', [file('x', 'B')], [track('A', 'x', 'A'), track('B', 'gone', 'B')], ['B']],
    [
      'of the tracks a place had, the live one is upgraded',
      [file('x', 'H3')],
      [track('A', 'x', 'H1', { missing_since: 5 }), track('B', 'x', 'H2')],
      ['B'],
    ],
  ];
  test.each(cases)('[LB3] %s', (_title, files, tracks, expected) => {
    const matched = matchFiles(files, tracks);
    expect(files.map((one) => matched.get(one)?.id ?? null)).toEqual(expected);
  });
});
