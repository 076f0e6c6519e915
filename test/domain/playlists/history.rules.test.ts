import { describe, expect, test } from 'vitest';
import { changesOf } from '#domain/playlists/history.rules.ts';
import { isMassRemoval } from '#domain/playlists/checkpoints.ts';
import { orderValues } from '#domain/playlists/sort.rules.ts';
import type { SortValue } from '#domain/playlists/sort.rules.ts';

describe('sorting', () => {
  const table: [string, Record<string, SortValue>, boolean, string][] = [
    ['texts by code unit', { a: 'b', b: 'a', c: 'á' }, false, 'bac'],
    ['the other way', { a: 'b', b: 'a', c: 'c' }, true, 'cab'],
    ['numbers as numbers', { a: 10, b: 9, c: 100 }, false, 'bac'],
    ['equals keep their order', { a: 1, b: 0, c: 1, d: 1 }, false, 'bacd'],
    ['equals keep their order the other way too', { a: 1, b: 0, c: 1, d: 1 }, true, 'acdb'],
    ['what is not known comes last', { a: null, b: 2, c: 1 }, false, 'cba'],
    ['what is not known comes last the other way too', { a: null, b: 2, c: 1 }, true, 'bca'],
    ['a key without a name is not known', { a: '\uffff\u0001x', b: 'y', c: 'x' }, true, 'bca'],
    ['nothing is known', { a: null, b: null }, true, 'ab'],
  ];
  test.each(table)('[PL28] %s', (_name, values, descending, expected) => {
    const found = orderValues(Object.keys(values), new Map(Object.entries(values)), descending);
    expect(found.join('')).toBe(expected);
  });
});

describe('what is kept', () => {
  test.each([
    [10, 1_000, true],
    [9, 1_000, false],
    [9, 45, false],
    [9, 44, true],
    [3, 14, true],
    [3, 15, false],
    [2, 2, false],
    [1, 1, false],
    [0, 0, false],
  ])('[PL27] %i of %i removed at once: %s', (removed, before, isMany) => {
    expect(isMassRemoval(removed, () => before)).toBe(isMany);
  });
});

describe('what a person did in a minute', () => {
  test('[PL26] each kind once, each entry once, sorting and restoring by themselves', () => {
    const row = (kind: 'added' | 'moved' | 'renamed' | 'sorted', ids: string[], details: object | null = null) => ({
      kind,
      entry_ids_json: JSON.stringify(ids),
      details_json: details === null ? null : JSON.stringify(details),
    });
    const found = changesOf([
      row('added', ['a']),
      row('renamed', [], { from: 'One', to: 'Two' }),
      row('sorted', ['a', 'b'], { by: 'title', descending: false }),
      row('added', ['b', 'a']),
      row('renamed', [], { from: 'Two', to: 'Three' }),
      row('sorted', ['b'], { by: 'year', descending: true }),
    ]);
    expect(
      found.map(({ kind, entry_ids, from, to, by, descending }) => [kind, entry_ids, from, to, by, descending]),
    ).toEqual([
      ['added', ['a', 'b'], null, null, null, null],
      ['renamed', [], 'One', 'Three', null, null],
      ['sorted', ['a', 'b'], null, null, 'title', false],
      ['sorted', ['b'], null, null, 'year', true],
    ]);
  });
});
