import { describe, expect, it } from 'vitest';
import {
  NOTHING,
  actedOn,
  focusedOf,
  selectedOnly,
  selectedTo,
  stepMoveOf,
  stepped,
  toggled,
  withIds,
} from '../../../client/src/features/tracks/grid-selection.ts';
import type { Selection } from '../../../client/src/features/tracks/grid-selection.ts';

const start = (ids = 'abcdef', chosen: string | null = null): Selection => ({ ...withIds(NOTHING, [...ids]), chosen });
const chosenOf = (now: Selection) => [...now.selected].join('');

describe('focus', () => {
  it('is at the first row until somebody chose one', () => {
    expect(focusedOf(start())).toBe('a');
    expect(focusedOf(withIds(start(), [...'xabc']))).toBe('x');
    expect(focusedOf(NOTHING)).toBeNull();
  });

  it('steps inside the list and stops at its ends', () => {
    expect(stepped(start(), 1, false).chosen).toBe('b');
    expect(stepped(start('abc', 'c'), 5, false).chosen).toBe('c');
    expect(stepped(start('abc', 'b'), -100, false).chosen).toBe('a');
    expect(stepped(NOTHING, 1, false).chosen).toBeNull();
  });

  it('follows its row wherever others move it', () => {
    expect(withIds(start('abcdef', 'c'), [...'xfcab']).chosen).toBe('c');
  });

  it('passes to the next row that is still there when its own is removed', () => {
    expect(withIds(start('abcdef', 'c'), [...'abef']).chosen).toBe('e');
    expect(withIds(start('abcdef', 'f'), [...'abc']).chosen).toBe('c');
    expect(withIds(start('abc', 'b'), []).chosen).toBeNull();
  });
});

describe('selection', () => {
  it('follows ids through moves and insertions', () => {
    const now = toggled(toggled(start(), 'b'), 'd');
    expect(chosenOf(withIds(now, [...'dxyacb']))).toBe('bd');
  });

  it('lets go of rows that are gone', () => {
    const now = toggled(toggled(start(), 'b'), 'd');
    expect(chosenOf(withIds(now, [...'acdef']))).toBe('d');
  });

  it('is the same set when nothing of it changed, so that nothing is drawn anew', () => {
    const now = toggled(start(), 'b');
    expect(withIds(now, [...'bacdef']).selected).toBe(now.selected);
  });

  it('extends from where it began, and shrinks again', () => {
    let now = start('abcdef', 'c');
    now = stepped(now, 1, true);
    now = stepped(now, 1, true);
    expect(chosenOf(now)).toBe('cde');
    now = stepped(now, -1, true);
    expect(chosenOf(now)).toBe('cd');
    now = stepped(now, -2, true);
    expect(chosenOf(now)).toBe('bc');
  });

  it('a step without Shift keeps what is selected and begins a new range', () => {
    let now = stepped(start('abcdef', 'a'), 1, true);
    now = stepped(now, 2, false);
    expect(chosenOf(now)).toBe('ab');
    now = stepped(now, 1, true);
    expect(chosenOf(now)).toBe('de');
  });

  it('Shift and a press select from the last chosen row', () => {
    expect(chosenOf(selectedTo(selectedOnly(start(), 'e'), 'b'))).toBe('bcde');
  });

  it('a range whose beginning was removed begins at the focused row', () => {
    const now = withIds({ ...selectedOnly(start(), 'b'), chosen: 'b' }, [...'acdef']);
    expect(now.chosen).toBe('c');
    expect(chosenOf(selectedTo(now, 'e'))).toBe('cde');
  });
});

describe('acts', () => {
  it('mean the whole selection in list order when the row is part of it, else the row alone', () => {
    const now = toggled(toggled(start(), 'd'), 'b');
    expect(actedOn(now, 'b')).toEqual(['b', 'd']);
    expect(actedOn(now, 'c')).toEqual(['c']);
    expect(actedOn(now, 'gone')).toEqual([]);
  });

  it('move a selection by one, closing its gaps, and stop at the end', () => {
    const now = toggled(toggled(start(), 'd'), 'b');
    expect(stepMoveOf(now, 'b', 'up')).toEqual({ ids: ['b', 'd'], before: 'a' });
    expect(stepMoveOf(selectedOnly(start(), 'a'), 'a', 'up')).toBeUndefined();
    expect(stepMoveOf(start(), 'f', 'down')).toBeUndefined();
  });
});
