/**
 * What it costs to know who is calling: the same Express answer with and without a look at the caller, by cookie, API token
 * and access token, and the same bare Socket.IO handshake with and without it. One process serves both sides, in rounds
 * that take turns, and its processor time is what counts.
 */
import { Agent, createServer as createHttpServer, request } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import express from 'express';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { createSession } from '#domain/accounts/sessions.ts';
import { readConfig } from '#server/config.ts';
import { createServer } from '#server/create-server.ts';
import { hashSecret, newIds } from '#server/ids.ts';
import { createLog } from '#server/log.ts';
import { AMPLE } from '../test/support/ample.ts';
import { startIssuer } from '../test/support/issuer.ts';
import { answerParent, startMeasured } from './support/child.ts';
import type { RequestListener, Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Measured } from './support/child.ts';

const ROUNDS = 7;
const REQUESTS = 4_000;
const CONNECTIONS = 20;
const HANDSHAKES = 400;
const AT_ONCE = 20;

interface Hello {
  bareUrl: string;
  ourUrl: string;
  bareSocketUrl: string;
  checkedSocketUrl: string;
  gatewayUrl: string;
  cookie: string;
  apiToken: string;
}

async function listen(handler?: RequestListener): Promise<{ http: HttpServer; url: string }> {
  const http = createHttpServer(handler);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return { http, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
}

async function serve(): Promise<void> {
  const server = await createServer({ config: readConfig(process.env), log: createLog('error'), ...AMPLE });
  const { ctx, identity } = server;
  const actor = await identity.authenticateToken(process.env.BENCH_TOKEN ?? '');
  const secret = newIds.secret();
  await createSession(ctx, {
    user_id: actor.user_id,
    secret_hash: hashSecret(secret),
    provider_sid: null,
    realm_role: null,
    device: 'bench',
    auth_time: 0,
    replaces_secret_hash: null,
  });
  const { token: apiToken } = await createApiToken(ctx, actor.user_id, {
    name: 'bench',
    scopes: ['read', 'write', 'listen:write'],
  });

  const bare = express();
  bare.set('etag', false);
  bare.get('/', (_req, res) => void res.json({ ok: true }));
  const ours = express();
  ours.set('etag', false);
  ours.get('/', async (req, res) => {
    await identity.authenticate(req, { door: 'http' });
    res.json({ ok: true });
  });

  const options = { transports: ['websocket' as const], perMessageDeflate: false, serveClient: false };
  const bareSocket = await listen();
  new Server(bareSocket.http, options);
  const checkedSocket = await listen();
  new Server(checkedSocket.http, options).use((socket, next) => {
    identity.authenticateToken((socket.handshake.auth as { token: string }).token).then(() => next(), next);
  });
  answerParent({
    bareUrl: (await listen(bare)).url,
    ourUrl: (await listen(ours)).url,
    bareSocketUrl: bareSocket.url,
    checkedSocketUrl: checkedSocket.url,
    gatewayUrl: server.url,
    cookie: `sbm_session=${secret}`,
    apiToken,
  } satisfies Hello);
}

function get(url: string, headers: Record<string, string>, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    request(url, { agent, headers }, (res) => {
      res.resume();
      res.once('end', () => (res.statusCode === 200 ? resolve() : reject(new Error(`answered ${res.statusCode}`))));
    })
      .once('error', reject)
      .end();
  });
}

async function inLanes(count: number, lanes: number, one: () => Promise<void>): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (left-- > 0) await one();
    }),
  );
}

function handshake(url: string, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = io(url, { transports: ['websocket'], auth: { token }, forceNew: true, reconnection: false });
    socket.once('connect_error', reject);
    socket.once('connect', () => {
      socket.disconnect();
      resolve();
    });
  });
}

/** Processor time a unit of each way takes, in microseconds: the least disturbed of the rounds that took turns. */
async function inTurns(
  server: Measured<Hello>,
  count: number,
  ways: Record<string, () => Promise<void>>,
): Promise<Record<string, number>> {
  const best: Record<string, number> = {};
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, run] of Object.entries(ways)) {
      const before = await server.cpuMicros();
      await run();
      const micros = ((await server.cpuMicros()) - before) / count;
      // The first round warms up.
      if (round > 0) best[name] = Math.min(best[name] ?? Infinity, micros);
    }
  }
  return best;
}

async function compare(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-authentication-'));
  const issuer = await startIssuer();
  const token = await issuer.issueAccessToken(
    { sub: 'bench', username: 'bench', roles: ['user'] },
    { exp: Math.floor(Date.now() / 1000) + 3600 },
  );
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  try {
    const server = await startMeasured<Hello>(import.meta.filename, 'serve', {
      PORT: '0',
      DATA_DIR: path.join(folder, 'data'),
      MUSIC_DIR: folder,
      OIDC_ISSUER: issuer.url,
      OIDC_CLIENT_ID: issuer.clientId,
      OIDC_CLIENT_SECRET: issuer.clientSecret,
      OIDC_AUDIENCE: issuer.audience,
      BENCH_TOKEN: token,
    });
    const { hello } = server;
    const rest = (url: string, headers: Record<string, string>) => () =>
      inLanes(REQUESTS, CONNECTIONS, () => get(url, headers, agent));
    const requests = await inTurns(server, REQUESTS, {
      bare: rest(hello.bareUrl, {}),
      cookie: rest(hello.ourUrl, { cookie: hello.cookie }),
      apiToken: rest(hello.ourUrl, { authorization: `Bearer ${hello.apiToken}` }),
      accessToken: rest(hello.ourUrl, { authorization: `Bearer ${token}` }),
    });
    const open = (url: string, credential: string) => () =>
      inLanes(HANDSHAKES, AT_ONCE, () => handshake(url, credential));
    const sockets = await inTurns(server, HANDSHAKES, {
      bare: open(hello.bareSocketUrl, hello.apiToken),
      apiToken: open(hello.checkedSocketUrl, hello.apiToken),
      accessToken: open(hello.checkedSocketUrl, token),
      gateway: open(hello.gatewayUrl, hello.apiToken),
    });
    await server.kill();
    const ratio = (name: string, costs: Record<string, number>, way: string, must?: number) => ({
      name,
      value: Math.round(((costs.bare ?? 0) / (costs[way] ?? 1)) * 100) / 100,
      unit: '× the bare rate',
      ...(must === undefined ? {} : { must, direction: 'min' }),
    });
    for (const figure of [
      { name: 'bare Express answer, processor time', value: Math.round(requests.bare ?? 0), unit: 'µs' },
      ratio('the same by cookie', requests, 'cookie', 0.8),
      ratio('the same by personal API token', requests, 'apiToken', 0.8),
      ratio('the same by access token', requests, 'accessToken'),
      { name: 'bare Socket.IO handshake, processor time', value: Math.round(sockets.bare ?? 0), unit: 'µs' },
      ratio('the same by personal API token (socket)', sockets, 'apiToken', 0.8),
      ratio('the same by access token (socket)', sockets, 'accessToken'),
      ratio('our whole gateway: who you are, whom you hear, presence', sockets, 'gateway'),
    ]) {
      console.log(JSON.stringify(figure));
    }
  } finally {
    agent.destroy();
    await issuer.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

await (process.argv[2] === 'serve' ? serve() : compare());
