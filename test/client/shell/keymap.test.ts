import { describe, expect, it } from 'vitest';
import { actionFor, chordOf, KEYMAP } from '../../../client/src/features/shell/keymap.ts';
import type { Focus, Press } from '../../../client/src/features/shell/keymap.ts';

const nowhere: Focus = { typing: false, usesSpace: false, usesArrows: false, modal: false, inPlayer: false };
const press = (key: string, more: Partial<Press> = {}): Press => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...more,
});
const act = (
  key: string,
  more: Partial<Press> = {},
  focus: Partial<Focus> = {},
  before: string | null = null,
  single = true,
) => actionFor(chordOf(press(key, more), false), before, { ...nowhere, ...focus }, single);

describe('keyboard map', () => {
  it.each([
    [' ', {}, 'play_pause'],
    ['ArrowLeft', {}, 'seek_back'],
    ['ArrowRight', {}, 'seek_forward'],
    ['P', { shiftKey: true }, 'previous'],
    ['N', { shiftKey: true }, 'next'],
    ['m', {}, 'mute'],
    ['s', {}, 'shuffle'],
    ['r', {}, 'repeat'],
    ['/', {}, 'search'],
    ['?', { shiftKey: true }, 'sheet'],
    ['k', { ctrlKey: true }, 'go_search'],
  ] as const)('%s %o does %s', (key, more, action) => {
    expect(act(key, more)).toBe(action);
  });

  it('takes two keys one after the other', () => {
    expect(act('g')).toBe('pending');
    expect(act('h', {}, {}, 'g')).toBe('go_home');
    expect(act('l', {}, {}, 'g')).toBe('go_library');
    expect(act('p', {}, {}, 'g')).toBe('go_player');
    expect(act('f', {}, {}, 'g')).toBe('go_feed');
    expect(act('s', {}, {}, 'g')).toBe('go_stats');
    expect(act('q', {}, {}, 'g')).toBeNull();
  });

  it('does nothing while somebody types or a dialog is open, save for what works anywhere', () => {
    expect(act('m', {}, { typing: true })).toBeNull();
    expect(act(' ', {}, { typing: true })).toBeNull();
    expect(act('k', { ctrlKey: true }, { typing: true })).toBe('go_search');
    expect(act('k', { ctrlKey: true }, { modal: true })).toBeNull();
  });

  it('leaves Space to controls that use it, and arrows to sliders and grids', () => {
    expect(act(' ', {}, { usesSpace: true })).toBeNull();
    expect(act('ArrowLeft', {}, { usesArrows: true })).toBeNull();
    expect(act('m', {}, { usesSpace: true, usesArrows: true })).toBe('mute');
  });

  it('changes the volume only inside the player, even on its sliders', () => {
    expect(act('ArrowUp', { shiftKey: true })).toBeNull();
    expect(act('ArrowUp', { shiftKey: true }, { inPlayer: true })).toBe('volume_up');
    expect(act('ArrowDown', { shiftKey: true }, { inPlayer: true, usesArrows: true })).toBe('volume_down');
  });

  it('never takes a key with a modifier of the browser or system', () => {
    expect(act('s', { ctrlKey: true })).toBeNull();
    expect(act('r', { ctrlKey: true })).toBeNull();
    expect(act('ArrowLeft', { altKey: true })).toBeNull();
    expect(act('ArrowLeft', { metaKey: true })).toBeNull();
    expect(actionFor(chordOf(press('k', { ctrlKey: true }), true), null, nowhere, true)).toBeNull();
    expect(actionFor(chordOf(press('k', { metaKey: true }), true), null, nowhere, true)).toBe('go_search');
  });

  it('single keys can be switched off, others stay (WCAG 2.1.4)', () => {
    for (const key of ['m', 's', 'r', '/', 'g', ' ']) expect(act(key, {}, {}, null, false)).toBeNull();
    expect(act('P', { shiftKey: true }, {}, null, false)).toBeNull();
    expect(act('ArrowLeft', {}, {}, null, false)).toBe('seek_back');
    expect(act('k', { ctrlKey: true }, {}, null, false)).toBe('go_search');
  });

  it('marks every character key that acts as single, and names no chord twice', () => {
    const chords = new Set<string>();
    for (const shortcut of KEYMAP) {
      for (const keys of shortcut.keys) {
        expect(chords.has(keys), keys).toBe(false);
        chords.add(keys);
        if (shortcut.action && /^(Shift\+)?.( .)?$/u.test(keys)) expect(shortcut.single, keys).toBe(true);
      }
    }
  });
});
