import { Server as Engine } from 'engine.io';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';
import { z } from 'zod';
import { REQUESTS } from '#contract/gateway.ts';
import { line } from '#contract/primitives.ts';
import { seeDevice } from '#domain/accounts/devices.ts';
import { endsAtMs } from '#domain/accounts/accounts.rules.ts';
import { hasScope } from '#domain/authorize.ts';
import { DomainError } from '#domain/errors.ts';
import { problemOf } from '../http/problem.ts';
import { newIds } from '../ids.ts';
import { WEBSOCKET } from '../limits/websocket.ts';
import { parseInput } from '../parse.ts';
import { isOwnRequest, requireNoTokenInAddress } from '../identity/origins.ts';
import { gatherWrites } from './gather-writes.ts';
import { frameOf, sendLatest } from './latest-value.ts';
import { registerEvents, takeAck } from './on-request.ts';
import { feedEvents } from './handlers/feed.ts';
import { listenEvents } from './handlers/listens.ts';
import { presenceEvents } from './handlers/presence.ts';
import type { ClientToServerEvents, NoticeName, ServerToClientEvents } from '#contract/gateway.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Audiences } from '#rooms/audience.ts';
import type { Audience, Broadcaster } from '#rooms/broadcaster.ts';
import type { Connection, Connections } from '#rooms/connections.ts';
import type { HandshakeDevice } from '#domain/accounts/devices.ts';
import type { FeedRoom } from '#rooms/feed/feed-room.ts';
import type { PresenceRoom, PresenceSeat } from '#rooms/presence/presence-room.ts';
import type { Identity } from '../identity/identity.ts';
import type { EventHandler } from './on-request.ts';
import type { PacketLimit } from './packet-limit.ts';
import type { Socket as Line } from 'engine.io';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'socket.io';
import type { ServerOptions } from 'ws';

interface SocketData {
  connection: Connection;
  /** `identity.revision` when the caller was looked at. */
  revision: number;
  /** It asked to be told what is new in the feed. */
  isFeedLive: boolean;
}
type GatewaySocket = Socket<ClientToServerEvents, ServerToClientEvents, Record<string, never>, SocketData>;

/** What a client may say as it connects; programs that nobody here wrote may say more. */
const Handshake = z.object({
  token: z.unknown().optional(),
  device_id: line(128).optional(),
  device_name: line(60).optional(),
});

const EVENTS: ReadonlySet<string> = new Set(REQUESTS.map((request) => request.name));
const MAX_MESSAGE_BYTES = 64 * 1024;
const SOCKETS_PER_USER = 10;
/** Rooms that follow from rights and change with them. */
const DERIVED = ['listening:', 'presence:', 'feed:'];
/** Notices of which only the latest value matters. */
const VOLATILE = new Set<NoticeName>(['listening:update']);

/** The Socket.IO door. */
export interface Gateway {
  broadcaster: Broadcaster;
  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  /** Rooms there are, of sockets and audiences. */
  roomCount(): number;
  /** Opens the door: until then nobody is let in. */
  start(parts: GatewayParts): void;
  close(): Promise<void>;
}

export interface GatewayParts {
  ctx: Ctx;
  identity: Identity;
  connections: Connections;
  audiences: Audiences;
  presence: PresenceRoom;
  feed: FeedRoom;
  packets: PacketLimit;
}

export function createGateway(): Gateway {
  const engine = new Engine({
    transports: ['websocket'],
    maxHttpBufferSize: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    httpCompression: false,
    allowUpgrades: false,
    pingInterval: 20_000,
    pingTimeout: 15_000,
    // engine.io hands on some options of its own; what else ws takes has to be added here.
    wsEngine: function (options: ServerOptions) {
      return new WebSocketServer({ ...options, ...WEBSOCKET });
    },
  });
  const io = new Server<ClientToServerEvents, ServerToClientEvents, Record<string, never>, SocketData>({
    connectTimeout: 5_000,
    serveClient: false,
  });
  io.bind(engine);
  const sockets = new Map<string, Set<GatewaySocket>>();
  /** What each person's sockets are to hear; a socket that comes takes it over at once. */
  const heard = new Map<string, ReadonlySet<Audience>>();

  function tune(socket: GatewaySocket, audiences: ReadonlySet<Audience>): void {
    const { isFeedLive } = socket.data;
    const isWanted = (audience: Audience) => isFeedLive || !audience.startsWith('feed:');
    for (const room of socket.rooms) {
      if (!DERIVED.some((prefix) => room.startsWith(prefix))) continue;
      if (!audiences.has(room as Audience) || !isWanted(room as Audience)) void socket.leave(room);
    }
    void socket.join([...audiences].filter(isWanted));
  }

  const broadcaster: Broadcaster = {
    emit(audience, name, payload) {
      // The end of a play is its last value: no later one would stand in for it.
      const isLast = name === 'listening:update' && (payload as { state: string }).state === 'stopped';
      if (!VOLATILE.has(name) || isLast) {
        (io.to(audience).emit as (event: string, payload: unknown) => boolean)(name, payload);
        return;
      }
      const sids = io.sockets.adapter.rooms.get(audience);
      if (sids === undefined) return;
      const frame = frameOf(name, payload);
      for (const sid of sids) {
        const socket = io.sockets.sockets.get(sid);
        if (socket !== undefined) sendLatest(socket.conn as unknown as Line, frame);
      }
    },
    setAudiences(user_id, audiences) {
      const mine = sockets.get(user_id);
      if (mine === undefined) return;
      const before = heard.get(user_id);
      heard.set(user_id, audiences);
      for (const socket of mine) {
        tune(socket, audiences);
        // One who is being let in is greeted with everything at once.
        if (before !== undefined) tellDifference(socket, before, audiences);
      }
    },
    mayHear: (user_id, audience) => heard.get(user_id)?.has(audience) ?? false,
    hasListeners: (audience) => io.sockets.adapter.rooms.has(audience),
    onlineUsers: () => [...sockets.keys()],
  };

  /** Lets a socket in: what it sends counts, and what others do reaches it, only once its access is known to stand. */
  async function admit(
    socket: GatewaySocket,
    { ctx, identity, connections, audiences, presence, packets }: GatewayParts,
    handlers: readonly EventHandler[],
    seats: Map<string, PresenceSeat>,
  ): Promise<void> {
    const { connection } = socket.data;
    connection.end = (reason) => {
      socket.emit('session:ended', { reason });
      // After the notice, and nothing after that. A closed transport makes the stock client come back by itself, which is
      // right after a restart only; a disconnect is final to it.
      if (reason === 'restart') socket.conn.close();
      else socket.disconnect(true);
    };
    socket.on('error', (error: Error) => ctx.log.debug('gateway socket error', { kind: error.name }));
    socket.use(([name, ...args], next) => {
      if (EVENTS.has(String(name))) next();
      else {
        const ack = takeAck(args);
        const error = new DomainError('malformed', 'There is no such event.');
        ack({ ok: false, problem: problemOf(ctx, error, newIds.id()).problem });
        packets.unknownEvent(socket.conn);
      }
    });
    let settling: Promise<Actor> | null = null;
    connection.settled = registerEvents(
      ctx,
      socket as unknown as Socket,
      () => settling ?? connection.actor,
      handlers,
      () => packets.answerAfterMs(socket.conn),
    );
    if (identity.revision !== socket.data.revision) {
      // Somebody's access changed since the handshake was looked at, perhaps this one's.
      settling = stillStanding(identity, connection.actor);
      // Whoever waits for it is told; nobody may be waiting.
      settling.catch(() => undefined);
      try {
        connection.actor = await settling;
      } catch (error) {
        connection.end('signed_out');
        if (!(error instanceof DomainError)) throw error;
        return;
      } finally {
        settling = null;
      }
    }
    if (!socket.connected) return;
    // From here to the end of this step nothing can come between: access that ends from now on finds the connection.
    const { user_id } = connection.actor;
    const forget = connections.add(connection);
    const seat = presence.enter(user_id);
    seats.set(socket.id, seat);
    const mine = sockets.get(user_id) ?? new Set();
    // A token that may not read hears nothing of others.
    const mayHear = hasScope(connection.actor, 'read');
    if (mayHear) sockets.set(user_id, mine.add(socket));
    socket.on('disconnect', () => {
      forget();
      seats.delete(socket.id);
      seat.leave();
      mine.delete(socket);
      if (mine.size === 0 && sockets.get(user_id) === mine) {
        sockets.delete(user_id);
        heard.delete(user_id);
        audiences.forget(user_id);
      }
    });
    const open = connections.of(user_id).filter((one) => one.isGateway);
    if (open.length > SOCKETS_PER_USER) open[0]?.end('replaced');
    if (!mayHear) return;
    void socket.join(`user:${user_id}`);
    await audiences.refresh(user_id);
    if (socket.connected) greet(socket);
  }

  /** How somebody stands, to one who may see it. */
  function show(socket: GatewaySocket, audience: Audience): void {
    const presence = started?.presence;
    const [kind, owner_id = ''] = audience.split(':');
    if (presence === undefined || kind === 'feed') return;
    if (kind === 'presence') {
      const status = presence.statusOf(owner_id);
      if (status !== 'offline') socket.emit('presence:update', { user_id: owner_id, status });
    } else {
      const update = presence.listeningOf(owner_id);
      if (update !== null) socket.emit('listening:update', update);
    }
  }

  /** As if they had gone, to one who may not see them any more: the same words as for a real good-bye. */
  function hide(socket: GatewaySocket, audience: Audience): void {
    const [kind, owner_id = ''] = audience.split(':');
    if (kind === 'feed') return;
    if (kind === 'presence') {
      socket.emit('presence:update', { user_id: owner_id, status: 'offline' });
      return;
    }
    const update = started?.presence.listeningOf(owner_id) ?? null;
    if (update === null) return;
    const { user_id, username, at_ms } = update;
    socket.emit('listening:update', { user_id, username, track: null, position_ms: 0, at_ms, state: 'stopped' });
  }

  function tellDifference(socket: GatewaySocket, before: ReadonlySet<Audience>, now: ReadonlySet<Audience>): void {
    for (const audience of before) if (!now.has(audience)) hide(socket, audience);
    for (const audience of now) if (!before.has(audience)) show(socket, audience);
  }

  /** A newcomer is told how things stand, so that nobody waits for the next report to see a friend listening. */
  function greet(socket: GatewaySocket): void {
    for (const audience of heard.get(socket.data.connection.actor.user_id) ?? []) show(socket, audience);
  }

  let started: GatewayParts | null = null;

  return {
    broadcaster,
    roomCount: () => io.sockets.adapter.rooms.size,
    start(parts) {
      started = parts;
      const { ctx, identity, connections, audiences, presence, feed, packets } = parts;
      engine.on('connection', (line) => {
        packets.watch(line);
        gatherWrites(line);
      });
      const seats = new Map<string, PresenceSeat>();
      const handlers = [
        ...listenEvents,
        ...presenceEvents({
          presence,
          audiences,
          connections,
          authenticateToken: (token) => identity.authenticateToken(token),
          setStatus: (socketId, status) => seats.get(socketId)?.set(status),
        }),
        ...feedEvents({
          feed,
          audiences,
          setLive(socketId, isLive) {
            const socket = io.sockets.sockets.get(socketId);
            if (socket === undefined || socket.data.isFeedLive === isLive) return;
            socket.data.isFeedLive = isLive;
            tune(socket, heard.get(socket.data.connection.actor.user_id) ?? new Set());
          },
        }),
      ];
      io.use((socket, next) => {
        const { revision } = identity;
        const enter = async () => {
          const { actor, device } = await whoIs(socket, identity);
          // Within the tolerance of a clock it is a good token, but a socket of it would be over already.
          if (endsAtMs(actor.credential) <= ctx.clock.nowMs()) {
            throw new DomainError('unauthenticated', 'This token is over.');
          }
          await packets.belongsTo(socket.conn, actor.user_id);
          socket.data.revision = revision;
          socket.data.isFeedLive = false;
          socket.data.connection = {
            actor,
            device_id: device?.device_id ?? null,
            isGateway: true,
            end: () => socket.disconnect(true),
            settled: async () => undefined,
          };
          if (device !== null) noteDevice(ctx, actor, device);
        };
        enter().then(
          () => next(),
          (error: unknown) => {
            const { problem } = problemOf(ctx, error, newIds.id());
            next(Object.assign(new Error(problem.title), { data: problem }));
          },
        );
      });
      io.on('connection', (socket) => {
        admit(socket, parts, handlers, seats).catch((error: unknown) => {
          ctx.log.error('a socket could not be let in', {}, error);
          socket.disconnect(true);
        });
      });
    },
    async handleUpgrade(req, socket, head) {
      if (started === null) throw new DomainError('unavailable', 'The server is starting.');
      const { origin, cookie, authorization } = req.headers;
      const isOwnOrigin = (one: string) => started?.identity.isOwnOrigin(one) ?? false;
      const isForeign = origin !== undefined && !isOwnOrigin(origin);
      const isByCookie = cookie !== undefined && authorization === undefined;
      if (isForeign || (isByCookie && !isOwnRequest(req, isOwnOrigin, 'upgrade')))
        throw new DomainError('foreign_origin', 'This connection came from another site.');
      requireNoTokenInAddress(req);
      engine.handleUpgrade(req as never, socket, head);
    },
    async close() {
      io.disconnectSockets(true);
      engine.close();
    },
  };
}

/** Looks until nothing has changed while looking. @throws DomainError unauthenticated */
async function stillStanding(identity: Identity, actor: Actor): Promise<Actor> {
  for (;;) {
    const { revision } = identity;
    const [standing] = await identity.standings([actor]);
    if (standing === null || standing === undefined) {
      throw new DomainError('unauthenticated', 'This sign-in is over. Sign in again.');
    }
    if (revision === identity.revision) return standing;
  }
}

/** A token in the handshake comes before the cookie or header of the upgrade. */
async function whoIs(
  socket: GatewaySocket,
  identity: Identity,
): Promise<{ actor: Actor; device: HandshakeDevice | null }> {
  const { token, device_id, device_name } = parseInput(Handshake, socket.handshake.auth, 'auth');
  const isAbsent = token === undefined || token === null || token === '';
  if (!isAbsent && typeof token !== 'string') throw new DomainError('unauthenticated', 'The token must be a string.');
  const actor = isAbsent
    ? await identity.authenticate(socket.request, { door: 'upgrade' })
    : await identity.authenticateToken(token, socket.request);
  // A browser's device is its session.
  const isNamed = device_id !== undefined && actor.credential.kind !== 'session';
  return { actor, device: isNamed ? { device_id, name: device_name ?? device_id } : null };
}

function noteDevice(ctx: Ctx, actor: Actor, device: HandshakeDevice): void {
  seeDevice(ctx, actor, device).catch((error: unknown) =>
    ctx.log.warn('a device could not be noted', { kind: error instanceof Error ? error.name : '' }),
  );
}
