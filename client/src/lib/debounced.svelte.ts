/** A value that follows what is typed after a pause. */
export class Debounced {
  #value = $state('');
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #ms: number;

  constructor(initial: string, ms = 200) {
    this.#value = initial;
    this.#ms = ms;
  }

  get value(): string {
    return this.#value;
  }

  set(value: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#value = value), this.#ms);
  }

  /** Takes a value at once. */
  jump(value: string): void {
    clearTimeout(this.#timer);
    this.#value = value;
  }
}
