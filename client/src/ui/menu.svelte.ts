import type { Component } from 'svelte';

export interface MenuItem {
  label: string;
  icon?: Component<Record<string, unknown>>;
  /** Makes it one of a group of choices, told as chosen or not. */
  checked?: boolean;
  danger?: boolean;
  disabled?: boolean;
  /** `at`: where the menu was, for one that leads to another. */
  onselect: (at: MenuAnchor) => void;
}
export type MenuEntry = MenuItem | 'separator';
/** Where a menu opens: beside an element, or at a point of the window. */
export type MenuAnchor = HTMLElement | { x: number; y: number };

/** The one menu of the app; `MenuHost` draws it. Ten thousand rows share it. */
class MenuState {
  #entries = $state.raw<readonly MenuEntry[]>([]);
  #label = $state('');
  #anchor = $state.raw<MenuAnchor | null>(null);
  #returnTo: HTMLElement | null = null;

  get isOpen(): boolean {
    return this.#anchor !== null;
  }
  get entries(): readonly MenuEntry[] {
    return this.#entries;
  }
  get label(): string {
    return this.#label;
  }
  get anchor(): MenuAnchor | null {
    return this.#anchor;
  }

  /** Opens the menu; the focus goes to its first item and comes back when it closes. */
  open(anchor: MenuAnchor, label: string, entries: readonly MenuEntry[]): void {
    this.#returnTo = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    this.#entries = entries;
    this.#label = label;
    this.#anchor = anchor;
  }

  close(returnFocus = true): void {
    if (this.#anchor === null) return;
    this.#anchor = null;
    if (returnFocus) this.#returnTo?.focus();
    this.#returnTo = null;
  }
}

export const menu = new MenuState();
