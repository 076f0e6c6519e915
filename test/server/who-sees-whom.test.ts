/** Every channel that tells of a person, against everybody who might listen at it (trust.md D1, D3, D4; C5). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newIds } from '#server/ids.ts';
import { gatewayClient } from '../support/clients.ts';
import { DIALECTS } from '../support/dialects.ts';
import { openScene } from '../support/access-scene.ts';
import { putListen } from '../support/heard.ts';
import { putTracks } from '../support/room.ts';
import type { Role } from '#contract/accounts.ts';
import type { Gateway } from '../support/clients.ts';
import type { PersonRelation, Scene } from '../support/access-scene.ts';

const RELATIONS = ['self', 'friend', 'follower', 'stranger', 'blocked'] as const satisfies PersonRelation[];
const ROLES = ['user', 'guest', 'admin'] as const satisfies Role[];
const CHANNELS = [
  'listening:update',
  'presence:update',
  'feed:item',
  'feed replay',
  'GET feed',
  'GET following',
  'user:watch',
  'users/{name}',
] as const;
type Channel = (typeof CHANNELS)[number];

/** Contract §6 and the docs, in their own words. */
function expectedOf(
  { level, shares, isPrivate }: { level: number; shares: boolean; isPrivate: boolean },
  relation: (typeof RELATIONS)[number],
  role: Role,
): Record<Channel, boolean> {
  const follows = relation === 'friend' || relation === 'follower';
  const isIn = relation !== 'blocked' && (level === 2 || (level === 1 && relation === 'friend'));
  const hears = isIn && shares && !isPrivate;
  return {
    'listening:update': follows && hears,
    'presence:update': follows && isIn,
    'feed:item': follows && hears,
    // Of what was heard before.
    'feed replay': follows && isIn && shares,
    'GET feed': follows && isIn && shares,
    'GET following': follows && hears,
    // In private nobody is told, oneself included: the device that plays knows.
    'user:watch': relation === 'self' ? !isPrivate : hears,
    // Guests are shown no profiles.
    'users/{name}': role !== 'guest' && (relation === 'self' || isIn),
  };
}

describe.each(DIALECTS)('who sees whom, on $name', (dialect) => {
  let scene: Scene;
  let aheadMs = 0;
  beforeAll(async () => {
    const clock = { nowMs: () => Date.now() + aheadMs };
    scene = await openScene(dialect, { offlineDelayMs: () => 0, clock });
  });
  afterAll(() => scene.world.close());
  const told = async (gateway: Gateway) => void (await gateway.ask('clock:sync', { t0_ms: 1 }));
  const settings = [0, 1, 2].flatMap((level) => [
    { level, shares: false, isPrivate: false },
    { level, shares: true, isPrivate: false },
    { level, shares: true, isPrivate: true },
  ]);
  const roles = dialect.name === 'sqlite' ? ROLES : (['user'] as const);

  test.each(settings)(
    '[SO10-2] level $level, sharing $shares, private session $isPrivate: no byte to the wrong viewer, by any channel',
    { timeout: 60_000 },
    async (setting) => {
      const { owner, people, world } = scene;
      const { ctx } = world.server;
      const canary = { bio: `bio-${newIds.id()}`, past: `past-${newIds.id()}`, live: `live-${newIds.id()}` };
      const [past = '', live = ''] = await putTracks(ctx, 2, { duration: 600 });
      for (const [id, title] of [
        [past, canary.past],
        [live, canary.live],
      ] as const) {
        await ctx.write((trx) => trx.updateTable('tracks').set({ title }).where('id', '=', id).execute());
      }
      await owner.rest.del('/user/private-session');
      await owner.rest.put('/user/profile', {
        bio: canary.bio,
        privacy_level: setting.level,
        share_listening_history: setting.shares,
      });
      const device = await gatewayClient(world.url, owner.token);
      const { cursor } = await device.ask('feed:subscribe', {});
      await putListen(ctx, owner.id, past);
      if (setting.isPrivate) await owner.rest.post('/user/private-session', { minutes: 60 });

      const viewers: {
        what: string;
        gateway: Gateway;
        token: string;
        expected: Record<Channel, boolean>;
        replay: unknown;
      }[] = [];
      for (const relation of RELATIONS) {
        for (const role of roles) {
          const token = await scene.tokenOf(people[relation], role);
          const gateway = await gatewayClient(world.url, token);
          const replay = await gateway.ask('feed:subscribe', { cursor });
          const expected = expectedOf(setting, relation, role);
          viewers.push({ what: `${relation} ${role}`, gateway, token, expected, replay });
        }
      }
      // What was told of before is more than a second ago, so that this is told at once.
      aheadMs += 2_000;
      const { session_id } = await device.ask('listen:start', { track_id: live, source: 'web' });
      await device.ask('listen:progress', { session_id, seq: 1, position_ms: 1, state: 'playing' });
      await device.ask('presence:set', { status: 'away' });
      // As if another of the owner's devices had played long enough.
      const counted = await putListen(ctx, owner.id, live, { is_hidden: setting.isPrivate ? 1 : 0 });
      await ctx.events.publish({
        name: 'listen.recorded',
        payload: { user_id: owner.id, session_id: counted, track_id: live },
      });

      // The first of the last second is told at once, and the others with it.
      for (const { gateway, expected } of viewers) {
        const heard = () => JSON.stringify(gateway.heard.filter(({ name }) => name === 'listening:update'));
        if (expected['listening:update']) await expect.poll(heard, { timeout: 5_000 }).toContain(canary.live);
      }
      // Before anybody watches: that is for all sockets of a person.
      const pushes = new Map<string, Record<string, string>>();
      for (const { what, gateway } of viewers) {
        await told(gateway);
        const heard = (name: string) => JSON.stringify(gateway.heard.filter((one) => one.name === name));
        pushes.set(
          what,
          Object.fromEntries(['listening:update', 'presence:update', 'feed:item'].map((name) => [name, heard(name)])),
        );
      }
      const found: [string, Channel, boolean][] = [];
      const wanted: typeof found = [];
      for (const { what, gateway, token, expected, replay } of viewers) {
        const pushed = pushes.get(what)!;
        const get = async (address: string) => {
          const response = await fetch(`${world.url}/api/v1${address}`, {
            headers: { authorization: `Bearer ${token}` },
          });
          return JSON.stringify([[...response.headers], await response.text()]);
        };
        const bytes: Record<Channel, string> = {
          'listening:update': pushed['listening:update']!,
          'presence:update': pushed['presence:update']!,
          'feed:item': pushed['feed:item']!,
          'feed replay': JSON.stringify(replay),
          'GET feed': await get('/social/feed'),
          'GET following': await get('/social/following'),
          'user:watch': JSON.stringify(await gateway.request('user:watch', { user_id: owner.id })),
          'users/{name}': await get(`/users/${owner.username}`),
        };
        const marks: Record<Channel, string> = {
          'listening:update': canary.live,
          'presence:update': owner.id,
          'feed:item': canary.live,
          'feed replay': canary.past,
          'GET feed': canary.past,
          'GET following': canary.live,
          'user:watch': canary.live,
          'users/{name}': canary.bio,
        };
        for (const channel of CHANNELS) {
          found.push([what, channel, bytes[channel].includes(marks[channel])]);
          wanted.push([what, channel, expected[channel]]);
        }
        // Whoever may hear of none of it has not a byte of it from anywhere.
        if (!Object.values(expected).some(Boolean)) {
          const all = JSON.stringify([bytes, gateway.heard]);
          for (const mark of Object.values(canary)) expect([what, all.includes(mark)]).toEqual([what, false]);
        }
        await gateway.request('user:unwatch', { user_id: owner.id });
        gateway.close();
      }
      expect(found).toEqual(wanted);
      await device.ask('listen:complete', { session_id, seq: 2, position_ms: 2 });
      device.close();
      for (const address of [
        '/social/feed',
        '/social/following',
        `/users/${owner.username}`,
        '/user/private-session',
      ]) {
        const response = await fetch(`${world.url}/api/v1${address}`);
        expect(response.status).toBe(401);
        expect(await response.text()).not.toMatch(new RegExp(Object.values(canary).join('|')));
      }
      await expect(gatewayClient(world.url, 'nobody')).rejects.toMatchObject({ problem: { status: 401 } });
      await owner.rest.del('/user/private-session');
    },
  );

  test('[SO10-1] who has blocked one is to the byte like nobody, at every route that names a person', async () => {
    const { owner, people, world } = scene;
    const token = await scene.tokenOf(people.blocked, 'user');
    const PASSING = new Set(['date', 'x-request-id', 'keep-alive', 'connection']);
    const list = await people.blocked.rest.post<{ id: string }>('/playlists', { name: 'List' });
    const ownersList = await owner.rest.post<{ id: string }>('/playlists', { name: 'Open', is_public: true });
    await owner.rest.put('/user/profile', { privacy_level: 2 });
    async function answerOf(method: string, address: string, body?: unknown) {
      const response = await fetch(`${world.url}/api/v1${address}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = (await response.text()).replace(/"request_id":"[^"]{22}"/, '');
      return [response.status, [...response.headers].filter(([header]) => !PASSING.has(header)), text];
    }
    const nobody = newIds.id();
    // A name of the same length, as it is in the question and not in the answer.
    const noName = 'x'.repeat(owner.username.length);
    const routes: [string, (who: { id: string; name: string; list: string }) => [string, unknown?]][] = [
      ['GET', ({ name }) => [`/users/${name}`]],
      ['GET', ({ name }) => [`/users/search?q=${name}`]],
      ['POST', ({ id }) => [`/social/follow/${id}`]],
      ['DELETE', ({ id }) => [`/social/follow/${id}`]],
      ['POST', ({ id }) => [`/social/block/${id}`]],
      ['DELETE', ({ id }) => [`/social/block/${id}`]],
      ['PUT', ({ id }) => [`/playlists/${list.id}/collaborators/${id}`, { role: 'viewer' }]],
      ['DELETE', ({ id }) => [`/playlists/${list.id}/collaborators/${id}`]],
      ['GET', (who) => [`/playlists/${who.list}`]],
      ['GET', (who) => [`/playlists/${who.list}/tracks`]],
    ];
    for (const [method, of] of routes) {
      const blocked = await answerOf(method, ...of({ id: owner.id, name: owner.username, list: ownersList.id }));
      const missing = await answerOf(method, ...of({ id: nobody, name: noName, list: newIds.id() }));
      expect([method, of({ id: '', name: '', list: '' })[0], blocked]).toEqual([
        method,
        of({ id: '', name: '', list: '' })[0],
        missing,
      ]);
    }
    expect(JSON.stringify(await people.blocked.rest.get('/playlists?scope=public'))).not.toContain(ownersList.id);
    const gateway = await gatewayClient(world.url, token);
    const watch = async (user_id: string) => {
      const answer = await gateway.request('user:watch', { user_id });
      return answer.ok ? answer : { ...answer.problem, request_id: undefined };
    };
    expect(await watch(owner.id)).toEqual(await watch(nobody));
    gateway.close();
  });

  test('[PR10-1] who follows nobody is not told of anybody’s coming and going, and no notice names a socket', async () => {
    const { owner, people, world } = scene;
    await owner.rest.put('/user/profile', { privacy_level: 2, share_listening_history: true });
    const [stranger, blocked, friend] = await Promise.all(
      [people.stranger, people.blocked, people.friend].map(({ token }) => gatewayClient(world.url, token)),
    );
    const ids = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const device = await gatewayClient(world.url, owner.token);
      ids.add(device.socket.id!);
      await device.ask('presence:set', { status: i % 2 === 0 ? 'away' : 'hidden' });
      await device.ask('presence:set', { status: 'online' });
      device.close();
    }
    for (const gateway of [stranger!, blocked!]) {
      await told(gateway);
      expect(gateway.heard).toEqual([]);
    }
    const last = () => (friend!.heard.at(-1)?.payload as { status?: string }).status;
    await expect.poll(last).toBe('offline');
    const heard = friend!.heard.filter(({ name }) => name === 'presence:update');
    expect(heard.length).toBeGreaterThan(40);
    for (const { payload } of heard) expect(Object.keys(payload as object).sort()).toEqual(['status', 'user_id']);
    for (const id of ids) expect(JSON.stringify(heard)).not.toContain(id);
    // Opted out, whoever saw it stops seeing it at once.
    friend!.heard.length = 0;
    const device = await gatewayClient(world.url, owner.token);
    await friend!.next('presence:update', ({ status }) => status === 'online');
    friend!.heard.length = 0;
    await owner.rest.put('/user/preferences', { show_presence: false });
    await device.ask('presence:set', { status: 'away' });
    await told(friend!);
    expect(friend!.heard.filter(({ name }) => name === 'presence:update').map(({ payload }) => payload)).toEqual([
      { user_id: owner.id, status: 'offline' },
    ]);
    await owner.rest.put('/user/preferences', { show_presence: true });
    for (const gateway of [stranger!, blocked!, friend!, device]) gateway.close();
  });

  test('[FE1-9] 10,000 subscriptions, of anything a client may name, add no room', { timeout: 60_000 }, async () => {
    const { owner, people, world } = scene;
    const gateway = await gatewayClient(world.url, people.stranger.token);
    const { cursor } = await gateway.ask('feed:subscribe', {});
    const before = world.server.roomCount();
    const odd = [{}, { cursor }, { cursor: `user:${owner.id}` }, { room: `listening:${owner.id}` }, `feed:${owner.id}`];
    for (let i = 0; i < 10_000; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, n) => gateway.request('feed:subscribe', odd[(i + n) % odd.length] as never)),
      );
    }
    expect(world.server.roomCount()).toBe(before);
    for (const name of ['join', 'subscribe', `listening:${owner.id}`]) {
      const answer = await gateway.socket.timeout(5_000).emitWithAck(name, `listening:${owner.id}`);
      expect(answer).toMatchObject({ ok: false, problem: { code: 'malformed' } });
    }
    expect(world.server.roomCount()).toBe(before);
    gateway.close();
  });
});
