import { describe, expect, it } from 'vitest';
import { dropUnsent, keepUnsent, keptUnsent } from '../../../client/src/features/playlists/unsent-edits.ts';

/** Storage as browsers have it, with room for `limit` characters. */
function storageOf(limit = Number.POSITIVE_INFINITY): Storage {
  const items = new Map<string, string>();
  return {
    get length() {
      return items.size;
    },
    key: (i) => [...items.keys()][i] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => {
      if (value.length > limit) throw new DOMException('full', 'QuotaExceededError');
      items.set(key, value);
    },
    removeItem: (key) => void items.delete(key),
    clear: () => items.clear(),
  };
}
const bytes = (...values: number[]) => Uint8Array.from(values);

describe('edits kept on this device', () => {
  it('come back byte for byte, the last of each tab', () => {
    const storage = storageOf();
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    keepUnsent(storage, 'ana', 'p', 'tab1', { edits: 1, update: bytes(1) });
    keepUnsent(storage, 'ana', 'p', 'tab1', { edits: 2, update: all });
    keepUnsent(storage, 'ana', 'p', 'tab2', { edits: 1, update: bytes(7, 0) });
    expect(keptUnsent(storage, 'ana', 'p')).toEqual([
      { edits: 2, update: all },
      { edits: 1, update: bytes(7, 0) },
    ]);
  });

  it('are those of this person and this playlist alone', () => {
    const storage = storageOf();
    keepUnsent(storage, 'ana', 'p', 'tab', { edits: 1, update: bytes(1) });
    expect(keptUnsent(storage, 'ben', 'p')).toEqual([]);
    expect(keptUnsent(storage, 'ana', 'q')).toEqual([]);
    dropUnsent(storage, 'ben', 'p');
    expect(keptUnsent(storage, 'ana', 'p')).toHaveLength(1);
  });

  it('are forgotten for one tab, or all at once', () => {
    const storage = storageOf();
    for (const tab of ['a', 'b', 'c']) keepUnsent(storage, 'ana', 'p', tab, { edits: 1, update: bytes(1) });
    dropUnsent(storage, 'ana', 'p', 'b');
    expect(keptUnsent(storage, 'ana', 'p')).toHaveLength(2);
    dropUnsent(storage, 'ana', 'p');
    expect(keptUnsent(storage, 'ana', 'p')).toEqual([]);
  });

  it('a device that refuses is told, and unreadable leftovers are passed over', () => {
    const full = storageOf(10);
    expect(keepUnsent(full, 'ana', 'p', 'tab', { edits: 1, update: bytes(1, 2, 3) })).toBe(false);
    const storage = storageOf();
    storage.setItem('unsent:ana:p:old', 'not json');
    keepUnsent(storage, 'ana', 'p', 'tab', { edits: 1, update: bytes(1) });
    expect(keptUnsent(storage, 'ana', 'p')).toEqual([{ edits: 1, update: bytes(1) }]);
  });
});
