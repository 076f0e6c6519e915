/**
 * What shared lists hold in memory beside both peers: a connection, an open room of ten songs, and what is left when everybody has
 * gone; and what a reader costs that stops reading under 135 MiB of edits.
 */
import * as decoding from 'lib0/decoding';
import * as Y from 'yjs';
import { metaOf } from '#contract/playlist-doc.ts';
import { connect, makeEdit, openStage, pause, print, until } from './support/collab-load.ts';
import { installPeers } from './support/peers.ts';
import type { Client, Server, ServerName, Stage } from './support/collab-load.ts';

const NAMES: readonly ServerName[] = ['ours', 'hocuspocus', 'reference'];
const CONNECTIONS = 600;
const ROOMS = 300;
const WARM_UP_ROOMS = 150;
const SONGS = 10;
/** Longer than a room of any of them is kept without anybody in it, Hocuspocus's late store included. */
const UNLOADED_AFTER_MS = 6_000;

interface Memory {
  connection: number;
  room: number;
  left: number;
}

async function measureMemory(stage: Stage, server: Server, track_ids: readonly string[]): Promise<Memory> {
  const headers = () => stage.headersOf(server, 0);
  const name = await stage.newDocument(server, 1);
  const names: string[] = [];
  for (let i = 0; i < WARM_UP_ROOMS + ROOMS; i++) names.push(await stage.newDocument(server, 1));
  // Through everything, often enough that what is only made once, compiled code among it, is there before the first look.
  for (const { ws } of await visit(server, names.splice(0, WARM_UP_ROOMS), headers, track_ids)) ws.terminate();
  await pause(UNLOADED_AFTER_MS);
  const first = await connect(server, name, headers());
  const before = await server.heldKib();
  const clients: Client[] = [];
  for (let i = 0; i < CONNECTIONS; i++) clients.push(await connect(server, name, headers()));
  const connection = ((await server.heldKib()) - before) / CONNECTIONS;
  for (const { ws } of clients) ws.terminate();
  first.ws.terminate();
  await pause(UNLOADED_AFTER_MS);

  const empty = await server.heldKib();
  const visitors = await visit(server, names, headers, track_ids);
  const open = await server.heldKib();
  for (const { ws } of visitors) ws.terminate();
  await pause(UNLOADED_AFTER_MS);
  const left = await server.heldKib();
  return { connection, room: (open - empty) / ROOMS, left: (left - empty) / ROOMS };
}

/** Opens each list and puts its songs into it. */
async function visit(
  server: Server,
  names: readonly string[],
  headers: () => Record<string, string>,
  track_ids: readonly string[],
) {
  const visitors: Client[] = [];
  for (const name of names) {
    const client = await connect(server, name, headers());
    for (let n = 0; n < SONGS; n++) client.send(makeEdit(client, track_ids).update);
    visitors.push(client);
  }
  return visitors;
}

const DESCRIPTION_BYTES = 16 * 1024;
const TOTAL_BYTES = 135 * 1024 * 1024;

interface Stall {
  grownMib: number;
  closedWith: number | null;
}

/** Sends 135 MiB of descriptions to a room of five, one of whom, if `isStalled`, does not read. */
async function measureStall(stage: Stage, server: Server, isStalled: boolean): Promise<Stall> {
  const name = await stage.newDocument(server, 6);
  const clients: Client[] = [];
  for (let n = 0; n < 6; n++) {
    const doc = new Y.Doc();
    // A description that is set without knowing of the one before may lose to it, and is then sent to nobody.
    const learn = (frame: Uint8Array) => {
      const decoder = decoding.createDecoder(frame);
      decoder.pos = 2;
      Y.applyUpdate(doc, decoding.readVarUint8Array(decoder));
    };
    clients.push(await connect(server, name, stage.headersOf(server, n), doc, learn));
  }
  const [writer, sleeper, ...readers] = clients;
  if (writer === undefined || sleeper === undefined) throw new Error('nobody came');
  /** The last description each reader has seen. What is overwritten in the same turn of a room is not sent to anybody. */
  const seen = new Map(readers.map((reader) => [reader, -1]));
  for (const reader of readers) {
    reader.onFrame = (frame) => {
      for (const [, number] of Buffer.from(frame)
        .toString('latin1')
        .matchAll(/No (\d+) x/g)) {
        seen.set(reader, Math.max(seen.get(reader) ?? -1, Number(number)));
      }
    };
  }
  const haveAllSeen = (number: number) => [...seen.values()].every((last) => last >= number);
  if (isStalled) sleeper.ws.pause();
  await server.ask({ ask: 'gc' });
  await pause(500);
  const before = server.memoryNowKib();
  let most = before;
  const count = Math.ceil(TOTAL_BYTES / DESCRIPTION_BYTES);
  let update: Uint8Array = new Uint8Array();
  writer.doc.on('update', (bytes: Uint8Array) => (update = bytes));
  for (let i = 0; i < count; i++) {
    metaOf(writer.doc).set('description', `No ${i} `.padEnd(DESCRIPTION_BYTES, 'x'));
    writer.send(update);
    // The readers keep up: what is measured is the one who does not.
    if (i % 4 === 3) await until(() => haveAllSeen(i - 4), 'the readers to keep up');
    if (i % 20 === 19) most = Math.max(most, server.memoryNowKib());
  }
  await until(() => haveAllSeen(count - 1), 'the readers to hear all of it');
  most = Math.max(most, server.memoryNowKib());
  sleeper.ws.resume();
  await pause(500);
  const { closedWith } = sleeper;
  for (const { ws } of clients) ws.terminate();
  return { grownMib: (most - before) / 1024, closedWith };
}

const missing = installPeers();
if (missing !== null)
  throw new Error(`the peers could not be fetched, so there is nothing to measure against: ${missing}`);
const stage = await openStage(NAMES);
try {
  const track_ids = stage.servers.get('ours')?.hello.track_ids ?? [];
  const found = new Map<ServerName, Memory>();
  for (const name of NAMES) found.set(name, await measureMemory(stage, stage.servers.get(name) as Server, track_ids));
  const rows: [keyof Memory, string, number][] = [
    ['connection', 'memory of a connection to a list', 1.5],
    ['room', 'memory of an open list of ten songs', 1.3],
    ['left', 'memory left of a list when everybody has gone', 1],
  ];
  for (const [key, what, must] of rows) {
    const of = (name: ServerName) => found.get(name)?.[key] ?? Number.NaN;
    const least = Math.min(of('hocuspocus'), of('reference'));
    print([
      ...NAMES.map((name) => ({ name: `${what}: ${name}`, value: of(name), unit: 'KiB' })),
      {
        name: `${what}: ours against the smaller peer`,
        // Below nothing is nothing: memory that was there before may have been given back.
        value: Math.max(0, of('ours')) / Math.max(least, 0.1),
        unit: '×',
        must,
        direction: 'max',
      },
    ]);
  }
  const ours = stage.servers.get('ours') as Server;
  // The first pays for room the heap then keeps.
  await measureStall(stage, ours, false);
  const usual = await measureStall(stage, ours, false);
  const stalled = await measureStall(stage, ours, true);
  print([
    { name: '135 MiB of descriptions, all reading: memory at most', value: usual.grownMib, unit: 'MiB more' },
    { name: '135 MiB of descriptions, one not reading: memory at most', value: stalled.grownMib, unit: 'MiB more' },
    {
      name: 'a reader that stops reading costs',
      value: Math.max(0, stalled.grownMib - usual.grownMib),
      unit: 'MiB',
      must: 8,
      direction: 'max',
    },
    // 1013, or 1006 when it reads so late that the line was cut before: the stock client comes again after both.
    {
      name: 'a reader that stops reading is let go, to come again',
      value: stalled.closedWith === 1013 || stalled.closedWith === 1006 ? 1 : 0,
      unit: `(code ${stalled.closedWith})`,
      must: 1,
    },
  ]);
} finally {
  await stage.close();
}
