/** Bare programs as anybody could write them: REST by fetch, Socket.IO by socket.io-client, playlists by the stock provider. */
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import type { Ack, NoticeName, NoticePayload, RequestName, RequestPayload, RequestReply } from '#contract/gateway.ts';
import type { Problem } from '#contract/problems.ts';
import type { Socket } from 'socket.io-client';

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** One caller's REST. */
export interface Rest {
  call<T>(method: string, path: string, body?: unknown): Promise<Answer<T>>;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  put<T>(path: string, body?: unknown): Promise<T>;
  del<T>(path: string, body?: unknown): Promise<T>;
}

/** REST with an access token. The short forms throw what is not a success. */
export function restClient(url: string, token: string): Rest {
  async function call<T>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? undefined : JSON.parse(text)) as T,
    };
  }
  async function ok<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await call<T>(method, path, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
  return {
    call,
    get: (path) => ok('GET', path),
    post: (path, body) => ok('POST', path, body),
    put: (path, body) => ok('PUT', path, body),
    del: (path, body) => ok('DELETE', path, body),
  };
}

/** A Socket.IO caller that remembers what it heard. */
export interface Gateway {
  socket: Socket;
  heard: { name: string; payload: unknown }[];
  request<N extends RequestName>(name: N, payload: RequestPayload<N>): Promise<Ack<RequestReply<N>>>;
  /** As `request`; throws a refusal. */
  ask<N extends RequestName>(name: N, payload: RequestPayload<N>): Promise<RequestReply<N>>;
  /** The next notice (or one already heard and not yet taken) that fits. */
  next<N extends NoticeName>(name: N, fits?: (payload: NoticePayload<N>) => boolean): Promise<NoticePayload<N>>;
  close(): void;
}

/** Connects with a token; rejects with the problem when refused. */
export async function gatewayClient(url: string, token: string): Promise<Gateway> {
  const socket = io(url, { transports: ['websocket'], auth: { token }, reconnection: false });
  const heard: { name: string; payload: unknown }[] = [];
  const waiting = new Set<() => void>();
  socket.onAny((name: string, payload: unknown) => {
    heard.push({ name, payload });
    for (const look of [...waiting]) look();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    // A line that breaks amid the handshake is told to nobody but its manager.
    socket.io.once('close', (reason) => {
      // A refusal closes the line by itself, a moment before it is told.
      if (reason !== 'forced close') reject(new Error(`the line closed: ${reason}`));
    });
    socket.once('connect_error', (error: Error & { data?: Problem }) =>
      reject(Object.assign(error, { problem: error.data })),
    );
  });
  const request: Gateway['request'] = (name, payload) => socket.timeout(10_000).emitWithAck(name, payload);
  return {
    socket,
    heard,
    request,
    async ask(name, payload) {
      const ack = await request(name, payload);
      if (!ack.ok) throw new Error(`${name}: ${JSON.stringify(ack.problem)}`);
      return ack.data;
    },
    next(name, fits = () => true) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`no ${name} came; heard ${JSON.stringify(heard.map((one) => one.name))}`));
        }, 10_000);
        const look = () => {
          const at = heard.findIndex((one) => one.name === name && fits(one.payload as never));
          if (at < 0) return;
          const [found] = heard.splice(at, 1);
          clearTimeout(timer);
          waiting.delete(look);
          resolve(found?.payload as never);
        };
        waiting.add(look);
        look();
      });
    },
    close: () => void socket.disconnect(),
  };
}

/** A playlist opened with the stock provider. */
export interface OpenPlaylist {
  doc: Y.Doc;
  provider: WebsocketProvider;
  /** Resolves when the document fits. */
  until(fits: (doc: Y.Doc) => boolean, what?: string): Promise<void>;
  closed: Promise<{ code: number }>;
  close(): void;
}

export function openPlaylist(
  url: string,
  playlist_id: string,
  credential: { token: string } | { ticket: string },
  doc = new Y.Doc(),
): OpenPlaylist {
  class Authorized extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      const headers = 'token' in credential ? { authorization: `Bearer ${credential.token}` } : {};
      super(address, protocols, { headers });
    }
  }
  const provider = new WebsocketProvider(`${url.replace(/^http/, 'ws')}/yjs`, playlist_id, doc, {
    disableBc: true,
    WebSocketPolyfill: Authorized as never,
    params: 'ticket' in credential ? { ticket: credential.ticket } : {},
  });
  const closed = new Promise<{ code: number }>((resolve) => {
    (provider as unknown as { on(name: 'closed', fn: (event: { code: number }) => void): void }).on('closed', resolve);
  });
  return {
    doc,
    provider,
    closed,
    until(fits, what = 'the document to change') {
      return new Promise((resolve, reject) => {
        const done = () => {
          clearTimeout(timer);
          doc.off('update', look);
          provider.off('sync', look);
        };
        const timer = setTimeout(() => {
          done();
          reject(new Error(`waited in vain for ${what}`));
        }, 10_000);
        const look = () => {
          if (!fits(doc)) return;
          done();
          resolve();
        };
        doc.on('update', look);
        provider.on('sync', look);
        look();
      });
    },
    close() {
      provider.destroy();
      doc.destroy();
    },
  };
}
