/**
 * What it takes to open a list of 10,000 entries with 50,000 edits in its past by 20 authors, beside Hocuspocus 4 that holds the
 * same document: the bytes a new client is sent, the server's processor time, and how long it takes after a restart.
 */
import * as Y from 'yjs';
import { entriesOf, metaOf, orderOf } from '#contract/playlist-doc.ts';
import { newIds } from '#server/ids.ts';
import { connect, openStage, pause, print } from './support/collab-load.ts';
import { installPeers } from './support/peers.ts';
import type { Server, ServerName } from './support/collab-load.ts';

const ENTRIES = 10_000;
const EDITS = 50_000;
const AUTHORS = 20;
/** Edits the log still holds one by one. */
const TAIL = 150;
const OPENS = 3;
const AT_ONCE = 20;

/** A document as 20 people make it by turns: first the songs, then one move after the other. */
function makeDocument(track_ids: readonly string[]): { bytes: string; tail: string[]; clients: number[] } {
  const doc = new Y.Doc();
  const clients = Array.from({ length: AUTHORS }, (_, i) => 1_000_000 + i);
  const ids: string[] = [];
  const tail: string[] = [];
  const pick = (below: number) => Math.floor(Math.random() * below);
  metaOf(doc).set('name', 'Large');
  let bytes = '';
  for (let i = 0; i < EDITS; i++) {
    if (i === EDITS - TAIL) {
      bytes = Buffer.from(Y.encodeStateAsUpdate(doc)).toString('base64');
      doc.on('update', (update: Uint8Array) => tail.push(Buffer.from(update).toString('base64')));
    }
    // One copy that writes under each author's id in turn, as if all of them were always up to date.
    doc.clientID = clients[i % AUTHORS] ?? 0;
    doc.transact(() => {
      if (i < ENTRIES) {
        const entry_id = newIds.id();
        ids.push(entry_id);
        const track_id = track_ids[pick(track_ids.length)] ?? null;
        entriesOf(doc).set(entry_id, { track_id, added_by: null, added_at: 1_760_000_000 + i });
        orderOf(doc).set(entry_id, `c${String(i).padStart(4, '0')}V`);
      } else orderOf(doc).set(ids[pick(ids.length)] ?? '', `c${String(pick(ENTRIES)).padStart(4, '0')}${i}V`);
    });
  }
  return { bytes, tail, clients };
}

interface Opening {
  bytes: number;
  cpuMicros: number;
  wallMs: number;
}

async function open(server: Server, name: string, headers: Record<string, string>): Promise<Opening> {
  const beforeMicros = server.cpuMicros();
  const startedMs = performance.now();
  const client = await connect(server, name, headers);
  const wallMs = performance.now() - startedMs;
  // What it does once the answer is on its way belongs to it.
  await pause(300);
  const cpuMicros = server.cpuMicros() - beforeMicros;
  client.ws.terminate();
  return { bytes: client.heardBytes, cpuMicros, wallMs };
}

/** Processor time is told in hundredths of a second: of many, one after another. */
async function openMany(server: Server, name: string, headers: Record<string, string>): Promise<Opening> {
  const beforeMicros = server.cpuMicros();
  const startedMs = performance.now();
  let bytes = 0;
  for (let i = 0; i < AT_ONCE; i++) {
    const client = await connect(server, name, headers);
    client.ws.terminate();
    bytes = client.heardBytes;
  }
  const wallMs = (performance.now() - startedMs) / AT_ONCE;
  await pause(300);
  return { bytes, cpuMicros: (server.cpuMicros() - beforeMicros) / AT_ONCE, wallMs };
}

const missing = installPeers();
if (missing !== null)
  throw new Error(`the peers could not be fetched, so there is nothing to measure against: ${missing}`);
const NAMES: readonly ServerName[] = ['ours', 'hocuspocus'];
const stage = await openStage(NAMES);
try {
  const ours = stage.servers.get('ours');
  if (ours === undefined) throw new Error('our own server is missing');
  const document = makeDocument(ours.hello.track_ids);
  const names = new Map<ServerName, string>();
  for (const server of stage.servers.values()) {
    const name = await stage.newDocument(server, 1);
    names.set(server.name, name);
    await server.ask({ ask: 'store', name, ...document, user_id: server.name === 'ours' ? await stage.ownerId() : '' });
  }
  const warm = new Map<ServerName, Opening>();
  const cold = new Map<ServerName, Opening>();
  const keep = (kept: Map<ServerName, Opening>, name: ServerName, { bytes, cpuMicros, wallMs }: Opening) => {
    const before = kept.get(name);
    kept.set(name, {
      bytes,
      cpuMicros: Math.min(cpuMicros, before?.cpuMicros ?? Infinity),
      wallMs: Math.min(wallMs, before?.wallMs ?? Infinity),
    });
  };
  for (let i = 0; i < OPENS; i++) {
    for (const name of NAMES) {
      const server = await stage.restart(stage.servers.get(name) as Server);
      const list = names.get(name) ?? '';
      const headers = stage.headersOf(server, 0);
      // A first connection of any kind pays for code that was never run: to a small list, which both keep.
      const other = await connect(server, await stage.newDocument(server, 1), headers);
      keep(cold, name, await open(server, list, headers));
      const holder = await connect(server, list, headers);
      keep(warm, name, await openMany(server, list, headers));
      holder.ws.terminate();
      other.ws.terminate();
    }
  }
  const what = 'opening 10,000 entries with 50,000 past edits';
  const row = (title: string, unit: string, must: number, of: (name: ServerName) => number) => [
    ...NAMES.map((name) => ({ name: `${what}, ${title}: ${name}`, value: of(name), unit })),
    {
      name: `${what}, ${title}: ours against Hocuspocus`,
      value: of('ours') / of('hocuspocus'),
      unit: '×',
      must,
      direction: 'max' as const,
    },
  ];
  const figure = (kept: Map<ServerName, Opening>, by: keyof Opening) => (name: ServerName) =>
    kept.get(name)?.[by] ?? Number.NaN;
  print([
    ...row('bytes', 'B', 1, figure(cold, 'bytes')),
    ...row('processor time', 'µs', 0.3, figure(warm, 'cpuMicros')),
    ...row('time after a restart', 'ms', 0.3, figure(cold, 'wallMs')),
  ]);
} finally {
  await stage.close();
}
