import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gatewayClient } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import { openWorld } from '../../support/world.ts';
import type { Favorite } from '#contract/favorites.ts';
import type { Someone, World } from '../../support/world.ts';

describe('hearts at two devices', () => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  beforeAll(async () => {
    world = await openWorld(DIALECTS[0]!);
    [ana, ben] = [await world.someone('ana'), await world.someone('ben')];
  });
  afterAll(() => world.close());

  test('[FA8] the other device hears of each change with its version, a note only that it is there, and nobody else anything', async () => {
    const [phone, desk, his] = [
      await gatewayClient(world.url, ana.token),
      await gatewayClient(world.url, ana.token),
      await gatewayClient(world.url, ben.token),
    ];
    const [track_id = ''] = await putTracks(world.server.ctx, 1);
    const hearted = await ana.rest.post<Favorite>('/favorites', { track_id, notes: 'CANARY in the car' });
    const rated = await ana.rest.put<Favorite>(`/ratings/${track_id}`, { rating: 3 });
    for (const device of [phone, desk]) {
      const { favorited_at } = hearted;
      const first = { track_id, favorited_at, rating: null, version: 1, has_note: true };
      expect(await device.next('favorites:changed')).toEqual({ kind: 'track', marks: [first] });
      const then = { ...first, rating: 3, version: rated.version };
      expect(await device.next('favorites:changed')).toEqual({ kind: 'track', marks: [then] });
      expect(JSON.stringify(device.heard)).not.toContain('CANARY');
    }
    await his.ask('clock:sync', { t0_ms: 1 });
    expect(his.heard.map(({ name }) => name)).not.toContain('favorites:changed');
    for (const device of [phone, desk, his]) device.close();
  });
});
