/**
 * The order in which tracks play: a list of entries, a place in it, and what shuffle and repeat do to it.
 * Pure: every act answers a new order. Entries carry their own key, because one track may stand in it twice.
 */
export type Repeat = 'off' | 'all' | 'one';

export interface QueueEntry<Item> {
  /** Unique in this sitting. */
  key: string;
  item: Item;
}

export interface QueueOrder<Item> {
  /** As they play. */
  entries: readonly QueueEntry<Item>[];
  /** Which one is current; -1 when nothing is. */
  index: number;
  /** The keys as they stood before shuffling; null while not shuffled. */
  unshuffled: readonly string[] | null;
  repeat: Repeat;
}

export type Random = () => number;

/** An order with nothing in it. */
export function emptyOrder<Item>(): QueueOrder<Item> {
  return { entries: [], index: -1, unshuffled: null, repeat: 'off' };
}

/** Fisher–Yates on a copy. */
function shuffled<T>(list: readonly T[], random: Random): T[] {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const a = copy[i];
    const b = copy[j];
    if (a !== undefined && b !== undefined) {
      copy[i] = b;
      copy[j] = a;
    }
  }
  return copy;
}

/** Starts a new list at one of its entries; repeat stays, shuffle only if asked for. */
export function startList<Item>(
  order: QueueOrder<Item>,
  entries: readonly QueueEntry<Item>[],
  index: number,
  shuffle: boolean,
  random: Random,
): QueueOrder<Item> {
  if (entries.length === 0) return { ...emptyOrder<Item>(), repeat: order.repeat };
  const at = Math.min(Math.max(index, 0), entries.length - 1);
  const plain: QueueOrder<Item> = { entries, index: at, unshuffled: null, repeat: order.repeat };
  return shuffle ? setShuffle(plain, true, random) : plain;
}

/** Turns shuffle on (the current track stays and comes first) or off (the old order comes back around it). */
export function setShuffle<Item>(order: QueueOrder<Item>, on: boolean, random: Random): QueueOrder<Item> {
  if (on === (order.unshuffled !== null)) return order;
  const current = order.entries[order.index];
  if (on) {
    const rest = order.entries.filter((entry) => entry !== current);
    return {
      ...order,
      entries: current ? [current, ...shuffled(rest, random)] : shuffled(rest, random),
      index: current ? 0 : -1,
      unshuffled: order.entries.map((entry) => entry.key),
    };
  }
  const place = new Map((order.unshuffled ?? []).map((key, i) => [key, i]));
  const entries = [...order.entries].sort(
    (a, b) => (place.get(a.key) ?? Number.POSITIVE_INFINITY) - (place.get(b.key) ?? Number.POSITIVE_INFINITY),
  );
  return { ...order, entries, index: current ? entries.indexOf(current) : -1, unshuffled: null };
}

/** The index that follows, or null at the end. `byItself` is the end of a track, which repeats one track if asked to. */
export function nextIndex<Item>(order: QueueOrder<Item>, byItself: boolean): number | null {
  if (order.entries.length === 0) return null;
  if (byItself && order.repeat === 'one' && order.index >= 0) return order.index;
  if (order.index + 1 < order.entries.length) return order.index + 1;
  return order.repeat === 'off' || (order.repeat === 'one' && !byItself) ? null : 0;
}

/** The index before, or null at the start. */
export function previousIndex<Item>(order: QueueOrder<Item>): number | null {
  if (order.index > 0) return order.index - 1;
  return order.repeat === 'all' && order.entries.length > 0 ? order.entries.length - 1 : null;
}

/** Puts entries right behind the current one, or at the end. */
export function insert<Item>(
  order: QueueOrder<Item>,
  added: readonly QueueEntry<Item>[],
  where: 'next' | 'end',
): QueueOrder<Item> {
  const at = where === 'next' ? order.index + 1 : order.entries.length;
  const keys = added.map((entry) => entry.key);
  let unshuffled = order.unshuffled;
  if (unshuffled) {
    const current = order.entries[order.index];
    const place = where === 'next' && current ? unshuffled.indexOf(current.key) + 1 : unshuffled.length;
    unshuffled = unshuffled.toSpliced(place, 0, ...keys);
  }
  return { ...order, entries: order.entries.toSpliced(at, 0, ...added), unshuffled };
}

/** Takes one entry out; the current one stays current unless it is the one taken, whose place the next takes. */
export function take<Item>(order: QueueOrder<Item>, key: string): QueueOrder<Item> {
  const at = order.entries.findIndex((entry) => entry.key === key);
  if (at < 0) return order;
  const entries = order.entries.toSpliced(at, 1);
  const index = at < order.index ? order.index - 1 : Math.min(order.index, entries.length - 1);
  return { ...order, entries, index, unshuffled: order.unshuffled?.filter((one) => one !== key) ?? null };
}

/** Leaves only what has played and plays. */
export function dropUpcoming<Item>(order: QueueOrder<Item>): QueueOrder<Item> {
  const entries = order.entries.slice(0, order.index + 1);
  const keys = new Set(entries.map((entry) => entry.key));
  return { ...order, entries, unshuffled: order.unshuffled?.filter((key) => keys.has(key)) ?? null };
}

/** Moves entries that still wait, keeping their order among themselves, before another (null: to the end). */
export function moveBefore<Item>(
  order: QueueOrder<Item>,
  keys: readonly string[],
  before: string | null,
): QueueOrder<Item> {
  const moving = new Set(keys);
  const current = order.entries[order.index];
  if (current) moving.delete(current.key);
  const moved = order.entries.filter((entry) => moving.has(entry.key));
  const rest = order.entries.filter((entry) => !moving.has(entry.key));
  const found = before === null ? -1 : rest.findIndex((entry) => entry.key === before);
  const entries = rest.toSpliced(found < 0 ? rest.length : found, 0, ...moved);
  return { ...order, entries, index: current ? entries.indexOf(current) : -1 };
}
