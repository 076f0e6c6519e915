/** A short break is not worth a word. */
const QUIET_MS = 2_000;
const OFFLINE_MS = 20_000;
const BACK_MS = 3_000;

export type Line = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'back';

/** How the live line of a list is, as a person is told: short breaks are not, longer ones step by step. */
export class LineState {
  #now = $state<Line>('connecting');
  #sent = $state(0);
  #isDown = false;
  #timers: ReturnType<typeof setTimeout>[] = [];

  get now(): Line {
    return this.#now;
  }
  /** Edits sent when the line came back. */
  get sent(): number {
    return this.#sent;
  }

  /** A line is being made for the first time. */
  begin(): void {
    this.stop();
    this.#now = 'connecting';
  }
  /** Edits that waited were sent. */
  tookAlong(edits: number): void {
    this.#sent = edits;
  }
  up(): void {
    const wasNoticed = this.#now === 'reconnecting' || this.#now === 'offline';
    this.stop();
    this.#now = wasNoticed ? 'back' : 'live';
    if (!wasNoticed) {
      this.#sent = 0;
      return;
    }
    const settle = () => {
      this.#now = 'live';
      this.#sent = 0;
    };
    this.#timers.push(setTimeout(settle, BACK_MS));
  }
  /** It broke, or could not be made; `wasUp` tells which. */
  down(wasUp: boolean): void {
    // Every failed attempt comes by here; the clock runs from the first.
    if (this.#isDown) return;
    this.stop();
    this.#isDown = true;
    this.#timers.push(
      setTimeout(() => (this.#now = wasUp ? 'reconnecting' : 'connecting'), QUIET_MS),
      setTimeout(() => (this.#now = 'offline'), OFFLINE_MS),
    );
  }
  /** Nothing more is told until something happens. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.#isDown = false;
  }
}
