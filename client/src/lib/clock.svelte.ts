/**
 * The server's clock as far as the client knows it: of several exchanges the one with the shortest way counts,
 * because its error is at most half that way (RFC 5905 §8).
 */
export class Clock {
  #offsetMs = $state(0);
  #bestDelayMs = Number.POSITIVE_INFINITY;

  /** Takes one exchange: t0 sent, t1 received and t2 answered there, t3 received here. */
  take(t0_ms: number, t1_ms: number, t2_ms: number, t3_ms: number): void {
    const delayMs = t3_ms - t0_ms - (t2_ms - t1_ms);
    if (delayMs < 0 || delayMs > this.#bestDelayMs) return;
    this.#bestDelayMs = delayMs;
    this.#offsetMs = (t1_ms - t0_ms + t2_ms - t3_ms) / 2;
  }

  /** Forgets the best exchange, so that a new connection measures anew; the offset stays until then. */
  restart(): void {
    this.#bestDelayMs = Number.POSITIVE_INFINITY;
  }

  /** Server time now, in epoch milliseconds. */
  now(): number {
    return Date.now() + this.#offsetMs;
  }
}

export const clock = new Clock();
