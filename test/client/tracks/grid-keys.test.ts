import { describe, expect, it } from 'vitest';
import { readGridKey } from '../../../client/src/features/tracks/grid-keys.ts';
import type { GridAct } from '../../../client/src/features/tracks/grid-keys.ts';

const press = (chord: string) => {
  const parts = chord.split('+');
  return {
    key: parts.at(-1) ?? '',
    shiftKey: parts.includes('Shift'),
    ctrlKey: parts.includes('Ctrl'),
    metaKey: parts.includes('Cmd'),
    altKey: parts.includes('Alt'),
  };
};

describe('keys of the track grid', () => {
  const map: [string, GridAct | null][] = [
    ['ArrowDown', { act: 'focus', by: 1, extend: false }],
    ['k', { act: 'focus', by: -1, extend: false }],
    ['Shift+J', { act: 'focus', by: 1, extend: true }],
    ['Shift+ArrowUp', { act: 'focus', by: -1, extend: true }],
    ['PageDown', { act: 'page', by: 1 }],
    ['End', { act: 'edge', to: 'last' }],
    ['ArrowLeft', { act: 'cell', by: -1 }],
    ['Enter', { act: 'play' }],
    ['Shift+Enter', { act: 'queue' }],
    ['x', { act: 'toggle' }],
    ['Ctrl+a', { act: 'all' }],
    ['Cmd+a', { act: 'all' }],
    ['Alt+ArrowUp', { act: 'move', direction: 'up' }],
    ['Delete', { act: 'remove' }],
    ['Shift+F10', { act: 'menu' }],
    ['ContextMenu', { act: 'menu' }],
    ['Escape', { act: 'leave' }],
    // The rest of the page's keys, and the browser's, pass through.
    [' ', null],
    ['m', null],
    ['Shift+N', null],
    ['Ctrl+x', null],
    ['Ctrl+ArrowDown', null],
    ['Alt+ArrowLeft', null],
    ['Shift+Delete', null],
    ['F10', null],
  ];
  it.each(map)('%s', (chord, act) => {
    expect(readGridKey(press(chord), true)).toEqual(act);
  });

  it('letters do nothing when single keys are switched off; the arrows stay', () => {
    for (const letter of ['j', 'k', 'x', 'Shift+J']) expect(readGridKey(press(letter), false)).toBeNull();
    expect(readGridKey(press('ArrowDown'), false)).not.toBeNull();
    expect(readGridKey(press('Ctrl+a'), false)).not.toBeNull();
  });
});
