import { afterAll, beforeAll, expect, test } from 'vitest';
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
import { seeded } from '../support/random.ts';
import { roomKit } from '../support/room.ts';
import type { TestDatabase } from '../support/dialects.ts';
import type { Random } from '../support/random.ts';
import type { RoomKit } from '../support/room.ts';

const INTERLEAVINGS = 200;
const OPERATIONS = 24;
/** What an undo manager of somebody's own edits looks for. */
const MINE = 'mine';

let database: TestDatabase;
let kit: RoomKit;
beforeAll(async () => {
  database = await DIALECTS[0]!.open();
  kit = await roomKit(database);
});
afterAll(() => database.close());

function edit(doc: Y.Doc, random: Random): void {
  const ids = readList(doc).map((row) => row.entry_id);
  const before = ids.length === 0 || random.next() < 0.3 ? null : random.pick(ids);
  const dice = random.int(6);
  if (dice < 2 || ids.length === 0) {
    const value = { track_id: random.pick(kit.tracks), added_by: null, added_at: 1 };
    addEntries(doc, [{ entry_id: newIds.id(), value }], before, MINE);
  } else if (dice < 4) moveEntries(doc, [random.pick(ids)], before, MINE);
  else if (dice === 4) removeEntries(doc, [random.pick(ids)], MINE);
  else doc.transact(() => metaOf(doc).set('name', `name ${random.int(1000)}`), MINE);
}

/** What stands in the document by somebody's own hand: a key, and what they wrote there last. */
function standingOf(doc: Y.Doc, client_id: number): [string, unknown][] {
  const maps: Y.Map<unknown>[] = [
    entriesOf(doc) as Y.Map<unknown>,
    orderOf(doc) as Y.Map<unknown>,
    metaOf(doc) as Y.Map<unknown>,
  ];
  return maps.flatMap((map, i) =>
    [...map._map].flatMap(([key, item]): [string, unknown][] =>
      !item.deleted && item.id.client === client_id ? [[`${i} ${key}`, map.get(key)]] : [],
    ),
  );
}

/** Those of them that stand as they did. */
function stillStanding(doc: Y.Doc, wanted: readonly [string, unknown][]): [string, unknown][] {
  const maps = [entriesOf(doc), orderOf(doc), metaOf(doc)] as Y.Map<unknown>[];
  return wanted.map(([where]) => {
    const [i = '0', ...key] = where.split(' ');
    return [where, maps[Number(i)]?.get(key.join(' '))];
  });
}

test(
  `[PL52] undo and redo never touch another's edit, over ${INTERLEAVINGS} interleavings`,
  { timeout: 180_000 },
  async () => {
    let undone = 0;
    let watched = 0;
    for (let n = 0; n < INTERLEAVINGS; n++) {
      const random = seeded();
      kit.ctx.clock.advance(60_000);
      const [ana, ben] = [await kit.honest(kit.ana, 'owner'), await kit.honest(kit.ben, 'editor')];
      const undo = new Y.UndoManager([entriesOf(ana.doc), orderOf(ana.doc), metaOf(ana.doc)], {
        trackedOrigins: new Set([MINE]),
        captureTimeout: 0,
      });
      for (let i = 0; i < OPERATIONS; i++) {
        const client = random.pick([ana, ben]);
        const dice = random.next();
        if (dice < 0.15) {
          await kit.settled();
          client.pump();
        } else if (dice < 0.25 && undo.undoStack.length > 0) undo.undo();
        else edit(client.doc, random);
      }
      await kit.settled();
      ana.pump();
      ben.pump();
      await kit.settled();
      ana.pump();
      const bens = standingOf(ana.doc, ben.doc.clientID);
      watched += bens.length;
      for (const step of ['undo', 'redo'] as const) {
        const stack = step === 'undo' ? undo.undoStack : undo.redoStack;
        while (stack.length > 0) {
          undo[step]();
          undone++;
          expect([random.seed, stillStanding(ana.doc, bens)]).toEqual([random.seed, bens]);
        }
      }
      await kit.settled();
      ben.pump();
      expect([ana.fake.closed, ben.fake.closed, kit.broken]).toEqual([null, null, 0]);
      expect(readList(ben.doc)).toEqual(readList(ana.doc));
      undo.destroy();
      ana.disconnect();
      ben.disconnect();
      await kit.reopen();
    }
    expect(undone).toBeGreaterThan(INTERLEAVINGS);
    expect(watched).toBeGreaterThan(INTERLEAVINGS);
  },
);
