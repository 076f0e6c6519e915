import { setImmediate } from 'node:timers/promises';

/** Compared at once before others get their turn: about a millisecond's work. */
const ROWS_AT_ONCE = 10_000;
/** Means and deviations are made anew when so large a part of the tracks has come, gone or changed. */
const DRIFT = 0.1;
/** One odd number must not make a stranger of a track: differences beyond so many deviations count as this. */
const MOST_DEVIATIONS = 3;

export interface Neighbour {
  id: string;
  /** 0 is the same sound; two tracks drawn at random are about 1 apart. */
  distance: number;
}

/**
 * Tracks as points, each number measured against how much it varies in this library. Everything is looked at: a hundred thousand
 * tracks take some milliseconds, and nothing has to be kept in step.
 */
export interface SoundSpace {
  count(): number;
  has(id: string): boolean;
  /** Puts a track in its place; null takes it away. What is no point of this space is no point. */
  set(id: string, vector: Float32Array | null): void;
  /** The `limit` tracks that sound most like this one, nearest first, without itself; [] when it is not here. */
  nearest(id: string, limit: number): Promise<Neighbour[]>;
}

/** Makes an empty space. @param weights how much each number of a vector counts */
export function createSoundSpace(weights: readonly number[]): SoundSpace {
  const size = weights.length;
  // Two points drawn at random differ by √2 deviations in each number.
  const whole = 2 * weights.reduce((sum, weight) => sum + weight, 0);
  let rows = new Float32Array(0);
  const ids: (string | null)[] = [];
  const rowOf = new Map<string, number>();
  /** One over the deviation of each number. */
  let scale = new Float32Array(size);
  let changes = Infinity;

  function measure(): void {
    if (changes <= DRIFT * rowOf.size) return;
    scale = Float32Array.from(weights, (_, i) => {
      let sum = 0;
      let squares = 0;
      for (const row of rowOf.values()) {
        const value = rows[row * size + i]!;
        sum += value;
        squares += value * value;
      }
      const mean = sum / rowOf.size;
      const deviation = Math.sqrt(Math.max(0, squares / rowOf.size - mean * mean));
      // What does not vary tells nothing.
      return deviation > 1e-5 * (1 + Math.abs(mean)) ? 1 / deviation : 0;
    });
    changes = 0;
  }

  return {
    count: () => rowOf.size,
    has: (id) => rowOf.has(id),
    set(id, vector) {
      let row = rowOf.get(id);
      if (vector === null || vector.length !== size || !vector.every(Number.isFinite)) {
        if (row === undefined) return;
        // Its row stays empty: a search may be under way that counts rows.
        ids[row] = null;
        rowOf.delete(id);
      } else {
        if (row === undefined) {
          row = ids.push(id) - 1;
          rowOf.set(id, row);
          if (ids.length * size > rows.length) {
            const larger = new Float32Array(Math.max(256, 2 * row) * size);
            larger.set(rows);
            rows = larger;
          }
        }
        rows.set(vector, row * size);
      }
      changes++;
    },
    async nearest(id, limit) {
      const own = rowOf.get(id);
      if (own === undefined) return [];
      measure();
      const from = rows.slice(own * size, (own + 1) * size);
      const weight = Float32Array.from(weights);
      const per = scale;
      const found: Neighbour[] = [];
      let worst = Infinity;
      for (let begin = 0; begin < ids.length; begin += ROWS_AT_ONCE) {
        if (begin > 0) await setImmediate();
        const here = rows;
        const end = Math.min(ids.length, begin + ROWS_AT_ONCE);
        for (let row = begin; row < end; row++) {
          let sum = 0;
          const at = row * size;
          // What is too far already need not be looked at to the end.
          for (let i = 0; i < size && sum < worst; i++) {
            let difference = Math.abs(here[at + i]! - from[i]!) * per[i]!;
            if (difference > MOST_DEVIATIONS) difference = MOST_DEVIATIONS;
            sum += weight[i]! * difference * difference;
          }
          if (sum >= worst || row === own) continue;
          const other = ids[row];
          if (other === null || other === undefined) continue;
          found.push({ id: other, distance: sum });
          if (found.length < 4 * limit + 64) continue;
          found.sort((a, b) => a.distance - b.distance);
          found.length = limit;
          worst = found.at(-1)!.distance;
        }
      }
      found.sort((a, b) => a.distance - b.distance || (a.id < b.id ? -1 : 1));
      return found.slice(0, limit).map((one) => ({ id: one.id, distance: Math.sqrt(one.distance / whole) }));
    },
  };
}
