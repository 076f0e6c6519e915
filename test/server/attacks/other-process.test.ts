/** [GW23] What another process changes in the database, as the command line does, holds here within a second. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSqliteDatabase } from '#db/open.ts';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { disableUser } from '#domain/accounts/disable-user.ts';
import { revokeApiToken } from '#domain/accounts/manage-api-tokens.ts';
import { endAllSessions, endOneSession } from '#domain/accounts/manage-sessions.ts';
import { setRole } from '#domain/accounts/set-role.ts';
import { testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { putTracks } from '../../support/room.ts';
import { openWorld, rawSocket } from '../../support/world.ts';
import { handUpdate, syncFrame } from '../../support/yjs-bytes.ts';
import { gatewayClient } from '../../support/clients.ts';
import type { Schema } from '#domain/database.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { Database } from '#db/open.ts';
import type { RawSocket, Someone, World } from '../../support/world.ts';

const WITHIN_MS = 1_000;

describe.each(DIALECTS)('another process on $name', (dialect) => {
  let world: World;
  /** Another connection; nothing it publishes is heard by the server. */
  let elsewhere: Ctx;
  let second: Database<Schema> | null = null;
  let track_id: string;
  let clients = 4_294_000_000;
  beforeAll(async () => {
    world = await openWorld(dialect);
    const { file } = world.database;
    // PGlite has one connection; what matters is that the server is told nothing.
    second = file === null ? null : openSqliteDatabase<Schema>(file);
    elsewhere = testCtx({ ...(second ?? world.database), file });
    const clock = { nowMs: () => Date.now(), advance: () => 0, set: () => 0 };
    Object.assign(elsewhere, { clock });
    [track_id] = (await putTracks(world.server.ctx, 1)) as [string];
  });
  afterAll(async () => {
    await second?.close();
    await world.close();
  });

  interface Open {
    person: Someone;
    list: string;
    gateway: RawSocket;
    playlist: RawSocket;
    session: Actor;
    headers: Record<string, string>;
  }
  type By = 'session' | 'token' | 'api_token';
  async function open(name: string, by: By): Promise<Open> {
    const person = await world.someone(name, { roles: [] });
    const { id: list } = await person.rest.post<Playlist>('/playlists', { name: 'List' });
    const { cookie, session_id } = await world.signIn(person);
    const api = await createApiToken(world.server.ctx, person.id, {
      name: 'x',
      scopes: ['read', 'write', 'listen:write'],
    });
    const headers = {
      session: { cookie, origin: new URL(world.url).origin },
      token: { authorization: `Bearer ${person.token}` },
      api_token: { authorization: `Token ${api.token}` },
    }[by] as Record<string, string>;
    const gateway = await rawSocket(world.url, '/socket.io/?EIO=4&transport=websocket', headers);
    const playlist = await rawSocket(world.url, `/yjs/${list}`, headers);
    if (typeof gateway === 'number' || typeof playlist === 'number') throw new Error('refused');
    gateway.send('40{}');
    await gateway.heard(2);
    await playlist.heard(1);
    const session: Actor = {
      user_id: person.id,
      username: person.username,
      role: 'user',
      provider_role: null,
      credential:
        by === 'api_token'
          ? { kind: 'api_token', token_id: api.id, scopes: [], expires_at: null }
          : { kind: 'session', session_id, auth_time: 0 },
    };
    return { person, list, gateway, playlist, session, headers };
  }
  const idOf = ({ session: { credential } }: Open) =>
    credential.kind === 'session' ? credential.session_id : credential.kind === 'api_token' ? credential.token_id : '';

  const ENDS: [string, By, string, (open: Open) => Promise<unknown>][] = [
    [
      'disabled, by cookie',
      'session',
      'disabled',
      ({ person }) => disableUser(elsewhere, { username: person.username }),
    ],
    ['disabled, by token', 'token', 'disabled', ({ person }) => disableUser(elsewhere, { username: person.username })],
    [
      'disabled, by API token',
      'api_token',
      'disabled',
      ({ person }) => disableUser(elsewhere, { username: person.username }),
    ],
    ['session ended', 'session', 'signed_out', (one) => endOneSession(elsewhere, one.session, { id: idOf(one) })],
    [
      'signed out everywhere, by cookie',
      'session',
      'signed_out',
      (one) => endAllSessions(elsewhere, one.session, { keep_current: false }),
    ],
    [
      'signed out everywhere, by token',
      'token',
      'signed_out',
      (one) => endAllSessions(elsewhere, one.session, { keep_current: false }),
    ],
    ['API token revoked', 'api_token', 'revoked', (one) => revokeApiToken(elsewhere, one.session, { id: idOf(one) })],
    [
      'API token made to end',
      'api_token',
      'revoked',
      (one) =>
        elsewhere.write((trx) =>
          trx.updateTable('api_tokens').set({ expires_at: 1 }).where('id', '=', idOf(one)).execute(),
        ),
    ],
    [
      'the person deleted',
      'session',
      'disabled',
      (one) => elsewhere.write((trx) => trx.deleteFrom('users').where('id', '=', one.person.id).execute()),
    ],
  ];
  test.each(ENDS)(
    '[GW23] %s: sockets of both protocols close within a second, with the reason',
    async (name, by, reason, end) => {
      const bystander = await open(`by-${name}`, by);
      const one = await open(name, by);
      await end(one);
      const endedMs = performance.now();
      const codes = await Promise.all([one.gateway.closed, one.playlist.closed]);
      expect(performance.now() - endedMs).toBeLessThanOrEqual(WITHIN_MS);
      // A list that went with its owner is not there any more.
      expect(codes[1]).toBe(4401);
      const said = one.gateway.frames.map(String);
      expect(said.at(-2)).toBe(`42["session:ended",{"reason":"${reason}"}]`);
      expect(said.at(-1)).toBe('41');
      const again = await fetch(`${world.url}/api/v1/auth/profile`, { headers: one.headers });
      // A token of a provider makes its person anew once they are gone; whoever is locked out is told so.
      expect(again.status).toBe(name.startsWith('disabled') && by !== 'session' ? 403 : 401);
      for (const socket of [bystander.gateway, bystander.playlist]) {
        expect(socket.ws.readyState).toBe(socket.ws.OPEN);
        socket.ws.terminate();
      }
    },
  );

  test.each(['session', 'token', 'api_token'] as const)(
    '[GW24] a role lowered elsewhere counts within a second at every door, by %s',
    async (by) => {
      const one = await open(`role-${by}`, by);
      const listen = () =>
        one.gateway.send(
          `421["listen:start",${JSON.stringify({ track_id, source: 'api', client_session_id: crypto.randomUUID() })}]`,
        );
      const listens = async () =>
        (
          await world.database.db
            .selectFrom('listening_sessions')
            .select('id')
            .where('user_id', '=', one.person.id)
            .execute()
        ).length;
      listen();
      await expect.poll(listens, { interval: 5 }).toBe(1);
      await setRole(elsewhere, { username: one.person.username, role: 'guest' });
      const startedMs = performance.now();
      const create = () =>
        fetch(`${world.url}/api/v1/playlists`, {
          method: 'POST',
          headers: { ...one.headers, 'content-type': 'application/json' },
          body: '{"name":"x"}',
        }).then((response) => response.status);
      await expect.poll(create, { timeout: WITHIN_MS, interval: 50 }).toBe(403);
      // The sockets are looked at every 0.6 s: what they send a second after the change is a guest's.
      await expect
        .poll(
          async () => {
            const before = await listens();
            const acks = one.gateway.frames.length;
            listen();
            await one.gateway.heard(acks + 1);
            return (await listens()) - before;
          },
          { timeout: WITHIN_MS, interval: 100 },
        )
        .toBe(0);
      expect(performance.now() - startedMs).toBeLessThanOrEqual(2 * WITHIN_MS);
      const edit = handUpdate([
        { client: clients++, clock: 0, structs: [{ any: ['by a guest'], at: { root: 'meta', key: 'name' } }] },
      ]);
      one.playlist.send(syncFrame(2, edit));
      expect(await one.playlist.closed).toBe(4403);
      expect((await one.person.rest.get<Playlist>(`/playlists/${one.list}`)).name).toBe('List');
      one.gateway.ws.terminate();
    },
  );

  test('[GW23] a token refreshed while its revocation was being looked at is judged by the new one', async () => {
    const exp = Math.floor(Date.now() / 1000) + 2;
    const person = await world.someone('refreshing', { roles: [] });
    const gateway = await gatewayClient(world.url, await person.tokenFor(exp));
    await gateway.ask('auth:refresh', { token: await person.tokenFor(exp + 3_600) });
    await expect.poll(() => Date.now() > exp * 1000 + 1_300, { timeout: 5_000 }).toBe(true);
    expect((await gateway.request('clock:sync', { t0_ms: 1 })).ok).toBe(true);
    gateway.close();
  });
});
