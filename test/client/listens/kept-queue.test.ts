import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nearCurrent, QueueKeeper, readOrder } from '../../../client/src/features/listens/kept-queue.ts';
import type { QueueOrder } from '../../../client/src/features/listens/queue-order.ts';
import type { Track } from '#contract/library.ts';

const entry = (n: number) => ({ key: `k${n}`, item: { id: `t${n}`, title: `T${n}` } as Track });
const order = (count: number, index: number): QueueOrder<Track> => ({
  entries: Array.from({ length: count }, (_, n) => entry(n)),
  index,
  unshuffled: null,
  repeat: 'all',
});

function memory(refuses = false) {
  const values = new Map<string, string>();
  return {
    values,
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => {
      if (refuses) throw new DOMException('full', 'QuotaExceededError');
      values.set(key, value);
    },
    removeItem: (key: string) => void values.delete(key),
  };
}

describe('the kept queue', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is there again with its place, under the person it belongs to', () => {
    const store = memory();
    const keeper = new QueueKeeper(store, 'ana');
    keeper.changed(order(3, 1));
    keeper.at(61.27);
    vi.runAllTimers();
    expect(new QueueKeeper(store, 'ana').read()).toEqual({ order: order(3, 1), position: 61.3 });
    expect(new QueueKeeper(store, 'ben').read()).toBeNull();
  });

  it('writes changes in quick succession once, the last of them, and at once when the page goes', () => {
    const store = memory();
    const set = vi.spyOn(store, 'setItem');
    const keeper = new QueueKeeper(store, 'ana');
    for (let index = 0; index < 5; index++) keeper.changed(order(5, index));
    expect(set).not.toHaveBeenCalled();
    keeper.flush();
    vi.runAllTimers();
    expect(set).toHaveBeenCalledTimes(1);
    expect(keeper.read()?.order.index).toBe(4);
  });

  it('keeps what is near the current track of a long list', () => {
    const kept = nearCurrent({ ...order(10_000, 5_000), unshuffled: ['k1', 'k5001', 'k9999'] });
    expect(kept.entries).toHaveLength(500);
    expect(kept.entries[kept.index]?.key).toBe('k5000');
    expect(kept.unshuffled).toEqual(['k5001']);
  });

  it('is gone when nothing is left, or when it is to be forgotten', () => {
    const store = memory();
    const keeper = new QueueKeeper(store, 'ana');
    keeper.changed(order(1, 0));
    keeper.at(5);
    keeper.flush();
    keeper.changed({ ...order(0, -1) });
    keeper.flush();
    expect(store.values.size).toBe(0);
    keeper.changed(order(1, 0));
    keeper.forget();
    vi.runAllTimers();
    expect(store.values.size).toBe(0);
  });

  it('does without a storage that refuses', () => {
    const keeper = new QueueKeeper(memory(true), 'ana');
    keeper.changed(order(2, 0));
    keeper.at(3);
    expect(() => keeper.flush()).not.toThrow();
    expect(keeper.read()).toBeNull();
  });

  it.each([
    null,
    '',
    '{',
    '[]',
    'null',
    JSON.stringify({ ...order(2, 2) }),
    JSON.stringify({ ...order(2, -1) }),
    JSON.stringify({ ...order(2, 0), repeat: 'twice' }),
    JSON.stringify({ ...order(2, 0), entries: [{ key: 'k', item: { id: 3 } }] }),
    JSON.stringify({ ...order(0, 0) }),
  ])('passes over what it cannot read: %s', (text) => {
    expect(readOrder(text)).toBeNull();
  });
});
