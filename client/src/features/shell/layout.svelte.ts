import { MediaQuery } from 'svelte/reactivity';

const KEY = 'layout';

/** How the shell is arranged: the window's width, and what the person has folded away. */
class Layout {
  readonly #phone = new MediaQuery('max-width: 767px');
  readonly #wide = new MediaQuery('min-width: 1100px');
  #narrowNav = $state(false);
  #railHidden = $state(false);
  #drawer = $state(false);

  constructor() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as { narrow_nav?: boolean; rail_hidden?: boolean };
      this.#narrowNav = kept.narrow_nav === true;
      this.#railHidden = kept.rail_hidden === true;
    } catch (error) {
      console.debug('layout not kept', error);
    }
  }

  /** Below 768 px. */
  get phone(): boolean {
    return this.#phone.current;
  }
  /** From 1100 px on: the rail stands beside the page. */
  get wide(): boolean {
    return this.#wide.current;
  }
  get narrowNav(): boolean {
    return this.#narrowNav || !this.wide;
  }
  /** Beside the page when there is room, else a drawer over it. */
  get railOpen(): boolean {
    return this.wide ? !this.#railHidden : this.#drawer;
  }

  toggleNav(): void {
    this.#narrowNav = !this.#narrowNav;
    this.#keep();
  }

  toggleRail(): void {
    if (this.wide) {
      this.#railHidden = !this.#railHidden;
      this.#keep();
    } else this.#drawer = !this.#drawer;
  }

  closeDrawer(): void {
    this.#drawer = false;
  }

  #keep(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify({ narrow_nav: this.#narrowNav, rail_hidden: this.#railHidden }));
    } catch (error) {
      console.debug('layout not kept', error);
    }
  }
}

export const layout = new Layout();
