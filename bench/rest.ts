/**
 * A signed-in REST read of one row against bare Express 5 with the same kysely query on the same SQLite file: what the door
 * itself costs (who is calling, limits, headers, parsing, presenting). One process serves both sides, in rounds that take turns.
 */
import { Agent, createServer as createHttpServer, request } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Sqlite from 'better-sqlite3';
import express from 'express';
import { Kysely, SqliteDialect } from 'kysely';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { createSession } from '#domain/accounts/sessions.ts';
import { TRACK_COLUMNS } from '#domain/library/library.present.ts';
import { readConfig } from '#server/config.ts';
import { createServer } from '#server/create-server.ts';
import { hashSecret, newIds } from '#server/ids.ts';
import { createLog } from '#server/log.ts';
import { AMPLE } from '../test/support/ample.ts';
import { startIssuer } from '../test/support/issuer.ts';
import { putTracks } from '../test/support/room.ts';
import { answerParent, startMeasured } from './support/child.ts';
import type { Schema } from '#domain/database.ts';
import type { AddressInfo } from 'node:net';

const ROUNDS = 9;
const REQUESTS = 4_000;
const CONNECTIONS = 20;

interface Hello {
  bareUrl: string;
  ourUrl: string;
  cookie: string;
  apiToken: string;
  track_id: string;
}

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const server = await createServer({ config, log: createLog('error'), ...AMPLE });
  const { ctx, identity } = server;
  const { user_id } = await identity.authenticateToken(process.env.BENCH_TOKEN ?? '');
  const secret = newIds.secret();
  await createSession(ctx, {
    user_id,
    secret_hash: hashSecret(secret),
    provider_sid: null,
    realm_role: null,
    device: 'bench',
    auth_time: 0,
    replaces_secret_hash: null,
  });
  const { token: apiToken } = await createApiToken(ctx, user_id, { name: 'bench', scopes: ['read'] });
  const ids = await putTracks(ctx, 1_000);

  const database = new Sqlite(path.join(config.dataDir, 'stepheybot.db'), { readonly: true });
  const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database }) });
  const bare = express();
  // Ours makes none either: it would be the larger part of the difference, in our favour.
  bare.set('etag', false);
  bare.get('/library/tracks/:track_id', async (req, res) => {
    const row = await db
      .selectFrom('tracks')
      .select(TRACK_COLUMNS)
      .where('id', '=', req.params.track_id)
      .executeTakeFirst();
    res.json(row);
  });
  const http = createHttpServer(bare);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  answerParent({
    bareUrl: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    ourUrl: `${server.url}/api/v1`,
    cookie: `sbm_session=${secret}`,
    apiToken,
    track_id: ids[500] ?? '',
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

async function compare(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-rest-'));
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
    const { bareUrl, ourUrl, cookie, apiToken, track_id } = server.hello;
    const read = `/library/tracks/${track_id}`;
    const ways: Record<'bare' | 'cookie' | 'apiToken', [url: string, headers: Record<string, string>]> = {
      bare: [bareUrl + read, {}],
      cookie: [ourUrl + read, { cookie }],
      apiToken: [ourUrl + read, { authorization: `Bearer ${apiToken}` }],
    };
    const best = { bare: Infinity, cookie: Infinity, apiToken: Infinity };
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [name, [url, headers]] of Object.entries(ways) as [
        keyof typeof ways,
        [string, Record<string, string>],
      ][]) {
        let left = REQUESTS;
        const before = await server.cpuMicros();
        await Promise.all(
          Array.from({ length: CONNECTIONS }, async () => {
            while (left-- > 0) await get(url, headers, agent);
          }),
        );
        const micros = ((await server.cpuMicros()) - before) / REQUESTS;
        // The first round warms up.
        if (round > 0) best[name] = Math.min(best[name], micros);
      }
    }
    await server.kill();
    const ratio = (micros: number) => Math.round((micros / best.bare) * 100) / 100;
    for (const figure of [
      { name: 'bare Express 5 with kysely, one row, processor time', value: Math.round(best.bare), unit: 'µs' },
      {
        name: 'the same row by our REST, by cookie',
        value: ratio(best.cookie),
        unit: '×',
        must: 1.6,
        direction: 'max',
      },
      {
        name: 'the same row by our REST, by API token',
        value: ratio(best.apiToken),
        unit: '×',
        must: 1.6,
        direction: 'max',
      },
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
