/**
 * What it costs that others watch: reports of people of whom each has 50 followers connected, who are shown them at most once a
 * second, against the same reports before the same audience that follows nobody.
 */
import { best, connect, onStage, openSide, print, rounded, runRound, serveOurs } from './support/reporting.ts';
import type { Round, Side } from './support/reporting.ts';
import type { Socket } from 'socket.io-client';

/** A round lasts for more than a second, so that each follower is shown each person at least once in it. */
const REPORTS = 60_000;
const ROUNDS = 4;

async function call(url: string, token: string, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? null : response.json();
}

interface Watched {
  side: Side;
  audience: Socket[];
  /** Updates the audience has been shown so far. */
  shown(): number;
}

async function openWatched(
  env: Record<string, string>,
  tokens: readonly string[],
  others: readonly string[],
  isFollowed: boolean,
): Promise<Watched> {
  const side = await openSide(import.meta.filename, 'ours', env, tokens);
  const { url } = side.server.hello;
  const people: string[] = [];
  for (const token of tokens) {
    const { id } = (await call(url, token, 'GET', '/auth/profile')) as { id: string };
    people.push(id);
    await call(url, token, 'PUT', '/user/profile', { privacy_level: 2, share_listening_history: true });
  }
  for (const token of others) {
    await call(url, token, 'GET', '/user/profile');
    if (isFollowed) for (const id of people) await call(url, token, 'POST', `/social/follow/${id}`);
  }
  let shown = 0;
  const audience = await Promise.all(others.map((token) => connect(url, token)));
  for (const socket of audience) socket.on('listening:update', () => (shown += 1));
  return { side, audience, shown: () => shown };
}

const compare = (): Promise<void> =>
  onStage(async ({ settings, tokens, others }) => {
    const sides = {
      alone: await openWatched(settings(), tokens, others, false),
      watched: await openWatched(settings(), tokens, others, true),
    };
    const rounds = { alone: [] as Round[], watched: [] as Round[] };
    for (let i = 0; i <= ROUNDS; i++) {
      for (const name of ['alone', 'watched'] as const) {
        const round = await runRound(sides[name].side, REPORTS);
        // The first warms up.
        if (i > 0) rounds[name].push(round);
      }
    }
    const shown = sides.watched.shown();
    // Each follower, each person, once a round at the very least; else nothing was measured.
    if (shown < tokens.length * others.length * ROUNDS) throw new Error(`followers were shown only ${shown} updates`);
    if (sides.alone.shown() > 0) throw new Error('somebody who follows nobody was shown something');
    for (const { side, audience } of Object.values(sides)) {
      for (const socket of audience) socket.disconnect();
      await side.close();
    }
    const alone = best(rounds.alone);
    const watched = best(rounds.watched);
    print([
      { name: 'listen:progress, 50 followers each, processor time', value: rounded(watched.cpuMicros), unit: 'µs' },
      { name: 'listen:progress, the same audience following nobody', value: rounded(alone.cpuMicros), unit: 'µs' },
      { name: 'updates shown to followers', value: shown, unit: '' },
      {
        name: 'listen:progress with 50 followers against without, processor time',
        value: rounded(watched.cpuMicros / alone.cpuMicros),
        unit: '×',
        must: 1.15,
        direction: 'max',
      },
    ]);
  });

await (process.argv[2] === 'ours' ? serveOurs() : compare());
