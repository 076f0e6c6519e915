import * as decoding from 'lib0/decoding';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newIds } from '#server/ids.ts';
import { DIALECTS } from '../support/dialects.ts';
import { roomKit } from '../support/room.ts';
import { awarenessFrame, syncFrame } from '../support/yjs-bytes.ts';
import type { TestDatabase } from '../support/dialects.ts';
import type { FakePeer, RoomKit } from '../support/room.ts';

/** The awareness states among frames, as [client id, clock, state]. */
function told(peer: FakePeer): [number, number, unknown][] {
  return peer.frames.splice(0).flatMap((frame) => {
    const outer = decoding.createDecoder(frame);
    if (decoding.readVarUint(outer) !== 1) return [];
    const inner = decoding.createDecoder(decoding.readVarUint8Array(outer));
    return Array.from({ length: decoding.readVarUint(inner) }, (): [number, number, unknown] => [
      decoding.readVarUint(inner),
      decoding.readVarUint(inner),
      JSON.parse(decoding.readVarString(inner)),
    ]);
  });
}
const says = (peer: FakePeer, ...states: [number, number, unknown][]) =>
  peer.seat.receive(
    awarenessFrame(states.map(([client, clock, state]) => [client, clock, JSON.stringify(state)] as const)),
  );

describe('presence in a playlist', () => {
  let database: TestDatabase;
  let kit: RoomKit;
  beforeAll(async () => {
    database = await DIALECTS[0]!.open();
    kit = await roomKit(database);
  });
  afterAll(() => database.close());

  function scene(): { ana: FakePeer; ben: FakePeer; leave(): void } {
    const [ana, ben] = [kit.join(kit.ana, 'owner'), kit.join(kit.ben, 'editor')];
    told(ana);
    told(ben);
    return {
      ana,
      ben,
      leave() {
        ana.seat.leave();
        ben.seat.leave();
      },
    };
  }

  test('[PL12] the server says who somebody is, whatever they say', () => {
    const { ana, ben, leave } = scene();
    const editing = newIds.id();
    says(ben, [700, 1, { user: { id: kit.ana.user_id, name: 'Ana', color: 'red' }, editing, evil: 'x', __proto__: 1 }]);
    expect(told(ana)).toEqual([[700, 1, { user: { id: kit.ben.user_id, name: 'ben', color: '#000000' }, editing }]]);
    says(ben, [700, 2, { editing: '<script>' }]);
    expect(told(ana)).toEqual([[700, 2, { user: { id: kit.ben.user_id, name: 'ben', color: '#000000' } }]]);
    for (const odd of [[], 5, 'x', true]) says(ben, [700, 3, odd]);
    for (const [, , state] of told(ana)) expect((state as { user: { id: string } }).user.id).toBe(kit.ben.user_id);
    leave();
    expect(kit.broken).toBe(0);
  });

  test('[PL12] nobody speaks for a client id that is another’s', () => {
    const { ana, ben, leave } = scene();
    says(ana, [800, 1, {}]);
    told(ben);
    told(ana);
    says(ben, [800, 2, { user: { name: 'not ana' } }]);
    says(ben, [800, 2 ** 40, null]);
    says(ben, [801, 1, {}], [800, 3, null]);
    expect(told(ana).filter(([client]) => client === 800)).toEqual([]);
    says(ana, [800, 2, {}]);
    expect(told(ben).filter(([client]) => client === 800)).toHaveLength(1);
    leave();
  });

  test('[PL12] an echo of somebody who has just left does not keep their place', () => {
    const { ana, ben, leave } = scene();
    says(ana, [900, 4, {}]);
    says(ben, [901, 1, {}]);
    ana.seat.leave();
    told(ben);
    // The stock client sends on what it hears; this was on its way when Ana left.
    says(ben, [900, 4, { user: { id: kit.ana.user_id } }]);
    expect(told(ben).filter(([client, , state]) => client === 900 && state !== null)).toEqual([]);
    const again = kit.join(kit.ana, 'owner');
    says(again, [900, 6, {}]);
    expect(told(ben).filter(([client]) => client === 900)).toEqual([
      [900, 6, { user: { id: kit.ana.user_id, name: 'ana', color: '#000000' } }],
    ]);
    again.seat.leave();
    leave();
  });

  test('[PL12] a client id that edited the list cannot be announced by another person', async () => {
    const client = await kit.honest(kit.ana, 'owner');
    client.doc.getMap('meta').set('name', 'x');
    await kit.settled();
    client.fake.seat.leave();
    const { ana, ben, leave } = scene();
    says(ben, [client.doc.clientID, 2 ** 40, {}]);
    ben.seat.leave();
    expect(told(ana)).toEqual([]);
    const again = kit.join(kit.ana, 'owner');
    says(again, [client.doc.clientID, 2, {}]);
    expect(told(ana).filter(([id]) => id === client.doc.clientID)).toEqual([
      [client.doc.clientID, 2, { user: { id: kit.ana.user_id, name: 'ana', color: '#000000' } }],
    ]);
    again.seat.leave();
    leave();
  });

  test('[PL12] one socket speaks for one client; 200,000 states end it', () => {
    const { ana, ben, leave } = scene();
    for (let i = 0; i < 50; i++) says(ben, [1000 + i, 1, {}]);
    expect(new Set(told(ana).map(([client]) => client)).size).toBeLessThanOrEqual(2);
    ben.seat.receive(awarenessFrame([[1, 1, '{}']], 200_000));
    expect(ben.closed).toBe('malformed');
    const big = kit.join(kit.ben, 'editor');
    says(big, [2000, 1, { x: 'y'.repeat(3000) }]);
    expect(big.closed).toBe('too_large');
    for (const bytes of [
      new Uint8Array([1]),
      new Uint8Array([1, 5, 1]),
      awarenessFrame([[1, 1, '{']]),
      new Uint8Array([2, 0, 1, 65]),
    ]) {
      const peer = kit.join(kit.ben, 'editor');
      expect(() => peer.seat.receive(bytes)).not.toThrow();
      peer.seat.leave();
    }
    big.seat.leave();
    leave();
  });

  test('[PL12] a clock cannot jump so far that its owner can never follow', () => {
    const { ana, ben, leave } = scene();
    says(ben, [1100, 1, {}]);
    told(ana);
    says(ben, [1100, 2 ** 40, {}]);
    expect(told(ana)).toEqual([]);
    says(ben, [1100, 2, {}]);
    expect(told(ana)).toHaveLength(1);
    ben.seat.leave();
    expect(told(ana)).toEqual([[1100, 3, null]]);
    leave();
  });

  test('[PL12] a newcomer hears who is there, and a question is answered', async () => {
    const { ana, ben, leave } = scene();
    says(ana, [1200, 1, {}]);
    says(ben, [1201, 1, {}]);
    const late = kit.join(kit.ana, 'owner');
    expect(
      told(late)
        .map(([client]) => client)
        .sort(),
    ).toEqual([1200, 1201]);
    late.seat.receive(new Uint8Array([3]));
    expect(
      told(late)
        .map(([client]) => client)
        .sort(),
    ).toEqual([1200, 1201]);
    late.seat.receive(new Uint8Array([7]));
    late.seat.receive(syncFrame(0, new Uint8Array([0])));
    await kit.settled();
    expect(late.closed).toBeNull();
    late.seat.leave();
    leave();
  });
});
