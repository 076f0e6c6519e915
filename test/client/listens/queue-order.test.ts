import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
} from '../../../client/src/features/listens/queue-order.ts';
import type { QueueEntry, QueueOrder } from '../../../client/src/features/listens/queue-order.ts';

const entry = (key: string): QueueEntry<string> => ({ key, item: key.toUpperCase() });
const list = (keys: string) => [...keys].map(entry);
const keys = (order: QueueOrder<string>) => order.entries.map((one) => one.key).join('');
const start = (all: string, index = 0, shuffle = false) =>
  startList(emptyOrder<string>(), list(all), index, shuffle, () => 0.5);

describe('queue order', () => {
  it('starts a list at the chosen entry and goes on from there', () => {
    const order = start('abc', 1);
    expect(order.entries[order.index]?.key).toBe('b');
    expect(nextIndex(order, true)).toBe(2);
    expect(previousIndex(order)).toBe(0);
  });

  it('keeps a start index inside the list, and is empty for an empty one', () => {
    expect(start('abc', 9).index).toBe(2);
    expect(start('abc', -3).index).toBe(0);
    expect(start('', 0).index).toBe(-1);
    expect(nextIndex(start('', 0), false)).toBeNull();
  });

  it('ends after the last entry unless repeating', () => {
    const order = start('ab', 1);
    expect(nextIndex(order, true)).toBeNull();
    expect(nextIndex({ ...order, repeat: 'all' }, true)).toBe(0);
    expect(previousIndex({ ...start('ab'), repeat: 'all' })).toBe(1);
  });

  it('repeats one track only when it ends by itself; a press on next leaves it', () => {
    const order: QueueOrder<string> = { ...start('ab'), repeat: 'one' };
    expect(nextIndex(order, true)).toBe(0);
    expect(nextIndex(order, false)).toBe(1);
  });

  it('shuffles with the current track first, and brings the old order back around it', () => {
    const order = start('abcdef', 3, true);
    expect(order.index).toBe(0);
    expect(order.entries[0]?.key).toBe('d');
    expect([...keys(order)].sort().join('')).toBe('abcdef');
    const plain = setShuffle(order, false, Math.random);
    expect(keys(plain)).toBe('abcdef');
    expect(plain.index).toBe(3);
  });

  it('inserts next and at the end, and keeps both places when shuffle goes off', () => {
    const shuffled = start('abc', 0, true);
    const more = insert(insert(shuffled, [entry('x')], 'next'), [entry('z')], 'end');
    expect(more.entries[1]?.key).toBe('x');
    expect(more.entries.at(-1)?.key).toBe('z');
    expect(keys(setShuffle(more, false, Math.random))).toBe('axbcz');
  });

  it('takes an entry out without losing the current one', () => {
    const order = start('abcd', 2);
    expect(keys(take(order, 'a'))).toBe('bcd');
    expect(take(order, 'a').index).toBe(1);
    expect(take(order, 'd').index).toBe(2);
    expect(take(order, 'nobody')).toBe(order);
  });

  it('drops only what comes next', () => {
    expect(keys(dropUpcoming(start('abcd', 1)))).toBe('ab');
  });

  it('moves waiting entries in their own order, never the current one', () => {
    const order = start('abcde', 0);
    expect(keys(moveBefore(order, ['e', 'd'], 'b'))).toBe('adebc');
    expect(keys(moveBefore(order, ['b'], null))).toBe('acdeb');
    expect(keys(moveBefore(order, ['a'], 'd'))).toBe('abcde');
  });

  it('never loses or doubles an entry, and keeps the current one, whatever is done', () => {
    const act = fc.oneof(
      fc.record({ kind: fc.constant('shuffle' as const), on: fc.boolean() }),
      fc.record({
        kind: fc.constant('move' as const),
        key: fc.integer({ min: 0, max: 9 }),
        to: fc.integer({ min: 0, max: 12 }),
      }),
      fc.record({ kind: fc.constant('add' as const), where: fc.constantFrom('next' as const, 'end' as const) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 25 }), fc.integer({ min: 0, max: 9 }), (acts, index) => {
        let order = start('0123456789', index);
        const current = order.entries[order.index]?.key;
        let count = 10;
        for (const one of acts) {
          if (one.kind === 'shuffle') order = setShuffle(order, one.on, Math.random);
          else if (one.kind === 'move')
            order = moveBefore(order, [String(one.key)], order.entries[one.to]?.key ?? null);
          else order = insert(order, [entry(`n${count++}`)], one.where);
        }
        const all = order.entries.map((one) => one.key);
        expect(new Set(all).size).toBe(count);
        expect(all.length).toBe(count);
        expect(order.entries[order.index]?.key).toBe(current);
        expect(keys(setShuffle(setShuffle(order, true, Math.random), false, Math.random)).length).toBe(
          keys(order).length,
        );
      }),
    );
  });
});
