import { uuid } from '../../lib/ids.ts';
import {
  dropUpcoming,
  emptyOrder,
  insert,
  moveBefore,
  nextIndex,
  previousIndex,
  setShuffle,
  startList,
  take,
} from './queue-order.ts';
import type { Track } from '#contract/library.ts';
import type { QueueEntry, QueueOrder, Repeat } from './queue-order.ts';

const NEXT_REPEAT: Record<Repeat, Repeat> = { off: 'all', all: 'one', one: 'off' };

/** Tracks as entries of a queue, each with a key of its own. */
function entriesOf(tracks: readonly Track[]): QueueEntry<Track>[] {
  return tracks.map((item) => ({ key: uuid(), item }));
}

/** What plays, what comes next, and in which order. */
export class Queue {
  #now = $state.raw<QueueOrder<Track>>(emptyOrder());
  readonly #onchange: (order: QueueOrder<Track>) => void;

  /** `onchange` hears of every new order. */
  constructor(onchange: (order: QueueOrder<Track>) => void) {
    this.#onchange = onchange;
  }

  get #order(): QueueOrder<Track> {
    return this.#now;
  }
  set #order(order: QueueOrder<Track>) {
    this.#now = order;
    this.#onchange(order);
  }

  get order(): QueueOrder<Track> {
    return this.#now;
  }

  get current(): QueueEntry<Track> | null {
    return this.#order.entries[this.#order.index] ?? null;
  }
  get upcoming(): readonly QueueEntry<Track>[] {
    return this.#order.entries.slice(this.#order.index + 1);
  }
  get length(): number {
    return this.#order.entries.length;
  }
  get shuffle(): boolean {
    return this.#order.unshuffled !== null;
  }
  get repeat(): Repeat {
    return this.#order.repeat;
  }

  /** What follows: at the end of a track, or by a press on next. */
  following(byItself: boolean): QueueEntry<Track> | null {
    const index = nextIndex(this.#order, byItself);
    return index === null ? null : (this.#order.entries[index] ?? null);
  }

  preceding(): QueueEntry<Track> | null {
    const index = previousIndex(this.#order);
    return index === null ? null : (this.#order.entries[index] ?? null);
  }

  /** Starts a list at one of its tracks, or anywhere if shuffled on purpose. Others whose file is missing are left out. */
  start(tracks: readonly Track[], index: number, shuffle: boolean | undefined): void {
    const chosen = tracks[index];
    const playable = tracks.filter((track, i) => i === index || !track.missing);
    const at = chosen && !shuffle ? playable.indexOf(chosen) : Math.floor(Math.random() * playable.length);
    this.#order = startList(this.#order, entriesOf(playable), at, shuffle ?? this.shuffle, Math.random);
  }

  /** Takes an order that was kept. */
  restore(order: QueueOrder<Track>): void {
    this.#order = order;
  }

  goTo(key: string): void {
    const index = this.#order.entries.findIndex((entry) => entry.key === key);
    if (index >= 0) this.#order = { ...this.#order, index };
  }

  add(tracks: readonly Track[], where: 'next' | 'end'): void {
    this.#order = insert(this.#order, entriesOf(tracks), where);
  }

  remove(key: string): void {
    this.#order = take(this.#order, key);
  }

  move(keys: readonly string[], before: string | null): void {
    this.#order = moveBefore(this.#order, keys, before);
  }

  /** Drops what comes next. @returns the way back, which does nothing once another track is current. */
  clearUpcoming(): () => void {
    const before = this.#order;
    this.#order = dropUpcoming(before);
    return () => {
      if (this.current?.key === before.entries[before.index]?.key) this.#order = before;
    };
  }

  toggleShuffle(): void {
    this.#order = setShuffle(this.#order, !this.shuffle, Math.random);
  }

  cycleRepeat(): void {
    this.#order = { ...this.#order, repeat: NEXT_REPEAT[this.repeat] };
  }
}
