/** People whose programs write all the time, and who remember what was acknowledged: beside them a server can be killed. */
import { addEntries, readList } from '#contract/playlist-doc.ts';
import { newIds } from '#server/ids.ts';
import { gatewayClient, openPlaylist } from '../support/clients.ts';
import type { Gateway, OpenPlaylist } from '../support/clients.ts';
import type { Random } from '../support/random.ts';

/** Whether the server is there; who gets no answer waits for it, then asks the same again. */
export interface Outlet {
  url: string;
  isOver: boolean;
  up(): Promise<void>;
}

/** All that was acknowledged so far: each of it is to be found, once, in whatever is there after the next kill. */
export interface Acknowledged {
  /** By person, by the client's own name of the session: the highest `seq` that was answered; -1 for the start. */
  listens: Map<string, Map<string, number>>;
  /** By playlist. */
  entries: Map<string, Set<string>>;
  /** By follower: whom they follow now. One whose change is under way is left out. */
  follows: Map<string, Map<string, boolean>>;
  /** Adds that were done, but whose answer was lost with the process that did them (409). */
  answersLost: number;
  count: number;
}

export interface Person {
  id: string;
  token: string;
}

// Each provider of a list asks to hear of the end of this process.
process.setMaxListeners(100);

/** How long (ms) nobody waits for one answer before asking again. */
const PATIENCE_MS = 8_000;

interface Answer {
  status: number;
  body: unknown;
}

/** Asks until there is an answer that says whether it was done. */
async function persist(
  outlet: Outlet,
  { token }: Person,
  path: string,
  body: unknown,
  method = 'POST',
): Promise<Answer> {
  const key = crypto.randomUUID();
  for (;;) {
    await outlet.up();
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${outlet.url}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          'idempotency-key': key,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      text = await response.text();
    } catch {
      // The line broke before, within or after the answer: nobody can say which.
      continue;
    }
    const isLater = response.status === 503 || (response.status === 409 && response.headers.has('retry-after'));
    if (!isLater) return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  }
}

/** As `persist`, of an event, over a socket that is opened anew whenever it is gone. */
function socketOf(
  outlet: Outlet,
  { token }: Person,
): { ask(name: string, payload: object): Promise<unknown>; close(): void } {
  let gateway: Gateway | null = null;
  return {
    async ask(name, payload) {
      for (;;) {
        await outlet.up();
        try {
          if (gateway?.socket.connected !== true) gateway = await gatewayClient(outlet.url, token);
          const ack = (await gateway.socket.timeout(PATIENCE_MS).emitWithAck(name, payload)) as
            { ok: true; data: unknown } | { ok: false; problem: { status: number } };
          if (ack.ok) return ack.data;
          if (ack.problem.status !== 503) throw new Refused(`${name}: ${JSON.stringify(ack.problem)}`);
        } catch (error) {
          if (error instanceof Refused) throw error;
          gateway?.close();
          gateway = null;
        }
      }
    },
    close: () => gateway?.close(),
  };
}

class Refused extends Error {}

function done(what: string, answer: Answer): unknown {
  if (answer.status < 300) return answer.body;
  throw new Refused(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

/** A track of 40 s heard a minute ago, whole: its three reports. */
function reportsOf(track_id: string) {
  const client_session_id = crypto.randomUUID();
  const startedMs = Date.now() - 60_000;
  const at = (ms: number) => ({ occurred_at_ms: startedMs + ms });
  const report = { session_id: client_session_id };
  return {
    client_session_id,
    start: { track_id, source: 'api', client_session_id, ...at(0) },
    progress: { ...report, seq: 1, position_ms: 25_000, state: 'playing', ...at(25_000) },
    complete: { ...report, seq: 2, position_ms: 40_000, ...at(40_000) },
  };
}

function noteListen(known: Acknowledged, user_id: string, client_session_id: string, seq: number): void {
  const mine = known.listens.get(user_id) ?? new Map<string, number>();
  known.listens.set(user_id, mine.set(client_session_id, seq));
  known.count += 1;
}

export async function listenByRest(outlet: Outlet, known: Acknowledged, me: Person, track_id: string): Promise<void> {
  while (!outlet.isOver) {
    const { client_session_id, start, progress, complete } = reportsOf(track_id);
    done('start', await persist(outlet, me, '/listen/start', start));
    noteListen(known, me.id, client_session_id, -1);
    done('progress', await persist(outlet, me, '/listen/progress', progress));
    noteListen(known, me.id, client_session_id, 1);
    done('complete', await persist(outlet, me, '/listen/complete', complete));
    noteListen(known, me.id, client_session_id, 2);
  }
}

export async function listenBySocket(outlet: Outlet, known: Acknowledged, me: Person, track_id: string): Promise<void> {
  const socket = socketOf(outlet, me);
  while (!outlet.isOver) {
    const { client_session_id, start, progress, complete } = reportsOf(track_id);
    await socket.ask('listen:start', start);
    noteListen(known, me.id, client_session_id, -1);
    await socket.ask('listen:progress', progress);
    noteListen(known, me.id, client_session_id, 1);
    await socket.ask('listen:complete', complete);
    noteListen(known, me.id, client_session_id, 2);
  }
  socket.close();
}

/** Three listens in one message, as they were queued offline. */
export async function listenByBatch(outlet: Outlet, known: Acknowledged, me: Person, track_id: string): Promise<void> {
  const socket = socketOf(outlet, me);
  while (!outlet.isOver) {
    const queued = Array.from({ length: 3 }, () => reportsOf(track_id));
    const events = queued.flatMap(({ start, progress, complete }) => [
      { event: 'listen:start', ...start },
      { event: 'listen:progress', ...progress },
      { event: 'listen:complete', ...complete },
    ]);
    const { results } = (await socket.ask('listen:batch', { sent_at_ms: Date.now(), events })) as {
      results: { ok: boolean }[];
    };
    for (const [i, result] of results.entries()) {
      if (!result.ok) throw new Refused(`event ${i} of a batch: ${JSON.stringify(result)}`);
      const one = queued[Math.floor(i / 3)];
      if (one !== undefined) noteListen(known, me.id, one.client_session_id, [-1, 1, 2][i % 3] ?? -1);
    }
  }
  socket.close();
}

function noteEntry(known: Acknowledged, playlist_id: string, entry_id: string): void {
  const mine = known.entries.get(playlist_id) ?? new Set<string>();
  known.entries.set(playlist_id, mine.add(entry_id));
  known.count += 1;
}

export async function addByRest(
  outlet: Outlet,
  known: Acknowledged,
  me: Person,
  { track_id, playlist_id }: { track_id: string; playlist_id: string },
): Promise<void> {
  while (!outlet.isOver) {
    const answer = await persist(outlet, me, `/playlists/${playlist_id}/tracks`, { track_ids: [track_id] });
    if (answer.status === 409) known.answersLost += 1;
    else {
      const { entry_ids } = done('add', answer) as { entry_ids: string[] };
      for (const entry_id of entry_ids) noteEntry(known, playlist_id, entry_id);
    }
  }
}

/** An edit is passed on once it is on disk: what a second program of the same person sees is acknowledged. */
export async function addByProvider(
  outlet: Outlet,
  known: Acknowledged,
  me: Person,
  { track_id, playlist_id }: { track_id: string; playlist_id: string },
): Promise<void> {
  const writer: OpenPlaylist = openPlaylist(outlet.url, playlist_id, me);
  const witness: OpenPlaylist = openPlaylist(outlet.url, playlist_id, me);
  const seen = new Map<string, () => void>();
  witness.doc.on('update', () => {
    for (const { entry_id } of seen.size === 0 ? [] : readList(witness.doc)) seen.get(entry_id)?.();
  });
  // Final to the stock client: it would wait for ever.
  const closed = Promise.race([writer.closed, witness.closed]).then(({ code }) => {
    throw new Refused(`a list was closed with ${code}`);
  });
  closed.catch(() => undefined);
  while (!outlet.isOver) {
    const entry_id = newIds.id();
    const arrived = new Promise<void>((resolve) => seen.set(entry_id, resolve));
    addEntries(writer.doc, [{ entry_id, value: { track_id, added_by: null, added_at: 1 } }], null);
    await Promise.race([arrived, closed]);
    seen.delete(entry_id);
    noteEntry(known, playlist_id, entry_id);
  }
  writer.close();
  witness.close();
}

export async function follow(
  outlet: Outlet,
  known: Acknowledged,
  me: Person,
  others: readonly Person[],
  random: Random,
): Promise<void> {
  const mine = new Map<string, boolean>();
  known.follows.set(me.id, mine);
  while (!outlet.isOver) {
    const other = random.pick(others.filter(({ id }) => id !== me.id)).id;
    const follows = mine.get(other) !== true;
    // Until it is answered nobody can say which it is.
    mine.delete(other);
    done('follow', await persist(outlet, me, `/social/follow/${other}`, undefined, follows ? 'POST' : 'DELETE'));
    mine.set(other, follows);
    known.count += 1;
  }
}
