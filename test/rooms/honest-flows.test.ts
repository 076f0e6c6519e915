import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import {
  addEntries,
  entriesOf,
  metaOf,
  moveEntries,
  orderOf,
  readList,
  removeEntries,
} from '#contract/playlist-doc.ts';
import { newIds } from '#server/ids.ts';
import { DIALECTS } from '../support/dialects.ts';
import { roomKit } from '../support/room.ts';
import { syncFrame } from '../support/yjs-bytes.ts';
import type { TestDatabase } from '../support/dialects.ts';
import type { HonestClient, RoomKit } from '../support/room.ts';

const MINE = { mine: true };
const undoOf = (doc: Y.Doc) =>
  new Y.UndoManager([entriesOf(doc), orderOf(doc), metaOf(doc)] as never, {
    trackedOrigins: new Set([MINE]),
    captureTimeout: 0,
  });
const ids = (doc: Y.Doc) => readList(doc).map((row) => row.entry_id);

describe.each(DIALECTS)('what honest clients do, on $name', (dialect) => {
  let database: TestDatabase;
  let kit: RoomKit;
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await database.close();
    database = await dialect.open();
    kit = await roomKit(database);
  });

  const entry = (i = 0) => ({
    entry_id: newIds.id(),
    value: { track_id: kit.tracks[i]!, added_by: null, added_at: 1 },
  });

  /** Everybody takes everything, and then server, peers, rows and disk hold the same. */
  async function allEqual(...clients: HonestClient[]): Promise<void> {
    for (let i = 0; i < 3; i++) {
      await kit.settled();
      for (const client of clients) client.pump();
    }
    const list = await kit.list();
    for (const client of clients) {
      expect(client.fake.closed).toBeNull();
      expect(readList(client.doc).map((row) => [row.entry_id, row.track_id])).toEqual(list);
    }
    expect(await kit.rows()).toEqual(list);
    expect(kit.broken).toBe(0);
    for (const client of clients) client.fake.seat.leave();
    await kit.reopen();
    expect(await kit.list()).toEqual(list);
  }

  /** The same document at a new line, as after a lost connection. */
  async function reconnect(client: HonestClient): Promise<HonestClient> {
    return kit.honest(client.fake.peer.actor(), 'editor', client.doc);
  }

  test('[PL17] undo of a removal brings the entry back, at its place', async () => {
    const [ana, ben] = [await kit.honest(kit.ana, 'owner'), await kit.honest(kit.ben, 'editor')];
    const undo = undoOf(ben.doc);
    const [one, two] = [entry(0), entry(1)];
    addEntries(ana.doc, [one, two], null);
    await kit.settled();
    ben.pump();
    removeEntries(ben.doc, [one.entry_id], MINE);
    await kit.settled();
    ana.pump();
    expect(ids(ana.doc)).toEqual([two.entry_id]);
    undo.undo();
    await kit.settled();
    ana.pump();
    expect(ids(ana.doc)).toEqual([one.entry_id, two.entry_id]);
    await allEqual(ana, ben);
    // Who brings an entry back did not add it.
    const row = await kit.ctx.db
      .selectFrom('playlist_tracks')
      .select('added_by_user_id')
      .where('entry_id', '=', one.entry_id)
      .executeTakeFirst();
    expect(row?.added_by_user_id).toBe(kit.ana.user_id);
  });

  test('[PL17] an undo after somebody else’s move keeps that move', async () => {
    const [ana, ben] = [await kit.honest(kit.ana, 'owner'), await kit.honest(kit.ben, 'editor')];
    const undo = undoOf(ana.doc);
    const three = [entry(0), entry(1), entry(2)];
    addEntries(ana.doc, three, null);
    await kit.settled();
    ben.pump();
    // Both at once: Ana removes what Ben moves to the end.
    removeEntries(ana.doc, [three[0]!.entry_id], MINE);
    moveEntries(ben.doc, [three[0]!.entry_id], null);
    await kit.settled();
    ana.pump();
    ben.pump();
    undo.undo();
    await kit.settled();
    ben.pump();
    expect(ids(ben.doc)).toEqual([three[1]!.entry_id, three[2]!.entry_id, three[0]!.entry_id]);
    await allEqual(ana, ben);
  });

  test('[PL17] two people’s offline edits merge by step 2', async () => {
    const [ana, ben] = [await kit.honest(kit.ana, 'owner'), await kit.honest(kit.ben, 'editor')];
    const three = [entry(0), entry(1), entry(2)];
    addEntries(ana.doc, three, null);
    await kit.settled();
    ben.pump();
    ana.fake.seat.leave();
    ben.fake.seat.leave();
    for (const [client, other] of [
      [ana, entry(3)],
      [ben, entry(4)],
    ] as const) {
      addEntries(client.doc, [other], three[1]!.entry_id);
      moveEntries(client.doc, [three[2]!.entry_id], three[0]!.entry_id);
      moveEntries(client.doc, [three[2]!.entry_id], null);
      removeEntries(client.doc, [three[0]!.entry_id]);
      metaOf(client.doc).set('name', `of ${client.fake.peer.actor().username}`);
      metaOf(client.doc).set('description', 'x');
    }
    const again = [await reconnect(ana), await reconnect(ben)];
    await allEqual(...again);
    expect(ids(ana.doc)).toHaveLength(4);
  });

  test('[PL17] many offline edits of one thing, kept for undo, merge by step 2', async () => {
    const ana = await kit.honest(kit.ana, 'owner');
    undoOf(ana.doc);
    const list = [entry(0), entry(1), entry(2)];
    ana.doc.transact(() => addEntries(ana.doc, list, null, MINE), MINE);
    await kit.settled();
    ana.fake.seat.leave();
    for (let i = 0; i < 6; i++) {
      moveEntries(ana.doc, [list[i % 3]!.entry_id], i % 2 === 0 ? null : list[(i + 1) % 3]!.entry_id, MINE);
      moveEntries(ana.doc, [list[0]!.entry_id], null, MINE);
      ana.doc.transact(() => metaOf(ana.doc).set('name', `name ${i}`), MINE);
    }
    removeEntries(ana.doc, [list[1]!.entry_id], MINE);
    await allEqual(await reconnect(ana));
  });

  test('[PL17] an undo made offline merges by step 2', async () => {
    const ana = await kit.honest(kit.ana, 'owner');
    const undo = undoOf(ana.doc);
    const list = [entry(0), entry(1)];
    addEntries(ana.doc, list, null, MINE);
    await kit.settled();
    ana.fake.seat.leave();
    removeEntries(ana.doc, [list[0]!.entry_id], MINE);
    undo.undo();
    undo.redo();
    undo.undo();
    await allEqual(await reconnect(ana));
    expect(ids(ana.doc)).toHaveLength(2);
  });

  test('[PL17] an edit made as the line opens, before older ones were sent, is not lost', async () => {
    const ana = await kit.honest(kit.ana, 'owner');
    const list = [entry(0), entry(1)];
    addEntries(ana.doc, list, null);
    await kit.settled();
    ana.fake.seat.leave();
    metaOf(ana.doc).set('name', 'offline');
    const fake = kit.join(kit.ana, 'owner');
    // The stock client sends an edit as soon as the socket is open, whether or not it has answered the server's step 1.
    const early: Uint8Array[] = [];
    ana.doc.on('update', (bytes: Uint8Array) => early.push(bytes));
    metaOf(ana.doc).set('description', 'early');
    removeEntries(ana.doc, [list[0]!.entry_id]);
    for (const bytes of early) fake.seat.receive(syncFrame(2, bytes));
    fake.seat.receive(syncFrame(1, Y.encodeStateAsUpdate(ana.doc)));
    await kit.settled();
    expect(fake.closed).toBeNull();
    expect(await kit.list()).toEqual([[list[1]!.entry_id, kit.tracks[1]]]);
    expect(await kit.room.transact(kit.ana.user_id, (doc) => metaOf(doc).get('name'))).toBe('offline');
    fake.seat.leave();
  });

  test('[PL17] a reload comes with a new client id and goes on', async () => {
    const first = await kit.honest(kit.ana, 'owner');
    addEntries(first.doc, [entry(0), entry(1)], null);
    await kit.settled();
    first.fake.seat.leave();
    const second = await kit.honest(kit.ana, 'owner');
    expect(second.doc.clientID).not.toBe(first.doc.clientID);
    moveEntries(second.doc, [ids(second.doc)[0]!], null);
    addEntries(second.doc, [entry(2)], ids(second.doc)[0]!);
    await allEqual(second);
  });

  test('[PL10] a viewer’s whole copy, sent back, is no edit', async () => {
    const ana = await kit.honest(kit.ana, 'owner');
    addEntries(ana.doc, [entry(0)], null);
    await kit.settled();
    const viewer = await kit.honest(kit.ben, 'viewer');
    viewer.fake.seat.receive(syncFrame(1, Y.encodeStateAsUpdate(viewer.doc)));
    viewer.fake.seat.receive(syncFrame(1, new Uint8Array([0, 0])));
    await allEqual(ana, viewer);
  });

  test('[PL15] names given at once end as one of them, everywhere', async () => {
    const [ana, ben] = [await kit.honest(kit.ana, 'owner'), await kit.honest(kit.ben, 'editor')];
    for (let i = 0; i < 5; i++) {
      metaOf(ana.doc).set('name', `ana ${i}`);
      metaOf(ben.doc).set('name', `ben ${i}`);
      metaOf(ana.doc).set('description', `ana ${i}`);
      await kit.room.transact(kit.ana.user_id, (doc) => metaOf(doc).set('description', `rest ${i}`));
    }
    await kit.settled();
    ana.pump();
    ben.pump();
    await kit.settled();
    ana.pump();
    ben.pump();
    const meta = metaOf(ana.doc).toJSON();
    expect(metaOf(ben.doc).toJSON()).toEqual(meta);
    const row = await kit.ctx.db
      .selectFrom('user_playlists')
      .select(['name', 'description'])
      .where('id', '=', kit.playlist_id)
      .executeTakeFirst();
    expect(row).toEqual(meta);
    await allEqual(ana, ben);
  });

  test('[PL17] two people undo the removal of one entry that both removed', async () => {
    const [ana, ben] = [await kit.honest(kit.ana, 'owner'), await kit.honest(kit.ben, 'editor')];
    const [undoAna, undoBen] = [undoOf(ana.doc), undoOf(ben.doc)];
    const list = [entry(0), entry(1)];
    addEntries(ana.doc, list, null);
    await kit.settled();
    ben.pump();
    removeEntries(ana.doc, [list[0]!.entry_id], MINE);
    removeEntries(ben.doc, [list[0]!.entry_id], MINE);
    await kit.settled();
    ana.pump();
    ben.pump();
    undoAna.undo();
    undoBen.undo();
    await allEqual(ana, ben);
    expect(ids(ana.doc)).toHaveLength(2);
  });

  test('[PL3] edits one after another, each awaited, are all done', async () => {
    for (let i = 0; i < 50; i++) await kit.room.transact(kit.ana.user_id, (doc) => metaOf(doc).set('name', `n${i}`));
    expect(await kit.room.transact(kit.ana.user_id, (doc) => metaOf(doc).get('name'))).toBe('n49');
    await kit.reopen();
    expect(await kit.room.transact(kit.ana.user_id, (doc) => metaOf(doc).get('name'))).toBe('n49');
  });

  test('[PL3] a long log is folded and holds the same', async () => {
    const ana = await kit.honest(kit.ana, 'owner');
    addEntries(ana.doc, [entry(0), entry(1), entry(2)], null);
    for (let i = 0; i < 230; i++) {
      kit.ctx.clock.advance(1000);
      moveEntries(ana.doc, [ids(ana.doc)[0]!], null);
      await kit.settled();
    }
    const rows = await kit.ctx.db
      .selectFrom('playlist_updates')
      .select('seq')
      .where('playlist_id', '=', kit.playlist_id)
      .execute();
    expect(rows.length).toBeLessThan(200);
    await allEqual(ana);
  });
});
