import type { Track } from '#contract/library.ts';

/** What is known of a track id: its track, that there is none to be had, or nothing yet. */
export type Known = Track | 'unknown' | undefined;

/** How many look-ups run at once; the browser has six connections a server and music needs one. */
const PARALLEL = 4;

/** Looks tracks up by id, each once, a few at a time. `ontrack` is told after each answer. */
export class TrackCache {
  #known = new Map<string, Track | 'unknown'>();
  #queue: string[] = [];
  #asked = new Set<string>();
  #running = 0;
  readonly #fetchTrack: (track_id: string) => Promise<Track | null>;
  readonly #ontrack: () => void;

  /** `fetchTrack` answers null for a track that is not there, and throws when asking again may help. */
  constructor(fetchTrack: (track_id: string) => Promise<Track | null>, ontrack: () => void) {
    this.#fetchTrack = fetchTrack;
    this.#ontrack = ontrack;
  }

  get(track_id: string): Known {
    return this.#known.get(track_id);
  }
  /** How many are waiting for an answer. */
  get pending(): number {
    return this.#queue.length + this.#running;
  }

  put(track: Track): void {
    this.#known.set(track.id, track);
  }

  /** Asks for those that are neither known nor asked for. */
  want(track_ids: Iterable<string>): void {
    for (const id of track_ids) {
      if (this.#known.has(id) || this.#asked.has(id)) continue;
      this.#asked.add(id);
      this.#queue.push(id);
    }
    while (this.#running < PARALLEL && this.#queue.length > 0) void this.#next();
  }

  async #next(): Promise<void> {
    const id = this.#queue.shift();
    if (id === undefined) return;
    this.#running++;
    try {
      this.#known.set(id, (await this.#fetchTrack(id)) ?? 'unknown');
    } catch {
      // Not answered is not "not there": the next change of the list asks again.
      this.#asked.delete(id);
    } finally {
      this.#running--;
      this.#ontrack();
    }
    if (this.#queue.length > 0) await this.#next();
  }
}
