import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gatewayClient } from '../support/clients.ts';
import { DIALECTS } from '../support/dialects.ts';
import { seeded } from '../support/random.ts';
import { putTracks } from '../support/room.ts';
import { openWorld } from '../support/world.ts';
import type { Followee } from '#contract/social.ts';
import type { Gateway } from '../support/clients.ts';
import type { Someone, World } from '../support/world.ts';

describe.each(DIALECTS)('being seen, on $name', (dialect) => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  let cat: Someone;
  let tracks: string[];
  beforeAll(async () => {
    world = await openWorld(dialect, { offlineDelayMs: () => 0 });
    [ana, ben, cat] = [await world.someone('ana'), await world.someone('ben'), await world.someone('cat')];
    tracks = await putTracks(world.server.ctx, 2);
    await ana.rest.post(`/social/follow/${ben.id}`);
    await ben.rest.post(`/social/follow/${ana.id}`);
    await cat.rest.post(`/social/follow/${ana.id}`);
  });
  afterAll(() => world.close());

  /** What the socket has heard of somebody up to now: its answer comes after everything sent before. */
  async function heardOf(gateway: Gateway, name: string): Promise<unknown[]> {
    await gateway.ask('clock:sync', { t0_ms: 0 });
    return gateway.heard.filter((one) => one.name === name);
  }

  test(
    '[SO3] after a change of privacy is acknowledged, no update reaches who may not see it: 200 flips',
    { timeout: 120_000 },
    async () => {
      const random = seeded();
      console.log(`seed ${random.seed}`);
      const [anaSocket, benSocket, catSocket] = [
        await gatewayClient(world.url, ana.token),
        await gatewayClient(world.url, ben.token),
        await gatewayClient(world.url, cat.token),
      ];
      await ana.rest.put('/user/profile', { share_listening_history: true, privacy_level: 1 });
      const { session_id } = await anaSocket.ask('listen:start', { track_id: tracks[0]!, source: 'api' });
      let seq = 0;
      const report = () =>
        anaSocket.ask('listen:progress', { session_id, seq: seq++, position_ms: seq, state: 'playing' });
      let seen = 0;
      for (let i = 0; i < 200; i++) {
        const [hide, show] = random.pick([
          [
            () => ana.rest.put('/user/profile', { share_listening_history: false }),
            () => ana.rest.put('/user/profile', { share_listening_history: true }),
          ],
          [
            () => ana.rest.put('/user/profile', { privacy_level: 0 }),
            () => ana.rest.put('/user/profile', { privacy_level: 1 }),
          ],
          [() => ana.rest.del(`/social/follow/${ben.id}`), () => ana.rest.post(`/social/follow/${ben.id}`)],
          [() => ben.rest.del(`/social/follow/${ana.id}`), () => ben.rest.post(`/social/follow/${ana.id}`)],
        ] as const);
        const meanwhile = [report(), report()];
        await hide();
        const before = (await heardOf(benSocket, 'listening:update')).length;
        // The first question and its answer pass a report that was under way; from here on nothing may come.
        await Promise.all(meanwhile);
        for (let n = random.int(3); n >= 0; n--) await report();
        const watched = await benSocket.request('user:watch', { user_id: ana.id });
        expect(watched.ok && watched.data.listening).toBeNull();
        const listed = (await ben.rest.get<{ items: Followee[] }>('/social/following')).items.find(
          (item) => item.id === ana.id,
        );
        expect(listed?.listening ?? null).toBeNull();
        expect([i, (await heardOf(benSocket, 'listening:update')).length]).toEqual([i, before]);
        await show();
        await report();
        seen = (await heardOf(benSocket, 'listening:update')).length;
        await benSocket.request('user:unwatch', { user_id: ana.id });
      }
      expect(seen).toBeGreaterThan(0);
      expect(await heardOf(catSocket, 'listening:update')).toEqual([]);
      expect(await heardOf(catSocket, 'presence:update')).toEqual([]);
      await anaSocket.ask('listen:complete', { session_id, seq, position_ms: 1 });
      for (const socket of [anaSocket, benSocket, catSocket]) socket.close();
    },
  );

  test('[PR1] presence comes and goes, of several devices, and hides at a wish', async () => {
    const benSocket = await gatewayClient(world.url, ben.token);
    const next = (status: string) =>
      benSocket.next('presence:update', (update) => update.user_id === ana.id && update.status === status);
    const one = await gatewayClient(world.url, ana.token);
    await next('online');
    const two = await gatewayClient(world.url, ana.token);
    await two.ask('presence:set', { status: 'away' });
    one.close();
    await next('away');
    await two.ask('presence:set', { status: 'online' });
    await next('online');
    const three = await gatewayClient(world.url, ana.token);
    await three.ask('presence:set', { status: 'hidden' });
    await next('offline');
    // Whatever came before is past: who connects just then may be told of somebody twice.
    benSocket.heard.length = 0;
    const statusNow = async () => (await ben.rest.get<{ items: Followee[] }>('/social/following')).items[0]?.presence;
    expect(await statusNow()).toBe('offline');
    // While hidden, nothing the other devices do shows.
    await two.ask('presence:set', { status: 'away' });
    await two.ask('presence:set', { status: 'online' });
    const late = await gatewayClient(world.url, ben.token);
    expect(await heardOf(late, 'presence:update')).toEqual([]);
    expect(await heardOf(benSocket, 'presence:update')).toEqual([]);
    three.close();
    await next('online');
    two.close();
    await next('offline');
    late.close();
    benSocket.close();
  });

  test('[PR5] a newcomer is told at once who is there and what they hear; a guest’s listening is shown to nobody', async () => {
    await ana.rest.put('/user/profile', { share_listening_history: true, privacy_level: 1 });
    const anaSocket = await gatewayClient(world.url, ana.token);
    const { session_id } = await anaSocket.ask('listen:start', { track_id: tracks[1]!, source: 'api' });
    const benSocket = await gatewayClient(world.url, ben.token);
    expect(await benSocket.next('presence:update')).toMatchObject({ user_id: ana.id, status: 'online' });
    expect(await benSocket.next('listening:update')).toMatchObject({
      user_id: ana.id,
      track: { id: tracks[1] },
      state: 'playing',
    });
    await anaSocket.ask('listen:complete', { session_id, seq: 1, position_ms: 1 });
    await benSocket.next('listening:update', (update) => update.state === 'stopped');

    const guest = await world.someone('guest', { roles: ['guest'] });
    await ben.rest.post(`/social/follow/${guest.id}`);
    await world.database.write((trx) =>
      trx
        .updateTable('user_profiles')
        .set({ privacy_level: 2, share_listening_history: 1 })
        .where('user_id', '=', guest.id)
        .execute(),
    );
    const guestSocket = await gatewayClient(world.url, guest.token);
    await benSocket.ask('user:watch', { user_id: guest.id });
    const heard = await guestSocket.ask('listen:start', { track_id: tracks[0]!, source: 'api' });
    await guestSocket.ask('listen:progress', {
      session_id: heard.session_id,
      seq: 1,
      position_ms: 1,
      state: 'playing',
    });
    expect(await heardOf(benSocket, 'listening:update')).toEqual([]);
    for (const socket of [anaSocket, benSocket, guestSocket]) socket.close();
  });

  test('[PR2] at most one update a second of a person, and the last one is the truth', async () => {
    const [anaSocket, benSocket] = [
      await gatewayClient(world.url, ana.token),
      await gatewayClient(world.url, ben.token),
    ];
    const { session_id } = await anaSocket.ask('listen:start', { track_id: tracks[0]!, source: 'api' });
    const startedMs = performance.now();
    for (let seq = 0; seq < 60; seq++)
      await anaSocket.ask('listen:progress', { session_id, seq, position_ms: seq, state: 'playing' });
    await benSocket.next('listening:update', (update) => update.position_ms === 59);
    const seconds = (performance.now() - startedMs) / 1000;
    const others = await heardOf(benSocket, 'listening:update');
    expect(others.length).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
    await anaSocket.ask('listen:complete', { session_id, seq: 60, position_ms: 60 });
    await benSocket.next('listening:update', (update) => update.state === 'stopped');
    anaSocket.close();
    benSocket.close();
  });
});
