/**
 * What an edit of a shared playlist costs here, judged and on disk before anybody else sees it, beside Hocuspocus 4 with SQLite
 * (which stores up to 10 s later) and the reference server (which does not store). Each is a program of its own with the same
 * clients; their rounds take turns, and the processor time of their processes is what counts.
 */
import { connect, makeEdit, marksIn, openStage, pause, print, quantile, until } from './support/collab-load.ts';
import { installPeers } from './support/peers.ts';
import type { Client, Figure, Server, ServerName, Stage } from './support/collab-load.ts';

const NAMES: readonly ServerName[] = ['ours', 'hocuspocus', 'reference'];
const ROUNDS = 4;
/** Edits each person has on the way at once. */
const IN_FLIGHT = 4;

interface Room {
  clients: Client[];
}
interface Crowd {
  server: Server;
  rooms: Room[];
  track_ids: readonly string[];
}

async function gather(stage: Stage, server: Server, rooms: number, people: number, track_ids: readonly string[]) {
  const crowd: Crowd = { server, rooms: [], track_ids };
  for (let r = 0; r < rooms; r++) {
    const name = await stage.newDocument(server, people);
    const clients: Client[] = [];
    for (let n = 0; n < people; n++) clients.push(await connect(server, name, stage.headersOf(server, n)));
    crowd.rooms.push({ clients });
  }
  return crowd;
}

function disperse(crowd: Crowd): void {
  for (const { clients } of crowd.rooms) for (const { ws } of clients) ws.terminate();
}

/** Who still has to see an edit before its author makes the next. */
interface Pending {
  left: number;
  sentMs: number;
  author: Client;
  entry_id: string;
}

interface Round {
  cpuMicros: number;
  perSecond: number;
  /** Milliseconds from an edit to each other socket, sorted. */
  latencies: number[];
}

/** Lets `count` edits reach everybody else; `perSecond` paces them, null: as fast as they arrive. */
async function runRound(crowd: Crowd, count: number, perSecond: number | null): Promise<Round> {
  const pending = new Map<string, Pending>();
  const latencies: number[] = [];
  let made = 0;
  let done = 0;
  const edit = (author: Client, others: number) => {
    made++;
    const { mark, update, entry_id } = makeEdit(author, crowd.track_ids);
    pending.set(mark, { left: others, sentMs: performance.now(), author, entry_id });
    author.send(update);
  };
  for (const { clients } of crowd.rooms) {
    for (const client of clients) {
      client.onFrame = (frame) => {
        const nowMs = performance.now();
        for (const mark of marksIn(frame)) {
          const edited = pending.get(mark);
          // One's own may come back in a frame with others'.
          if (edited === undefined || edited.author === client) continue;
          latencies.push(nowMs - edited.sentMs);
          if (--edited.left > 0) continue;
          pending.delete(mark);
          edited.author.mine.push(edited.entry_id);
          done++;
          if (perSecond === null && made < count) edit(edited.author, clients.length - 1);
        }
      };
    }
  }
  const beforeMicros = crowd.server.cpuMicros();
  const startedMs = performance.now();
  if (perSecond === null) {
    for (let i = 0; i < IN_FLIGHT; i++) {
      for (const { clients } of crowd.rooms) {
        for (const author of clients) if (made < count) edit(author, clients.length - 1);
      }
    }
  } else {
    while (made < count) {
      const due = Math.min(count, Math.floor(((performance.now() - startedMs) / 1000) * perSecond));
      while (made < due) {
        const { clients } = crowd.rooms[made % crowd.rooms.length] ?? { clients: [] };
        const author = clients[Math.floor(Math.random() * clients.length)];
        if (author === undefined) throw new Error('an empty room');
        edit(author, clients.length - 1);
      }
      await pause(1);
    }
  }
  await until(() => done === count, `${count} edits through ${crowd.server.name}`, 60_000);
  const tookMs = performance.now() - startedMs;
  const cpuMicros = (crowd.server.cpuMicros() - beforeMicros) / count;
  return { cpuMicros, perSecond: count / (tookMs / 1000), latencies: latencies.sort((a, b) => a - b) };
}

/** Rounds of all servers in turns; the first warms up. */
async function compare(
  stage: Stage,
  { rooms, people, count, perSecond }: { rooms: number; people: number; count: number; perSecond: number | null },
): Promise<Map<ServerName, Round[]>> {
  const track_ids = stage.servers.get('ours')?.hello.track_ids ?? [];
  const crowds: Crowd[] = [];
  for (const server of stage.servers.values()) crowds.push(await gather(stage, server, rooms, people, track_ids));
  const rounds = new Map<ServerName, Round[]>();
  for (let i = 0; i <= ROUNDS; i++) {
    for (const crowd of crowds) {
      const round = await runRound(crowd, count, perSecond);
      const { name } = crowd.server;
      if (i > 0) rounds.set(name, [...(rounds.get(name) ?? []), round]);
    }
  }
  for (const crowd of crowds) disperse(crowd);
  return rounds;
}

/** The least disturbed of the rounds, by one of their figures. */
function least(rounds: readonly Round[] | undefined, by: (round: Round) => number): number {
  return Math.min(...(rounds ?? []).map(by));
}

function costs(what: string, rounds: Map<ServerName, Round[]>, must: number): Figure[] {
  const cpu = (name: ServerName) => least(rounds.get(name), (round) => round.cpuMicros);
  return [
    ...NAMES.map((name) => ({ name: `${what}: ${name}, processor time each`, value: cpu(name), unit: 'µs' })),
    ...NAMES.map((name) => ({
      name: `${what}: ${name}, delivered to all`,
      value: -least(rounds.get(name), (round) => -round.perSecond),
      unit: '/s',
    })),
    {
      name: `${what}: ours against Hocuspocus with SQLite, processor time`,
      value: cpu('ours') / cpu('hocuspocus'),
      unit: '×',
      must,
      direction: 'max',
    },
  ];
}

const missing = installPeers();
if (missing !== null)
  throw new Error(`the peers could not be fetched, so there is nothing to measure against: ${missing}`);
const stage = await openStage(NAMES);
try {
  const parts = process.env.ONLY?.split(',') ?? ['20', '1', 'latency'];
  if (parts.includes('20')) {
    print(
      costs(
        'edits, 20 rooms × 10 people',
        await compare(stage, { rooms: 20, people: 10, count: 8_000, perSecond: null }),
        1,
      ),
    );
  }
  if (parts.includes('1')) {
    print(
      costs(
        'edits, 1 room × 200 people',
        await compare(stage, { rooms: 1, people: 200, count: 1_500, perSecond: null }),
        1.2,
      ),
    );
  }
  if (parts.includes('latency')) {
    const rounds = await compare(stage, { rooms: 20, people: 10, count: 2_000, perSecond: 500 });
    for (const [share, must] of [
      [0.5, 1.5],
      [0.99, 2],
    ] as const) {
      const of = (name: ServerName) => least(rounds.get(name), (round) => quantile(round.latencies, share));
      const what = `edit to the other's socket at 500 edits a second, p${share * 100}`;
      print([
        ...NAMES.map((name) => ({ name: `${what}: ${name}`, value: of(name), unit: 'ms' })),
        {
          name: `${what}: ours against the faster peer`,
          value: of('ours') / Math.min(of('hocuspocus'), of('reference')),
          unit: '×',
          must,
          direction: 'max',
        },
      ]);
    }
  }
} finally {
  await stage.close();
}
