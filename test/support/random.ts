/** Chance that can be had again: a seed gives the same run. */
export interface Random {
  seed: number;
  /** 0 ≤ value < 1. */
  next(): number;
  /** A whole number, 0 ≤ value < `below`. */
  int(below: number): number;
  pick<T>(items: readonly T[]): T;
}

/** mulberry32. SEED in the environment repeats one run; a test prints its seed so that it can be. */
export function seeded(seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (below: number) => Math.floor(next() * below);
  return {
    seed,
    next,
    int,
    pick(items) {
      if (items.length === 0) throw new Error('nothing to pick from');
      return items[int(items.length)] as (typeof items)[number];
    },
  };
}
