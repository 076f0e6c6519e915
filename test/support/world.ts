/** A whole server in this process on one of the databases, an outside issuer, and the people of a test. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { createSession } from '#domain/accounts/sessions.ts';
import { hashSecret, newIds } from '#server/ids.ts';
import { restClient } from './clients.ts';
import { startIssuer } from './issuer.ts';
import { makeFolders, startServer } from './server.ts';
import type { Me } from '#contract/accounts.ts';
import type { RunningServer } from '#server/create-server.ts';
import type { Rest } from './clients.ts';
import type { TestDatabase, TestDialect } from './dialects.ts';
import type { IssuedPerson, TestIssuer } from './issuer.ts';
import type { StartOptions } from './server.ts';

export interface Someone {
  id: string;
  username: string;
  token: string;
  rest: Rest;
  tokenFor(exp: number): Promise<string>;
}

export interface World {
  server: RunningServer;
  url: string;
  issuer: TestIssuer;
  database: TestDatabase;
  someone(username: string, more?: Partial<IssuedPerson>): Promise<Someone>;
  /** A browser's cookie for somebody, as after a sign-in. */
  signIn(person: Someone): Promise<{ cookie: string; session_id: string }>;
  /** Stops the server and starts another on the same database. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function openWorld(dialect: TestDialect, options: Partial<StartOptions> = {}): Promise<World> {
  const issuer = await startIssuer();
  const folders = makeFolders();
  const database = await dialect.open();
  let server = await startServer(folders, { ...options, issuer, database });
  const world: World = {
    server,
    url: server.url,
    issuer,
    database,
    async someone(username, more = {}) {
      const person: IssuedPerson = { sub: `sub-${username}`, username, name: username, roles: ['user'], ...more };
      const token = await issuer.issueAccessToken(person, { exp: Math.floor(Date.now() / 1000) + 3600 });
      const rest = restClient(world.url, token);
      const me = await rest.get<Me>('/auth/profile');
      return {
        id: me.id,
        username: me.username,
        token,
        rest,
        tokenFor: (exp) => issuer.issueAccessToken(person, { exp }),
      };
    },
    async signIn(person) {
      const secret = newIds.secret();
      const { session_id } = await createSession(server.ctx, {
        user_id: person.id,
        secret_hash: hashSecret(secret),
        provider_sid: null,
        realm_role: null,
        device: 'test',
        auth_time: Math.floor(Date.now() / 1000),
        replaces_secret_hash: null,
      });
      return { cookie: `sbm_session=${secret}`, session_id };
    },
    async restart() {
      await server.stop();
      server = await startServer(folders, { ...options, issuer, database });
      world.server = server;
      world.url = server.url;
    },
    async close() {
      await server.stop();
      await database.close();
      await issuer.close();
      folders.remove();
    },
  };
  return world;
}

/** A bare WebSocket that writes down what it gets. */
export interface RawSocket {
  ws: WebSocket;
  frames: Buffer[];
  closed: Promise<number>;
  send(frame: Uint8Array | string): void;
  /** Resolves when `count` frames are there. */
  heard(count: number): Promise<void>;
}

/** Opens a socket; resolves with it, or with the HTTP status of a refusal. */
export async function rawSocket(
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<RawSocket | number> {
  const ws = new WebSocket(`${url.replace(/^http/, 'ws')}${path}`, { headers });
  const frames: Buffer[] = [];
  const waiting = new Set<() => void>();
  ws.on('message', (data: Buffer) => {
    frames.push(data);
    for (const look of [...waiting]) look();
  });
  ws.on('error', () => {});
  const closed = new Promise<number>((resolve) => ws.once('close', (code: number) => resolve(code)));
  return new Promise((resolve) => {
    ws.once('unexpected-response', (_req, res) => {
      resolve(res.statusCode ?? 0);
      res.resume();
      ws.terminate();
    });
    ws.once('open', () =>
      resolve({
        ws,
        frames,
        closed,
        send: (frame) => ws.send(frame),
        heard(count) {
          return new Promise((done, fail) => {
            const timer = setTimeout(() => fail(new Error(`only ${frames.length} of ${count} frames came`)), 10_000);
            const look = () => {
              if (frames.length < count) return;
              clearTimeout(timer);
              waiting.delete(look);
              done();
            };
            waiting.add(look);
            look();
          });
        },
      }),
    );
  });
}

/** As `rawSocket`, of a playlist, with a token; throws a refusal. */
export async function rawPlaylist(world: World, playlist_id: string, token: string): Promise<RawSocket> {
  const socket = await rawSocket(world.url, `/yjs/${playlist_id}`, { authorization: `Bearer ${token}` });
  if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
  return socket;
}

/** Waits until the other end has taken all that was sent before: a WebSocket ping is answered in order. */
export async function flushed(socket: RawSocket): Promise<void> {
  if (socket.ws.readyState !== WebSocket.OPEN) return;
  const pong = once(socket.ws, 'pong');
  socket.ws.ping();
  await Promise.race([pong, socket.closed]);
}
