import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  anchorShift,
  dropBefore,
  isSameOrder,
  placesOf,
  positionBefore,
  rangeBetween,
  stepBefore,
  survivorOf,
  unseenOf,
  windowOf,
} from '../../../client/src/features/tracks/grid-math.ts';

const ids = (text: string) => [...text];
const moved = (list: string, moving: string, before: string | null) => {
  const rest = ids(list).filter((id) => !moving.includes(id));
  const block = ids(list).filter((id) => moving.includes(id));
  rest.splice(before === null ? rest.length : rest.indexOf(before), 0, ...block);
  return rest.join('');
};

describe('changes out of view', () => {
  it('are counted above and below, with the nearest of each; rows that are gone are none', () => {
    const inView = { from: 10, to: 20 };
    expect(unseenOf([3, 9, 10, 19, 20, 400, -1], inView)).toEqual({
      above: 2,
      below: 2,
      nearestAbove: 9,
      nearestBelow: 20,
    });
    expect(unseenOf([12, -1], inView)).toEqual({ above: 0, below: 0, nearestAbove: -1, nearestBelow: -1 });
  });
});

describe('window', () => {
  it('draws what is in view and a little beyond, never outside the list', () => {
    expect(windowOf(0, 560, 56, 1000, 6)).toEqual({ from: 0, to: 16 });
    expect(windowOf(5600, 560, 56, 1000, 6)).toEqual({ from: 94, to: 116 });
    expect(windowOf(55_900, 560, 56, 1000, 6).to).toBe(1000);
    expect(windowOf(-2000, 560, 56, 1000, 6)).toEqual({ from: 0, to: 0 });
    expect(windowOf(0, 560, 56, 3, 6)).toEqual({ from: 0, to: 3 });
  });

  it('holds at most the view and twice the overscan, whatever the scroll', () => {
    fc.assert(
      fc.property(fc.integer({ min: -10_000, max: 700_000 }), fc.nat({ max: 10_000 }), (top, count) => {
        const { from, to } = windowOf(top, 800, 56, count, 6);
        expect(from).toBeGreaterThanOrEqual(0);
        expect(to).toBeGreaterThanOrEqual(from);
        expect(to).toBeLessThanOrEqual(count);
        expect(to - from).toBeLessThanOrEqual(Math.ceil(800 / 56) + 1 + 12);
      }),
    );
  });
});

describe('survivor', () => {
  const cases: [string, string, string, string | null][] = [
    ['abcd', 'abcd', 'b', 'b'],
    ['abcd', 'acd', 'b', 'c'],
    ['abcd', 'ab', 'd', 'b'],
    ['abcd', 'dab', 'c', 'd'],
    ['abcd', '', 'c', null],
    ['abcd', 'abcd', 'x', null],
  ];
  it.each(cases)('%s becomes %s: who stands for %s is %s', (before, after, id, survivor) => {
    expect(survivorOf(ids(before), placesOf(ids(after)), id)).toBe(survivor);
  });
});

describe('anchor', () => {
  const shift = (before: string, after: string, from: number, to: number, focused: string | null = null) =>
    anchorShift({ before: ids(before), after: placesOf(ids(after)), inView: { from, to }, focused });

  it('rows that arrive above push the view down by as many', () => {
    expect(shift('abcdefgh', 'xyabcdefgh', 3, 6)).toBe(2);
  });
  it('rows that leave above pull it up', () => {
    expect(shift('abcdefgh', 'cdefgh', 3, 6)).toBe(-2);
  });
  it('rows that arrive below move nothing', () => {
    expect(shift('abcdefgh', 'abcdefgxyh', 3, 6)).toBe(0);
  });
  it('somebody at the head of the list sees what arrives there', () => {
    expect(shift('abcd', 'xabcd', 0, 3)).toBe(0);
    expect(shift('abcd', 'xabcd', -2, 3)).toBe(0);
  });
  it('the focused row holds the view, at the head of the list too', () => {
    expect(shift('abcd', 'xabcd', 0, 3, 'b')).toBe(1);
    expect(shift('abcdefgh', 'abxcdefgh', 1, 6, 'c')).toBe(1);
    expect(shift('abcdefgh', 'abcxdefgh', 1, 6, 'c')).toBe(0);
  });
  it('a focused row out of view does not hold it', () => {
    expect(shift('abcdefgh', 'xabcdefgh', 4, 7, 'a')).toBe(1);
    expect(shift('abcdefgh', 'bcdefgha', 4, 7, 'a')).toBe(-1);
  });
  it('a removed row hands over to the next one in view', () => {
    expect(shift('abcdefgh', 'xabcefgh', 3, 6)).toBe(0);
    expect(shift('abcdefgh', 'xyabcefgh', 3, 6)).toBe(1);
  });
  it('keeps the first row in view at its place for any insertions above it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat({ max: 10 }), (first, count) => {
        const before = Array.from({ length: 40 }, (_, i) => `r${i}`);
        const after = [...Array.from({ length: count }, (_, i) => `n${i}`), ...before];
        const by = anchorShift({
          before,
          after: placesOf(after),
          inView: { from: first, to: first + 10 },
          focused: null,
        });
        expect(after[first + by]).toBe(before[first]);
      }),
    );
  });
});

describe('moves', () => {
  const steps: [string, string, 'up' | 'down', string][] = [
    ['abcd', 'c', 'up', 'acbd'],
    ['abcd', 'c', 'down', 'abdc'],
    ['abcd', 'bc', 'up', 'bcad'],
    ['abcd', 'bc', 'down', 'adbc'],
    ['abcde', 'bd', 'up', 'bdace'],
    ['abcde', 'bd', 'down', 'acebd'],
  ];
  it.each(steps)('%s, %s one %s gives %s', (list, moving, direction, result) => {
    const before = stepBefore(ids(list), new Set(moving), direction);
    expect(before).not.toBeUndefined();
    expect(moved(list, moving, before ?? null)).toBe(result);
  });
  it('a block at its end goes no further', () => {
    expect(stepBefore(ids('abcd'), new Set('a'), 'up')).toBeUndefined();
    expect(stepBefore(ids('abcd'), new Set('cd'), 'down')).toBeUndefined();
    expect(stepBefore(ids('abcd'), new Set('x'), 'down')).toBeUndefined();
  });
  it('a drop names the next row that stays', () => {
    expect(dropBefore(ids('abcd'), new Set('c'), 2)).toBe('d');
    expect(dropBefore(ids('abcd'), new Set('d'), 3)).toBeNull();
    expect(dropBefore(ids('abcd'), new Set('a'), 0)).toBe('b');
    expect(dropBefore(ids('abcd'), new Set('a'), 9)).toBeNull();
  });
  it('a position counts among the rows that stay', () => {
    expect(moved('abcd', 'a', positionBefore(ids('abcd'), new Set('a'), 2))).toBe('bcad');
    expect(moved('abcd', 'd', positionBefore(ids('abcd'), new Set('d'), 0))).toBe('dabc');
    expect(moved('abcd', 'b', positionBefore(ids('abcd'), new Set('b'), 3))).toBe('acdb');
  });
  it('tells a move that changes nothing', () => {
    expect(isSameOrder(ids('abcd'), new Set('b'), 'c')).toBe(true);
    expect(isSameOrder(ids('abcd'), new Set('d'), null)).toBe(true);
    expect(isSameOrder(ids('abcd'), new Set('bd'), 'c')).toBe(false);
    expect(isSameOrder(ids('abcd'), new Set('b'), 'a')).toBe(false);
  });
  it('a range holds both ends, in list order', () => {
    expect(rangeBetween(ids('abcde'), 'd', 'b').join('')).toBe('bcd');
    expect(rangeBetween(ids('abcde'), 'x', 'b').join('')).toBe('b');
    expect(rangeBetween(ids('abcde'), 'b', 'x').join('')).toBe('');
  });
});
