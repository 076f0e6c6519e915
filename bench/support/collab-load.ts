/**
 * The load of the collaborative measures: bare WebSocket clients that are the same for every server but for its framing. Every edit
 * carries a mark of its own that receivers look for in the bytes, so that a delivery is one that was seen.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { entriesOf, orderOf } from '#contract/playlist-doc.ts';
import { newIds } from '#server/ids.ts';
import { restClient } from '../../test/support/clients.ts';
import { startIssuer } from '../../test/support/issuer.ts';
import type { Rest } from '../../test/support/clients.ts';
import type { TestIssuer } from '../../test/support/issuer.ts';
import type { Hello, Question, ServerName } from './collab-servers.ts';

export type { ServerName } from './collab-servers.ts';

/** Linux counts processor time in hundredths of a second. */
const TICK_MICROS = 10_000;

/** What a server says when it has done what it was asked. */
interface Answer {
  heldBytes: number;
}

/** A server under measure, in a process of its own. */
export interface Server {
  name: ServerName;
  hello: Hello;
  /** Processor time of all its threads so far, in microseconds, by /proc. */
  cpuMicros(): number;
  /** What its main thread still holds after a collection, in KiB: without the room a heap keeps for later, which is chance. */
  heldKib(): Promise<number>;
  /** Resident memory in KiB as it is. */
  memoryNowKib(): number;
  ask(question: Question): Promise<Answer>;
  kill(): Promise<void>;
}

export async function startServer(name: ServerName, env: Record<string, string>): Promise<Server> {
  const flags = name === 'ours' ? ['--max-semi-space-size=4', '--no-parallel-scavenge'] : [];
  const child = spawn(
    process.execPath,
    ['--expose-gc', ...flags, path.join(import.meta.dirname, 'collab-servers.ts'), name],
    { env: { PATH: process.env.PATH ?? '', ...env }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  let asked: { resolve(answer: unknown): void; reject(error: Error): void } | null = null;
  child.on('message', (answer) => {
    asked?.resolve(answer);
    asked = null;
  });
  let isKilled = false;
  child.once('exit', (code, signal) => {
    if (!isKilled) asked?.reject(new Error(`${name} ended with ${signal ?? code}`));
  });
  const hello = await new Promise<Hello>((resolve, reject) => {
    asked = { resolve: resolve as (answer: unknown) => void, reject };
  });
  const pid = child.pid ?? 0;
  const ask = (question: Question) =>
    new Promise<Answer>((resolve, reject) => {
      asked = { resolve: resolve as (answer: unknown) => void, reject };
      child.send(question);
    });
  const memoryNowKib = () =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN);
  return {
    name,

    hello,
    cpuMicros() {
      // After the name in brackets, which may hold anything: the 12th and 13th are utime and stime (proc_pid_stat(5)).
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
    },
    async heldKib() {
      let least = Infinity;
      for (let i = 0; i < 4; i++) {
        least = Math.min(least, (await ask({ ask: 'gc' })).heldBytes / 1024);
        await pause(250);
      }
      return least;
    },
    memoryNowKib,
    ask,
    async kill() {
      isKilled = true;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
    },
  };
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until something is so, looking ever again. @throws Error when it takes too long */
export async function until(holds: () => boolean, what: string, patienceMs = 60_000): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await pause(5);
  }
}

interface Member {
  token: string;
  id: string;
  rest: Rest;
}

/** The servers of a measure, with folders, people and lists of their own. */
export interface Stage {
  servers: Map<ServerName, Server>;
  /** The id of a fresh document; on ours a list that this many people may edit. */
  newDocument(server: Server, people: number): Promise<string>;
  /** Whose connection the nth of a document is. */
  headersOf(server: Server, n: number): Record<string, string>;
  ownerId(): Promise<string>;
  /** Kills a server and starts it again on what it has stored. */
  restart(server: Server): Promise<Server>;
  close(): Promise<void>;
}

export async function openStage(names: readonly ServerName[]): Promise<Stage> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-collab-'));
  const issuer = await startIssuer();
  const envOf = (name: ServerName): Record<string, string> => {
    const dataDir = path.join(folder, name);
    mkdirSync(dataDir, { recursive: true });
    return {
      PORT: '0',
      DATA_DIR: dataDir,
      MUSIC_DIR: path.join(folder, 'music'),
      OIDC_ISSUER: issuer.url,
      OIDC_CLIENT_ID: issuer.clientId,
      OIDC_CLIENT_SECRET: issuer.clientSecret,
      OIDC_AUDIENCE: issuer.audience,
    };
  };
  mkdirSync(path.join(folder, 'music'));
  const servers = new Map<ServerName, Server>();
  const members: Member[] = [];
  for (const name of names) servers.set(name, await startServer(name, envOf(name)));

  async function member(n: number): Promise<Member> {
    const ours = servers.get('ours');
    members[n] ??= await newMember(issuer, ours?.hello.url ?? '', n);
    return members[n];
  }
  return {
    servers,
    async newDocument(server, people) {
      if (server.name !== 'ours') return newIds.id();
      const owner = await member(0);
      const { id } = await owner.rest.post<{ id: string }>('/playlists', { name: 'Bench' });
      for (let n = 1; n < people; n++) {
        await owner.rest.put(`/playlists/${id}/collaborators/${(await member(n)).id}`, { role: 'editor' });
      }
      return id;
    },
    headersOf: (server, n) => (server.name === 'ours' ? { authorization: `Bearer ${members[n]?.token}` } : {}),
    ownerId: async () => (await member(0)).id,
    async restart(server) {
      await server.kill();
      const again = await startServer(server.name, envOf(server.name));
      servers.set(server.name, again);
      if (server.name === 'ours') for (const one of members) one.rest = restClient(again.hello.url, one.token);
      return again;
    },
    async close() {
      for (const server of servers.values()) await server.kill();
      await issuer.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function newMember(issuer: TestIssuer, url: string, n: number): Promise<Member> {
  const person = { sub: `bench-${n}`, username: `bench-${n}`, name: `bench-${n}`, roles: ['user'] };
  const token = await issuer.issueAccessToken(person, { exp: Math.floor(Date.now() / 1000) + 7_200 });
  const rest = restClient(url, token);
  return { token, rest, id: (await rest.get<{ id: string }>('/auth/profile')).id };
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const MARK = /Zq([0-9A-Za-z]{6})qV/g;
let lastMark = 0;

/** A mark no other edit has; later ones sort behind earlier ones. */
function nextMark(): string {
  let left = ++lastMark;
  let mark = '';
  for (let i = 0; i < 6; i++) {
    mark = DIGITS[left % 62] + mark;
    left = Math.floor(left / 62);
  }
  return mark;
}

/** The marks some bytes hold. */
export function marksIn(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return Array.from(text.matchAll(MARK), (found) => found[1] ?? '');
}

/** One connection to one document, with a copy that holds its own edits only: it has to write, not to read. */
export interface Client {
  ws: WebSocket;
  doc: Y.Doc;
  /** Entries it added and has not removed, whose last edit everybody has seen. */
  mine: string[];
  /** Bytes of all the changes the server sent, those it had when asked for everything among them. */
  heardBytes: number;
  isSynced: boolean;
  closedWith: number | null;
  /** Hears every frame that holds a change, as it came. */
  onFrame: ((frame: Uint8Array) => void) | null;
  /** Sends an update as it is. */
  send(update: Uint8Array): void;
}

/** Hocuspocus puts the document's name before each message; the rest is the same. */
function prefixOf(server: Server, name: string): Uint8Array {
  if (server.name !== 'hocuspocus') return new Uint8Array();
  const encoder = encoding.createEncoder();
  encoding.writeVarString(encoder, name);
  return encoding.toUint8Array(encoder);
}

function framed(prefix: Uint8Array, step: number, bytes: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeUint8Array(encoder, prefix);
  encoding.writeVarUint(encoder, 0);
  encoding.writeVarUint(encoder, step);
  encoding.writeVarUint8Array(encoder, bytes);
  return encoding.toUint8Array(encoder);
}

/** Opens a connection; resolves once the server's answer to "what is there?" has come. */
export async function connect(
  server: Server,
  name: string,
  headers: Record<string, string>,
  doc = new Y.Doc(),
  onWhole: (frame: Uint8Array) => void = () => undefined,
): Promise<Client> {
  const prefix = prefixOf(server, name);
  const path = server.name === 'hocuspocus' ? '' : name;
  const ws = new WebSocket(`${server.hello.wsBase}${path}`, { headers, perMessageDeflate: false });
  const client: Client = {
    ws,
    doc,
    mine: [],
    heardBytes: 0,
    isSynced: false,
    closedWith: null,
    onFrame: null,
    send: (update) => ws.send(framed(prefix, 2, update)),
  };
  ws.on('close', (code) => (client.closedWith = code));
  await new Promise<void>((resolve, reject) => {
    ws.on('error', reject);
    ws.on('message', (data: Buffer) => {
      const type = data[prefix.length];
      // A plain sync message or, from Hocuspocus, the answer to one.
      if (type !== 0 && type !== 4) return;
      const step = data[prefix.length + 1];
      if (step !== 0) client.heardBytes += data.byteLength;
      if (step === 2) client.onFrame?.(data);
      else if (step === 1) {
        onWhole(data);
        client.isSynced = true;
        resolve();
      } else if (step === 0) {
        const decoder = decoding.createDecoder(data);
        decoder.pos = prefix.length + 2;
        ws.send(framed(prefix, 1, Y.encodeStateAsUpdate(doc, decoding.readVarUint8Array(decoder))));
      }
    });
    ws.on('close', (code) => reject(new Error(`closed with ${code}`)));
    ws.on('open', () => {
      if (server.name === 'hocuspocus') {
        const encoder = encoding.createEncoder();
        encoding.writeUint8Array(encoder, prefix);
        for (const number of [2, 0]) encoding.writeVarUint(encoder, number);
        encoding.writeVarString(encoder, 'a token');
        ws.send(encoding.toUint8Array(encoder));
      }
      ws.send(framed(prefix, 0, Y.encodeStateVector(new Y.Doc())));
    });
  });
  return client;
}

export interface Edit {
  mark: string;
  update: Uint8Array;
  /** Whose it is; back among its author's own once the edit is seen, for of two edits of one entry the last is all there is to see. */
  entry_id: string;
}

/** Adds a song (70 of 100), moves one of its own (20), or replaces one (10). */
export function makeEdit(client: Client, track_ids: readonly string[]): Edit {
  const { doc, mine } = client;
  const mark = nextMark();
  const dice = Math.random();
  let update: Uint8Array = new Uint8Array();
  let entry_id = '';
  const take = (bytes: Uint8Array) => (update = bytes);
  doc.on('update', take);
  doc.transact(() => {
    if (dice < 0.7 || mine.length === 0) add('a5');
    else if (dice < 0.9) {
      [entry_id = ''] = mine.splice(pick(mine.length), 1);
      orderOf(doc).set(entry_id, `a${pick(5)}Zq${mark}qV`);
    } else {
      const [gone = ''] = mine.splice(pick(mine.length), 1);
      entriesOf(doc).delete(gone);
      orderOf(doc).delete(gone);
      add(`a${pick(5)}`);
    }
  });
  doc.off('update', take);
  return { mark, update, entry_id };

  function add(place: string): void {
    entry_id = newIds.id();
    const track_id = track_ids[pick(track_ids.length)] ?? '';
    entriesOf(doc).set(entry_id, { track_id, added_by: null, added_at: 1_760_000_000 });
    orderOf(doc).set(entry_id, `${place}Zq${mark}qV`);
  }
}

const pick = (below: number) => Math.floor(Math.random() * below);

export interface Figure {
  name: string;
  value: number;
  unit: string;
  must?: number;
  direction?: 'min' | 'max';
}

export function print(figures: readonly Figure[]): void {
  for (const figure of figures) console.log(JSON.stringify({ ...figure, value: rounded(figure.value) }));
}

function rounded(value: number): number {
  const scale = Math.abs(value) < 10 ? 1000 : 10;
  return Math.round(value * scale) / scale;
}

/** The part of sorted values below which `share` of them lie. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
