/**
 * What a stored report costs beside a bare echo: `listen:progress`, acknowledged once it is on disk (synchronous=FULL),
 * against a Socket.IO server that only acknowledges. Both run as programs of their own; their rounds take turns, and their
 * processor time is what counts.
 */
import { createServer as createHttpServer } from 'node:http';
import { Server } from 'socket.io';
import { answerParent } from './support/child.ts';
import { best, onStage, openSide, print, rounded, runRound, serveOurs } from './support/reporting.ts';
import type { AddressInfo } from 'node:net';
import type { Round } from './support/reporting.ts';

const REPORTS = 10_000;
const ROUNDS = 12;

async function serveEcho(): Promise<void> {
  const http = createHttpServer();
  const server = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
  server.on('connection', (socket) => {
    socket.on('listen:start', (_payload: unknown, ack: (answer: unknown) => void) =>
      ack({ ok: true, data: { session_id: 'echo' } }),
    );
    socket.on('listen:progress', (payload: unknown, ack: (answer: unknown) => void) =>
      ack({ ok: true, data: payload }),
    );
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  answerParent({ url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
}

const compare = (): Promise<void> =>
  onStage(async ({ settings, tokens }) => {
    const file = import.meta.filename;
    const sides = {
      echo: await openSide(file, 'echo', {}, tokens),
      ours: await openSide(file, 'ours', settings(), tokens),
    };
    const rounds = { echo: [] as Round[], ours: [] as Round[] };
    for (let i = 0; i <= ROUNDS; i++) {
      for (const name of ['echo', 'ours'] as const) {
        const round = await runRound(sides[name], REPORTS);
        // The first warms up.
        if (i > 0) rounds[name].push(round);
      }
    }
    await sides.echo.close();
    await sides.ours.close();
    const echo = best(rounds.echo);
    const ours = best(rounds.ours);
    print([
      { name: 'listen:progress on disk and acknowledged', value: Math.round(ours.perSecond), unit: '/s' },
      { name: 'bare Socket.IO echo', value: Math.round(echo.perSecond), unit: '/s' },
      { name: 'listen:progress, median time to its acknowledgement', value: rounded(ours.medianMs), unit: 'ms' },
      { name: 'bare echo, median', value: rounded(echo.medianMs), unit: 'ms' },
      { name: 'listen:progress, processor time each', value: rounded(ours.cpuMicros), unit: 'µs' },
      { name: 'bare echo, processor time each', value: rounded(echo.cpuMicros), unit: 'µs' },
      {
        name: 'listen:progress against bare echo, processor time',
        value: rounded(ours.cpuMicros / echo.cpuMicros),
        unit: '×',
        must: 2,
        direction: 'max',
      },
    ]);
  });

const mode = process.argv[2];
await (mode === 'echo' ? serveEcho() : mode === 'ours' ? serveOurs() : compare());
