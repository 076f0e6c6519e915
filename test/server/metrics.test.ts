import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIALECTS } from '../support/dialects.ts';
import { putTracks } from '../support/room.ts';
import { gatewayClient } from '../support/clients.ts';
import { openWorld } from '../support/world.ts';
import type { Someone, World } from '../support/world.ts';

describe('GET /metrics', () => {
  let world: World;
  let ana: Someone;
  let boss: Someone;
  beforeAll(async () => {
    world = await openWorld(DIALECTS[0]!);
    ana = await world.someone('ana');
    boss = await world.someone('boss', { roles: ['admin'] });
  });
  afterAll(() => world.close());

  const ask = (headers: Record<string, string> = {}) =>
    new Promise<{ status: number; type: string; text: string }>((resolve, reject) => {
      request(`${world.url}/metrics`, { headers, agent: false }, (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (part: string) => (text += part));
        res.once('end', () => resolve({ status: res.statusCode ?? 0, type: res.headers['content-type'] ?? '', text }));
      })
        .once('error', reject)
        .end();
    });
  const bearer = (who: Someone) => ({ authorization: `Bearer ${who.token}` });
  const value = (text: string, line: string) =>
    Number(
      text
        .split('\n')
        .find((one) => one.startsWith(`${line} `))
        ?.slice(line.length + 1),
    );

  test('[OP18] a program on this machine reads what the server does, in the words of Prometheus', async () => {
    const [track_id] = await putTracks(world.server.ctx, 1, { duration: 200 });
    const nowMs = Date.now();
    const { session_id } = await ana.rest.post<{ session_id: string }>('/listen/start', {
      track_id,
      source: 'api',
      occurred_at_ms: nowMs - 150_000,
    });
    await ana.rest.post('/listen/complete', { session_id, seq: 1, position_ms: 150_000, occurred_at_ms: nowMs });
    expect((await ana.rest.call('GET', '/library/tracks/none')).status).toBeGreaterThanOrEqual(400);
    const open = await gatewayClient(world.url, ana.token);
    const { status, type, text } = await ask();
    expect([status, type.split(';')[0]]).toEqual([200, 'text/plain']);
    expect(value(text, 'stepheybot_connections{door="gateway"}')).toBe(1);
    expect(value(text, 'stepheybot_connections{door="yjs"}')).toBe(0);
    expect(value(text, 'stepheybot_people_connected')).toBe(1);
    expect(value(text, 'stepheybot_listens_total')).toBe(1);
    expect(value(text, 'stepheybot_http_request_duration_seconds_count{operation="listen.start",status="200"}')).toBe(
      1,
    );
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
    for (const personal of [ana.id, 'ana', track_id ?? '', session_id]) expect(text).not.toContain(personal);
    open.close();
  });

  test('[OP18] from elsewhere it is for administrators, and behind an unknown proxy everybody is from elsewhere', async () => {
    const elsewhere = { 'x-forwarded-for': '203.0.113.7' };
    expect((await ask(elsewhere)).status).toBe(401);
    expect((await ask({ ...elsewhere, ...bearer(ana) })).status).toBe(403);
    expect((await ask({ ...elsewhere, ...bearer(boss) })).status).toBe(200);
    expect((await ask({ 'x-forwarded-for': '127.0.0.1' })).status).toBe(401);
  });
});
