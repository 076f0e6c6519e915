import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REQUESTS } from '#contract/gateway.ts';
import { bareGateway, frame } from '../support/bare-websocket.ts';
import { DIALECTS } from '../support/dialects.ts';
import { liveRoutes } from '../support/live-routes.ts';
import { openWorld } from '../support/world.ts';
import type { Someone, World } from '../support/world.ts';

/** As text, since no object literal can say them. */
const POLLUTIONS = [
  '{"__proto__":{"pp":1}}',
  '{"constructor":{"prototype":{"pp":1}}}',
  '{"prototype":{"pp":1}}',
  '{"__proto__":null}',
  '{"__proto__":{"toJSON":1,"then":1,"length":1}}',
  '{"hasOwnProperty":1,"toString":1,"valueOf":1}',
];

describe('input that reaches for the prototype of all objects', () => {
  let world: World;
  let admin: Someone;
  beforeAll(async () => {
    world = await openWorld(DIALECTS[0]!);
    admin = await world.someone('boss', { roles: ['admin'] });
  });
  afterAll(() => world.close());
  const isClean = () => {
    const fresh: Record<string, unknown> = {};
    return fresh.pp === undefined && Object.keys(Object.prototype).length === 0 && typeof fresh.toString === 'function';
  };

  test('[GW16] is 400 on every event', async () => {
    const line = await bareGateway(world.url, admin.token);
    let id = 0;
    for (const { name } of REQUESTS) {
      for (const text of POLLUTIONS) {
        id++;
        line.socket.write(frame(`42${id}["${name}",${text}]`));
        await line.heard(`43${id}[{"ok":false,"problem":{"type":"urn:stepheybot:problem:invalid"`);
      }
    }
    expect(id).toBe(REQUESTS.length * POLLUTIONS.length);
    expect(isClean()).toBe(true);
    line.socket.destroy();
    await line.closed;
  });

  test('[GW16] is refused as a handshake, and an event of such a name is none', async () => {
    const line = await bareGateway(world.url, admin.token);
    for (const [i, name] of [
      '__proto__',
      'constructor',
      'prototype',
      'toString',
      'hasOwnProperty',
      'valueOf',
    ].entries()) {
      line.socket.write(frame(`42${i}["${name}",{}]`));
      await line.heard(`43${i}[{"ok":false,"problem":{"type":"urn:stepheybot:problem:malformed"`);
    }
    line.socket.destroy();
    await line.closed;
    const other = await bareGateway(world.url, admin.token);
    other.socket.write(frame('40{"__proto__":{"token":"x"},"constructor":{"prototype":{"pp":1}}}'));
    // A second handshake on one line is no business of anybody.
    await other.closed;
    expect(isClean()).toBe(true);
  });

  test('[HT18] is 400 as a body of every route, and as a query', async () => {
    const routes = (await liveRoutes(world.server)).filter(({ pattern }) => pattern.startsWith('/api/v1/'));
    const headers = { authorization: `Bearer ${admin.token}`, 'content-type': 'application/json' };
    // These take no JSON: they begin, end, or come back from signing in, or take a picture.
    const takesNoJson = (path: string) =>
      /\/(auth\/(login|logout|callback|backchannel-logout)|user\/avatar)$/.test(path);
    // These take a file, which is refused for what it is, or read as a job.
    const takesFile = (path: string) => /\/(listen\/import|playlists\/import|playlists\/[^/]+\/cover)$/.test(path);
    const found: [string, string, number][] = [];
    let asked = 0;
    for (const { method, path } of routes) {
      if (takesNoJson(path)) continue;
      if (method === 'GET') {
        // Nor do these look at a query.
        if (/openapi\.json$|\/stream$|\/avatars\/[^/]+$|\/playlists\/[^/]+\/cover$/.test(path)) continue;
        // Programs written for ListenBrainz may say more than is known here.
        if (path.startsWith('/api/v1/1/')) continue;
        for (const query of ['__proto__=1', '__proto__[pp]=1', 'constructor[prototype][pp]=1', 'constructor=1']) {
          const response = await fetch(`${world.url}${path}?${query}`, { headers });
          await response.arrayBuffer();
          asked++;
          if (response.status !== 400) found.push([`${method} ${path}`, query, response.status]);
        }
        continue;
      }
      for (const body of POLLUTIONS) {
        const response = await fetch(world.url + path, { method, headers, body });
        await response.arrayBuffer();
        asked++;
        const isRefused =
          method === 'POST' && takesFile(path)
            ? [202, 404, 409, 415, 422].includes(response.status)
            : response.status === 400;
        if (!isRefused) found.push([`${method} ${path}`, body, response.status]);
      }
    }
    expect(found).toEqual([]);
    expect(asked).toBeGreaterThan(200);
    expect(isClean()).toBe(true);
  });
});
