/** What plays Redis: the real program where it is installed, and always one of our own that knows what limiters ask for. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import type { ChildProcess } from 'node:child_process';
import type { AddressInfo, Socket } from 'node:net';

export interface TestRedis {
  url: string;
  /** Ends it, as a crash would; `start` brings it back, empty. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Goes on holding connections and answers nothing. */
  hang(): void;
  resume(): void;
}

export interface RedisKind {
  name: string;
  open(): Promise<TestRedis>;
}

/** One frame of a client: an array of bulk strings (https://redis.io/docs/latest/develop/reference/protocol-spec/). */
function readCommand(buffer: Buffer): { words: string[]; rest: Buffer } | null {
  let at = 0;
  const line = (): string | null => {
    const end = buffer.indexOf('\r\n', at);
    if (end < 0) return null;
    const text = buffer.toString('utf8', at + 1, end);
    at = end + 2;
    return text;
  };
  const count = line();
  if (count === null) return null;
  const words: string[] = [];
  for (let i = 0; i < Number(count); i++) {
    const length = line();
    if (length === null || buffer.length < at + Number(length) + 2) return null;
    words.push(buffer.toString('utf8', at, at + Number(length)));
    at += Number(length) + 2;
  }
  return { words, rest: buffer.subarray(at) };
}

const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

function createStore() {
  const entries = new Map<string, { value: number; untilMs: number }>();
  const find = (key: string) => {
    const entry = entries.get(key);
    if (entry !== undefined && entry.untilMs <= Date.now()) entries.delete(key);
    return entries.get(key);
  };
  return {
    clear: () => entries.clear(),
    answer(words: readonly string[]): string {
      const [name = '', key = ''] = words;
      switch (name.toLowerCase()) {
        case 'hello':
          return `%1\r\n${bulk('proto')}:3\r\n`;
        case 'info':
          return bulk('redis_version:7.0.0\r\nloading:0\r\n');
        case 'ping':
          return '+PONG\r\n';
        case 'select':
        case 'client':
          return '+OK\r\n';
        // The one script of rate-limiter-flexible: count, and forget after so many seconds.
        case 'eval':
        case 'evalsha': {
          const [, , , scriptKey = '', points, seconds] = words;
          const entry = find(scriptKey) ?? { value: 0, untilMs: Date.now() + Number(seconds) * 1000 };
          entry.value += Number(points);
          entries.set(scriptKey, entry);
          return `*2\r\n:${entry.value}\r\n:${entry.untilMs - Date.now()}\r\n`;
        }
        case 'get':
          return find(key) === undefined ? '_\r\n' : bulk(String(find(key)?.value));
        case 'pttl':
          return `:${(find(key)?.untilMs ?? Date.now() - 2) - Date.now()}\r\n`;
        case 'set':
          entries.set(key, { value: Number(words[2]), untilMs: Date.now() + Number(words[4]) * 1000 });
          return '+OK\r\n';
        case 'del':
          return `:${entries.delete(key) ? 1 : 0}\r\n`;
        default:
          return `-ERR unknown command '${name}'\r\n`;
      }
    },
  };
}

async function openOwn(): Promise<TestRedis> {
  const store = createStore();
  const sockets = new Set<Socket>();
  let isHanging = false;
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    let received: Buffer = Buffer.alloc(0);
    let queued: string[][] | null = null;
    const step = (words: string[]): string => {
      const name = words[0]?.toLowerCase();
      if (name === 'multi') {
        queued = [];
        return '+OK\r\n';
      }
      if (name === 'exec') {
        const answers = (queued ?? []).map((one) => store.answer(one));
        queued = null;
        return `*${answers.length}\r\n${answers.join('')}`;
      }
      if (queued === null) return store.answer(words);
      queued.push(words);
      return '+QUEUED\r\n';
    };
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (isHanging) return;
      for (let next = readCommand(received); next !== null; next = readCommand(received)) {
        received = next.rest;
        socket.write(step(next.words));
      }
    });
  };
  let server = createServer(serve);
  let port = 0;
  const start = async (): Promise<void> => {
    server = createServer(serve);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}/0`,
    start,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      store.clear();
    },
    hang: () => (isHanging = true),
    resume() {
      isHanging = false;
      // What came meanwhile was for clients that have given up.
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function openReal(): Promise<TestRedis> {
  const port = await freePort();
  let child: ChildProcess | null = null;
  const answers = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  const start = async (): Promise<void> => {
    child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
      stdio: 'ignore',
    });
    for (let tries = 0; !(await answers()); tries++) {
      if (tries > 200) throw new Error('redis-server does not answer');
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}/0`,
    start,
    async stop() {
      if (child === null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      child = null;
    },
    hang: () => child?.kill('SIGSTOP'),
    resume: () => child?.kill('SIGCONT'),
  };
}

const hasReal = spawnSync('redis-server', ['--version']).status === 0;
/** Every kind there is on this machine. */
export const REDISES: readonly RedisKind[] = [
  { name: 'a Redis of our own', open: openOwn },
  ...(hasReal ? [{ name: 'redis-server', open: openReal }] : []),
];
