import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import {
  MAX_ORDER_KEY_LENGTH,
  ORDER_KEY_PATTERN,
  addEntries,
  comparePlaces,
  entriesOf,
  keysBefore,
  moveEntries,
  orderOf,
  readList,
  removeEntries,
} from '#contract/playlist-doc.ts';
import type { EntryValue, ListEntry } from '#contract/playlist-doc.ts';

const valueOf = (track_id: string): EntryValue => ({ track_id, added_by: 'ana', added_at: 1 });
const idsOf = (doc: Y.Doc) => readList(doc).map(({ entry_id }) => entry_id);

function docWith(ids: readonly string[]): Y.Doc {
  const doc = new Y.Doc();
  addEntries(
    doc,
    ids.map((entry_id) => ({ entry_id, value: valueOf(`t-${entry_id}`) })),
    null,
  );
  return doc;
}

/** Exchanges everything both ways, as two clients of one server end up doing. */
function exchange(a: Y.Doc, b: Y.Doc): void {
  const fromA = Y.encodeStateAsUpdate(a, Y.encodeStateVector(b));
  const fromB = Y.encodeStateAsUpdate(b, Y.encodeStateVector(a));
  Y.applyUpdate(a, fromB);
  Y.applyUpdate(b, fromA);
}

function twoWith(ids: readonly string[]): [Y.Doc, Y.Doc] {
  const a = docWith(ids);
  const b = new Y.Doc();
  exchange(a, b);
  return [a, b];
}

type Act =
  | { kind: 'add'; count: number; at: number }
  | { kind: 'move'; picks: number[]; at: number }
  | { kind: 'remove'; picks: number[] };
const place = fc.nat({ max: 40 });
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 4 }), at: place }),
  fc.record({ kind: fc.constant('move' as const), picks: fc.array(place, { minLength: 1, maxLength: 4 }), at: place }),
  fc.record({ kind: fc.constant('remove' as const), picks: fc.array(place, { minLength: 1, maxLength: 2 }) }),
);

let made = 0;
/** Runs an act; a place beyond the list means its end. @returns the ids it added and removed. */
function run(doc: Y.Doc, step: Act): { added: string[]; removed: string[] } {
  const ids = idsOf(doc);
  const picked = (picks: number[]) => [...new Set(picks.flatMap((pick) => ids[pick] ?? []))];
  switch (step.kind) {
    case 'add': {
      const added = Array.from({ length: step.count }, () => `n${made++}`);
      addEntries(
        doc,
        added.map((entry_id) => ({ entry_id, value: valueOf('t') })),
        ids[step.at] ?? null,
      );
      return { added, removed: [] };
    }
    case 'move':
      moveEntries(doc, picked(step.picks), ids[step.at] ?? null);
      return { added: [], removed: [] };
    case 'remove':
      return { added: [], removed: removeEntries(doc, picked(step.picks)) };
  }
}

const START = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

describe('reading the list', () => {
  it('sorts by order, then id, by code unit, and puts entries without an order last', () => {
    const doc = new Y.Doc();
    const put = (id: string, key: string | null) => {
      entriesOf(doc).set(id, valueOf(id));
      if (key !== null) orderOf(doc).set(id, key);
    };
    put('z', null);
    put('b', 'a1');
    put('a', 'a1');
    put('lower', 'aa');
    put('upper', 'aZ');
    put('y', null);
    expect(idsOf(doc)).toEqual(['a', 'b', 'upper', 'lower', 'y', 'z']);
  });

  it('passes over an order without an entry', () => {
    const doc = docWith(['a']);
    orderOf(doc).set('ghost', 'a0');
    expect(idsOf(doc)).toEqual(['a']);
  });

  it('compares as a total order', () => {
    const one = fc.record({ entry_id: fc.string(), order_key: fc.option(fc.string()) });
    fc.assert(
      fc.property(one, one, one, (a, b, c) => {
        expect(Math.sign(comparePlaces(a, b))).toBe(-Math.sign(comparePlaces(b, a)) + 0);
        if (comparePlaces(a, b) <= 0 && comparePlaces(b, c) <= 0) expect(comparePlaces(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

describe('one document', () => {
  it('adds before the named entry, in the given order', () => {
    const doc = docWith(['a', 'b', 'c']);
    addEntries(
      doc,
      ['x', 'y'].map((entry_id) => ({ entry_id, value: valueOf('t') })),
      'b',
    );
    expect(idsOf(doc)).toEqual(['a', 'x', 'y', 'b', 'c']);
  });

  const moves: [string, string[], string | null, string][] = [
    ['one row up', ['c'], 'a', 'cabd'],
    ['to the end', ['a'], null, 'bcda'],
    ['several rows, in list order whatever order they are named in', ['d', 'b'], 'a', 'bdac'],
    ['before one of the moved: before the next that stays', ['b', 'c'], 'b', 'abcd'],
    ['before the last of the moved at the end', ['c', 'd'], 'd', 'abcd'],
    ['ids that are gone are passed over', ['gone', 'd'], 'a', 'dabc'],
  ];
  it.each(moves)('moves %s', (_title, ids, before, after) => {
    const doc = docWith(['a', 'b', 'c', 'd']);
    moveEntries(doc, ids, before);
    expect(idsOf(doc).join('')).toBe(after);
  });

  it('moves nothing when none of the ids is there, and writes nothing', () => {
    const doc = docWith(['a', 'b']);
    const before = Y.encodeStateVector(doc);
    expect(moveEntries(doc, ['gone'], 'a')).toEqual([]);
    expect(Y.encodeStateVector(doc)).toEqual(before);
  });

  it('a move sets the order of the moved rows and of nothing else', () => {
    const doc = docWith(START);
    const touched: string[] = [];
    orderOf(doc).observe((event) => touched.push(...event.keysChanged));
    entriesOf(doc).observe(() => expect.unreachable('a move must not touch entries'));
    moveEntries(doc, ['g', 'b'], 'd');
    expect(touched.sort()).toEqual(['b', 'g']);
  });

  it('entry and place are written in one transaction', () => {
    const doc = docWith(['a']);
    let transactions = 0;
    doc.on('afterTransaction', () => transactions++);
    addEntries(doc, [{ entry_id: 'b', value: valueOf('t') }], 'a');
    moveEntries(doc, ['b'], null);
    removeEntries(doc, ['b']);
    expect(transactions).toBe(3);
    expect(orderOf(doc).has('b')).toBe(false);
  });
});

describe('keys', () => {
  const entry = (entry_id: string, order_key: string | null): ListEntry => ({ ...valueOf('t'), entry_id, order_key });

  it('lie strictly between their neighbours and rise, for any luck', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 9 }),
        fc.integer({ min: 1, max: 20 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (at, count, luck) => {
          const list = readList(docWith(START));
          const { keys, rekeyed } = keysBefore(list, list[at]?.entry_id ?? null, count, () => luck.next().value ?? 0);
          expect(rekeyed.size).toBe(0);
          const index = Math.min(at, list.length);
          const all = [list[index - 1]?.order_key ?? '', ...keys, list[index]?.order_key ?? '~'];
          for (let i = 1; i < all.length; i++) expect((all[i - 1] ?? '') < (all[i] ?? '')).toBe(true);
          for (const key of keys) expect(key).toMatch(ORDER_KEY_PATTERN);
        },
      ),
    );
  });

  it('equal neighbours are re-keyed, so that something fits between them', () => {
    for (const before of ['a', 'b', 'c', 'd', 'e', null]) {
      const doc = docWith(['a', 'e']);
      const low = orderOf(doc).get('a') ?? '';
      for (const id of ['b', 'c', 'd']) {
        entriesOf(doc).set(id, valueOf(id));
        orderOf(doc).set(id, `${low}V`);
      }
      addEntries(doc, [{ entry_id: 'x', value: valueOf('x') }], before);
      const wanted = ['a', 'b', 'c', 'd', 'e'];
      wanted.splice(before === null ? wanted.length : wanted.indexOf(before), 0, 'x');
      expect(idsOf(doc)).toEqual(wanted);
    }
  });

  it('entries without a place get one when something is put among or behind them', () => {
    for (const before of ['p', 'q', 'r', null]) {
      const doc = docWith(['a']);
      for (const id of ['p', 'q', 'r']) entriesOf(doc).set(id, valueOf(id));
      addEntries(doc, [{ entry_id: 'x', value: valueOf('x') }], before);
      const wanted = ['a', 'p', 'q', 'r'];
      wanted.splice(before === null ? wanted.length : wanted.indexOf(before), 0, 'x');
      expect(idsOf(doc)).toEqual(wanted);
    }
  });

  it('two people inserting at one place at once rarely make one key, and both orders agree when they do', () => {
    const list = [entry('a', 'a0'), entry('b', 'a1')];
    const key = (luck: number) => keysBefore(list, 'b', 1, () => luck).keys[0];
    expect(key(0)).not.toBe(key(0.9));
    const [a, b] = twoWith(['a', 'b']);
    for (const [doc, id] of [
      [a, 'x'],
      [b, 'y'],
    ] as const) {
      entriesOf(doc).set(id, valueOf(id));
      orderOf(doc).set(id, `${orderOf(doc).get('a') ?? ''}V`);
    }
    exchange(a, b);
    expect(idsOf(a)).toEqual(['a', 'x', 'y', 'b']);
    expect(idsOf(b)).toEqual(idsOf(a));
    // A third row goes between the two that share a key.
    addEntries(a, [{ entry_id: 'm', value: valueOf('m') }], 'y');
    exchange(a, b);
    expect(idsOf(b)).toEqual(['a', 'x', 'm', 'y', 'b']);
  });

  it('stay short when one always appends', () => {
    const doc = new Y.Doc();
    for (let i = 0; i < 300; i++) addEntries(doc, [{ entry_id: `e${i}`, value: valueOf('t') }], null);
    expect(Math.max(...[...orderOf(doc).values()].map((key) => key.length))).toBeLessThan(16);
  });

  it('stay under the limit for a hundred insertions at one spot', () => {
    const doc = docWith(['a', 'b']);
    for (let i = 0; i < 100; i++) addEntries(doc, [{ entry_id: `e${i}`, value: valueOf('t') }], 'b');
    expect(Math.max(...[...orderOf(doc).values()].map((key) => key.length))).toBeLessThan(MAX_ORDER_KEY_LENGTH);
  });
});

describe('two documents', () => {
  it('converge after any edits on both sides, without doubles and without losses', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ side: fc.boolean(), step: act, sync: fc.integer({ min: 0, max: 4 }) }), { maxLength: 30 }),
        (steps) => {
          const [a, b] = twoWith(START);
          const expected = new Set(START);
          for (const { side, step, sync } of steps) {
            const { added, removed } = run(side ? a : b, step);
            for (const id of added) expected.add(id);
            for (const id of removed) expected.delete(id);
            if (sync === 0) exchange(a, b);
          }
          exchange(a, b);
          const ids = idsOf(a);
          expect(idsOf(b)).toEqual(ids);
          expect(new Set(ids).size).toBe(ids.length);
          expect(new Set(ids)).toEqual(expected);
          expect(orderOf(a).toJSON()).toEqual(orderOf(b).toJSON());
        },
      ),
      { numRuns: 200 },
    );
  });

  it('the same row moved by both stands in one place, once', () => {
    fc.assert(
      fc.property(fc.nat({ max: 7 }), fc.nat({ max: 8 }), fc.nat({ max: 8 }), (which, to, other) => {
        const [a, b] = twoWith(START);
        const id = START[which] ?? 'a';
        moveEntries(a, [id], START[to] ?? null);
        moveEntries(b, [id], START[other] ?? null);
        exchange(a, b);
        expect(idsOf(a)).toEqual(idsOf(b));
        expect(idsOf(a).filter((each) => each === id)).toHaveLength(1);
        expect(idsOf(a)).toHaveLength(START.length);
      }),
    );
  });

  it('a row removed by one and moved by the other stays removed', () => {
    const [a, b] = twoWith(START);
    removeEntries(a, ['c']);
    moveEntries(b, ['c'], 'a');
    exchange(a, b);
    expect(idsOf(a)).toEqual(['a', 'b', 'd', 'e', 'f', 'g', 'h']);
    expect(idsOf(b)).toEqual(idsOf(a));
  });

  it('the same track added by both stays two rows', () => {
    const [a, b] = twoWith(['a']);
    addEntries(a, [{ entry_id: 'x', value: valueOf('same') }], null);
    addEntries(b, [{ entry_id: 'y', value: valueOf('same') }], null);
    exchange(a, b);
    expect(idsOf(a)).toHaveLength(3);
    expect(idsOf(b)).toEqual(idsOf(a));
  });
});
