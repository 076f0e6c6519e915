import type { Messages } from '../../lib/i18n.svelte.ts';

/**
 * The keyboard map (design brief §8): one table for the handler, the `?` sheet and the tests. Rows without an `action`
 * are handled where they belong (the track grid, the playlist) and stand here for the sheet.
 */
export type ShortcutAction =
  | 'play_pause'
  | 'seek_back'
  | 'seek_forward'
  | 'previous'
  | 'next'
  | 'volume_up'
  | 'volume_down'
  | 'mute'
  | 'shuffle'
  | 'repeat'
  | 'search'
  | 'sheet'
  | 'go_home'
  | 'go_library'
  | 'go_playlists'
  | 'go_search'
  | 'go_people'
  | 'go_feed'
  | 'go_stats'
  | 'go_history'
  | 'go_now'
  | 'go_player';

type Words = Messages['shortcuts'];
export interface Shortcut {
  /** Alternatives; a space parts the keys of a sequence, `+` a modifier. `Mod` is Ctrl, or Cmd on a Mac. */
  keys: readonly string[];
  label: Exclude<keyof Words, 'groups' | 'title' | 'offHint' | 'then'>;
  group: keyof Words['groups'];
  action?: ShortcutAction;
  /** Where it works: everywhere but in controls that use the key themselves, or only inside the player. */
  where?: 'anywhere' | 'player';
  /** One character without Ctrl, Alt or Cmd: can be switched off (WCAG 2.1.4). */
  single?: true;
}

export const KEYMAP: readonly Shortcut[] = [
  { keys: ['Space'], label: 'playPause', group: 'player', action: 'play_pause', single: true },
  { keys: ['ArrowLeft'], label: 'seekBack', group: 'player', action: 'seek_back' },
  { keys: ['ArrowRight'], label: 'seekForward', group: 'player', action: 'seek_forward' },
  { keys: ['Shift+P'], label: 'previous', group: 'player', action: 'previous', single: true },
  { keys: ['Shift+N'], label: 'next', group: 'player', action: 'next', single: true },
  { keys: ['Shift+ArrowUp'], label: 'volumeUp', group: 'player', action: 'volume_up', where: 'player' },
  { keys: ['Shift+ArrowDown'], label: 'volumeDown', group: 'player', action: 'volume_down', where: 'player' },
  { keys: ['m'], label: 'mute', group: 'player', action: 'mute', single: true },
  { keys: ['s'], label: 'shuffle', group: 'player', action: 'shuffle', single: true },
  { keys: ['r'], label: 'repeat', group: 'player', action: 'repeat', single: true },
  { keys: ['g h'], label: 'goHome', group: 'move', action: 'go_home', single: true },
  { keys: ['g l'], label: 'goLibrary', group: 'move', action: 'go_library', single: true },
  { keys: ['g y'], label: 'goPlaylists', group: 'move', action: 'go_playlists', single: true },
  { keys: ['g f'], label: 'goFeed', group: 'move', action: 'go_feed', single: true },
  { keys: ['g e'], label: 'goPeople', group: 'move', action: 'go_people', single: true },
  { keys: ['g s'], label: 'goStats', group: 'move', action: 'go_stats', single: true },
  { keys: ['g i'], label: 'goHistory', group: 'move', action: 'go_history', single: true },
  { keys: ['g n'], label: 'goNow', group: 'move', action: 'go_now', single: true },
  { keys: ['g p'], label: 'goPlayer', group: 'move', action: 'go_player', single: true },
  { keys: ['/'], label: 'search', group: 'general', action: 'search', single: true },
  { keys: ['Mod+K'], label: 'goSearch', group: 'general', action: 'go_search', where: 'anywhere' },
  { keys: ['?'], label: 'sheet', group: 'general', action: 'sheet', single: true },
  { keys: ['Escape'], label: 'escape', group: 'general' },
  { keys: ['j', 'ArrowDown'], label: 'rowDown', group: 'list' },
  { keys: ['k', 'ArrowUp'], label: 'rowUp', group: 'list' },
  { keys: ['PageUp', 'PageDown', 'Home', 'End'], label: 'page', group: 'list' },
  { keys: ['Enter'], label: 'play', group: 'list' },
  { keys: ['Shift+Enter'], label: 'addToQueue', group: 'list' },
  { keys: ['x'], label: 'select', group: 'list' },
  { keys: ['Shift+J', 'Shift+K'], label: 'extend', group: 'list' },
  { keys: ['Mod+A'], label: 'selectAll', group: 'list' },
  { keys: ['Shift+F10'], label: 'rowMenu', group: 'list' },
  { keys: ['Alt+ArrowUp', 'Alt+ArrowDown'], label: 'moveRow', group: 'playlist' },
  { keys: ['Delete'], label: 'removeRow', group: 'playlist' },
  { keys: ['Mod+Z'], label: 'undo', group: 'playlist' },
  { keys: ['Mod+Shift+Z'], label: 'redo', group: 'playlist' },
];

export interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}
/** What has the focus, as far as it matters to shortcuts. */
export interface Focus {
  /** A field, or anything else text is typed into. */
  typing: boolean;
  /** A control that uses Space or Enter itself: button, link, switch, row. */
  usesSpace: boolean;
  /** A slider, a list or a grid, which use the arrows themselves. */
  usesArrows: boolean;
  /** Inside a dialog or a menu. */
  modal: boolean;
  inPlayer: boolean;
}

/** A press as the table writes it; letters keep their case by Shift alone, so Caps Lock changes nothing. */
export function chordOf(press: Press, mac: boolean): string {
  const mod = mac ? press.metaKey : press.ctrlKey;
  const other = mac ? press.ctrlKey : press.metaKey;
  const letter = /^\p{L}$/u.test(press.key);
  let key = press.key === ' ' ? 'Space' : press.key;
  if (letter) key = press.shiftKey || mod ? key.toUpperCase() : key.toLowerCase();
  // Punctuation such as `?` needs Shift on most keyboards: the character says it already.
  const shift = press.shiftKey && (letter || key.length > 1);
  return `${other ? 'Other+' : ''}${mod ? 'Mod+' : ''}${press.altKey ? 'Alt+' : ''}${shift ? 'Shift+' : ''}${key}`;
}

const ARROWS = /Arrow/;

/**
 * Which action a press means here, given the first key of a sequence pressed just before.
 * @returns the action, `pending` when the press begins a sequence, or null.
 */
export function actionFor(
  chord: string,
  before: string | null,
  focus: Focus,
  singleKeys: boolean,
): ShortcutAction | 'pending' | null {
  let begins = false;
  for (const shortcut of KEYMAP) {
    if (!shortcut.action || (shortcut.single && !singleKeys)) continue;
    if (!allowed(shortcut, focus)) continue;
    for (const keys of shortcut.keys) {
      const [first, second] = keys.split(' ');
      if (second !== undefined) {
        if (before === first && chord === second) return shortcut.action;
        if (before === null && chord === first) begins = true;
      } else if (before === null && chord === first) return shortcut.action;
    }
  }
  return begins ? 'pending' : null;
}

function allowed(shortcut: Shortcut, focus: Focus): boolean {
  if (focus.modal) return false;
  if (shortcut.where === 'anywhere') return true;
  if (focus.typing) return false;
  if (shortcut.where === 'player' && !focus.inPlayer) return false;
  if (shortcut.keys.includes('Space') && focus.usesSpace) return false;
  return !(shortcut.keys.some((keys) => ARROWS.test(keys)) && focus.usesArrows && shortcut.where !== 'player');
}
