import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { addEntries, entriesOf, metaOf, orderOf, readList } from '#contract/playlist-doc.ts';
import { newIds } from '#server/ids.ts';
import { DIALECTS } from '../support/dialects.ts';
import { roomKit } from '../support/room.ts';
import { RawObject, handUpdate, syncFrame } from '../support/yjs-bytes.ts';
import type { CloseReason } from '#contract/close-codes.ts';
import type { TestDatabase } from '../support/dialects.ts';
import type { HonestClient, RoomKit } from '../support/room.ts';
import type { Content, HandStruct } from '../support/yjs-bytes.ts';

/** What an attacker can know before an attack: they read the document like everybody. */
interface Scene {
  /** The victim's client id and how far it is. */
  victim: number;
  clock: number;
  /** A client id nobody uses. */
  mine: number;
  track: string;
  otherTrack: string;
  /** An entry that is there, and one that was removed. */
  live: string;
  gone: string;
  /** The server's own client id, of edits by REST. */
  server: number;
  serverClock: number;
  entryItem: [number, number];
  kit: RoomKit;
}

interface Attack {
  name: string;
  bytes(scene: Scene): Uint8Array;
  why?: CloseReason;
}

const id = () => newIds.id();
const one = (scene: Scene, struct: HandStruct) => handUpdate([{ client: scene.mine, clock: 0, structs: [struct] }]);
const entryOf = (track_id: unknown, more: Record<string, unknown> = {}) => ({
  track_id,
  added_by: null,
  added_at: 1,
  ...more,
});
const asEntry = (name: string, value: (scene: Scene) => unknown): Attack => ({
  name: `an entry ${name}`,
  bytes: (scene) => one(scene, { any: [value(scene)], at: { root: 'entries', key: id() } }),
  why: 'schema',
});
const asContent = (name: string, content: Content, root = 'entries'): Attack => ({
  name: `${name} as content of ${root}`,
  bytes: (scene) => one(scene, { ...content, at: { root, key: root === 'meta' ? 'name' : id() } }),
});
const asKey = (name: string, value: unknown): Attack => ({
  name: `the order key ${name}`,
  bytes: (scene) => one(scene, { any: [value], at: { root: 'order', key: scene.live } }),
  why: 'schema',
});
const asMeta = (name: string, key: string, value: unknown): Attack => ({
  name: `meta: ${name}`,
  bytes: (scene) => one(scene, { any: [value], at: { root: 'meta', key } }),
  why: 'schema',
});

const name: HandStruct = { any: ['x'], at: { root: 'meta', key: 'name' } };

const ATTACKS: Attack[] = [
  // Clocks and client ids.
  {
    name: '13 bytes that collect the victim for ever',
    bytes: ({ victim, clock }) => handUpdate([{ client: victim, clock, structs: [{ gc: 2 ** 40 }] }]),
    why: 'malformed',
  },
  { name: 'a GC of one under a fresh id', bytes: (s) => one(s, { gc: 1 }), why: 'malformed' },
  { name: 'a GC of an absurd length under a fresh id', bytes: (s) => one(s, { gc: 2 ** 52 }), why: 'malformed' },
  {
    name: 'a Skip before an item',
    bytes: (s) => handUpdate([{ client: s.mine, clock: 0, structs: [{ skip: 5 }, name] }]),
    why: 'malformed',
  },
  {
    name: 'a Skip of the victim',
    bytes: (s) => handUpdate([{ client: s.victim, clock: s.clock, structs: [{ skip: 2 ** 40 }] }]),
    why: 'malformed',
  },
  {
    name: 'a clock that leaves a gap',
    bytes: (s) => handUpdate([{ client: s.mine, clock: 7, structs: [name] }]),
    why: 'malformed',
  },
  {
    name: 'a clock near the end of numbers',
    bytes: (s) =>
      handUpdate([
        { client: s.mine, clock: 2 ** 53 - 2, structs: [{ deleted: 1, at: { root: 'meta', key: 'name' } }] },
      ]),
    why: 'malformed',
  },
  {
    name: 'an edit under the victim’s id',
    bytes: (s) => handUpdate([{ client: s.victim, clock: s.clock, structs: [name] }]),
    why: 'malformed',
  },
  {
    name: 'a long removed run under the victim’s id',
    bytes: (s) =>
      handUpdate([
        { client: s.victim, clock: s.clock, structs: [{ deleted: 5000, at: { root: 'meta', key: 'name' } }] },
      ]),
    why: 'malformed',
  },
  {
    name: 'a removed run of 2^40',
    bytes: (s) => one(s, { deleted: 2 ** 40, at: { root: 'meta', key: 'name' } }),
    why: 'malformed',
  },
  {
    name: 'a fork of the victim’s past',
    bytes: (s) => handUpdate([{ client: s.victim, clock: s.clock - 1, structs: [name, name] }]),
    why: 'malformed',
  },
  {
    name: 'an edit under the server’s id',
    bytes: (s) => handUpdate([{ client: s.server, clock: s.serverClock, structs: [name] }]),
    why: 'malformed',
  },
  {
    name: 'an item of no length before one of some',
    bytes: (s) =>
      handUpdate([{ client: s.mine, clock: 0, structs: [{ deleted: 0, at: { root: 'meta', key: 'name' } }, name] }]),
  },
  {
    name: 'an item of no value before one of some',
    bytes: (s) =>
      handUpdate([{ client: s.mine, clock: 0, structs: [{ any: [], at: { root: 'meta', key: 'name' } }, name] }]),
  },
  // References.
  {
    name: 'an origin that is not there',
    bytes: (s) => one(s, { any: ['x'], at: { origin: [s.victim, 2 ** 30] } }),
    why: 'malformed',
  },
  {
    name: 'an origin of an unknown client',
    bytes: (s) => one(s, { any: ['x'], at: { origin: [4_000_000_001, 0] } }),
    why: 'malformed',
  },
  { name: 'an item that is its own origin', bytes: (s) => one(s, { any: ['x'], at: { origin: [s.mine, 0] } }) },
  {
    name: 'an origin later in the same client',
    bytes: (s) =>
      handUpdate([{ client: s.mine, clock: 0, structs: [{ any: ['x'], at: { origin: [s.mine, 1] } }, name] }]),
  },
  {
    name: 'two clients that wait for each other',
    bytes: (s) =>
      handUpdate([
        { client: s.mine, clock: 0, structs: [{ any: ['x'], at: { origin: [s.mine + 1, 1] } }] },
        { client: s.mine + 1, clock: 0, structs: [{ any: ['x'], at: { origin: [s.mine, 0] } }, name] },
      ]),
  },
  {
    name: 'a circle of origins',
    bytes: (s) =>
      handUpdate([
        { client: s.mine, clock: 0, structs: [{ any: ['x'], at: { origin: [s.mine + 1, 0] } }] },
        { client: s.mine + 1, clock: 0, structs: [{ any: ['x'], at: { origin: [s.mine, 0] } }] },
      ]),
  },
  { name: 'a right origin', bytes: (s) => one(s, { any: ['x'], at: { right: s.entryItem } }) },
  {
    name: 'both origins',
    bytes: (s) => one(s, { any: [entryOf(s.track)], at: { origin: s.entryItem, right: s.entryItem } }),
  },
  {
    name: 'a removal of what is not there',
    bytes: (s) => handUpdate([], [[s.victim, [[s.clock, 10]]]]),
    why: 'malformed',
  },
  {
    name: 'a removal of an unknown client',
    bytes: () => handUpdate([], [[4_000_000_002, [[0, 1]]]]),
    why: 'malformed',
  },
  { name: 'a removal of 2^40', bytes: (s) => handUpdate([], [[s.victim, [[0, 2 ** 40]]]]), why: 'malformed' },
  // Places.
  { name: 'another root', bytes: (s) => one(s, { any: ['x'], at: { root: 'evil', key: 'x' } }), why: 'schema' },
  {
    name: 'the root __proto__',
    bytes: (s) => one(s, { any: ['x'], at: { root: '__proto__', key: 'x' } }),
    why: 'schema',
  },
  {
    name: 'the root constructor',
    bytes: (s) => one(s, { any: ['x'], at: { root: 'constructor', key: 'x' } }),
    why: 'schema',
  },
  { name: 'an empty root', bytes: (s) => one(s, { any: ['x'], at: { root: '', key: 'x' } }), why: 'schema' },
  { name: 'a list item in a map', bytes: (s) => one(s, { any: ['x'], at: { root: 'meta' } }) },
  { name: 'a list item in entries', bytes: (s) => one(s, { any: [entryOf(s.track)], at: { root: 'entries' } }) },
  { name: 'a child of an item', bytes: (s) => one(s, { any: ['x'], at: { parent: s.entryItem, key: 'x' } }) },
  {
    name: 'a nested map with a child',
    bytes: (s) =>
      handUpdate([
        {
          client: s.mine,
          clock: 0,
          structs: [
            { type: 1, at: { root: 'entries', key: id() } },
            { any: ['x'], at: { parent: [s.mine, 0], key: 'x' } },
          ],
        },
      ]),
    why: 'schema',
  },
  {
    name: 'the entry key __proto__',
    bytes: (s) => one(s, { any: [entryOf(s.track)], at: { root: 'entries', key: '__proto__' } }),
    why: 'schema',
  },
  {
    name: 'a short entry key',
    bytes: (s) => one(s, { any: [entryOf(s.track)], at: { root: 'entries', key: 'x' } }),
    why: 'schema',
  },
  {
    name: 'a long order key name',
    bytes: (s) => one(s, { any: ['a0'], at: { root: 'order', key: 'x'.repeat(10_000) } }),
    why: 'schema',
  },
  {
    name: 'an unknown key of meta',
    bytes: (s) => one(s, { any: ['x'], at: { root: 'meta', key: 'evil' } }),
    why: 'schema',
  },
  {
    name: 'a removed unknown key of meta',
    bytes: (s) => one(s, { deleted: 1, at: { root: 'meta', key: 'evil' } }),
    why: 'schema',
  },
  {
    name: 'the meta key __proto__',
    bytes: (s) => one(s, { any: ['x'], at: { root: 'meta', key: '__proto__' } }),
    why: 'schema',
  },
  // Content.
  ...(['entries', 'order', 'meta'] as const).flatMap((root) => [
    asContent('a Y.Array', { type: 0 }, root),
    asContent('a Y.Map', { type: 1 }, root),
    asContent('a Y.Text', { type: 2 }, root),
    asContent('an XML element', { type: 3, name: 'a' }, root),
    asContent('an XML fragment', { type: 4 }, root),
    asContent('an XML hook', { type: 5, name: 'a' }, root),
    asContent('an XML text', { type: 6 }, root),
    asContent('binary', { binary: new Uint8Array(100) }, root),
    asContent('a string', { string: 'name' }, root),
    asContent('JSON', { json: ['name'] }, root),
    asContent('an embed', { embed: {} }, root),
    asContent('a format', { format: ['bold', true] }, root),
    asContent('a subdocument', { subdoc: 'guid' }, root),
    asContent('an unknown kind', { ref: 11, raw: new Uint8Array([1]) }, root),
    asContent('an unknown type', { type: 99 }, root),
  ]),
  { name: 'several values in one item', bytes: (s) => one(s, { any: ['x', 'y'], at: { root: 'meta', key: 'name' } }) },
  // Entries.
  asEntry('that is a string', () => 'x'),
  asEntry('that is null', () => null),
  asEntry('that is undefined', () => undefined),
  asEntry('that is a list', ({ track }) => [track]),
  asEntry('that is bytes', () => new Uint8Array(10)),
  asEntry('that is a big number', () => 10n),
  asEntry('without fields', () => ({})),
  asEntry('of an unknown track', () => entryOf(id())),
  asEntry('of no track id', () => entryOf('x')),
  asEntry('of a number', () => entryOf(1)),
  asEntry('with a field too many', ({ track }) => entryOf(track, { evil: 1 })),
  asEntry('with a nested field too many', ({ track }) => entryOf(track, { text: { title: 'x', artist: 'y' } })),
  asEntry('without added_by', ({ track }) => ({ track_id: track, added_at: 1 })),
  asEntry('with NaN as time', ({ track }) => entryOf(track, { added_at: NaN })),
  asEntry('with a big number as time', ({ track }) => entryOf(track, { added_at: 5n })),
  asEntry('with an adder of no id', ({ track }) => entryOf(track, { added_by: 'x' })),
  asEntry('of text without a title', () => entryOf(null, { text: { artist: 'y' } })),
  asEntry('of text with a field too many', () => entryOf(null, { text: { title: 'x', artist: 'y', evil: 1 } })),
  asEntry('of text with a control character', () => entryOf(null, { text: { title: 'x\u0000y', artist: 'y' } })),
  asEntry('of text that is too long', () => entryOf(null, { text: { title: 'x'.repeat(501), artist: 'y' } })),
  asEntry('of neither track nor text', () => entryOf(null)),
  asEntry(
    'whose fields are those of its prototype',
    ({ track }) =>
      new RawObject([
        [
          '__proto__',
          new RawObject([
            ['track_id', track],
            ['added_by', null],
            ['added_at', 1],
          ]),
        ],
      ]),
  ),
  asEntry(
    'with a prototype of its own',
    ({ track }) =>
      new RawObject([
        ['track_id', track],
        ['added_by', null],
        ['added_at', 1],
        ['__proto__', new RawObject([['evil', 1]])],
      ]),
  ),
  {
    name: 'another track for an entry that is there',
    bytes: (s) => one(s, { any: [entryOf(s.otherTrack)], at: { origin: s.entryItem } }),
    why: 'schema',
  },
  {
    name: 'another adder for an entry that is there',
    bytes: (s) =>
      one(s, { any: [entryOf(s.track, { added_by: s.kit.ben.user_id, added_at: 9 })], at: { origin: s.entryItem } }),
    why: 'schema',
  },
  {
    name: 'another track for a removed entry',
    bytes: (s) => one(s, { any: [entryOf(s.otherTrack)], at: { root: 'entries', key: s.gone } }),
    why: 'schema',
  },
  // Order and meta.
  asKey('of nothing', ''),
  asKey('that is a number', 5),
  asKey('that is null', null),
  asKey('with a foreign character', 'a!'),
  asKey('with a NUL', 'a0\u0000'),
  asKey('that ends in 0', 'a10'),
  asKey('that is no integer', 'zz'),
  asKey('below everything', `A${'0'.repeat(26)}`),
  asKey('of 513 characters', `a0${'1'.repeat(511)}`),
  asKey('that is an object', { a: 1 }),
  asMeta('a name that is no text', 'name', 5),
  asMeta('a name that is too long', 'name', 'x'.repeat(201)),
  asMeta('a name with a NUL', 'name', 'a\u0000b'),
  asMeta('a name of two lines', 'name', 'a\nb'),
  asMeta('a name that runs backwards', 'name', 'a\u202eb'),
  asMeta('a description that is too long', 'description', 'x'.repeat(20_000)),
  asMeta('a description with a NUL', 'description', 'a\u0000b'),
  asMeta('a description that is an object', 'description', {}),
  // Bytes.
  {
    name: 'an update over 256 KiB',
    bytes: (s) => one(s, { any: ['x'.repeat(256 * 1024)], at: { root: 'meta', key: 'description' } }),
    why: 'too_large',
  },
  { name: 'an empty update', bytes: () => new Uint8Array(), why: 'malformed' },
  { name: 'garbage', bytes: () => new Uint8Array(500).fill(255), why: 'malformed' },
  {
    name: 'a count of clients without end',
    bytes: () => new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x7f, 1, 1, 0]),
    why: 'malformed',
  },
  {
    name: 'a thousand nested lists',
    bytes: (s) =>
      one(s, {
        ref: 8,
        raw: new Uint8Array([1, ...Array.from({ length: 60_000 }, () => [117, 1]).flat(), 126]),
        at: { root: 'meta', key: 'name' },
      }),
  },
  {
    name: 'nine thousand new client ids',
    bytes: () =>
      handUpdate(Array.from({ length: 9_000 }, (_, i) => ({ client: 2_000_000_000 - i, clock: 0, structs: [name] }))),
  },
];

describe.each(DIALECTS)('the referee on $name', (dialect) => {
  let database: TestDatabase;
  let kit: RoomKit;
  let ana: HonestClient;
  let scene: Omit<Scene, 'mine'>;
  let fresh = 1_000_000;

  async function setScene(): Promise<void> {
    ana = await kit.honest(kit.ana, 'owner');
    const [live, gone] = [id(), id()];
    const [track, otherTrack] = [kit.tracks[0]!, kit.tracks[1]!];
    for (const entry_id of [live, gone]) {
      addEntries(ana.doc, [{ entry_id, value: { track_id: track, added_by: kit.ana.user_id, added_at: 5 } }], null);
    }
    await kit.settled();
    entriesOf(ana.doc).delete(gone);
    // An edit by REST, so that the server has an id of its own in the document.
    const server = await kit.room.transact(kit.ana.user_id, (doc) => {
      metaOf(doc).set('description', 'by REST');
      return doc.clientID;
    });
    ana.pump();
    const item = (entriesOf(ana.doc) as unknown as { _map: Map<string, Y.Item> })._map.get(live);
    scene = {
      victim: ana.doc.clientID,
      clock: Y.getState(ana.doc.store, ana.doc.clientID),
      track,
      otherTrack,
      live,
      gone,
      server,
      serverClock: Y.getState(ana.doc.store, server),
      entryItem: [item!.id.client, item!.id.clock],
      kit,
    };
  }

  beforeAll(async () => {
    database = await dialect.open();
    kit = await roomKit(database);
    await setScene();
  });
  afterAll(() => database.close());
  // A room that one attack broke must not fail the tests after it; nor are these about speed.
  beforeEach(async () => {
    kit.ctx.clock.advance(60_000);
    if (kit.broken === 0) return;
    await kit.reopen();
    await setScene();
  });

  test.each(ATTACKS)('[PL4] refuses $name and lets nobody else feel it', async ({ bytes, why }) => {
    const witness = kit.join(kit.ana, 'owner');
    const attacker = kit.join(kit.ben, 'editor');
    // Until its first sync a gap is excused: a client may build on what it is about to send.
    attacker.seat.receive(syncFrame(1, new Uint8Array([0, 0])));
    await kit.settled();
    ana.pump();
    scene = { ...scene, clock: Y.getState(ana.doc.store, ana.doc.clientID) };
    witness.frames.length = 0;
    const before = await kit.state();

    const startedMs = performance.now();
    attacker.seat.receive(syncFrame(2, bytes({ ...scene, mine: (fresh += 10) })));
    await kit.settled();
    // A guard against hanging, not a measure.
    expect(performance.now() - startedMs).toBeLessThan(10_000);

    expect(kit.broken).toBe(0);
    if (why === undefined) expect(['malformed', 'schema', 'too_large', 'too_fast']).toContain(attacker.closed);
    else expect(attacker.closed).toBe(why);
    expect(await kit.state()).toBe(before);
    expect(witness.frames).toEqual([]);
    expect(witness.closed).toBeNull();
    attacker.seat.leave();

    // The victim's next edits still land, at the server, at others and in the rows.
    const entry_id = id();
    addEntries(ana.doc, [{ entry_id, value: { track_id: scene.track, added_by: null, added_at: 1 } }], null);
    orderOf(ana.doc).delete(entry_id);
    await kit.settled();
    expect(ana.fake.closed).toBeNull();
    expect(witness.frames.length).toBeGreaterThan(0);
    expect((await kit.rows()).at(-1)).toEqual([entry_id, scene.track]);
    entriesOf(ana.doc).delete(entry_id);
    await kit.settled();
    witness.seat.leave();
  });

  test('[PL4] V2 bytes are not taken for V1', async () => {
    const before = await kit.state();
    const doc = new Y.Doc();
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(ana.doc));
    const updates: Uint8Array[] = [];
    doc.on('updateV2', (update: Uint8Array) => updates.push(update));
    metaOf(doc).set('name', 'V2');
    addEntries(doc, [{ entry_id: id(), value: { track_id: scene.track, added_by: null, added_at: 1 } }], null);
    for (const update of [...updates, Y.encodeStateAsUpdateV2(doc)]) {
      const attacker = kit.join(kit.ben, 'editor');
      attacker.seat.receive(syncFrame(2, update));
      await kit.settled();
      attacker.seat.leave();
    }
    expect(kit.broken).toBe(0);
    expect(await kit.state()).toBe(before);
  });

  test('[PL4] a past that is told differently does not split server, peers and disk', async () => {
    const attacker = kit.join(kit.ben, 'editor');
    const mine = (fresh += 10);
    const known = handUpdate([
      { client: mine, clock: 0, structs: [{ any: ['a0'], at: { root: 'order', key: scene.live } }] },
    ]);
    attacker.seat.receive(syncFrame(2, known));
    await kit.settled();
    expect(attacker.closed).toBeNull();
    // Says that the item above was a removed run of two in `meta`.
    const fork = handUpdate([{ client: mine, clock: 0, structs: [{ deleted: 2, at: { root: 'meta', key: 'name' } }] }]);
    attacker.seat.receive(syncFrame(2, fork));
    await kit.settled();
    ana.pump();
    const inRoom = await kit.room.transact(kit.ana.user_id, (doc) =>
      JSON.stringify([metaOf(doc).toJSON(), orderOf(doc).toJSON()]),
    );
    expect(JSON.stringify([metaOf(ana.doc).toJSON(), orderOf(ana.doc).toJSON()])).toBe(inRoom);
    ana.fake.seat.leave();
    await kit.reopen();
    const again = await kit.room.transact(kit.ana.user_id, (doc) =>
      JSON.stringify([metaOf(doc).toJSON(), orderOf(doc).toJSON()]),
    );
    expect(again).toBe(inRoom);
    await setScene();
  });

  test('[PL4] a chain of origins costs the room no second', async () => {
    const mine = (fresh += 10);
    const chain = handUpdate([
      {
        client: mine,
        clock: 0,
        structs: Array.from({ length: 20_000 }, (_, i) =>
          i === 0
            ? { any: ['a0'], at: { root: 'order', key: scene.live } }
            : { any: ['a0'], at: { origin: [mine, i - 1] as [number, number] } },
        ),
      },
    ]);
    const attacker = kit.join(kit.ben, 'editor');
    const startedMs = performance.now();
    attacker.seat.receive(syncFrame(2, chain));
    await kit.settled();
    const judgedMs = performance.now() - startedMs;
    // Beside what Yjs itself needs for it; judging it in squared time took thirty times as long.
    const plainAtMs = performance.now();
    Y.applyUpdate(new Y.Doc(), chain);
    expect(judgedMs).toBeLessThan(10 * (performance.now() - plainAtMs) + 500);
    expect(kit.broken).toBe(0);
    attacker.seat.leave();
    ana.pump();
  });

  test('[PL10] a viewer’s edit changes nothing and closes 4403; one that adds nothing is passed over', async () => {
    const before = await kit.state();
    for (const role of ['viewer', 'public'] as const) {
      for (const step of [1, 2]) {
        const viewer = kit.join(kit.ben, role);
        viewer.seat.receive(syncFrame(step, new Uint8Array([0, 0])));
        viewer.seat.receive(syncFrame(step, Y.encodeStateAsUpdate(ana.doc)));
        await kit.settled();
        expect(viewer.closed).toBeNull();
        viewer.seat.receive(syncFrame(step, handUpdate([{ client: (fresh += 10), clock: 0, structs: [name] }])));
        await kit.settled();
        expect(viewer.closed).toBe('access_withdrawn');
        viewer.seat.leave();
      }
    }
    const guest = kit.join({ ...kit.ben, role: 'guest' }, 'editor');
    guest.seat.receive(syncFrame(2, handUpdate([{ client: (fresh += 10), clock: 0, structs: [name] }])));
    await kit.settled();
    expect(guest.closed).toBe('access_withdrawn');
    expect(await kit.state()).toBe(before);
    expect(readList(ana.doc).length).toBeGreaterThan(0);
  });

  test('[PL4] what follows a refused update from the same socket is not taken either', async () => {
    const before = await kit.state();
    const attacker = kit.join(kit.ben, 'editor');
    const mine = (fresh += 10);
    attacker.seat.receive(syncFrame(2, new Uint8Array([1, 2, 3])));
    attacker.seat.receive(syncFrame(2, handUpdate([{ client: mine, clock: 0, structs: [name] }])));
    await kit.settled();
    attacker.seat.receive(syncFrame(2, handUpdate([{ client: mine, clock: 0, structs: [name] }])));
    await kit.settled();
    expect(attacker.closed).toBe('malformed');
    expect(await kit.state()).toBe(before);
    attacker.seat.leave();
  });
});
