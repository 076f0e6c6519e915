/** What a key means inside the track grid (design brief §8). */
export type GridAct =
  | { act: 'focus'; by: number; extend: boolean }
  | { act: 'page'; by: -1 | 1 }
  | { act: 'edge'; to: 'first' | 'last' }
  | { act: 'cell'; by: -1 | 1 }
  | { act: 'play' | 'queue' | 'toggle' | 'all' | 'remove' | 'menu' | 'leave' }
  | { act: 'move'; direction: 'up' | 'down' };

/** The parts of a keyboard event that decide. */
export interface KeyPress {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** Reads a key press; null: not ours. `singleKeys` off leaves letters to the page and to assistive technology. */
export function readGridKey(press: KeyPress, singleKeys: boolean): GridAct | null {
  const { key, shiftKey: shift, altKey: alt } = press;
  const command = press.ctrlKey || press.metaKey;
  if (alt) {
    if (command || shift) return null;
    if (key === 'ArrowUp') return { act: 'move', direction: 'up' };
    if (key === 'ArrowDown') return { act: 'move', direction: 'down' };
    return null;
  }
  if (command) return (key === 'a' || key === 'A') && !shift ? { act: 'all' } : null;
  switch (key) {
    case 'ArrowDown':
      return { act: 'focus', by: 1, extend: shift };
    case 'ArrowUp':
      return { act: 'focus', by: -1, extend: shift };
    case 'PageDown':
      return { act: 'page', by: 1 };
    case 'PageUp':
      return { act: 'page', by: -1 };
    case 'Home':
      return { act: 'edge', to: 'first' };
    case 'End':
      return { act: 'edge', to: 'last' };
    case 'ArrowRight':
      return shift ? null : { act: 'cell', by: 1 };
    case 'ArrowLeft':
      return shift ? null : { act: 'cell', by: -1 };
    case 'Enter':
      return { act: shift ? 'queue' : 'play' };
    case 'Delete':
      return shift ? null : { act: 'remove' };
    case 'ContextMenu':
      return { act: 'menu' };
    case 'F10':
      return shift ? { act: 'menu' } : null;
    case 'Escape':
      return { act: 'leave' };
  }
  if (!singleKeys) return null;
  switch (key) {
    case 'j':
    case 'J':
      return { act: 'focus', by: 1, extend: shift };
    case 'k':
    case 'K':
      return { act: 'focus', by: -1, extend: shift };
    case 'x':
      return { act: 'toggle' };
  }
  return null;
}
