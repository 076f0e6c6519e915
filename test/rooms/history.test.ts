/** What a room writes beside the document: who did what, the list as it was, and epochs of the document. */
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
import { addTracks, moveTracks, removeTracks } from '#domain/playlists/edit-tracks.ts';
import { playlistHistory } from '#domain/playlists/history.queries.ts';
import { renewPlaylist, repairPlaylist } from '#domain/playlists/repair-playlists.ts';
import { restorePlaylist } from '#domain/playlists/restore-playlist.ts';
import { sortPlaylist } from '#domain/playlists/sort-playlist.ts';
import { openPlaylistRoom } from '#rooms/playlist/playlist-room.ts';
import { newIds } from '#server/ids.ts';
import { DIALECTS } from '../support/dialects.ts';
import { roomKit } from '../support/room.ts';
import { handUpdate, syncFrame } from '../support/yjs-bytes.ts';
import type { HistoryItem } from '#contract/playlists.ts';
import type { TestDatabase } from '../support/dialects.ts';
import type { RoomKit } from '../support/room.ts';

describe.each(DIALECTS)('the past of a playlist on $name', (dialect) => {
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
    kit.ctx.playlistDocs = { transact: (_id, user_id, edit, act) => kit.room.transact(user_id, edit, act) };
  });

  const id = () => ({ id: kit.playlist_id });
  const add = async (count: number, actor = kit.ana) =>
    (
      await addTracks(kit.ctx, actor, {
        ...id(),
        track_ids: Array.from({ length: count }, (_, i) => kit.tracks[i % kit.tracks.length]!),
      })
    ).entry_ids;
  const history = async (more: { user_id?: string; limit?: number; cursor?: string } = {}) =>
    playlistHistory(kit.ctx, kit.ana, { ...id(), limit: 50, ...more });
  const restore = (to: { checkpoint_id?: string; at?: number }) =>
    restorePlaylist(kit.ctx, kit.ana, { ...id(), ...to });
  const entryIds = async () => (await kit.rows()).map(([entry_id]) => entry_id);
  const checkpoints = async () =>
    (await history()).items
      .filter((item) => item.type === 'checkpoint')
      .map(({ reason, track_count }) => [reason, track_count]);
  const nowS = () => Math.floor(kit.ctx.clock.nowMs() / 1000);
  /** An item as a line: who did how much of what. */
  const line = (item: HistoryItem) =>
    item.type === 'checkpoint'
      ? item.reason
      : `${item.user?.username}: ${item.changes.map(({ kind, count }) => `${kind} ${count}`).join(', ')}`;

  test('[PL26] the history says who did what, by minute and person, also of offline edits and by REST', async () => {
    const [ana, ben] = [await kit.honest(kit.ana, 'owner'), await kit.honest(kit.ben, 'editor')];
    const entry = (i: number) => ({
      entry_id: newIds.id(),
      value: { track_id: kit.tracks[i]!, added_by: null, added_at: 1 },
    });
    const three = [entry(0), entry(1), entry(2)];
    addEntries(ana.doc, three, null);
    await kit.settled();
    ben.pump();
    moveEntries(ben.doc, [three[0]!.entry_id], null);
    removeEntries(ben.doc, [three[1]!.entry_id]);
    await kit.settled();
    kit.ctx.clock.advance(60_000);
    await removeTracks(kit.ctx, kit.ben, { ...id(), entry_ids: [three[2]!.entry_id] });
    await kit.room.transact(kit.ana.user_id, (doc) => {
      metaOf(doc).set('name', 'Two');
      metaOf(doc).set('description', 'new');
    });
    await kit.room.transact(kit.ana.user_id, (doc) => metaOf(doc).set('name', 'Three'));
    const { items } = await history();
    const lines = items.map(line);
    expect(lines.slice(0, 2).sort()).toEqual(['ana: renamed 0, described 0', 'ben: removed 1']);
    expect(lines.slice(2).sort()).toEqual(['ana: added 3', 'ben: moved 1, removed 1']);
    const renamed = items
      .flatMap((item) => (item.type === 'edits' ? item.changes : []))
      .find((one) => one.kind === 'renamed');
    expect([renamed?.from, renamed?.to]).toEqual(['List', 'Three']);
    const removed = items
      .flatMap((item) => (item.type === 'edits' ? item.changes : []))
      .filter((one) => one.kind === 'removed');
    // Named though they are gone.
    expect(removed.flatMap((one) => one.entries.map((named) => named.title)).sort()).toEqual(['Track 1', 'Track 2']);
    // The same after the log was folded and the room closed.
    await kit.reopen();
    expect((await history()).items).toEqual(items);
    const bens = await history({ user_id: kit.ben.user_id });
    expect(bens.items.map((item) => item.user?.username)).toEqual(expect.arrayContaining(['ben']));
    expect(bens.items.filter((item) => item.user?.username !== 'ben')).toEqual([]);
  });

  test('[PL26] pages of any size hold the same, once', async () => {
    for (let minute = 0; minute < 7; minute++) {
      await add(1, minute % 2 === 0 ? kit.ana : kit.ben);
      await add(1);
      kit.ctx.clock.advance(20 * 60_000);
    }
    const whole = (await history()).items;
    expect(whole.length).toBeGreaterThan(10);
    for (const limit of [1, 2, 3, 7]) {
      const seen: HistoryItem[] = [];
      for (let cursor: string | null = null, turns = 0; turns < 40; turns++) {
        const page = await history({ limit, ...(cursor === null ? {} : { cursor }) });
        seen.push(...page.items);
        cursor = page.next_cursor;
        if (cursor === null) break;
      }
      expect(seen).toEqual(whole);
    }
    await expect(history({ cursor: 'nonsense' })).rejects.toMatchObject({ code: 'malformed' });
  });

  test('[PL26] who is gone is nobody in it, and who is no member does not see it', async () => {
    await add(1, kit.ben);
    await kit.ctx.write((trx) => trx.updateTable('playlist_changes').set({ user_id: null }).execute());
    const { items } = await history();
    expect(items.map((item) => item.user)).toContain(null);
    await kit.ctx.write((trx) => trx.deleteFrom('playlist_collaborators').execute());
    await expect(playlistHistory(kit.ctx, kit.ben, { ...id(), limit: 5 })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('[PL27] a list is kept before much is removed, at most once an hour otherwise, and fifty times', async () => {
    const ids = await add(40);
    expect(await checkpoints()).toEqual([]);
    await add(1);
    // Of an empty list none was made, and the hour counts from then.
    expect(await checkpoints()).toEqual([]);
    kit.ctx.clock.advance(3_600_000);
    await add(1);
    await add(1);
    expect(await checkpoints()).toEqual([['hourly', 41]]);
    kit.ctx.clock.advance(60_000);
    await removeTracks(kit.ctx, kit.ana, { ...id(), entry_ids: ids.slice(0, 8) });
    expect(await checkpoints()).toHaveLength(1);
    await removeTracks(kit.ctx, kit.ana, { ...id(), entry_ids: ids.slice(8, 18) });
    expect(await checkpoints()).toEqual([
      ['before_removal', 35],
      ['hourly', 41],
    ]);
    // A room that is loaded anew knows when the last one was made.
    await kit.reopen();
    await add(1);
    expect(await checkpoints()).toHaveLength(2);
    for (let i = 0; i < 52; i++) {
      kit.ctx.clock.advance(3_600_000);
      await add(1);
    }
    const rows = await kit.ctx.db
      .selectFrom('playlist_checkpoints')
      .select('track_count')
      .orderBy('created_at')
      .execute();
    expect(rows).toHaveLength(50);
    expect(rows.at(-1)?.track_count).toBe((await kit.rows()).length - 1);
  });

  test('[PL29] everything removed, brought back in one call: places, words and who added it; and undone again', async () => {
    const first = await add(6, kit.ben);
    const second = await add(6);
    await moveTracks(kit.ctx, kit.ana, { ...id(), entry_ids: [second[0]!], before_entry_id: first[0]! });
    const before = await kit.rows();
    const ana = await kit.honest(kit.ana, 'owner');
    const ben = await kit.honest(kit.ben, 'editor');
    ben.doc.transact(() => {
      removeEntries(ben.doc, [...first, ...second]);
      metaOf(ben.doc).set('name', 'Vandal');
    });
    await kit.settled();
    expect(await kit.rows()).toEqual([]);
    const [kept] = (await history()).items.filter((item) => item.type === 'checkpoint');
    expect(kept).toMatchObject({ reason: 'before_removal', track_count: 12, user: { username: 'ben' } });
    const restored = await restore({ checkpoint_id: (kept as { id: string }).id });
    expect(restored).toMatchObject({ added: 12, removed: 0, moved: 0, at: nowS() });
    expect(await kit.rows()).toEqual(before);
    // Whoever has it open just sees it.
    for (const client of [ana, ben]) {
      client.pump();
      expect(readList(client.doc).map((row) => row.entry_id)).toEqual(before.map(([entry_id]) => entry_id));
      expect(metaOf(client.doc).get('name')).toBe('List');
      expect(client.fake.closed).toBeNull();
    }
    const owners = await kit.ctx.db
      .selectFrom('playlist_tracks')
      .select(['entry_id', 'added_by_user_id'])
      .where('entry_id', 'in', first)
      .execute();
    expect(new Set(owners.map((row) => row.added_by_user_id))).toEqual(new Set([kit.ben.user_id]));
    // The same again changes nothing and keeps nothing.
    expect(await restore({ checkpoint_id: restored.checkpoint_id })).toMatchObject({
      undo_checkpoint_id: null,
      added: 0,
      removed: 0,
      moved: 0,
    });
    // An edit that goes on from it, then undone by another restore.
    expect(await restore({ checkpoint_id: restored.undo_checkpoint_id! })).toMatchObject({ added: 0, removed: 12 });
    expect(await kit.rows()).toEqual([]);
    const kinds = (await history()).items.flatMap((item) =>
      item.type === 'edits' ? item.changes.map((one) => one.kind) : [],
    );
    expect(kinds.filter((kind) => kind === 'restored')).toHaveLength(2);
  });

  test('[PL29] by a time: the last checkpoint at or before it; before the first there is none', async () => {
    await add(2);
    const began = nowS();
    kit.ctx.clock.advance(3_600_000);
    await add(1);
    const at = nowS();
    kit.ctx.clock.advance(3_600_000);
    await add(1);
    await expect(restore({ at: began })).rejects.toMatchObject({ code: 'not_found' });
    await expect(restore({ checkpoint_id: newIds.id() })).rejects.toMatchObject({ code: 'not_found' });
    expect(await restore({ at: at + 3_599 })).toMatchObject({ at, removed: 2 });
    expect(await kit.rows()).toHaveLength(2);
    expect((await restore({ at: nowS() })).undo_checkpoint_id).not.toBeNull();
  });

  test('[PL28] a list is sorted as one edit, and put back by the checkpoint it gives', async () => {
    const ids = await add(5);
    await kit.ctx.write(async (trx) => {
      for (const [i, title_sort] of ['m', 'c', 'x', 'c', '\uffff'].entries()) {
        await trx
          .updateTable('tracks')
          .set({ title_sort, duration: 100 - i })
          .where('id', '=', kit.tracks[i]!)
          .execute();
      }
    });
    const ana = await kit.honest(kit.ana, 'owner');
    ana.fake.frames.length = 0;
    const sorted = await sortPlaylist(kit.ctx, kit.ben, { ...id(), by: 'title', descending: false });
    expect(ana.fake.frames).toHaveLength(1);
    expect(await entryIds()).toEqual([ids[1], ids[3], ids[0], ids[2], ids[4]]);
    expect(sorted.moved).toBe(4);
    expect(await sortPlaylist(kit.ctx, kit.ben, { ...id(), by: 'title', descending: false })).toEqual({
      moved: 0,
      checkpoint_id: null,
    });
    const [item] = (await history({ user_id: kit.ben.user_id })).items;
    expect(item).toMatchObject({ type: 'edits', changes: [{ kind: 'sorted', by: 'title', descending: false }] });
    await sortPlaylist(kit.ctx, kit.ben, { ...id(), by: 'duration', descending: true });
    expect(await entryIds()).toEqual(ids);
    await restore({ checkpoint_id: sorted.checkpoint_id! });
    expect(await entryIds()).toEqual(ids);
    // Others can go on inserting between.
    await moveTracks(kit.ctx, kit.ben, { ...id(), entry_ids: [ids[4]!], before_entry_id: ids[1]! });
    expect(await entryIds()).toEqual([ids[0], ids[4], ids[1], ids[2], ids[3]]);
  });

  describe('epochs', () => {
    const renew = (forgets = false) => renewPlaylist(kit.ctx, { playlist_id: kit.playlist_id, forgets });

    test('[PL30] the content stays, the past goes, and old copies put nothing back', async () => {
      const ids = await add(5, kit.ben);
      const old = await kit.honest(kit.ana, 'owner');
      metaOf(old.doc).set('description', 'a secret');
      await kit.settled();
      removeEntries(old.doc, [ids[0]!]);
      metaOf(old.doc).set('description', 'fine');
      await kit.settled();
      old.disconnect();
      // Fifty edits on a train.
      for (let i = 0; i < 50; i++) metaOf(old.doc).set('name', `offline ${i}`);
      const before = await kit.rows();
      await kit.reopen();
      expect(await renew()).toEqual({ epoch: 2, from: 'document' });
      kit.room = await openPlaylistRoom(kit.ctx, kit.playlist_id, () => kit.broken++);
      expect(await kit.rows()).toEqual(before);
      expect(await kit.list()).toEqual(before);
      const logged = await kit.ctx.db.selectFrom('playlist_updates').select('bytes').execute();
      expect(logged.map((row) => Buffer.from(row.bytes).toString('latin1')).join()).not.toContain('secret');
      const state = await kit.state();
      const peer = await kit.honest(kit.ben, 'editor');
      peer.fake.frames.length = 0;

      // By its state vector, by its answer, and by an update alone, each at a line of its own.
      const tries: ((receive: (frame: Uint8Array) => void) => void)[] = [
        (receive) => receive(syncFrame(0, Y.encodeStateVector(old.doc))),
        (receive) => receive(syncFrame(1, Y.encodeStateAsUpdate(old.doc))),
        (receive) => receive(syncFrame(2, Y.encodeStateAsUpdate(old.doc))),
        // A removal of what an old client wrote, by a client of now.
        (receive) => receive(syncFrame(2, handUpdate([], [[old.doc.clientID, [[0, 1]]]]))),
      ];
      for (const attempt of tries) {
        const fake = kit.join(kit.ana, 'owner');
        attempt((frame) => fake.seat.receive(frame));
        await kit.settled();
        expect(fake.closed).toBe('superseded');
        fake.seat.leave();
      }
      expect(await kit.state()).toBe(state);
      expect(peer.fake.frames).toEqual([]);
      expect(await kit.rows()).toEqual(before);

      // Loaded anew, the same person goes on; and who added what is as it was.
      const anew = await kit.honest(kit.ana, 'owner');
      metaOf(anew.doc).set('name', 'anew');
      await kit.settled();
      peer.pump();
      expect([anew.fake.closed, metaOf(peer.doc).get('name')]).toEqual([null, 'anew']);
      const added = await kit.ctx.db.selectFrom('playlist_tracks').select('added_by_user_id').execute();
      expect(new Set(added.map((row) => row.added_by_user_id))).toEqual(new Set([kit.ben.user_id]));
      // A second time: what was good in between is not any more.
      anew.disconnect();
      peer.disconnect();
      await kit.reopen();
      await renew();
      kit.room = await openPlaylistRoom(kit.ctx, kit.playlist_id, () => kit.broken++);
      for (const doc of [old.doc, anew.doc]) {
        const fake = kit.join(kit.ana, 'owner');
        fake.seat.receive(syncFrame(0, Y.encodeStateVector(doc)));
        expect(fake.closed).toBe('superseded');
      }
    });

    test('[PL30] a room of the epoch before stores nothing more: no edit, no fold', async () => {
      await add(3);
      const old = await kit.honest(kit.ana, 'owner');
      const before = await kit.rows();
      // As another process does it, without a word to this one.
      await renew();
      const stored = () => kit.ctx.db.selectFrom('playlist_updates').select(['seq', 'bytes']).execute();
      const fresh = await stored();
      metaOf(old.doc).set('name', 'too late');
      await expect(add(1)).rejects.toMatchObject({ code: 'unavailable' });
      await expect.poll(() => [old.fake.closed, kit.broken]).toEqual(['superseded', 1]);
      expect(await stored()).toEqual(fresh);
      expect(await kit.rows()).toEqual(before);
      await kit.reopen();
      expect(await kit.list()).toEqual(before);
      await add(1);
      // Now one that has only its log to fold as it closes.
      await renew();
      const again = await stored();
      await kit.room.unload();
      expect(await stored()).toEqual(again);
      kit.room = await openPlaylistRoom(kit.ctx, kit.playlist_id, () => kit.broken++);
      expect(await kit.list()).toHaveLength(4);
    });

    test('[PL30] with forgetting, nothing of what was removed is left', async () => {
      const ids = await add(12);
      kit.ctx.clock.advance(3_600_000);
      await removeTracks(kit.ctx, kit.ana, { ...id(), entry_ids: ids.slice(0, 11) });
      expect((await history()).items.length).toBeGreaterThan(1);
      await kit.reopen();
      await renew(true);
      expect((await history()).items).toEqual([]);
      const ledger = await kit.ctx.db.selectFrom('playlist_entries').select('entry_id').execute();
      expect(ledger.map((row) => row.entry_id)).toEqual(ids.slice(11));
    });
  });

  describe('repair', () => {
    const repair = () => repairPlaylist(kit.ctx, kit.playlist_id);

    test('[PL31] rows that say what the document says are left alone', async () => {
      const ids = await add(4);
      await moveTracks(kit.ctx, kit.ana, { ...id(), entry_ids: [ids[3]!], before_entry_id: ids[0]! });
      await kit.room.transact(kit.ana.user_id, (doc) => {
        entriesOf(doc).set(newIds.id(), {
          track_id: null,
          added_by: null,
          added_at: 1,
          text: { title: 'T', artist: '' },
        });
        orderOf(doc).delete(ids[1]!);
      });
      const version = async () =>
        (await kit.ctx.db.selectFrom('user_playlists').select('version').executeTakeFirstOrThrow()).version;
      const before = await version();
      expect(await repair()).toBe('sound');
      expect(await version()).toBe(before);
    });

    test('[PL31] whatever differs is built anew from document and ledger', async () => {
      const [gone = ''] = await add(7, kit.ben);
      await removeTracks(kit.ctx, kit.ana, { ...id(), entry_ids: [gone] });
      const rows = () => kit.ctx.db.selectFrom('playlist_entries').selectAll().orderBy('entry_id').execute();
      const before = await rows();
      const list = await kit.ctx.db.selectFrom('user_playlists').selectAll().executeTakeFirstOrThrow();
      const [first = '', second = ''] = before.filter((row) => row.is_live === 1).map((row) => row.entry_id);
      const damages: ((trx: Parameters<Parameters<RoomKit['ctx']['write']>[0]>[0]) => Promise<unknown>)[] = [
        (trx) => trx.updateTable('playlist_entries').set({ is_live: 0 }).where('entry_id', '=', first).execute(),
        (trx) => trx.updateTable('playlist_entries').set({ is_live: 0, order_key: null }).execute(),
        (trx) => trx.updateTable('playlist_entries').set({ is_live: 1 }).where('entry_id', '=', gone).execute(),
        (trx) => trx.updateTable('playlist_entries').set({ order_key: null }).where('entry_id', '=', second).execute(),
        (trx) => trx.updateTable('playlist_entries').set({ order_key: 'zz' }).where('entry_id', '=', first).execute(),
        (trx) => trx.updateTable('user_playlists').set({ name: 'Other' }).execute(),
        (trx) => trx.updateTable('user_playlists').set({ track_count: 0, total_duration: 1 }).execute(),
      ];
      for (const damage of damages) {
        await kit.ctx.write(damage);
        expect(await repair()).toBe('repaired');
        expect(await rows()).toEqual(before);
        const {
          version: _version,
          updated_at: _updated,
          ...now
        } = await kit.ctx.db.selectFrom('user_playlists').selectAll().executeTakeFirstOrThrow();
        expect(list).toMatchObject(now);
        expect(await repair()).toBe('sound');
      }
    });

    test('[PL31] a log with a hole is told and not touched; begun anew, it holds what the rows said', async () => {
      await add(3);
      await add(3);
      const rows = await kit.rows();
      const peer = kit.join(kit.ben, 'editor');
      await kit.ctx.write((trx) => trx.deleteFrom('playlist_updates').where('seq', '=', 2).execute());
      expect(await repair()).toBe('unreadable');
      expect(await kit.rows()).toEqual(rows);
      expect(await renewPlaylist(kit.ctx, { playlist_id: kit.playlist_id, forgets: false })).toEqual({
        epoch: 2,
        from: 'rows',
      });
      peer.seat.leave();
      kit.room = await openPlaylistRoom(kit.ctx, kit.playlist_id, () => kit.broken++);
      expect(await kit.list()).toEqual(rows);
      expect(await repair()).toBe('sound');
      const missing = newIds.id();
      await expect(repairPlaylist(kit.ctx, missing)).rejects.toMatchObject({ code: 'not_found' });
      await expect(renewPlaylist(kit.ctx, { playlist_id: missing, forgets: true })).rejects.toMatchObject({
        code: 'not_found',
      });
    });
  });
});
