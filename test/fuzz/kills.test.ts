import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addEntries, metaOf, moveEntries, readList, removeEntries } from '#contract/playlist-doc.ts';
import { newIds } from '#server/ids.ts';
import { openPlaylist, restClient } from '../support/clients.ts';
import { startIssuer } from '../support/issuer.ts';
import { seeded } from '../support/random.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import type * as Y from 'yjs';
import type { Playlist, PlaylistTrack } from '#contract/playlists.ts';
import type { OpenPlaylist, Rest } from '../support/clients.ts';
import type { TestIssuer } from '../support/issuer.ts';
import type { Folders, Program } from '../support/server.ts';

const SEEDS = Number(process.env.FUZZ_KILLS ?? 5);
const CLIENTS = 5;
const OPERATIONS = 200;
/** Operations one update holds: a person's socket sends a hundred at once. */
const AT_ONCE = 4;
const KILLS = 2;
/** Milliseconds a seed may take on a machine that is busy with other things. */
const PATIENCE_MS = 60_000;

/** The stock provider, unmodified, against the server as a program of its own that dies in the middle of it. */
describe('real sockets and a server that is killed', () => {
  let issuer: TestIssuer;
  let folders: Folders;
  let program: Program;
  let token: string;
  const rest = (): Rest => restClient(program.url, token);

  beforeAll(async () => {
    issuer = await startIssuer();
    folders = makeFolders();
    program = await spawnServer(folders, { issuer });
    token = await issuer.issueAccessToken(
      { sub: 'ana', username: 'ana', roles: ['user'] },
      { exp: Math.floor(Date.now() / 1000) + 7_200 },
    );
  });
  afterAll(async () => {
    await program.kill();
    await issuer.close();
    folders.remove();
  });

  test(
    `[PL50] ${SEEDS} seeds × ${CLIENTS} clients × ${OPERATIONS} operations with ${KILLS} kills end in one list everywhere`,
    { timeout: 60_000 + SEEDS * PATIENCE_MS },
    async () => {
      for (let i = 0; i < SEEDS; i++) {
        const random = seeded();
        await runSeed(random).catch((error: unknown) => {
          throw new Error(`seed ${random.seed}: ${error instanceof Error ? error.message : String(error)}`, {
            cause: error,
          });
        });
      }
    },
  );

  async function killAndRestart(): Promise<void> {
    const { port } = new URL(program.url);
    await program.kill();
    program = await spawnServer(folders, { issuer, env: { PORT: port } });
  }

  async function runSeed(random: ReturnType<typeof seeded>): Promise<void> {
    const { id } = await rest().post<Playlist>('/playlists', { name: 'List' });
    const lists: OpenPlaylist[] = [];
    for (let n = 0; n < CLIENTS; n++) lists.push(openPlaylist(program.url, id, { token }));
    try {
      for (const list of lists) await list.until(() => list.provider.synced, 'the first sync');
      const killAt = new Set<number>();
      const turns = (CLIENTS * OPERATIONS) / AT_ONCE;
      while (killAt.size < KILLS) killAt.add(1 + random.int(turns - 1));
      let restarted = Promise.resolve();
      for (let turn = 0; turn < turns; turn++) {
        const { doc } = lists[turn % CLIENTS]!;
        doc.transact(() => {
          for (let n = 0; n < AT_ONCE; n++) edit(doc, random);
        });
        // They go on editing while it is away.
        if (killAt.has(turn)) restarted = restarted.then(killAndRestart);
        // What is in the sockets is read now and then, so that edits build on others'.
        if (random.next() < 0.2) await new Promise((resolve) => setImmediate(resolve));
      }
      await restarted;
      const shown = (doc: Y.Doc) => JSON.stringify(readList(doc).map((row) => [row.entry_id, row.order_key]));
      await expect
        .poll(() => lists.map(({ doc, provider }) => [provider.synced, shown(doc)]), { timeout: 40_000 })
        .toEqual(lists.map(() => [true, expect.stringMatching(/^\[/)]));
      await expect.poll(() => new Set(lists.map(({ doc }) => shown(doc))).size, { timeout: 40_000 }).toBe(1);
      const list = readList(lists[0]!.doc).map((row) => row.entry_id);
      expect(new Set(list).size).toBe(list.length);
      await expect.poll(() => entriesByRest(id), { timeout: 40_000 }).toEqual(list);
    } finally {
      for (const list of lists) list.close();
    }
  }

  async function entriesByRest(id: string): Promise<string[]> {
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page: { items: PlaylistTrack[]; next_cursor: string | null } = await rest().get(
        `/playlists/${id}/tracks?limit=200${query}`,
      );
      expect(page.items.map((row) => row.position)).toEqual(page.items.map((_, i) => ids.length + i));
      ids.push(...page.items.map((row) => row.entry_id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    return ids;
  }
});

function edit(doc: Y.Doc, random: ReturnType<typeof seeded>): void {
  const ids = readList(doc).map((row) => row.entry_id);
  const before = ids.length === 0 || random.next() < 0.3 ? null : random.pick(ids);
  const dice = random.int(6);
  if (dice < 3 || ids.length === 0) {
    // A song that is in no library: the server has none here.
    const text = { title: `Song ${random.int(1000)}`, artist: 'Somebody' };
    addEntries(doc, [{ entry_id: newIds.id(), value: { track_id: null, added_by: null, added_at: 1, text } }], before);
  } else if (dice === 3) moveEntries(doc, [random.pick(ids)], before);
  else if (dice === 4) removeEntries(doc, [random.pick(ids)]);
  else metaOf(doc).set('description', `description ${random.int(1000)}`);
}
