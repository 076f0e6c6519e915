/** What one connection may send: so many a second in the long run, so many at once after a pause. */
export interface Rate {
  per_second: number;
  burst: number;
}

/** A bucket of one connection. It costs two numbers and a subtraction, so it can be asked about every packet. */
export interface TokenBucket {
  /** Takes `cost` tokens; false when there were not enough. What was refused is taken too: who goes on stays refused. */
  take(nowMs: number, cost?: number): boolean;
  /** Milliseconds until it is half full; 0 when it is. */
  msUntilHalf(nowMs: number): number;
}

/** A full bucket. `nowMs` is any clock that does not go back. */
export function createTokenBucket(rate: Rate, nowMs: number): TokenBucket {
  return new Bucket(rate, nowMs);
}

/** Every connection has several: an object of three fields is a third of what functions of its own would take. */
class Bucket implements TokenBucket {
  #rate: Rate;
  #tokens: number;
  #filledAtMs: number;
  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAtMs = nowMs;
  }
  #fill(atMs: number): void {
    const { per_second, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((atMs - this.#filledAtMs) / 1000) * per_second);
    this.#filledAtMs = atMs;
  }
  take(atMs: number, cost = 1): boolean {
    this.#fill(atMs);
    this.#tokens -= cost;
    return this.#tokens >= 0;
  }
  msUntilHalf(atMs: number): number {
    this.#fill(atMs);
    return Math.max(0, ((this.#rate.burst / 2 - this.#tokens) / this.#rate.per_second) * 1000);
  }
}
