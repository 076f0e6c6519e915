const KEY = 'volume';

/** How loud, kept on this device. */
export class Volume {
  #level = $state(1);
  #muted = $state(false);

  constructor() {
    try {
      const kept = Number.parseFloat(localStorage.getItem(KEY) ?? '1');
      if (kept >= 0 && kept <= 1) this.#level = kept;
    } catch (error) {
      console.debug('volume not kept', error);
    }
  }

  /** 0 to 1. */
  get level(): number {
    return this.#level;
  }
  get muted(): boolean {
    return this.#muted;
  }

  /** Sets the level; anything above silence ends a mute. */
  set(level: number): void {
    this.#level = Math.min(1, Math.max(0, level));
    if (this.#level > 0) this.#muted = false;
    try {
      localStorage.setItem(KEY, String(this.#level));
    } catch (error) {
      console.debug('volume not kept', error);
    }
  }

  toggleMute(): void {
    this.#muted = !this.#muted;
  }

  applyTo(elements: readonly HTMLMediaElement[]): void {
    for (const element of elements) {
      element.volume = this.#level;
      element.muted = this.#muted;
    }
  }
}
