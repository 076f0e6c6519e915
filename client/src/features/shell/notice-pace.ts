/** How often the app may say something by itself: about one subject, and at all. */
export class NoticePace {
  readonly #perSubjectMs: number;
  readonly #anyMs: number;
  #last = new Map<string, number>();
  #lastAny = Number.NEGATIVE_INFINITY;

  constructor(perSubjectMs: number, anyMs: number) {
    this.#perSubjectMs = perSubjectMs;
    this.#anyMs = anyMs;
  }

  /** Whether a word about a subject is due at a time (epoch ms); if so it counts as said. */
  allows(subject: string, nowMs: number): boolean {
    if (nowMs - this.#lastAny < this.#anyMs) return false;
    if (nowMs - (this.#last.get(subject) ?? Number.NEGATIVE_INFINITY) < this.#perSubjectMs) return false;
    this.#last.set(subject, nowMs);
    this.#lastAny = nowMs;
    return true;
  }
}
