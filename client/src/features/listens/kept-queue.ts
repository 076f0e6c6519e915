/**
 * What plays and what waits, kept on this device so that it is there again when the app is opened. The list is written
 * when it changes, the place in the track beside it, because that changes all the time.
 */
import type { Track } from '#contract/library.ts';
import type { QueueEntry, QueueOrder } from './queue-order.ts';

/** Tracks kept behind and from the current one on: about 300 kB of the 5 MB a browser gives. */
const KEEP_BEFORE = 50;
const KEEP_FROM = 450;
/** Changes in quick succession are written once. */
const WRITE_AFTER_MS = 250;

export interface KeptQueue {
  order: QueueOrder<Track>;
  /** Seconds into the current track. */
  position: number;
}
type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** The part of an order that is kept: what is near the current track. */
export function nearCurrent<Item>(order: QueueOrder<Item>): QueueOrder<Item> {
  const from = Math.max(0, order.index - KEEP_BEFORE);
  const entries = order.entries.slice(from, Math.max(0, order.index) + KEEP_FROM);
  const keys = new Set(entries.map((entry) => entry.key));
  return {
    ...order,
    entries,
    index: order.index - from,
    unshuffled: order.unshuffled?.filter((key) => keys.has(key)) ?? null,
  };
}

/** An order as it was written; null for anything else that may lie in the storage. */
export function readOrder(text: string | null): QueueOrder<Track> | null {
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { entries, index, unshuffled, repeat } = value as Record<string, unknown>;
  if (!Array.isArray(entries) || !entries.every(isEntry) || entries.length === 0) return null;
  if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= entries.length) return null;
  if (repeat !== 'off' && repeat !== 'all' && repeat !== 'one') return null;
  const keys = Array.isArray(unshuffled) ? unshuffled.filter((key): key is string => typeof key === 'string') : null;
  return { entries, index, unshuffled: keys, repeat };
}

function isEntry(value: unknown): value is QueueEntry<Track> {
  const { key, item } = (value ?? {}) as Partial<QueueEntry<Partial<Track>>>;
  return typeof key === 'string' && typeof item?.id === 'string' && typeof item.title === 'string';
}

/** Keeps the queue of one person. */
export class QueueKeeper {
  readonly #store: Store;
  readonly #key: string;
  #pending: { order: QueueOrder<Track>; timer: ReturnType<typeof setTimeout> } | null = null;

  constructor(store: Store, user_id: string) {
    this.#store = store;
    this.#key = `queue:${user_id}`;
  }

  /** What was kept; null when there is nothing that can be read. */
  read(): KeptQueue | null {
    const order = readOrder(this.#store.getItem(this.#key));
    if (!order) return null;
    const position = Number(this.#store.getItem(`${this.#key}:position`));
    return { order, position: position > 0 && Number.isFinite(position) ? position : 0 };
  }

  /** Takes a changed list; it is written soon, or by `flush`. */
  changed(order: QueueOrder<Track>): void {
    if (this.#pending) clearTimeout(this.#pending.timer);
    this.#pending = { order, timer: setTimeout(() => this.flush(), WRITE_AFTER_MS) };
  }

  /** Takes the place in the current track, in seconds. */
  at(position: number): void {
    this.#write(`${this.#key}:position`, position.toFixed(1));
  }

  /** Writes what waits to be written. */
  flush(): void {
    if (!this.#pending) return;
    clearTimeout(this.#pending.timer);
    const { order } = this.#pending;
    this.#pending = null;
    if (order.index < 0) this.forget();
    else this.#write(this.#key, JSON.stringify(nearCurrent(order)));
  }

  forget(): void {
    if (this.#pending) clearTimeout(this.#pending.timer);
    this.#pending = null;
    this.#store.removeItem(this.#key);
    this.#store.removeItem(`${this.#key}:position`);
  }

  #write(key: string, value: string): void {
    try {
      this.#store.setItem(key, value);
    } catch (error) {
      // Full or forbidden storage: the queue is then there until the page goes.
      console.debug('queue not kept', error);
    }
  }
}
