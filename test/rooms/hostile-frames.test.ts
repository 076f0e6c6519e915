import * as encoding from 'lib0/encoding';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as Y from 'yjs';
import { addEntries, entriesOf, MAX_UPDATE_BYTES, metaOf } from '#contract/playlist-doc.ts';
import { newIds } from '#server/ids.ts';
import { DIALECTS } from '../support/dialects.ts';
import { roomKit } from '../support/room.ts';
import { handUpdate, syncFrame } from '../support/yjs-bytes.ts';
import type { TestDatabase } from '../support/dialects.ts';
import type { RoomKit } from '../support/room.ts';

/** What one frame may keep the room's thread busy (trust.md B6), by the processor's clock: others' work is not its fault. */
const BUSY_MAX_MICROS = 100_000;

let database: TestDatabase;
let kit: RoomKit;
beforeAll(async () => {
  database = await DIALECTS[0]!.open();
  kit = await roomKit(database);
});
afterAll(() => database.close());

function frame(write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder();
  write(encoder);
  return encoding.toUint8Array(encoder);
}

/** An awareness frame as its bytes say, honest or not. */
function awareness(
  states: readonly [client: number, clock: number, json: string][],
  count = states.length,
): Uint8Array {
  const inner = frame((encoder) => {
    encoding.writeVarUint(encoder, count);
    for (const [client, clock, json] of states) {
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, clock);
      encoding.writeVarString(encoder, json);
    }
  });
  return frame((encoder) => {
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarUint8Array(encoder, inner);
  });
}

function honestUpdate(): Uint8Array {
  const doc = new Y.Doc();
  const value = { track_id: kit.tracks[0] ?? null, added_by: null, added_at: 1 };
  addEntries(doc, [{ entry_id: newIds.id(), value }], null);
  metaOf(doc).set('name', 'cut short');
  return Y.encodeStateAsUpdate(doc);
}

/** Frames by name; none of them is one that a client which means well could send. */
function corpus(): [string, Uint8Array][] {
  const found: [string, Uint8Array][] = [];
  const update = honestUpdate();
  // Cut within the frame, and cut within the update that a whole frame carries.
  for (const step of [1, 2]) {
    const whole = syncFrame(step, update);
    for (let i = 1; i <= 20; i++) {
      const length = Math.floor((whole.length * i) / 21);
      found.push([`step ${step} cut at byte ${length}`, whole.slice(0, length)]);
      const inner = Math.floor((update.length * i) / 21);
      found.push([`step ${step} with an update cut at byte ${inner}`, syncFrame(step, update.slice(0, inner))]);
    }
  }
  for (const step of [3, 4, 9, 127, 128, 2 ** 31, 2 ** 52])
    found.push([`sync message ${step}`, syncFrame(step, update)]);
  // A length that promises more than there is, and one that no number can hold.
  for (const length of [[0xff, 0x01], [0xff, 0xff, 0xff, 0xff, 0x0f], Array.from({ length: 12 }, () => 0xff)]) {
    for (const step of [0, 1, 2])
      found.push([`step ${step} that promises ${length.length} bytes of length`, new Uint8Array([0, step, ...length])]);
    found.push([`awareness that promises ${length.length} bytes of length`, new Uint8Array([1, ...length])]);
  }
  // State vectors.
  for (const bytes of [[5], [1, 1], [0xff, 0xff, 0x7f], [0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1], [1, 0xff, 0xff]]) {
    found.push([`a state vector of ${bytes.join(' ')}`, syncFrame(0, new Uint8Array(bytes))]);
  }
  // Updates whose first number lies about how much follows.
  for (const count of [2, 100, 2 ** 20, 2 ** 31, 2 ** 50]) {
    const lying = frame((encoder) => {
      encoding.writeVarUint(encoder, count);
      encoding.writeUint8Array(encoder, update.slice(1, 40));
    });
    found.push([`an update of ${count} clients`, syncFrame(2, lying)]);
    const removing = frame((encoder) => {
      for (const number of [0, 1, 7, count]) encoding.writeVarUint(encoder, number);
    });
    found.push([`a delete set of ${count} ranges`, syncFrame(2, removing)]);
    const all = handUpdate([], [[123_456, [[0, count]]]]);
    found.push([`removal of ${count} things nobody wrote`, syncFrame(2, all)]);
  }
  // Awareness: nobody hears of any of these.
  for (const json of ['', '{', 'nul', '[1', '"x', '5', 'true', '"text"', '{"user":{"name":"Ana"}'])
    found.push([`awareness of ${JSON.stringify(json)}`, awareness([[77, 1, json]])]);
  for (const clock of [2 ** 32, 2 ** 40, 2 ** 52])
    found.push([`awareness at clock ${clock}`, awareness([[77, clock, '{}']])]);
  for (const count of [2, 1_000, 1_001, 2 ** 31])
    found.push([`awareness that counts ${count}`, awareness([[77, 1, '5']], count)]);
  found.push(['awareness of 3 KiB', awareness([[77, 1, JSON.stringify({ x: 'x'.repeat(3_000) })]])]);
  found.push(['awareness that ends another', awareness([[88, 2 ** 40, 'null']])]);
  // Only the server says these, or nobody.
  for (const reason of ['', 'nope']) {
    found.push([
      `a refusal "${reason}"`,
      frame((encoder) => {
        for (const number of [2, 0]) encoding.writeVarUint(encoder, number);
        encoding.writeVarString(encoder, reason);
      }),
    ]);
  }
  for (const type of [4, 5, 8, 100, 127, 128, 2 ** 31]) {
    found.push([
      `message type ${type}`,
      frame((encoder) => {
        encoding.writeVarUint(encoder, type);
        encoding.writeVarUint8Array(encoder, update);
      }),
    ]);
  }
  found.push(['nothing', new Uint8Array()]);
  return [...found, ...largeUpdates()];
}

/** As large as an update may be, or nearly, and made to cost as much as it can. */
function largeUpdates(): [string, Uint8Array][] {
  const found: [string, Uint8Array][] = [];
  const add = (name: string, fill: (doc: Y.Doc) => void) => {
    const doc = new Y.Doc({ gc: false });
    doc.transact(() => fill(doc));
    const bytes = Y.encodeStateAsUpdate(doc);
    expect([name, bytes.byteLength > 100 * 1024, bytes.byteLength <= MAX_UPDATE_BYTES]).toEqual([name, true, true]);
    for (const step of [1, 2]) found.push([`${name}, as step ${step}`, syncFrame(step, bytes)]);
  };
  const many = Array.from({ length: 1_800 }, () => newIds.id());
  const honest = (doc: Y.Doc) => {
    for (const id of many) entriesOf(doc).set(id, { track_id: kit.tracks[0]!, added_by: null, added_at: 1 });
  };
  add('a list that ends in another root', (doc) => {
    honest(doc);
    doc.getMap('other').set('a', 1);
  });
  add('a list that ends in a track nobody has', (doc) => {
    honest(doc);
    entriesOf(doc).set(newIds.id(), { track_id: newIds.id(), added_by: null, added_at: 1 });
  });
  add('nested maps', (doc) => {
    for (const id of many) doc.getMap('entries').set(id, new Y.Map([['track_id', id]]));
  });
  add('an array one by one', (doc) => {
    for (const id of many) for (let i = 0; i < 2; i++) doc.getArray('order').insert(0, [id]);
  });
  add('a key that was set very often, and at last wrongly', (doc) => {
    for (let i = 0; i < 8_000; i++) metaOf(doc).set('name', `a name of some length ${i}`);
    metaOf(doc).set('name', 5 as never);
  });
  add('a text of one letter after another', (doc) => {
    for (let i = 0; i < 20_000; i++) doc.getText('meta').insert(0, 'x');
  });
  const ranges = handUpdate([], [[123_456, Array.from({ length: 60_000 }, (_, i): [number, number] => [i * 2, 1])]]);
  const clients = Y.mergeUpdates(
    many.slice(0, 1_500).map((id) => {
      const doc = new Y.Doc();
      entriesOf(doc).set(id, { track_id: kit.tracks[0]!, added_by: null, added_at: 1 });
      return Y.encodeStateAsUpdate(doc);
    }),
  );
  for (const step of [1, 2]) {
    found.push([`a removal in 60,000 parts, as step ${step}`, syncFrame(step, ranges)]);
    found.push([`1,500 clients, as step ${step}`, syncFrame(step, clients)]);
  }
  return found;
}

test(
  '[PL51] no hostile frame changes a byte, reaches a peer or keeps the room busy',
  { timeout: 120_000 },
  async () => {
    const frames = corpus();
    // Beside the updates of referee.test.ts; together they are the corpus of the trust page.
    expect(frames.length).toBeGreaterThan(140);
    const witness = kit.join(kit.ana, 'owner');
    await kit.settled();
    const before = await kit.state();
    const heard = witness.frames.length;
    for (const [name, bytes] of frames) {
      kit.ctx.clock.advance(60_000);
      const attacker = kit.join(kit.ben, 'editor');
      attacker.seat.receive(syncFrame(1, new Uint8Array([0, 0])));
      await kit.settled();
      const started = process.threadCpuUsage();
      attacker.seat.receive(bytes);
      await kit.settled();
      const { user, system } = process.threadCpuUsage(started);
      expect([name, user + system < BUSY_MAX_MICROS]).toEqual([name, true]);
      attacker.seat.leave();
      expect([name, kit.broken, witness.closed, witness.frames.length]).toEqual([name, 0, null, heard]);
      expect([name, await kit.state()]).toEqual([name, before]);
    }
    witness.seat.leave();
  },
);
