/**
 * The shared document of one playlist (contract §5): three root maps and nothing else.
 *
 * - `meta`    { name, description }
 * - `entries` entry id → { track_id, added_by, added_at } (or `track_id: null` with `text`), set once
 * - `order`   entry id → fractional index string
 *
 * The list is every id in `entries`, sorted by its `order`, then id, by code unit; ids without an order come last.
 * A move sets one key, so concurrent moves never double an entry.
 */
import { generateKeyBetween, generateNKeysBetween } from 'fractional-indexing';
import type * as Y from 'yjs';

export const MAX_ENTRIES = 10_000;
/** Larger single updates are refused; clients split larger adds. */
export const MAX_UPDATE_BYTES = 256 * 1024;
export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;
/** Longest order key taken from a client; keys grow only when one always inserts at the same spot. */
export const MAX_ORDER_KEY_LENGTH = 512;
/** Base-62 digits, as fractional-indexing writes them. */
export const ORDER_KEY_PATTERN = /^[0-9A-Za-z]+$/;

export interface EntryTextValue {
  title: string;
  artist: string;
  album?: string;
  duration_ms?: number;
  isrc?: string;
  mbid?: string;
}
export interface EntryValue {
  track_id: string | null;
  added_by: string | null;
  /** Epoch seconds. */
  added_at: number;
  text?: EntryTextValue;
}
export interface ListEntry extends EntryValue {
  entry_id: string;
  /** Null while nobody has placed it. */
  order_key: string | null;
}

export function metaOf(doc: Y.Doc): Y.Map<string> {
  return doc.getMap('meta');
}
export function entriesOf(doc: Y.Doc): Y.Map<EntryValue> {
  return doc.getMap('entries');
}
export function orderOf(doc: Y.Doc): Y.Map<string> {
  return doc.getMap('order');
}

/** Order of two places: by key, then id, by code unit; no key comes last. */
export function comparePlaces(
  a: { order_key: string | null; entry_id: string },
  b: { order_key: string | null; entry_id: string },
): number {
  if (a.order_key !== b.order_key) {
    if (a.order_key === null) return 1;
    if (b.order_key === null) return -1;
    return a.order_key < b.order_key ? -1 : 1;
  }
  return a.entry_id < b.entry_id ? -1 : a.entry_id > b.entry_id ? 1 : 0;
}

/** [PL6] A fractional index others can insert beside: right characters, right form, bounded length. */
export function isOrderKey(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > MAX_ORDER_KEY_LENGTH || !ORDER_KEY_PATTERN.test(value)) return false;
  try {
    generateKeyBetween(value, null);
    return true;
  } catch (error) {
    // The library's own way to say "not one of mine".
    if (error instanceof Error) return false;
    throw error;
  }
}

/** The list as everybody sees it. */
export function readList(doc: Y.Doc): ListEntry[] {
  const order = orderOf(doc);
  const list: ListEntry[] = [];
  entriesOf(doc).forEach((value, entry_id) => {
    list.push({ ...value, entry_id, order_key: order.get(entry_id) ?? null });
  });
  return list.sort(comparePlaces);
}

/**
 * `count` order keys for a place before `before` (null: the end), jittered so that two people inserting at one place
 * rarely make the same key. `list` must not hold the entries being placed. Entries that share a key, or have no usable one,
 * get fresh keys first, returned in `rekeyed`, because nothing fits between equals.
 */
export function keysBefore(
  list: readonly ListEntry[],
  before: string | null,
  count: number,
  random: () => number = Math.random,
): { keys: string[]; rekeyed: Map<string, string> } {
  const rekeyed = new Map<string, string>();
  const at = before === null ? -1 : list.findIndex((entry) => entry.entry_id === before);
  const index = at < 0 ? list.length : at;
  const keyAt = (i: number): string | null => {
    const entry = list[i];
    return entry === undefined ? null : (rekeyed.get(entry.entry_id) ?? entry.order_key);
  };
  // Widen [from, to) to the whole run of entries without a usable key of their own around the gap.
  let from = index;
  let to = index;
  const usable = (low: string | null, high: string | null) => high === null || low === null || low < high;
  const placed = (i: number) => list[i] === undefined || isOrderKey(list[i].order_key);
  while (to < list.length && !placed(to)) to++;
  while (from > 0 && !placed(from - 1)) from--;
  if (!usable(keyAt(from - 1), keyAt(to))) {
    const equal = keyAt(to);
    while (to < list.length && keyAt(to) === equal) to++;
  }
  const total = index - from + count + (to - index);
  const fresh = keysBetween(keyAt(from - 1), keyAt(to), total, random);
  for (let i = from; i < to; i++) {
    const key = fresh[i < index ? i - from : i - from + count];
    const entry = list[i];
    if (key !== undefined && entry !== undefined) rekeyed.set(entry.entry_id, key);
  }
  return { keys: fresh.slice(index - from, index - from + count), rekeyed };
}

/** `count` keys strictly between two keys (null: open end), the first gap narrowed by chance. */
function keysBetween(low: string | null, high: string | null, count: number, random: () => number): string[] {
  let a = low;
  let b = high;
  // Each halving keeps the keys short (about one digit in six) and makes a clash 2^-8 as likely.
  for (let i = 0; i < 8; i++) {
    const middle = generateKeyBetween(a, b);
    if (b === null && i > 1) break;
    if (random() < 0.5) a = middle;
    else b = middle;
  }
  return generateNKeysBetween(a, b, count);
}

/** Adds entries before another (null: at the end), as one transaction with `origin`. */
export function addEntries(
  doc: Y.Doc,
  added: readonly { entry_id: string; value: EntryValue }[],
  before: string | null,
  origin?: unknown,
): void {
  const { keys, rekeyed } = keysBefore(readList(doc), before, added.length);
  doc.transact(() => {
    const order = orderOf(doc);
    for (const [id, key] of rekeyed) order.set(id, key);
    added.forEach(({ entry_id, value }, i) => {
      entriesOf(doc).set(entry_id, value);
      const key = keys[i];
      if (key !== undefined) order.set(entry_id, key);
    });
  }, origin);
}

/**
 * Moves entries, keeping their order among themselves, before another (null: to the end). Ids that are gone are passed
 * over; if `before` is one of the moved, the next entry behind it that stays is meant, and if it is gone, the end.
 * @returns the ids that were moved.
 */
export function moveEntries(doc: Y.Doc, ids: readonly string[], before: string | null, origin?: unknown): string[] {
  const list = readList(doc);
  const moving = new Set(ids);
  const moved = list.filter((entry) => moving.has(entry.entry_id));
  const rest = list.filter((entry) => !moving.has(entry.entry_id));
  let target = before;
  if (before !== null && moving.has(before)) {
    const at = list.findIndex((entry) => entry.entry_id === before);
    target = list.slice(at).find((entry) => !moving.has(entry.entry_id))?.entry_id ?? null;
  }
  if (moved.length === 0) return [];
  const { keys, rekeyed } = keysBefore(rest, target, moved.length);
  doc.transact(() => {
    const order = orderOf(doc);
    for (const [id, key] of rekeyed) order.set(id, key);
    moved.forEach((entry, i) => {
      const key = keys[i];
      if (key !== undefined) order.set(entry.entry_id, key);
    });
  }, origin);
  return moved.map((entry) => entry.entry_id);
}

/** Removes entries and their places; @returns the ids that were there. */
export function removeEntries(doc: Y.Doc, ids: readonly string[], origin?: unknown): string[] {
  const entries = entriesOf(doc);
  const order = orderOf(doc);
  const there = ids.filter((id) => entries.has(id));
  doc.transact(() => {
    for (const id of there) {
      entries.delete(id);
      order.delete(id);
    }
  }, origin);
  return there;
}
