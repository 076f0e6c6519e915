import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateKeyPair } from 'jose';
import { GATEWAY_PATH, bareGateway, bareSocket, frame } from '../support/bare-websocket.ts';
import { gatewayClient, restClient } from '../support/clients.ts';
import { DIALECTS } from '../support/dialects.ts';
import { startIssuer } from '../support/issuer.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import { openWorld } from '../support/world.ts';
import { handUpdate, syncFrame } from '../support/yjs-bytes.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { TestIssuer } from '../support/issuer.ts';
import type { Folders, Program } from '../support/server.ts';
import type { Someone, World } from '../support/world.ts';

const rename = (client: number, name: string) =>
  syncFrame(2, handUpdate([{ client, clock: 0, structs: [{ any: [name], at: { root: 'meta', key: 'name' } }] }]));

/** The status of the first answer to an upgrade. */
async function statusOf(url: string, path: string, headers: Record<string, string>): Promise<string> {
  const line = bareSocket(url, path, { headers });
  await line.heard('\r\n\r\n');
  const answer = line.received();
  line.socket.destroy();
  await line.closed;
  return /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? answer;
}

describe('who may open a WebSocket', () => {
  let world: World;
  let ana: Someone;
  let cookie: string;
  let id: string;
  beforeAll(async () => {
    world = await openWorld(DIALECTS[0]!);
    ana = await world.someone('ana');
    ({ cookie } = await world.signIn(ana));
    ({ id } = await ana.rest.post<Playlist>('/playlists', { name: 'x' }));
  });
  afterAll(() => world.close());

  test('[GW12] a cookie opens one from our own pages alone, on both paths alike', async () => {
    const { port } = new URL(world.url);
    const bearer = { authorization: `Bearer ${ana.token}` };
    const table: [string, Record<string, string>, string, string][] = [
      // What comes with it, then what the gateway and what a playlist answer.
      ['a cookie from a foreign page', { cookie, origin: 'https://evil.example' }, '403', '403'],
      ['a cookie from "null"', { cookie, origin: 'null' }, '403', '403'],
      ['a cookie from a sibling', { cookie, origin: `http://app.127.0.0.1:${port}` }, '403', '403'],
      [
        'a cookie from a name that begins as ours',
        { cookie, origin: `http://127.0.0.1:${port}.evil.example` },
        '403',
        '403',
      ],
      ['a cookie from a name that ends as ours', { cookie, origin: `http://evil-127.0.0.1:${port}` }, '403', '403'],
      ['a cookie from our name and another port', { cookie, origin: 'http://127.0.0.1:1' }, '403', '403'],
      ['a cookie from our name without the port', { cookie, origin: 'http://127.0.0.1' }, '403', '403'],
      ['a cookie from another scheme', { cookie, origin: `https://127.0.0.1:${port}` }, '403', '403'],
      ['a cookie from our address and a path', { cookie, origin: `http://127.0.0.1:${port}/` }, '403', '403'],
      ['a cookie from our address in capitals', { cookie, origin: `HTTP://127.0.0.1:${port}` }, '403', '403'],
      ['a cookie and no origin', { cookie }, '403', '403'],
      ['a cookie and an empty origin', { cookie, origin: '' }, '403', '403'],
      [
        'a cookie from our page led by another',
        { cookie, origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'cross-site' },
        '403',
        '403',
      ],
      ['a token from a foreign page', { ...bearer, origin: 'https://evil.example' }, '403', '403'],
      ['a token beside a cookie, no origin', { ...bearer, cookie }, '101', '101'],
      ['a token, no origin', bearer, '101', '101'],
      ['a token from our page', { ...bearer, origin: world.url }, '101', '101'],
      ['a cookie from our page', { cookie, origin: world.url }, '101', '101'],
      ['nothing', {}, '101', '401'],
    ];
    const found: [string, string, string][] = [];
    for (const [name, headers] of table) {
      found.push([
        name,
        await statusOf(world.url, GATEWAY_PATH, headers),
        await statusOf(world.url, `/yjs/${id}`, headers),
      ]);
    }
    expect(found).toEqual(table.map(([name, , gateway, sync]) => [name, gateway, sync]));
  });

  test('[GW12] there is no way round it by polling, by another path, or as an ordinary request', async () => {
    const headers = { cookie, origin: 'https://evil.example' };
    for (const [path, method] of [
      ['/socket.io/?EIO=4&transport=polling', 'GET'],
      ['/socket.io/?EIO=4&transport=polling', 'POST'],
      ['/socket.io/?EIO=4&transport=websocket', 'GET'],
      ['/socket.io/socket.io.js', 'GET'],
      [`/yjs/${id}`, 'GET'],
      [`/yjs/${id}`, 'POST'],
    ] as const) {
      const response = await fetch(world.url + path, { method, headers });
      expect([path, method, response.status]).toEqual([path, method, 404]);
    }
    for (const path of [
      '/',
      '/socket.iox/',
      '/socket.io/../yjs/x',
      `//yjs/${id}`,
      `/YJS/${id}`,
      '/api/v1/playlists',
      `/yjs`,
    ]) {
      expect([path, await statusOf(world.url, path, { cookie, origin: world.url })]).toEqual([path, '404']);
    }
    for (const query of ['transport=webtransport&EIO=4', 'EIO=4&transport=polling', '', 'EIO=4']) {
      expect(await statusOf(world.url, `/socket.io/?${query}`, { authorization: `Bearer ${ana.token}` })).toBe('400');
    }
  });

  test('[GW12] the protocol before this one is closed as soon as it is spoken', async () => {
    const line = bareSocket(world.url, '/socket.io/?EIO=3&transport=websocket');
    await line.closed;
    expect(line.received()).toContain('Unsupported protocol version');
  });

  test('[GW13] a token in the address is refused, even beside a good one, and is in no answer', async () => {
    for (const name of ['token', 'access_token', 'ACCESS_TOKEN', 'id_token', '%74oken']) {
      for (const path of [`${GATEWAY_PATH}&`, `/yjs/${id}?`]) {
        for (const headers of [{}, { authorization: `Bearer ${ana.token}` }, { cookie, origin: world.url }]) {
          const line = bareSocket(world.url, `${path}${name}=${ana.token}`, {
            headers: headers as Record<string, string>,
          });
          await line.closed;
          expect(line.received()).toMatch(/^HTTP\/1\.1 401 /);
          expect(line.received()).not.toContain(ana.token.slice(0, 20));
        }
      }
    }
    const response = await fetch(`${world.url}/api/v1/playlists?access_token=${ana.token}`);
    expect(response.status).toBe(401);
    await response.arrayBuffer();
  });
});

describe('what comes before anybody is known, at a program of its own', () => {
  let folders: Folders;
  let issuer: TestIssuer;
  let server: Program;
  let id: string;
  let token: string;
  const person = { sub: 'ana', username: 'ana', roles: ['user'] };
  const megabytes = () =>
    Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;
  /** The most memory the program holds while something is done to it, beyond what it held before. */
  async function grown(what: () => Promise<void>): Promise<number> {
    // A server that has just begun to listen still loads what it looks after: that is not what is measured.
    let last = Number.NaN;
    await expect
      .poll(
        () => {
          const step = Math.abs(megabytes() - last);
          last = megabytes();
          return step;
        },
        { timeout: 10_000, interval: 200 },
      )
      .toBeLessThan(0.2);
    const before = megabytes();
    let most = before;
    const timer = setInterval(() => (most = Math.max(most, megabytes())), 5);
    await what();
    clearInterval(timer);
    return Math.max(most, megabytes()) - before;
  }
  const nameOf = async () => (await restClient(server.url, token).get<Playlist>(`/playlists/${id}`)).name;

  beforeAll(async () => {
    folders = makeFolders();
    issuer = await startIssuer();
    token = await issuer.issueAccessToken(person, { exp: Math.floor(Date.now() / 1000) + 3_600 });
    server = await spawnServer(folders, { issuer });
    ({ id } = await restClient(server.url, token).post<Playlist>('/playlists', { name: 'Before' }));
    await server.stop();
  });
  afterAll(async () => {
    issuer.slow = 0;
    await server.stop();
    await issuer.close();
    folders.remove();
  });

  test.each([
    ['small', 40, 1_000],
    ['large', 32 * 1024, 1_000],
  ])(
    '[GW14] 1,000 %s frames sent while a slow check of a bad token goes on: none counts, and none is kept',
    async (_size, bytes, count) => {
      // The first token a server sees makes it ask for keys; these come slowly.
      issuer.slow = 1_500;
      server = await spawnServer(folders, { issuer });
      const { privateKey } = await generateKeyPair('RS256', { extractable: true });
      const forged = await issuer.issueAccessToken(person, { key: privateKey });
      const flood = Buffer.concat(
        Array.from({ length: count }, (_one, i) =>
          frame(rename(4_000_000_000 + i, 'x'.repeat(Math.min(bytes, 150))), { opcode: 2 }),
        ).concat(bytes > 1_000 ? Array.from({ length: count }, () => frame(Buffer.alloc(bytes), { opcode: 2 })) : []),
      );
      let line: ReturnType<typeof bareSocket> | null = null;
      const grownMb = await grown(async () => {
        line = bareSocket(server.url, `/yjs/${id}`, { headers: { authorization: `Bearer ${forged}` }, rest: flood });
        await line.closed;
      });
      console.log(`${flood.length} bytes before the answer: ${grownMb.toFixed(1)} MB`);
      // Either the answer was still read, or the line was cut with bytes on their way: never a 101.
      expect(line!.received()).not.toContain(' 101 ');
      if (bytes < 1_000) expect(line!.received()).toMatch(/^HTTP\/1\.1 401 /);
      expect(grownMb).toBeLessThan(5);
      issuer.slow = 0;
      expect(await nameOf()).toBe('Before');
      await server.stop();
    },
  );

  test('[GW14] at the gateway too: what follows an unfinished handshake ends it', async () => {
    issuer.slow = 1_500;
    server = await spawnServer(folders, { issuer });
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    const forged = await issuer.issueAccessToken(person, { key: privateKey });
    const started = frame(`42["presence:set",{"status":"online"}]`);
    const grownMb = await grown(async () => {
      const line = bareSocket(server.url, GATEWAY_PATH);
      await line.heard('"pingInterval"');
      line.socket.write(
        Buffer.concat([
          frame(`40${JSON.stringify({ token: forged })}`),
          ...Array.from({ length: 1_000 }, () => started),
        ]),
      );
      await line.closed;
      expect(line.received()).not.toContain('40{"sid"');
    });
    expect(grownMb).toBeLessThan(5);
    issuer.slow = 0;
  });

  test(
    '[GW14] who says nothing at all is let go in five seconds, and traffic does not put it off',
    { timeout: 20_000 },
    async () => {
      const line = bareSocket(server.url, GATEWAY_PATH);
      await line.heard('"pingInterval"');
      const startedMs = performance.now();
      const timer = setInterval(() => line.socket.writable && line.socket.write(frame('3')), 250);
      await line.closed;
      clearInterval(timer);
      expect(performance.now() - startedMs).toBeGreaterThan(4_000);
      expect(performance.now() - startedMs).toBeLessThan(8_000);
    },
  );

  const placeholder = '["listen:start",{"_placeholder":true,"num":0}]';
  const tiny = (count: number, opcode: number) =>
    Buffer.concat([
      frame('x', { opcode, isFinal: false }),
      ...Array.from({ length: count }, () => frame('x', { opcode: 0, isFinal: false })),
    ]);
  const oversized = Buffer.from([0x81, 0x80 | 127, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
  const repeat = (one: Buffer, count: number) => Buffer.concat(Array.from({ length: count }, () => one));
  test.each<[string, 'gateway' | 'list', () => Buffer]>([
    [
      'a packet that promises an attachment, again and again',
      'gateway',
      () => repeat(frame(`451-${placeholder}`), 2_000),
    ],
    ['eleven attachments', 'gateway', () => frame(`4511-${placeholder}`)],
    ['a billion attachments', 'gateway', () => frame(`45999999999-${placeholder}`)],
    ['attachments nobody asked for', 'gateway', () => repeat(frame(Buffer.alloc(60_000), { opcode: 2 }), 200)],
    ['a million fragments of one byte', 'gateway', () => tiny(1_000_000, 1)],
    ['a million fragments of one byte', 'list', () => tiny(1_000_000, 2)],
    ['a frame of a terabyte', 'gateway', () => Buffer.concat([oversized, Buffer.alloc(1024 * 1024)])],
    ['a frame of a terabyte', 'list', () => Buffer.concat([oversized, Buffer.alloc(1024 * 1024)])],
    ['a message above 64 KiB', 'gateway', () => frame('x'.repeat(70_000))],
    ['a message above 1 MiB', 'list', () => frame(Buffer.alloc(1024 * 1024 + 1), { opcode: 2 })],
    [
      'half a million pings whose answers nobody reads',
      'gateway',
      () => repeat(frame('x'.repeat(125), { opcode: 9 }), 500_000),
    ],
    [
      'half a million pings whose answers nobody reads',
      'list',
      () => repeat(frame('x'.repeat(125), { opcode: 9 }), 500_000),
    ],
    ['text that is not UTF-8', 'gateway', () => frame(Buffer.from([0xff, 0xfe]))],
    ['a compressed frame nobody agreed to', 'gateway', () => Buffer.concat([Buffer.from([0xc1, 0x80, 0, 0, 0, 0])])],
    ['an unmasked frame', 'list', () => Buffer.from([0x82, 1, 0])],
  ])('[GW15] %s: the %s line is closed, and memory stays', { timeout: 30_000 }, async (what, door, bytes) => {
    const sent = bytes();
    const grownMb = await grown(async () => {
      const line =
        door === 'gateway'
          ? await bareGateway(server.url, await issuer.issueAccessToken({ sub: what, username: 'bomber' }))
          : bareSocket(server.url, `/yjs/${id}`, { headers: { authorization: `Bearer ${token}` } });
      await line.heard(door === 'gateway' ? '40{"sid"' : ' 101 ');
      if (what.includes('nobody reads')) line.socket.pause();
      line.socket.write(sent);
      // Paused, it does not hear that it was closed until it writes.
      if (what.includes('nobody reads')) setTimeout(() => line.socket.resume(), 1_000).unref();
      await line.closed;
    });
    console.log(`${what}, ${door}: ${grownMb.toFixed(1)} MB`);
    expect(grownMb).toBeLessThan(20);
    expect(await nameOf()).toBe('Before');
    const other = await gatewayClient(server.url, token);
    expect((await other.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
    other.close();
  });

  test('[GW15] a handshake that is none, or never ends, holds nothing up', async () => {
    const { port } = new URL(server.url);
    const requests = [
      `GET ${GATEWAY_PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      `GET ${GATEWAY_PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      `GET ${GATEWAY_PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
      `POST ${GATEWAY_PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nContent-Type: application/evil\r\n\r\n`,
      `GET ${GATEWAY_PATH}&sid=toString HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      `GET http://evil.example${GATEWAY_PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    ];
    for (const request of requests) {
      const socket = connect(Number(port), '127.0.0.1');
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.on('error', () => socket.destroy());
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write(request);
      await closed;
      expect(answer === '' || /^HTTP\/1\.1 4\d\d /.test(answer)).toBe(true);
    }
    expect(await nameOf()).toBe('Before');
  });
});
