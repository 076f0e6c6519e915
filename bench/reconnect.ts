/**
 * Two thousand clients cut off at once, and how soon all of them are back where they were; then five thousand that only stay. The
 * server is a program of its own with its usual limits for the first, and with ample ones for the second, as all come from one
 * address here.
 */
import { mkdirSync } from 'node:fs';
import { startIssuer } from '../test/support/issuer.ts';
import { bareGateway, frame } from '../test/support/bare-websocket.ts';
import { startMeasuredServer } from '../test/support/measured-server.ts';
import { makeLibrary } from '../test/support/music/make-track.ts';
import { forEach, runStorm } from '../test/support/reconnect-storm.ts';
import { makeFolders } from '../test/support/server.ts';
import type { BareSocket } from '../test/support/bare-websocket.ts';

const CLIENTS = Number(process.env.BENCH_CLIENTS ?? 2_000);
const AT_REST = Number(process.env.BENCH_AT_REST ?? 5_000);
const SOCKETS_EACH = 10;

const folders = makeFolders();
mkdirSync(folders.musicDir, { recursive: true });
makeLibrary(folders.musicDir, { 'one.wav': { title: 'One', artist: 'Bench', album: 'Bench', seconds: 1 } });
const issuer = await startIssuer();
const say = (figure: object) => console.log(JSON.stringify(figure));
const round = (n: number) => Math.round(n * 10) / 10;
try {
  let server = await startMeasuredServer(folders, issuer);
  const storm = await runStorm(server, issuer, CLIENTS);
  await server.stop();
  const name = `${CLIENTS} clients cut at once`;
  say({ name: `${name}, all back after`, value: round(storm.backMs / 1000), unit: 's', must: 30, direction: 'max' });
  say({ name: `${name}, in wrong rooms`, value: storm.wrong, unit: '', must: 0, direction: 'max' });
  say({
    name: `${name}, longest loop delay`,
    value: Math.round(storm.loopMaxMs),
    unit: 'ms',
    must: 500,
    direction: 'max',
  });
  say({ name: `${name}, fetches of keys`, value: storm.jwksFetches, unit: '', must: 2, direction: 'max' });
  say({
    name: `${name}, memory against before`,
    value: round(storm.rssMostMb / storm.rssBeforeMb),
    unit: '×',
    must: 1.5,
    direction: 'max',
  });

  server = await startMeasuredServer(folders, issuer, { limits: 'ample' });
  const before = (await server.measure()).rssMb;
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const lines: BareSocket[] = [];
  await forEach(
    Array.from({ length: AT_REST / SOCKETS_EACH }, (_one, i) => `rest-${i}`),
    async (username) => {
      const token = await issuer.issueAccessToken({ sub: username, username, roles: ['user'] }, { exp });
      for (let i = 0; i < SOCKETS_EACH; i++) lines.push(await bareGateway(server.url, token));
    },
  );
  await server.measure();
  await forEach(lines, async (line) => {
    line.socket.write(frame('420["clock:sync",{"t0_ms":1}]'));
    await line.heard('430[{"ok":true');
  });
  const { rssMb, loopMaxMs } = await server.measure();
  const open = lines.filter(({ socket }) => !socket.destroyed).length;
  const rest = `${AT_REST} connections`;
  say({ name: `${rest}, open and answered`, value: open, unit: '', must: AT_REST, direction: 'min' });
  say({ name: `${rest}, memory each`, value: round(((rssMb - before) * 1024) / AT_REST), unit: 'KiB' });
  say({ name: `${rest}, longest loop delay while all are answered`, value: Math.round(loopMaxMs), unit: 'ms' });
  for (const { socket } of lines) socket.destroy();
  await server.stop();
} finally {
  await issuer.close();
  folders.remove();
}
