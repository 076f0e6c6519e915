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
export function createTokenBucket({ per_second, burst }: Rate, nowMs: number): TokenBucket {
  let tokens = burst;
  let filledAtMs = nowMs;
  function fill(atMs: number): void {
    tokens = Math.min(burst, tokens + ((atMs - filledAtMs) / 1000) * per_second);
    filledAtMs = atMs;
  }
  return {
    take(atMs, cost = 1) {
      fill(atMs);
      tokens -= cost;
      return tokens >= 0;
    },
    msUntilHalf(atMs) {
      fill(atMs);
      return Math.max(0, ((burst / 2 - tokens) / per_second) * 1000);
    },
  };
}
