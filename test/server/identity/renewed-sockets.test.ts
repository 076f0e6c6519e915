import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sealProviderTokens } from '#domain/accounts/provider-sessions.ts';
import { openPlaylist } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { openWorld } from '../../support/world.ts';
import type { Someone, World } from '../../support/world.ts';

describe.each(DIALECTS)('open sockets of a provider’s session on $name', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(dialect);
  });
  afterAll(() => world.close());

  /** Somebody's browser with both kinds of socket open, its session due to be renewed. */
  async function online(username: string) {
    const who: Someone = await world.someone(username);
    const { cookie, session_id } = await world.signIn(who);
    const refresh_token = `refresh-of-${username}`;
    const person = { sub: `sub-${username}`, username, roles: ['user'] };
    world.issuer.sessions.set(refresh_token, person);
    await world.database.write((trx) =>
      trx
        .updateTable('user_sessions')
        .set({
          ...sealProviderTokens(world.server.ctx.secrets, who.id, { refresh_token, id_token: null }),
          refresh_due_at: 0,
        })
        .where('id', '=', session_id)
        .execute(),
    );
    const headers = { cookie, origin: world.url, 'sec-fetch-site': 'same-origin' };
    const { id } = await who.rest.post<{ id: string }>('/playlists', { name: 'Open' });
    const answer = await fetch(`${world.url}/api/v1/playlists/${id}/ticket`, { method: 'POST', headers });
    const { ticket } = (await answer.json()) as { ticket: string };
    const playlist = openPlaylist(world.url, id, { ticket });
    await playlist.until((doc) => doc.getMap('meta').get('name') === 'Open');
    const socket = io(world.url, {
      transports: ['websocket'],
      extraHeaders: headers,
      reconnection: false,
      forceNew: true,
    });
    await new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(null));
      socket.once('connect_error', reject);
    });
    const reason = new Promise<string>((resolve) =>
      socket.once('session:ended', (payload: { reason: string }) => resolve(payload.reason)),
    );
    // Every use by cookie so far has renewed the session; from here on there are only the sockets.
    await world.database.write((trx) =>
      trx.updateTable('user_sessions').set({ refresh_due_at: 0 }).where('id', '=', session_id).execute(),
    );
    return { ...who, session_id, person, playlist, id, socket, reason };
  }

  test('[ID57] follow the realm role from their next message, while other sockets of the person keep theirs', async () => {
    const ana = await online('ana');
    const other = openPlaylist(world.url, ana.id, { token: ana.token });
    await other.until((doc) => doc.getMap('meta').get('name') === 'Open');
    ana.playlist.doc.getMap('meta').set('name', 'as a user');
    await other.until((doc) => doc.getMap('meta').get('name') === 'as a user');
    const [refresh_token] = [...world.issuer.sessions].find(([, { sub }]) => sub === 'sub-ana') ?? [''];
    world.issuer.sessions.set(refresh_token, { ...ana.person, roles: ['guest'] });
    await world.server.identity.renewSessions([ana.session_id]);
    ana.playlist.doc.getMap('meta').set('name', 'as a guest');
    expect(await ana.playlist.closed).toMatchObject({ code: 4403 });
    other.doc.getMap('meta').set('name', 'by token');
    expect((await ana.rest.get<{ name: string }>(`/playlists/${ana.id}`)).name).not.toBe('as a guest');
    for (const one of [ana.playlist, other]) one.close();
    ana.socket.disconnect();
  });

  test('[ID57] close when the provider renews no more, before the renewal is over', async () => {
    const ben = await online('ben');
    world.issuer.sessions.clear();
    await world.server.identity.renewSessions([ben.session_id]);
    expect(await ben.reason).toBe('expired');
    expect(await ben.playlist.closed).toMatchObject({ code: 4401 });
    ben.playlist.close();
  });

  test('[ID55] close before a back-channel logout is answered', async () => {
    const cat = await online('cat');
    const answer = await fetch(`${world.url}/api/v1/auth/backchannel-logout`, {
      method: 'POST',
      body: new URLSearchParams({
        logout_token: await world.issuer.issueLogoutToken({ claims: { sub: 'sub-cat', sid: undefined } }),
      }),
    });
    expect(answer.status).toBe(200);
    expect(await cat.reason).toBe('signed_out');
    expect(await cat.playlist.closed).toMatchObject({ code: 4401 });
    cat.playlist.close();
  });

  test('[ID52] our pages may send a form on to the provider, and to nobody else', async () => {
    const policy = (await fetch(`${world.url}/login`)).headers.get('content-security-policy') ?? '';
    const [, targets] = /form-action ([^;]+)/.exec(policy) ?? [];
    expect(targets).toBe(`'self' ${world.issuer.url}`);
  });
});
