import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gatewayClient } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import { openWorld } from '../../support/world.ts';
import type { ListenProgress } from '#contract/listens.ts';
import type { Problem } from '#contract/problems.ts';
import type { Gateway } from '../../support/clients.ts';
import type { Someone, World } from '../../support/world.ts';
import type { z } from 'zod';

const YEAR_MS = 365 * 86_400_000;
const FAKES = 1_000;

describe.each(DIALECTS)('listens nobody heard, on $name', (dialect) => {
  let world: World;
  let ana: Someone;
  let eve: Someone;
  let gateway: Gateway;
  let track_id: string;
  beforeAll(async () => {
    world = await openWorld(dialect);
    [ana, eve] = [await world.someone('ana'), await world.someone('eve')];
    [track_id] = (await putTracks(world.server.ctx, 1, { duration: 200 })) as [string];
    gateway = await gatewayClient(world.url, eve.token);
  });
  afterAll(async () => {
    gateway.close();
    await world.close();
  });
  const rowsOf = ({ id }: Someone) =>
    world.server.ctx.db.selectFrom('listening_sessions').selectAll().where('user_id', '=', id).orderBy('id').execute();

  test('[C6] a session of somebody else is 404 at every door, and stays as it is', async () => {
    const client_session_id = crypto.randomUUID();
    const { session_id } = await ana.rest.post<{ session_id: string }>('/listen/start', {
      track_id,
      source: 'api',
      client_session_id,
    });
    const before = await rowsOf(ana);
    for (const name of [session_id, client_session_id]) {
      const report = { session_id: name, seq: 5, position_ms: 100_000 };
      const calls = [
        await eve.rest.call<Problem>('POST', '/listen/progress', { ...report, state: 'playing' }),
        await eve.rest.call<Problem>('POST', '/listen/complete', report),
        await eve.rest.call<Problem>('GET', `/listen/sessions/${name}`),
      ];
      expect(calls.map(({ status, body }) => [status, body.code])).toEqual(calls.map(() => [404, 'not_found']));
      const events = [
        await gateway.request('listen:progress', { ...report, state: 'playing' }),
        await gateway.request('listen:complete', report),
      ];
      for (const ack of events) expect(ack).toMatchObject({ ok: false, problem: { code: 'not_found', status: 404 } });
      const { results } = await gateway.ask('listen:batch', {
        sent_at_ms: Date.now(),
        events: [
          { event: 'listen:progress', ...report, state: 'playing' },
          { event: 'listen:complete', ...report },
        ],
      });
      for (const result of results) expect(result).toMatchObject({ ok: false, problem: { code: 'not_found' } });
    }
    expect(await rowsOf(ana)).toEqual(before);
    // Under her own name for it, it is a session of her own.
    const own = await eve.rest.post<{ session_id: string }>('/listen/start', {
      track_id,
      source: 'api',
      client_session_id,
    });
    expect(own.session_id).not.toBe(session_id);
    expect(await rowsOf(ana)).toEqual(before);
  });

  test(`[C6] ${FAKES} listens made up within a minute are plays of no length, and sent again they are the same`, async () => {
    const mallory = await world.someone('mallory');
    const line = await gatewayClient(world.url, mallory.token);
    const fakes = Array.from({ length: FAKES }, () => crypto.randomUUID());
    const startedMs = performance.now();
    const claims = (from: number) =>
      fakes.slice(from, from + 33).flatMap((client_session_id) => [
        { event: 'listen:start', track_id, source: 'api', client_session_id },
        { event: 'listen:progress', session_id: client_session_id, seq: 1, position_ms: 150_000, state: 'playing' },
        { event: 'listen:complete', session_id: client_session_id, seq: 2, position_ms: 200_000 },
      ]);
    const sendAll = async () => {
      const counted: boolean[] = [];
      for (let from = 0; from < FAKES; from += 33) {
        const { results } = await line.ask('listen:batch', { sent_at_ms: Date.now(), events: claims(from) });
        for (const result of results) {
          if (!result.ok) throw new Error(JSON.stringify(result.problem));
          if ('counted' in result.data) counted.push((result.data as z.output<typeof ListenProgress>).counted);
        }
      }
      return counted;
    };
    const counted = await sendAll();
    const tookMs = performance.now() - startedMs;
    expect(counted).toHaveLength(2 * FAKES);
    const rows = await rowsOf(mallory);
    const heardS = rows.reduce((sum, row) => sum + row.duration_played, 0);
    await sendAll();
    process.stdout.write(
      `${dialect.name}: ${FAKES} made-up listens in ${(tookMs / 1000).toFixed(1)} s: ${counted.filter(Boolean).length} counted, ${heardS.toFixed(1)} s heard\n`,
    );
    expect(counted.filter(Boolean)).toEqual([]);
    // Each may claim the moment between its own reports, and no more.
    expect(heardS * 1000).toBeLessThan(tookMs);
    expect(await rowsOf(mallory)).toEqual(rows);
    const { items } = await mallory.rest.get<{ items: unknown[] }>('/listen/history');
    expect(items).toEqual([]);
    line.close();
  });

  test('[R10] what a client says of the time is taken, corrected or refused, and nothing lies in the future', async () => {
    const cat = await world.someone('cat');
    const nowMs = Date.now();
    const nowS = Math.floor(nowMs / 1000);
    const table: [string, object, number, number | null][] = [
      // What is said, the answer, and when (epoch seconds) it then began.
      ['nothing', {}, 200, nowS],
      ['an hour ago', { occurred_at_ms: nowMs - 3_600_000, sent_at_ms: nowMs }, 200, nowS - 3_600],
      ['a clock ten years slow', { occurred_at_ms: nowMs - 10 * YEAR_MS, sent_at_ms: nowMs - 10 * YEAR_MS }, 200, nowS],
      ['a clock ten years fast', { occurred_at_ms: nowMs + 10 * YEAR_MS, sent_at_ms: nowMs + 10 * YEAR_MS }, 200, nowS],
      [
        'a fast clock, queued for a week',
        { occurred_at_ms: nowMs + 10 * YEAR_MS - 7 * 86_400_000, sent_at_ms: nowMs + 10 * YEAR_MS },
        200,
        nowS - 7 * 86_400,
      ],
      ['ten years ahead, and no word of its own clock', { occurred_at_ms: nowMs + 10 * YEAR_MS }, 422, null],
      ['eleven minutes ahead', { occurred_at_ms: nowMs + 660_000 }, 422, null],
      ['ahead of its own clock', { occurred_at_ms: nowMs + 660_000, sent_at_ms: nowMs }, 422, null],
      ['seconds in place of milliseconds, in both', { occurred_at_ms: nowS, sent_at_ms: nowS }, 200, nowS],
      ['half a millisecond', { occurred_at_ms: nowMs + 0.5 }, 400, null],
      ['NaN, which JSON has not', { occurred_at_ms: null }, 400, null],
      ['text', { occurred_at_ms: String(nowMs) }, 400, null],
      ['more than a number holds', { occurred_at_ms: 1e300 }, 400, null],
    ];
    const found: [string, number, number | null][] = [];
    for (const [what, said] of table) {
      const client_session_id = crypto.randomUUID();
      const body = { track_id, source: 'api', client_session_id, ...said };
      const { status } = await cat.rest.call('POST', '/listen/start', body);
      const row = (await rowsOf(cat)).find((one) => one.client_session_id === client_session_id);
      found.push([what, status, row?.started_at ?? null]);
    }
    expect(found.map(([what, status]) => [what, status])).toEqual(table.map(([what, , status]) => [what, status]));
    for (const [i, [what, , startedAt]] of found.entries()) {
      const expected = table[i]![3];
      if (expected === null || startedAt === null) expect([what, startedAt]).toEqual([what, expected]);
      else expect([what, Math.abs(startedAt - expected) <= 60]).toEqual([what, true]);
    }
  });
});
