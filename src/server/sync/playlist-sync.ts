import * as wsModule from 'ws';
import { WebSocketServer } from 'ws';
import { CLOSE } from '#contract/close-codes.ts';
import { openDocument } from '#contract/playlists.ts';
import { ID_PATTERN } from '#contract/primitives.ts';
import { DomainError } from '#domain/errors.ts';
import { listVerdict, roleOf } from '#domain/playlists/playlists.access.ts';
import { redeemTicket } from '#domain/playlists/tickets.ts';
import { usersByIds } from '#domain/accounts/accounts.queries.ts';
import { presenceColour } from '#rooms/playlist/awareness.ts';
import { createTokenBucket } from '#rooms/token-bucket.ts';
import { requireNoTokenInAddress } from '../identity/origins.ts';
import { PINGS, WEBSOCKET } from '../limits/websocket.ts';
import type { CloseReason } from '#contract/close-codes.ts';
import type { PlaylistRole } from '#contract/playlists.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Connection, Connections } from '#rooms/connections.ts';
import type { Identity as AwarenessIdentity } from '#rooms/playlist/awareness.ts';
import type { Peer, Seat } from '#rooms/playlist/playlist-room.ts';
import type { TokenBucket } from '#rooms/token-bucket.ts';
import type { PlaylistRooms } from '#rooms/playlist/registry.ts';
import type { Identity } from '../identity/identity.ts';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** A frame holds at most an update of 256 KiB and its wrapping; the rest is room for a first sync. */
const MAX_FRAME_BYTES = 1024 * 1024;
/** What may wait for a reader beside a whole document on its way. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
const PING_EVERY_MS = 15_000;

/** The y-websocket door: authenticates, asks playlists.access, hands the socket to its room. */
export interface PlaylistSync {
  /** @throws DomainError before the upgrade, for callers nobody knows */
  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  close(): void;
}

export interface PlaylistSyncParts {
  ctx: Ctx;
  identity: Identity;
  rooms: PlaylistRooms;
  connections: Connections;
}

export function createPlaylistSync({ ctx, identity, rooms, connections }: PlaylistSyncParts): PlaylistSync {
  const wss = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    ...WEBSOCKET,
  });
  const alive = new WeakSet<WebSocket>();
  const pings = setInterval(() => {
    for (const ws of wss.clients) {
      if (!alive.has(ws)) ws.terminate();
      else {
        alive.delete(ws);
        ws.ping();
      }
    }
  }, PING_EVERY_MS);
  pings.unref();

  // One function for all sockets, each of which would otherwise hold several of its own.
  function onError(error: Error): void {
    ctx.log.debug('playlist socket error', { kind: error.name });
  }
  const pingsOf = new WeakMap<WebSocket, TokenBucket>();
  /** Each is answered, and the answers of one who does not read them would pile up. */
  function onPing(this: WebSocket): void {
    const bucket = pingsOf.get(this) ?? createTokenBucket(PINGS, performance.now());
    pingsOf.set(this, bucket);
    if (!bucket.take(performance.now())) this.terminate();
  }
  const seats = new WeakMap<WebSocket, Seat>();
  function onPong(this: WebSocket): void {
    alive.add(this);
  }
  function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
    alive.add(this);
    // A peer may go on sending after we have closed: none of it counts.
    if (this.readyState !== this.OPEN) return;
    if (!isBinary) this.close(CLOSE.malformed);
    else seats.get(this)?.receive(data as Buffer);
  }
  function onClose(this: WebSocket): void {
    seats.get(this)?.leave();
  }

  async function whoIs(req: IncomingMessage, url: URL, playlist_id: string): Promise<Actor> {
    const ticket = url.searchParams.get('ticket');
    if (ticket === null) return identity.authenticate(req, { door: 'upgrade' });
    return identity.guard(req, undefined, () => redeemTicket(ctx, playlist_id, ticket));
  }

  function accept(req: IncomingMessage, socket: Duplex, head: Buffer): WebSocket | null {
    let accepted: WebSocket | null = null;
    // With noServer the callback runs before this returns, or not at all when the handshake is not one.
    wss.handleUpgrade(req, socket, head, (ws) => {
      accepted = ws;
    });
    const ws = accepted as WebSocket | null;
    ws?.on('error', onError);
    ws?.on('ping', onPing);
    return ws;
  }

  /**
   * Gives a caller a place in the room. @returns false, with nothing said yet, when somebody's access or rights have changed
   * since `revision`: then the caller has to be looked at again, for nobody may hear a frame after losing the right to.
   */
  async function seat(
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    playlist_id: string,
    actor: Actor,
    revision: { access: number; rights: number },
  ): Promise<boolean> {
    const role = await roleFor(actor, playlist_id);
    if (role === null) {
      // Refused after the upgrade: the stock client would retry an HTTP refusal for ever.
      accept(req, socket, head)?.close(CLOSE.not_found);
      return true;
    }
    const user = (await usersByIds(ctx.db, [actor.user_id])).get(actor.user_id);
    const shown = {
      id: actor.user_id,
      name: user?.display_name ?? actor.username,
      color: presenceColour(actor.user_id),
    };
    let isStale = false;
    let attached: { ws: WebSocket; line: Line } | null = null;
    const seat: Seat | null = await rooms.join(playlist_id, role, () => {
      isStale = identity.revision !== revision.access || rooms.revision !== revision.rights;
      if (isStale) return null;
      const ws = accept(req, socket, head);
      if (ws === null) return null;
      const connection = new LineConnection(actor);
      const line = new Line(ws, connection, shown);
      connection.line = line;
      alive.add(ws);
      // Before the first frame goes out: access that ends from now on finds the connection.
      attached = { ws, line };
      ws.once('close', connections.add(connection));
      return line;
    });
    if (isStale) return false;
    const { ws, line } = (attached ?? {}) as { ws?: WebSocket; line?: Line };
    if (seat === null || ws === undefined) return true;
    line?.take(seat);
    attach(ws, seat);
    return true;
  }

  /** What a caller is to a list: a token that may not read does not know of it. */
  async function roleFor(actor: Actor, playlist_id: string): Promise<PlaylistRole | null> {
    if (!ID_PATTERN.test(playlist_id)) return null;
    const role = await roleOf(ctx.db, actor.user_id, playlist_id);
    return listVerdict(actor, openDocument, role) === 'yes' ? role : null;
  }

  return {
    async handleUpgrade(req, socket, head) {
      const url = new URL(req.url ?? '/', 'http://localhost');
      const playlist_id = readPlaylistId(url);
      requireNoTokenInAddress(req);
      const { origin } = req.headers;
      // A ticket is good anywhere: it cannot be guessed, and whoever holds it was given it.
      if (origin !== undefined && !identity.isOwnOrigin(origin) && !url.searchParams.has('ticket')) {
        throw new DomainError('foreign_origin', 'This connection came from another site.');
      }
      const actor = await whoIs(req, url, playlist_id);
      for (let isSeated = false; !isSeated;) {
        const revision = { access: identity.revision, rights: rooms.revision };
        const [standing] = await identity.standings([actor]);
        if (standing === null || standing === undefined) {
          throw new DomainError('unauthenticated', 'This sign-in is over. Sign in again.');
        }
        isSeated = await seat(req, socket, head, playlist_id, standing, revision);
      }
    },
    close() {
      clearInterval(pings);
      for (const ws of wss.clients) ws.terminate();
      wss.close();
    },
  };

  function attach(ws: WebSocket, seat: Seat): void {
    seats.set(ws, seat);
    ws.on('pong', onPong);
    ws.on('message', onMessage);
    ws.on('close', onClose);
  }
}

/** A socket as its room sees it. It and `LineConnection` are objects without functions of their own, because there are many. */
class Line implements Peer {
  readonly identity: AwarenessIdentity;
  readonly #ws: WebSocket;
  readonly #connection: Connection;
  #seat: Seat | null = null;
  /** Of the largest whole document that was sent: a client may take its time over one. */
  #wholeBytes = 0;
  #isClosing = false;
  constructor(ws: WebSocket, connection: Connection, identity: AwarenessIdentity) {
    this.#ws = ws;
    this.#connection = connection;
    this.identity = identity;
  }
  actor(): Actor {
    return this.#connection.actor;
  }
  close(reason: CloseReason): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const ws = this.#ws;
    ws.close(CLOSE[reason]);
    // What it sent and the room has not looked at yet does not count any more.
    this.#seat?.leave();
    // A peer that never answers the close is let go all the same.
    setTimeout(() => ws.terminate(), 2_000).unref();
  }
  send(frame: Uint8Array, { isWhole = false }: { isWhole?: boolean } = {}): void {
    if (this.#isClosing || this.#ws.readyState !== this.#ws.OPEN) return;
    if (isWhole) this.#wholeBytes = Math.max(this.#wholeBytes, frame.byteLength);
    sendShared(this.#ws, frame);
    if (this.#ws.bufferedAmount > MAX_BUFFERED_BYTES + this.#wholeBytes) this.close('slow_reader');
  }
  take(seat: Seat): void {
    this.#seat = seat;
    if (this.#isClosing) seat.leave();
  }
  settled(): Promise<void> {
    return this.#seat?.settled() ?? Promise.resolve();
  }
}

/** A socket as far as who holds it matters. */
class LineConnection implements Connection {
  actor: Actor;
  readonly device_id = null;
  readonly isGateway = false;
  line: Line | null = null;
  constructor(actor: Actor) {
    this.actor = actor;
  }
  end(reason: Parameters<Connection['end']>[0]): void {
    this.line?.close(reason === 'restart' ? 'restart' : 'signed_out');
  }
  settled(): Promise<void> {
    return this.line?.settled() ?? Promise.resolve();
  }
}

/** RFC 6455 section 5.2. */
const BINARY = 2;

/** The inner part of `ws` that makes frames; its types leave it out. */
const { Sender } = wsModule as unknown as {
  Sender: {
    frame(
      data: Buffer,
      options: { fin: boolean; rsv1: boolean; opcode: number; mask: boolean; readOnly: boolean },
    ): Buffer[];
  };
};

/** What a room hands to many peers is made into bytes of the line once. */
const lines = new WeakMap<Uint8Array, Buffer>();

/**
 * Sends a frame as `ws.send` does, but in one piece with its header and without making that anew for every peer, which is much of
 * what a small frame costs. (engine.io sends its broadcasts by the same inner function.)
 */
function sendShared(ws: WebSocket, frame: Uint8Array): void {
  let line = lines.get(frame);
  if (line === undefined) {
    const data = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
    line = Buffer.concat(Sender.frame(data, { fin: true, rsv1: false, opcode: BINARY, mask: false, readOnly: true }));
    lines.set(frame, line);
  }
  (ws as unknown as { _sender: { sendFrame(list: readonly Buffer[]): void } })._sender.sendFrame([line]);
}

function readPlaylistId(url: URL): string {
  const raw = url.pathname.slice('/yjs/'.length);
  try {
    return decodeURIComponent(raw);
  } catch (error) {
    if (error instanceof URIError) return '';
    throw error;
  }
}
