import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { addEntries, metaOf, moveEntries, readList, removeEntries } from '#contract/playlist-doc.ts';
import { documentOf } from '#domain/playlists/document.ts';
import { loadLog } from '#domain/playlists/playlist-log.ts';
import { newIds } from '#server/ids.ts';
import { DIALECTS } from '../support/dialects.ts';
import { seeded } from '../support/random.ts';
import { roomKit } from '../support/room.ts';
import type { HonestClient, RoomKit } from '../support/room.ts';
import type { TestDatabase } from '../support/dialects.ts';

/** `npm run fuzz` asks for more. PGlite takes its statements one by one and sees a twentieth of them. */
const SEEDS = Number(process.env.FUZZ_SEEDS ?? 100);
const SEEDS_ELSEWHERE = Math.ceil(SEEDS / 20);
const CLIENTS = 5;
const OPERATIONS = 200;
/** Milliseconds a seed may take on a machine that is busy with other things. */
const PATIENCE_MS = 3_000;

describe.each(DIALECTS)('convergence on $name', (dialect) => {
  const seeds = dialect.name === 'sqlite' ? SEEDS : SEEDS_ELSEWHERE;
  let database: TestDatabase;
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());

  test(
    `[PL50] ${seeds} seeds × ${CLIENTS} clients × ${OPERATIONS} operations, with cuts, reloads and compaction, end in one list everywhere`,
    { timeout: 60_000 + seeds * PATIENCE_MS * (dialect.name === 'sqlite' ? 1 : 10) },
    async () => {
      for (let i = 0; i < seeds; i++) {
        const random = seeded();
        await runSeed(database, random).catch((error: unknown) => {
          throw new Error(`seed ${random.seed}: ${error instanceof Error ? error.message : String(error)}`, {
            cause: error,
          });
        });
      }
    },
  );
});

type Random = ReturnType<typeof seeded>;

function edit(kit: RoomKit, doc: Y.Doc, random: Random): void {
  const ids = readList(doc).map((row) => row.entry_id);
  const before = ids.length === 0 || random.next() < 0.3 ? null : random.pick(ids);
  switch (random.int(5)) {
    case 0:
    case 1:
      addEntries(
        doc,
        [{ entry_id: newIds.id(), value: { track_id: random.pick(kit.tracks), added_by: null, added_at: 1 } }],
        before,
      );
      return;
    case 2:
      if (ids.length > 0) moveEntries(doc, [random.pick(ids)], before);
      return;
    case 3:
      if (ids.length > 0) removeEntries(doc, [random.pick(ids)]);
      return;
    default:
      metaOf(doc).set('name', `name ${random.int(1000)}`);
  }
}

async function runSeed(database: TestDatabase, random: Random): Promise<void> {
  const kit = await roomKit(database, random.seed);
  const docs = Array.from({ length: CLIENTS }, () => new Y.Doc());
  const actors = docs.map((_, i) => (i === 0 ? kit.ana : kit.ben));
  /** Null while a client is offline and goes on editing by itself. */
  const clients: (HonestClient | null)[] = [];
  const connect = async (i: number) =>
    (clients[i] = await kit.honest(actors[i]!, i === 0 ? 'owner' : 'editor', docs[i]!));
  for (const i of docs.keys()) await connect(i);
  for (let n = 0; n < OPERATIONS; n++) {
    kit.ctx.clock.advance(100);
    const i = random.int(CLIENTS);
    const dice = random.next();
    if (dice < 0.05) {
      clients[i]?.disconnect();
      clients[i] = null;
    } else if (dice < 0.12 && clients[i] === null) await connect(i);
    else if (dice < 0.14) {
      // The room is left by all and loaded anew.
      for (const client of clients) client?.disconnect();
      clients.fill(null);
      await kit.reopen();
    } else if (dice < 0.3) clients[i]?.pump();
    else edit(kit, docs[i]!, random);
  }
  for (const i of docs.keys()) if (clients[i] === null) await connect(i);
  for (let round = 0; round < 3; round++) {
    await kit.settled();
    for (const client of clients) client?.pump();
  }
  expect(clients.map((client) => client?.fake.closed)).toEqual(docs.map(() => null));
  expect(kit.broken).toBe(0);
  const list = await kit.list();
  for (const doc of docs) expect(readList(doc).map((row) => [row.entry_id, row.track_id])).toEqual(list);
  // REST shows 200 at a time.
  expect(await kit.rows()).toEqual(list.slice(0, 200));
  const vectors = docs.map((doc) => Buffer.from(Y.encodeStateVector(doc)).toString('hex'));
  expect(new Set(vectors.map((vector) => vector.length)).size).toBe(1);
  // What is on disk, without the room.
  const { updates } = await loadLog(kit.ctx, kit.playlist_id);
  const stored = documentOf(updates);
  expect(readList(stored).map((row) => [row.entry_id, row.track_id])).toEqual(list);
  stored.destroy();
  expect(new Set(list.map(([entry_id]) => entry_id)).size).toBe(list.length);
  for (const client of clients) client?.disconnect();
  await kit.room.unload();
}
