import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REQUESTS } from '#contract/gateway.ts';
import { bareGateway, frame } from '../support/bare-websocket.ts';
import { DIALECTS } from '../support/dialects.ts';
import { liveRoutes } from '../support/live-routes.ts';
import { openWorld } from '../support/world.ts';
import type { Job } from '#contract/jobs.ts';
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

/** What these answer whatever stands in the query: some serve files or programs that may say more than is known here. */
const LOOKS_AT_NO_QUERY: Record<string, number> = {
  'GET /library/tracks/{track_id}/stream': 404,
  'GET /avatars/{avatar_id}': 404,
  'GET /playlists/{id}/cover': 404,
  'GET /auth/login': 303,
  'GET /1/validate-token': 200,
  'GET /1/latest-import': 200,
  'GET /1/user/{username}/listens': 404,
  'GET /1/user/{username}/listen-count': 404,
  'GET /1/user/{username}/playing-now': 404,
  'GET /1/feedback/user/{username}/get-feedback': 404,
};
/** These take a file, or nothing at all: what comes of this one, from somebody without such a list. */
const TAKES_NO_JSON: Record<string, number | null> = {
  'POST /user/avatar': 415,
  'POST /playlists/{id}/cover': 404,
  'POST /playlists/import': 422,
  // Whatever it is, a job reads it: see below.
  'POST /listen/import': null,
  'POST /auth/login': 303,
  'POST /auth/logout': 422,
};

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

  test('[HT18] is 400 as a body of every route, and as a query; doors that take something else are as without it', async () => {
    const routes = (await liveRoutes(world.server)).filter(({ pattern }) => pattern.startsWith('/api/v1/'));
    const headers = { authorization: `Bearer ${admin.token}`, 'content-type': 'application/json' };
    const statusOf = async (method: string, path: string, body: string | null = null): Promise<number> => {
      const response = await fetch(world.url + path, { method, headers, body, redirect: 'manual' });
      await response.arrayBuffer();
      return response.status;
    };
    const found: [string, string, number][] = [];
    const unseen = new Set([...Object.keys(LOOKS_AT_NO_QUERY), ...Object.keys(TAKES_NO_JSON)]);
    let asked = 0;
    for (const { method, path, pattern } of routes) {
      const door = `${method} ${pattern.slice('/api/v1'.length)}`;
      unseen.delete(door);
      if (method === 'GET') {
        const expected = LOOKS_AT_NO_QUERY[door] ?? 400;
        for (const query of ['__proto__=1', '__proto__[pp]=1', 'constructor[prototype][pp]=1', 'constructor=1']) {
          const status = await statusOf(method, `${path}?${query}`);
          asked++;
          if (status !== expected) found.push([door, query, status]);
        }
        if (expected !== 400) expect([door, await statusOf(method, path)]).toEqual([door, expected]);
        continue;
      }
      const expected = door in TAKES_NO_JSON ? TAKES_NO_JSON[door] : 400;
      if (expected === null) continue;
      for (const body of POLLUTIONS) {
        const status = await statusOf(method, path, body);
        asked++;
        if (status !== expected) found.push([door, body, status]);
      }
    }
    expect(found).toEqual([]);
    expect([...unseen]).toEqual([]);
    expect(asked).toBeGreaterThan(200);
    expect(isClean()).toBe(true);
  });

  test('[HT18] as a file it is none', async () => {
    const someone = await world.someone('carla');
    const { id } = await someone.rest.post<{ id: string }>('/playlists', { name: 'List' });
    const headers = { authorization: `Bearer ${someone.token}`, 'content-type': 'application/json' };
    for (const body of POLLUTIONS) {
      const cover = await fetch(`${world.url}/api/v1/playlists/${id}/cover`, { method: 'POST', headers, body });
      expect([cover.status, ((await cover.json()) as { type: string }).type]).toEqual([
        415,
        'urn:stepheybot:problem:unsupported_type',
      ]);
      const imported = await fetch(`${world.url}/api/v1/listen/import`, { method: 'POST', headers, body });
      expect(imported.status).toBe(202);
      const { job_id } = (await imported.json()) as { job_id: string };
      const job = () => someone.rest.get<Job>(`/jobs/${job_id}`);
      await expect.poll(async () => (await job()).finished_at, { timeout: 10_000, interval: 20 }).not.toBeNull();
      expect((await job()).state).toBe('failed');
    }
    expect((await someone.rest.get<{ items: unknown[] }>('/playlists')).items).toHaveLength(1);
    expect(isClean()).toBe(true);
  });
});
