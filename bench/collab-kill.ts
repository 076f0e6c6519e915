/**
 * What is lost when a server dies at the very moment at which another client sees an edit: of ours nothing may be. Beside it what the
 * peers lose: Hocuspocus acknowledges each edit as saved, and stores up to 10 s later; the reference server stores nothing.
 */
import * as Y from 'yjs';
import { connect, makeEdit, marksIn, openStage, pause, print, until } from './support/collab-load.ts';
import { installPeers } from './support/peers.ts';
import type { Server, ServerName, Stage } from './support/collab-load.ts';

const NAMES: readonly ServerName[] = ['ours', 'hocuspocus', 'reference'];
const SECONDS = [1, 3, 6];
const PER_SECOND = 100;

/** Writes at a steady pace, kills the server as the other sees the last edit, and looks what it has when it is back. */
async function killAfter(stage: Stage, server: Server, seconds: number, track_ids: readonly string[]) {
  const name = await stage.newDocument(server, 2);
  const writer = await connect(server, name, stage.headersOf(server, 0));
  const reader = await connect(server, name, stage.headersOf(server, 1));
  const seen = new Set<string>();
  const count = seconds * PER_SECOND;
  let killed: Promise<Server> | null = null;
  reader.onFrame = (frame) => {
    if (killed !== null) return;
    for (const mark of marksIn(frame)) seen.add(mark);
    if (seen.size >= count) killed = stage.restart(server);
  };
  writer.ws.on('error', () => undefined);
  const startedMs = performance.now();
  for (let sent = 0; killed === null;) {
    const due = Math.floor(((performance.now() - startedMs) / 1000) * PER_SECOND);
    while (sent < due && killed === null) {
      sent++;
      writer.send(makeEdit(writer, track_ids).update);
    }
    await pause(1);
  }
  const again = await (killed as Promise<Server>);
  await until(() => writer.closedWith !== null && reader.closedWith !== null, 'the connections to end');
  const witness = new Y.Doc();
  const marks = new Set<string>();
  const after = await connect(again, name, stage.headersOf(again, 1), witness, (bytes) => {
    for (const mark of marksIn(bytes)) marks.add(mark);
  });
  // An edit that another one overwrote is gone from what is left of the past: only those that still stand can be looked for.
  const standing = marksIn(Y.encodeStateAsUpdate(writer.doc)).filter((mark) => seen.has(mark));
  after.ws.terminate();
  return { seen: standing.length, lost: standing.filter((mark) => !marks.has(mark)).length };
}

const missing = installPeers();
if (missing !== null)
  throw new Error(`the peers could not be fetched, so there is nothing to measure against: ${missing}`);
const stage = await openStage(NAMES);
try {
  const track_ids = stage.servers.get('ours')?.hello.track_ids ?? [];
  for (const seconds of SECONDS) {
    for (const name of NAMES) {
      const { seen, lost } = await killAfter(stage, stage.servers.get(name) as Server, seconds, track_ids);
      const what = `kill -9 after ${seconds} s, as another client sees an edit: ${name}`;
      print([
        {
          name: what,
          value: lost,
          unit: `of ${seen} edits lost`,
          ...(name === 'ours' ? { must: 0, direction: 'max' as const } : {}),
        },
      ]);
    }
  }
} finally {
  await stage.close();
}
