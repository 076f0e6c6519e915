import { goto } from '$app/navigation';
import { session } from '../accounts/session.svelte.ts';
import { player } from '../listens/player.svelte.ts';
import { actionFor, chordOf } from './keymap.ts';
import type { Focus, ShortcutAction } from './keymap.ts';

const VOLUME_STEP = 0.05;
/** The second key of `g h` and the like must follow within this. */
const SEQUENCE_MS = 1_200;

export const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

function focusNow(): Focus {
  const element = document.activeElement;
  const is = (selector: string) => element?.matches(selector) ?? false;
  const within = (selector: string) => (element?.closest(selector) ?? null) !== null;
  const range = is('input[type=range]');
  return {
    typing:
      is('input:not([type=range], [type=checkbox], [type=radio], [type=button])') ||
      is('textarea, select, [contenteditable]'),
    usesSpace: is('button, a[href], summary, input, [role=button], [role=switch]'),
    usesArrows: range || within('[role=grid], [role=listbox], [role=radiogroup], [role=tablist], fieldset'),
    modal: within('dialog[open], [role=menu]') || document.querySelector('dialog[open]') !== null,
    inPlayer: within('[data-player]'),
  };
}

/** Runs the keyboard map over the whole app, and knows whether its sheet is open. */
class Shortcuts {
  #sheet = $state(false);
  #before: string | null = null;
  #beforeAt = 0;

  get sheet(): boolean {
    return this.#sheet;
  }
  set sheet(open: boolean) {
    this.#sheet = open;
  }
  openSheet(): void {
    this.#sheet = true;
  }

  /** Starts listening. @returns the way to stop. */
  listen(): () => void {
    const handler = (event: KeyboardEvent) => this.#onkeydown(event);
    addEventListener('keydown', handler);
    return () => removeEventListener('keydown', handler);
  }

  #onkeydown(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing || event.key === 'Shift') return;
    const before = event.timeStamp - this.#beforeAt < SEQUENCE_MS ? this.#before : null;
    this.#before = null;
    const chord = chordOf(event, isMac);
    const singleKeys = session.preferences.single_key_shortcuts;
    let action = actionFor(chord, before, focusNow(), singleKeys);
    // A key that ends no sequence is taken by itself.
    if (action === null && before !== null) action = actionFor(chord, null, focusNow(), singleKeys);
    if (action === null) return;
    event.preventDefault();
    if (action === 'pending') {
      this.#before = chord;
      this.#beforeAt = event.timeStamp;
    } else this.#run(action);
  }

  #run(action: ShortcutAction): void {
    switch (action) {
      case 'play_pause':
        return player.toggle();
      case 'seek_back':
        return player.seekBy(-session.preferences.seek_step);
      case 'seek_forward':
        return player.seekBy(session.preferences.seek_step);
      case 'previous':
        return player.previous();
      case 'next':
        return player.next();
      case 'volume_up':
        return player.setVolume(player.volume + VOLUME_STEP);
      case 'volume_down':
        return player.setVolume(player.volume - VOLUME_STEP);
      case 'mute':
        return player.toggleMute();
      case 'shuffle':
        return player.toggleShuffle();
      case 'repeat':
        return player.cycleRepeat();
      case 'sheet':
        return this.openSheet();
      case 'search':
      case 'go_search':
        return this.#search();
      case 'go_player':
        return document.querySelector<HTMLElement>('[data-player]')?.focus();
      case 'go_home':
        return void goto('/');
      case 'go_library':
        return void goto('/library/tracks');
      case 'go_playlists':
        return void goto('/playlists');
      case 'go_people':
        return void goto('/people');
      case 'go_feed':
        return void goto('/feed');
      case 'go_stats':
        return void goto('/stats');
      case 'go_history':
        return void goto('/history');
      case 'go_now':
        return void goto('/now');
    }
  }

  #search(): void {
    const box = document.querySelector<HTMLInputElement>('[data-search-box]');
    if (box) {
      box.focus();
      box.select();
    } else void goto('/search');
  }
}

export const shortcuts = new Shortcuts();
