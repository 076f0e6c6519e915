/** Very many clients that are cut off at once and come back, and what that does to the server they come back to. */
import { bareGateway, frame } from './bare-websocket.ts';
import { gatewayClient, restClient } from './clients.ts';
import type { Me } from '#contract/accounts.ts';
import type { BareSocket } from './bare-websocket.ts';
import type { TestIssuer } from './issuer.ts';
import type { MeasuredServer } from './measured-server.ts';

/** How long (ms) a client waits at most before it comes back, by chance: the stock client's first pause, and its jitter. */
const JITTER_MS = 5_000;
/** How many set out at once at first: this is no part of the storm. */
const AT_ONCE = 50;

export interface Storm {
  clients: number;
  backMs: number;
  /** Lines that heard what was not for them, or did not hear what was. */
  wrong: number;
  loopMaxMs: number;
  rssBeforeMb: number;
  rssMostMb: number;
  jwksFetches: number;
}

/** Does `work` for each, so many at a time. */
export async function forEach<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  atOnce = AT_ONCE,
): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
    }),
  );
}

interface Client {
  token: string;
  id: string;
  isFollower: boolean;
  line: BareSocket;
}

/** Half of `clients` follow one person who listens; each also has a room of their own. */
export async function runStorm(server: MeasuredServer, issuer: TestIssuer, clients: number): Promise<Storm> {
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const tokenOf = (username: string) => issuer.issueAccessToken({ sub: username, username, roles: ['user'] }, { exp });
  const heardToken = await tokenOf('heard');
  const heard = restClient(server.url, heardToken);
  const heard_id = (await heard.get<Me>('/auth/profile')).id;
  await heard.put('/user/profile', { privacy_level: 2, share_listening_history: true });

  const all: Client[] = [];
  await forEach(
    Array.from({ length: clients }, (_one, i) => i),
    async (i) => {
      const token = await tokenOf(`client-${i}`);
      const rest = restClient(server.url, token);
      const { id } = await rest.get<Me>('/auth/profile');
      const isFollower = i % 2 === 0;
      if (isFollower) await rest.post(`/social/follow/${heard_id}`);
      all.push({ token, id, isFollower, line: await bareGateway(server.url, token) });
    },
  );
  const { rssMb: rssBeforeMb } = await server.measure();
  const fetchedBefore = issuer.jwksFetches;
  let rssMostMb = rssBeforeMb;
  let loopMaxMs = 0;
  let isOver = false;
  const look = async () => {
    const measure = await server.measure();
    rssMostMb = Math.max(rssMostMb, measure.rssMb);
    loopMaxMs = Math.max(loopMaxMs, measure.loopMaxMs);
  };
  const watching = (async () => {
    while (!isOver) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  })();

  const cutMs = performance.now();
  for (const { line } of all) line.socket.destroy();
  await Promise.all(
    all.map(async (client) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * JITTER_MS));
      client.line = await bareGateway(server.url, client.token);
    }),
  );
  const backMs = performance.now() - cutMs;

  // Their rooms are theirs again: each hears what is for them, and nobody else does.
  await server.tellEach(all.map(({ id }) => id));
  const speaking = await gatewayClient(server.url, heardToken);
  const [track] = (await heard.get<{ items: { id: string }[] }>('/library/tracks')).items;
  await speaking.ask('listen:start', { track_id: track?.id ?? '', source: 'api' });
  const own = ({ id }: Client) => `"playlist_id":"${id}"`;
  const live = `"listening:update",{"user_id":"${heard_id}"`;
  await Promise.all(all.map((client) => client.line.heard(own(client))));
  await Promise.all(all.filter(({ isFollower }) => isFollower).map(({ line }) => line.heard(live)));
  // Answered in order: what else was on its way is there too.
  await Promise.all(
    all.map(async ({ line }) => {
      line.socket.write(frame('420["clock:sync",{"t0_ms":1}]'));
      await line.heard('430[');
    }),
  );
  const wrong = all.filter((client) => {
    const received = client.line.received();
    const notices = received.split('"playlist:changed"').length - 1;
    return notices !== 1 || received.includes(live) !== client.isFollower;
  }).length;
  isOver = true;
  await watching;
  await look();
  speaking.close();
  for (const { line } of all) line.socket.destroy();
  return {
    clients,
    backMs,
    wrong,
    loopMaxMs,
    rssBeforeMb,
    rssMostMb,
    jwksFetches: issuer.jwksFetches - fetchedBefore,
  };
}
