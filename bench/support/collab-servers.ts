/**
 * The servers of the collaborative measures, each a program of its own that says where it listens: ours with all it does, and the
 * peers as their makers ship them. Its first argument says which; it answers `gc` by collecting what nobody holds any more.
 */
import { createServer as createHttpServer } from 'node:http';
import path from 'node:path';
import Database from 'better-sqlite3';
import { importPeer } from './peers.ts';
import type { RunningServer } from '#server/create-server.ts';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type * as Yjs from 'yjs';

export interface Hello {
  /** `ws://…`, to which the document's name is appended. */
  wsBase: string;
  url: string;
  /** Ids an entry may name. */
  track_ids: string[];
}

/** What the measuring process may ask for. */
export type Question =
  | { ask: 'gc' }
  /** Stores a document as this server keeps it when nobody has it open. `tail` are the last edits, where each is kept. */
  | { ask: 'store'; name: string; bytes: string; tail: string[]; clients: number[]; user_id: string };

const AMPLE_ROOM = { per_second: 1_000_000, burst: 1_000_000 };

function say(hello: Hello, store: (question: Extract<Question, { ask: 'store' }>) => Promise<void>): void {
  process.on('message', (question: Question) => {
    const answer = async () => {
      if (question.ask === 'store') await store(question);
      else (globalThis as { gc?(): void }).gc?.();
    };
    answer().then(
      () => {
        const { heapUsed, external } = process.memoryUsage();
        process.send?.({ heldBytes: heapUsed + external });
      },
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
        process.exit(1);
      },
    );
  });
  process.send?.(hello);
}

async function storeOurs({ ctx }: RunningServer, question: Extract<Question, { ask: 'store' }>): Promise<void> {
  const { name: playlist_id, clients, user_id } = question;
  const { repairPlaylist } = await import('#domain/playlists/repair-playlists.ts');
  const now = Math.floor(ctx.clock.nowMs() / 1000);
  const bytes = Buffer.from(question.bytes, 'base64');
  const tail = question.tail.map((one) => Buffer.from(one, 'base64'));
  await ctx.write(async (trx) => {
    await trx.deleteFrom('playlist_updates').where('playlist_id', '=', playlist_id).execute();
    const rows = [bytes, ...tail].map((update, i) => ({
      playlist_id,
      seq: 50_000 + i,
      kind: i === 0 ? ('snapshot' as const) : ('update' as const),
      bytes: update,
      user_id,
      created_at: now,
    }));
    for (const row of rows) await trx.insertInto('playlist_updates').values(row).execute();
    for (const client_id of clients) {
      await trx
        .insertInto('playlist_clients')
        .values({ playlist_id, client_id, user_id, first_seen_at: now })
        .execute();
    }
  });
  await repairPlaylist(ctx, playlist_id);
}

async function serveOurs(): Promise<void> {
  // Not for the peers: they bring a Yjs of their own, and two in one process are one too many.
  const { readConfig } = await import('#server/config.ts');
  const { createServer } = await import('#server/create-server.ts');
  const { createLog } = await import('#server/log.ts');
  const { AMPLE } = await import('../../test/support/ample.ts');
  const { putTracks } = await import('../../test/support/room.ts');
  const server = await createServer({
    config: readConfig(process.env),
    log: createLog('error'),
    ...AMPLE,
    playlists: { updates: AMPLE_ROOM, otherFrames: AMPLE_ROOM, idleMs: 2_000 },
  });
  const known = await server.ctx.db.selectFrom('tracks').select('id').limit(100).execute();
  const track_ids = known.length > 0 ? known.map((row) => row.id) : await putTracks(server.ctx, 100);
  say({ url: server.url, wsBase: `${server.url.replace(/^http/, 'ws')}/yjs/`, track_ids }, (question) =>
    storeOurs(server, question),
  );
}

/** Hocuspocus as its handbook says, its documents in SQLite. */
async function serveHocuspocus(): Promise<void> {
  type Hocus = new (configuration: object) => {
    httpServer: HttpServer;
    listen(port: number): Promise<unknown>;
  };
  const { Server } = await importPeer<{ Server: Hocus }>('@hocuspocus/server/dist/hocuspocus-server.esm.js');
  type Extension = new (configuration: {
    fetch(data: { documentName: string }): Promise<Uint8Array | null>;
    store(data: { documentName: string; state: Uint8Array }): Promise<void>;
  }) => object;
  const { Database: DatabaseExtension } = await importPeer<{ Database: Extension }>(
    '@hocuspocus/extension-database/dist/hocuspocus-database.esm.js',
  );
  const db = new Database(path.join(process.env.DATA_DIR ?? '.', 'hocuspocus.db'));
  db.pragma('journal_mode = wal');
  db.pragma('synchronous = full');
  db.exec('create table if not exists documents (name text primary key, data blob not null)');
  const read = db.prepare<[string], { data: Buffer }>('select data from documents where name = ?');
  const write = db.prepare('insert into documents values (?, ?) on conflict (name) do update set data = excluded.data');
  const server = new Server({
    quiet: true,
    stopOnSignals: false,
    address: '127.0.0.1',
    extensions: [
      new DatabaseExtension({
        fetch: async ({ documentName }) => read.get(documentName)?.data ?? null,
        store: async ({ documentName, state }) => void write.run(documentName, state),
      }),
    ],
  });
  // 0 would be taken for "none given".
  await new Promise<void>((resolve) => server.httpServer.listen(0, '127.0.0.1', resolve));
  const { port } = server.httpServer.address() as AddressInfo;
  say({ url: `http://127.0.0.1:${port}`, wsBase: `ws://127.0.0.1:${port}/`, track_ids: [] }, async (question) => {
    const { name, bytes, tail } = question;
    const { mergeUpdates } = await importPeer<typeof Yjs>('yjs/dist/yjs.mjs');
    write.run(name, mergeUpdates([bytes, ...tail].map((one) => Buffer.from(one, 'base64'))));
  });
}

/** The reference server: its documents are in memory. */
async function serveReference(): Promise<void> {
  type Setup = (ws: unknown, req: IncomingMessage) => void;
  const { setupWSConnection } = await importPeer<{ setupWSConnection: Setup }>('@y/websocket-server/src/utils.js');
  const { WebSocketServer } = await import('ws');
  const wss = new WebSocketServer({ noServer: true });
  wss.on('connection', setupWSConnection);
  const http = createHttpServer();
  http.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) =>
    wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req)),
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  say({ url: `http://127.0.0.1:${port}`, wsBase: `ws://127.0.0.1:${port}/`, track_ids: [] }, async () => {});
}

const SERVERS = { ours: serveOurs, hocuspocus: serveHocuspocus, reference: serveReference };
export type ServerName = keyof typeof SERVERS;

const name = process.argv[2];
if (import.meta.main) await SERVERS[name as ServerName]();
