import { afterEach, describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { PlaylistSync, newEntryId, reallyMoved } from '../../../client/src/features/playlists/playlist-sync.ts';
import { ID_PATTERN } from '#contract/primitives.ts';
import { entriesOf, moveEntries, readList, removeEntries } from '#contract/playlist-doc.ts';
import type { RemoteChange, SyncListener } from '../../../client/src/features/playlists/playlist-sync.ts';

const opened: PlaylistSync[] = [];
afterEach(() => {
  for (const sync of opened.splice(0)) sync.destroy();
});

/** A person at their own document; nothing is sent but by `exchange`. */
function person(user_id: string) {
  const seen: { remote: RemoteChange[]; waiting: number; unsent: ReadonlySet<string>; undo: [boolean, boolean] } = {
    remote: [],
    waiting: 0,
    unsent: new Set(),
    undo: [false, false],
  };
  const listener: SyncListener = {
    onlist: () => undefined,
    onmeta: () => undefined,
    online: () => undefined,
    onclosed: () => undefined,
    onbroken: () => undefined,
    onremote: (change) => seen.remote.push(change),
    onpresence: () => undefined,
    onwaiting: (edits, unsent) => {
      seen.waiting = edits;
      seen.unsent = unsent;
    },
    onundo: (...can) => (seen.undo = can),
  };
  const sync = new PlaylistSync({
    ws_base: 'ws://127.0.0.1:9',
    playlist_id: 'p',
    user_id,
    listener,
    connect: false,
    nowMs: () => 1_700_000_000_000,
  });
  opened.push(sync);
  const tracks = () => readList(sync.doc).map(({ track_id }) => track_id);
  return { sync, seen, tracks };
}
type Someone = ReturnType<typeof person>;

/** What a server between the two would do; each takes the other's edits as from the line. */
function exchange(a: Someone, b: Someone): void {
  const [one, two] = [a.sync, b.sync];
  const fromOne = Y.encodeStateAsUpdate(one.doc, Y.encodeStateVector(two.doc));
  const fromTwo = Y.encodeStateAsUpdate(two.doc, Y.encodeStateVector(one.doc));
  Y.applyUpdate(one.doc, fromTwo, one.provider);
  Y.applyUpdate(two.doc, fromOne, two.provider);
}
/** Both have the list and are past the first exchange. */
function two(track_ids: string[]): { a: Someone; b: Someone; ids: string[] } {
  const a = person('ana');
  const b = person('ben');
  const ids = a.sync.add(track_ids, null);
  exchange(a, b);
  for (const { sync, seen } of [a, b]) {
    sync.provider.emit('sync', [true]);
    seen.remote.length = 0;
  }
  return { a, b, ids };
}
const idOf = (someone: Someone, track_id: string) =>
  readList(someone.sync.doc).find((entry) => entry.track_id === track_id)?.entry_id ?? '';

describe('entry ids', () => {
  it('are 22 URL-safe characters of 128 random bits, never twice', () => {
    const ids = Array.from({ length: 500 }, newEntryId);
    for (const id of ids) {
      expect(id).toHaveLength(22);
      expect(id).toMatch(ID_PATTERN);
    }
    expect(new Set(ids).size).toBe(500);
  });
});

describe('undo', () => {
  it('reverses my own edits and leaves the others’ alone', () => {
    const { a, b } = two(['t1', 't2', 't3']);
    b.sync.add(['b1'], null);
    exchange(a, b);
    a.sync.remove([idOf(a, 't2')]);
    expect(a.tracks()).toEqual(['t1', 't3', 'b1']);
    expect(a.sync.undo()).toBe('done');
    expect(a.tracks()).toEqual(['t1', 't2', 't3', 'b1']);
    // My first act, the adding, is next; what b added stays.
    expect(a.sync.undo()).toBe('done');
    expect(a.tracks()).toEqual(['b1']);
    expect(a.sync.undo()).toBe('empty');
    expect(b.sync.redo()).toBe('empty');
    exchange(a, b);
    expect(b.tracks()).toEqual(['b1']);
  });

  it('redo brings it again', () => {
    const { a } = two(['t1', 't2']);
    a.sync.move([idOf(a, 't2')], idOf(a, 't1'));
    expect(a.tracks()).toEqual(['t2', 't1']);
    expect(a.sync.undo()).toBe('done');
    expect(a.tracks()).toEqual(['t1', 't2']);
    expect(a.sync.redo()).toBe('done');
    expect(a.tracks()).toEqual(['t2', 't1']);
    expect(a.seen.undo).toEqual([true, false]);
  });

  it('an act split into several transactions is one step', () => {
    const a = person('ana');
    a.sync.add(
      Array.from({ length: 1200 }, (_, i) => `t${i}`),
      null,
    );
    expect(a.tracks()).toHaveLength(1200);
    expect(a.tracks()[1199]).toBe('t1199');
    expect(a.sync.undo()).toBe('done');
    expect(a.tracks()).toEqual([]);
  });

  it('a move that somebody has overtaken is dropped, and no older act is undone instead', () => {
    const { a, b } = two(['t1', 't2', 't3']);
    a.sync.setMeta('name', 'Mine');
    a.sync.move([idOf(a, 't3')], idOf(a, 't1'));
    exchange(a, b);
    b.sync.move([idOf(b, 't3')], null);
    exchange(a, b);
    expect(a.sync.undo()).toBe('nothing');
    expect(a.tracks()).toEqual(['t1', 't2', 't3']);
    expect(a.sync.doc.getMap('meta').get('name')).toBe('Mine');
    expect(a.sync.undo()).toBe('done');
    expect(a.sync.doc.getMap('meta').get('name')).toBeUndefined();
  });

  it('says so when only a part still applied', () => {
    const { a, b } = two(['t1', 't2', 't3', 't4']);
    a.sync.move([idOf(a, 't3'), idOf(a, 't4')], idOf(a, 't1'));
    exchange(a, b);
    b.sync.move([idOf(b, 't4')], null);
    exchange(a, b);
    expect(a.sync.undo()).toBe('partly');
    // Both stand behind t2 now: t3 where it was, t4 at the end it was moved to.
    expect(a.tracks().slice(0, 2)).toEqual(['t1', 't2']);
    exchange(a, b);
    expect(b.tracks()).toEqual(a.tracks());
  });

  it('a removed row comes back where somebody else has moved it meanwhile', () => {
    const { a, b } = two(['t1', 't2', 't3']);
    const id = idOf(a, 't2');
    a.sync.remove([id]);
    moveEntries(b.sync.doc, [id], null, b.sync.origin);
    exchange(a, b);
    expect(a.tracks()).toEqual(['t1', 't3']);
    a.sync.undo();
    exchange(a, b);
    expect(a.tracks()).toEqual(['t1', 't3', 't2']);
    expect(b.tracks()).toEqual(a.tracks());
  });

  it('the message of a removal brings back these rows, whatever was done since', () => {
    const { a } = two(['t1', 't2', 't3']);
    const { count, restore } = a.sync.remove([idOf(a, 't1'), idOf(a, 't2'), 'gone']);
    expect(count).toBe(2);
    a.sync.add(['late'], null);
    restore();
    expect(a.tracks()).toEqual(['t1', 't2', 't3', 'late']);
    // Restoring is an act of its own.
    a.sync.undo();
    expect(a.tracks()).toEqual(['t3', 'late']);
  });
});

describe('moving', () => {
  it('keeps the order of the moved among themselves, in parts too', () => {
    const a = person('ana');
    const ids = a.sync.add(
      Array.from({ length: 1100 }, (_, i) => `t${i}`),
      null,
    );
    const last = ids[1099] ?? '';
    a.sync.move(ids.slice(0, 1050).reverse(), last);
    expect(a.tracks()[0]).toBe('t1050');
    expect(a.tracks()[49]).toBe('t0');
    expect(a.tracks()[1098]).toBe('t1049');
    expect(a.tracks()[1099]).toBe('t1099');
  });

  it('before one of the moved means before the next that stays', () => {
    const { a, ids } = two(['t1', 't2', 't3', 't4']);
    a.sync.move([ids[0] ?? '', ids[2] ?? ''], ids[2] ?? null);
    expect(a.tracks()).toEqual(['t2', 't1', 't3', 't4']);
  });
});

describe('edits of others', () => {
  it('are told by kind, with who added', () => {
    const { a, b } = two(['t1', 't2', 't3', 't4']);
    b.sync.add(['new'], idOf(b, 't1'));
    removeEntries(b.sync.doc, [idOf(b, 't2')], b.sync.origin);
    b.sync.move([idOf(b, 't4')], idOf(b, 't3'));
    b.sync.setMeta('name', 'Ours');
    exchange(a, b);
    const all = a.seen.remote;
    expect(all.flatMap(({ added }) => added)).toEqual([{ entry_id: idOf(b, 'new'), added_by: 'ben' }]);
    expect(all.reduce((sum, { removed }) => sum + removed, 0)).toBe(1);
    expect(all.flatMap(({ moved }) => moved)).toEqual([idOf(b, 't4')]);
    expect(all.map(({ name }) => name).filter((name) => name !== null)).toEqual(['Ours']);
    expect(b.seen.remote).toEqual([]);
  });

  it('a row that comes back by an undo was not added by the one who once added it', () => {
    const { a, b, ids } = two(['t1', 't2']);
    b.sync.remove([ids[0] ?? '']);
    exchange(a, b);
    b.sync.undo();
    exchange(a, b);
    expect(a.seen.remote.map(({ added, restored, removed }) => [added.length, restored, removed])).toEqual([
      [0, [], 1],
      [0, [ids[0]], 0],
    ]);
  });

  it('the first exchange is no news', () => {
    const a = person('ana');
    const b = person('ben');
    a.sync.add(['t1', 't2'], null);
    exchange(a, b);
    expect(b.tracks()).toEqual(['t1', 't2']);
    expect(b.seen.remote).toEqual([]);
  });

  it('new keys without a new place are no moves', () => {
    expect(reallyMoved(['a', 'b', 'c'], ['a', 'b', 'c'], new Set(['a', 'b']))).toEqual([]);
    expect(reallyMoved(['a', 'b', 'c'], ['a', 'x', 'b', 'c'], new Set(['a', 'b']))).toEqual([]);
    expect(reallyMoved(['a', 'b', 'c'], ['b', 'a', 'c'], new Set(['a']))).toEqual(['a']);
  });
});

describe('an act the server does for me', () => {
  /** As the server sorts: it sets the keys in its own document, and its edit comes by the line. */
  const reversed = (me: Someone, server: Someone) => () => {
    exchange(me, server);
    const ids = readList(server.sync.doc).map(({ entry_id }) => entry_id);
    for (const id of ids) moveEntries(server.sync.doc, [id], readList(server.sync.doc)[0]?.entry_id ?? null);
    exchange(me, server);
    return Promise.resolve(ids.length);
  };

  it('is undone and redone in its turn between my own', async () => {
    const { a, b } = two(['t1', 't2', 't3']);
    expect(await a.sync.moveByServer(reversed(a, b))).not.toBeNull();
    expect(a.tracks()).toEqual(['t3', 't2', 't1']);
    a.sync.add(['t4'], null);
    expect(a.sync.undo()).toBe('done');
    expect(a.tracks()).toEqual(['t3', 't2', 't1']);
    expect(a.sync.undo()).toBe('done');
    expect(a.tracks()).toEqual(['t1', 't2', 't3']);
    expect(a.seen.undo).toEqual([true, true]);
    expect(a.sync.redo()).toBe('done');
    expect(a.tracks()).toEqual(['t3', 't2', 't1']);
    expect(a.sync.redo()).toBe('done');
    expect(a.tracks()).toEqual(['t3', 't2', 't1', 't4']);
    exchange(a, b);
    expect(b.tracks()).toEqual(a.tracks());
    for (const _ of [1, 2, 3]) expect(a.sync.undo()).toBe('done');
    expect(a.tracks()).toEqual([]);
    expect(a.sync.undo()).toBe('empty');
  });

  it('is no news to me, and leaves where it is what somebody moved since', async () => {
    const { a, b } = two(['t1', 't2', 't3']);
    await a.sync.moveByServer(reversed(a, b));
    expect(a.seen.remote).toEqual([]);
    b.sync.move([idOf(b, 't3')], null);
    exchange(a, b);
    expect(a.tracks()).toEqual(['t2', 't1', 't3']);
    const placeOf = (id: string) => readList(a.sync.doc).find(({ track_id }) => track_id === id)?.order_key;
    const put = placeOf('t3');
    expect(a.sync.undo()).toBe('partly');
    expect(a.tracks().filter((id) => id !== 't3')).toEqual(['t1', 't2']);
    expect(placeOf('t3')).toBe(put);
  });

  it('can be taken back by itself after later edits, as an edit that can be undone', async () => {
    const { a, b } = two(['t1', 't2', 't3']);
    const goBack = await a.sync.moveByServer(reversed(a, b));
    a.sync.add(['t4'], null);
    // Where the later row stands between the others' old keys is chance.
    const others = () => a.tracks().filter((id) => id !== 't4');
    expect(goBack?.()).toBe('done');
    expect(others()).toEqual(['t1', 't2', 't3']);
    expect(a.sync.undo()).toBe('done');
    expect(a.tracks()).toEqual(['t3', 't2', 't1', 't4']);
  });

  it('that changed nothing leaves nothing to undo, and a new edit ends what could be redone', async () => {
    const { a, b } = two(['t1', 't2']);
    expect(await a.sync.moveByServer(() => Promise.resolve(0))).toBeNull();
    await a.sync.moveByServer(reversed(a, b));
    a.sync.undo();
    a.sync.add(['t3'], null);
    expect(a.sync.redo()).toBe('empty');
  });

  it('of a thousand entries goes back in parts the server takes', async () => {
    const { a, b } = two(Array.from({ length: 1_200 }, (_, i) => `t${i}`));
    const before = a.tracks();
    await a.sync.moveByServer(() => {
      const ids = readList(b.sync.doc).map(({ entry_id }) => entry_id);
      moveEntries(b.sync.doc, ids.slice(0, 700), null);
      exchange(a, b);
      return Promise.resolve(700);
    });
    expect(a.tracks()[0]).toBe('t700');
    let updates = 0;
    a.sync.doc.on('update', () => updates++);
    expect(a.sync.undo()).toBe('done');
    expect(a.tracks()).toEqual(before);
    expect(updates).toBe(2);
  });
});

describe('edits waiting', () => {
  it('are counted with their rows while the line is down, and let go when it is back', () => {
    const { a, ids } = two(['t1', 't2', 't3']);
    expect(a.seen.waiting).toBe(0);
    a.sync.move([ids[0] ?? ''], null);
    a.sync.add(['t4'], null);
    expect(a.seen.waiting).toBe(2);
    expect([...a.seen.unsent]).toEqual([ids[0], idOf(a, 't4')]);
    a.sync.provider.emit('sync', [true]);
    expect(a.seen.waiting).toBe(0);
    expect(a.seen.unsent.size).toBe(0);
  });

  it('survive the page: a later visit takes them up, once, and they are neither news nor mine to undo', () => {
    const { a, b, ids } = two(['t1', 't2', 't3']);
    a.sync.remove([ids[0] ?? '']);
    a.sync.move([ids[2] ?? ''], ids[1] ?? null);
    a.sync.add(['t4'], null);
    const unsent = a.sync.unsent() ?? new Uint8Array();
    // Meanwhile the page is closed, and others go on.
    b.sync.add(['t5'], null);
    const later = person('ana');
    exchange(later, b);
    later.sync.provider.emit('sync', [true]);
    later.sync.takeUp(unsent);
    later.sync.takeUp(unsent);
    exchange(later, b);
    expect(later.tracks().toSorted()).toEqual(['t2', 't3', 't4', 't5']);
    expect(later.tracks().indexOf('t3')).toBeLessThan(later.tracks().indexOf('t2'));
    expect(b.tracks()).toEqual(later.tracks());
    expect(later.seen.remote).toEqual([]);
    expect(later.sync.undo()).toBe('empty');
  });

  it('that may not be sent any more can still be seen, without touching the document', () => {
    const { a, b, ids } = two(['t1', 't2']);
    a.sync.remove([ids[0] ?? '']);
    const unsent = a.sync.unsent() ?? new Uint8Array();
    const viewer = person('ana');
    exchange(viewer, b);
    const before = Y.encodeStateVector(viewer.sync.doc);
    expect(viewer.sync.listWith([unsent]).map(({ track_id }) => track_id)).toEqual(['t2']);
    expect(Y.encodeStateVector(viewer.sync.doc)).toEqual(before);
  });

  it('nothing waits while the line is whole', () => {
    const { a } = two(['t1']);
    a.sync.provider.emit('sync', [true]);
    expect(a.sync.unsent()).toBeNull();
  });

  it('each new entry carries my id and the second it was added', () => {
    const a = person('ana');
    const [id = ''] = a.sync.add(['t1'], null);
    expect(entriesOf(a.sync.doc).get(id)).toEqual({ track_id: 't1', added_by: 'ana', added_at: 1_700_000_000 });
  });
});
