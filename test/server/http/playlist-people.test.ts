import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type * as playlists from '#contract/playlists.ts';
import { newIds } from '#server/ids.ts';
import { gatewayClient, openPlaylist } from '../../support/clients.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { plain } from '../../support/pictures.ts';
import { putTracks } from '../../support/room.ts';
import { openWorld } from '../../support/world.ts';
import type { Collaborator, Playlist, PlaylistTrack } from '#contract/playlists.ts';
import type { Problem } from '#contract/problems.ts';
import type { Someone, World } from '../../support/world.ts';
import type { z } from 'zod';

type Invite = z.output<typeof playlists.createPlaylistInvite.reply>;
type Offer = z.output<typeof playlists.getInvite.reply>;
interface List<T> {
  items: T[];
  next_cursor: string | null;
}

describe.each(DIALECTS)('people of a playlist on $name', (dialect) => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  let cat: Someone;
  let guest: Someone;
  let tracks: string[];
  beforeAll(async () => {
    world = await openWorld(dialect);
    [ana, ben, cat] = [await world.someone('ana'), await world.someone('ben'), await world.someone('cat')];
    guest = await world.someone('visitor', { roles: ['guest'] });
    tracks = await putTracks(world.server.ctx, 4);
  });
  afterAll(() => world.close());

  const listOf = async (more: object = {}) =>
    (await ana.rest.post<Playlist>('/playlists', { name: 'Walk', description: 'by the sea', ...more })).id;
  const invite = (id: string, role: 'editor' | 'viewer' = 'editor', more: object = {}) =>
    ana.rest.post<Invite>(`/playlists/${id}/invites`, { role, ...more });
  const accept = (who: Someone, code: string) => who.rest.call<Playlist & Problem>('POST', `/invites/${code}/accept`);
  const rolesOf = async (id: string) =>
    (await ana.rest.get<List<Collaborator>>(`/playlists/${id}/collaborators`)).items.map((one) => [
      one.username,
      one.role,
    ]);
  const invitesOf = async (id: string) => (await ana.rest.get<List<Invite>>(`/playlists/${id}/invites`)).items;
  async function share(id: string, who: Someone, role: 'editor' | 'viewer' = 'editor'): Promise<void> {
    await ana.rest.put(`/playlists/${id}/collaborators/${who.id}`, { role });
  }

  test('[PL20] an invitation says what it offers, keeps only a hash, and is good for one person', async () => {
    const id = await listOf();
    const made = await invite(id);
    expect(made).toMatchObject({ role: 'editor', accepted_at: null, accepted_by: null });
    expect(made.url).toBe(`${world.server.publicUrl}/join/${made.code}`);
    expect(made.expires_at - made.created_at).toBe(7 * 86_400);
    expect(made.code).toMatch(/^[\w-]{43}$/);
    const stored = await world.database.db
      .selectFrom('playlist_invites')
      .selectAll()
      .where('id', '=', made.id)
      .execute();
    expect(JSON.stringify(stored)).not.toContain(made.code);
    expect(await ben.rest.get<Offer>(`/invites/${made.code}`)).toMatchObject({
      playlist_id: id,
      name: 'Walk',
      owner: { username: 'ana' },
      role: 'editor',
      my_role: null,
    });
    // Looking does not spend it.
    expect((await ben.rest.call('GET', `/playlists/${id}`)).status).toBe(404);
    const joined = await accept(ben, made.code);
    expect([joined.status, joined.body.id, joined.body.role]).toEqual([200, id, 'editor']);
    expect(await rolesOf(id)).toEqual([
      ['ana', 'owner'],
      ['ben', 'editor'],
    ]);
    const [listed] = await invitesOf(id);
    expect(listed).toMatchObject({ id: made.id, accepted_by: { username: 'ben' } });
    expect(JSON.stringify(listed)).not.toContain(made.code);
  });

  test('[PL21] wrong, spent, withdrawn and expired ones are the same 404', async () => {
    const id = await listOf();
    const [spent, withdrawn, late, locked] = [await invite(id), await invite(id), await invite(id), await invite(id)];
    await accept(ben, spent.code);
    await ana.rest.del(`/playlists/${id}/invites/${withdrawn.id}`);
    await world.server.ctx.write((trx) =>
      trx
        .updateTable('playlist_invites')
        .set({ expires_at: Math.floor(Date.now() / 1000) })
        .where('id', '=', late.id)
        .execute(),
    );
    const seen = new Set<string>();
    const tell = ({ status, body }: { status: number; body: Problem }) => {
      const { request_id: _passing, ...rest } = body;
      seen.add(JSON.stringify([status, rest]));
    };
    for (const code of [spent.code, withdrawn.code, late.code, newIds.secret(), 'x', encodeURIComponent('/../%00')]) {
      tell(await cat.rest.call<Problem>('GET', `/invites/${code}`));
      tell(await accept(cat, code));
      // Not even for the one who used it.
      tell(await accept(ben, code));
    }
    await world.server.ctx.write((trx) =>
      trx.updateTable('users').set({ is_active: 0 }).where('id', '=', ana.id).execute(),
    );
    tell(await accept(cat, locked.code));
    await world.server.ctx.write((trx) =>
      trx.updateTable('users').set({ is_active: 1 }).where('id', '=', ana.id).execute(),
    );
    expect([...seen]).toHaveLength(1);
    expect(JSON.parse([...seen][0]!)).toMatchObject([404, { code: 'not_found' }]);
    expect(await rolesOf(id)).toHaveLength(2);
  });

  test('[PL21] of many at once one joins', async () => {
    const id = await listOf();
    const { code } = await invite(id);
    const people = await Promise.all(Array.from({ length: 6 }, (_, i) => world.someone(`racer${i}`)));
    const answers = await Promise.all(people.map((one) => accept(one, code)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404, 404, 404, 404]);
    expect(await rolesOf(id)).toHaveLength(2);
  });

  test('[PL21] it raises a viewer, lowers nobody, and is not spent on who has it already', async () => {
    const id = await listOf();
    const [first, second] = [await invite(id, 'viewer'), await invite(id, 'editor')];
    await accept(ben, first.code);
    expect((await accept(ben, second.code)).body.role).toBe('editor');
    const third = await invite(id, 'viewer');
    expect((await accept(ben, third.code)).body.role).toBe('editor');
    expect((await accept(ana, third.code)).body.role).toBe('owner');
    expect((await ben.rest.get<Offer>(`/invites/${third.code}`)).my_role).toBe('editor');
    expect((await accept(cat, third.code)).body.role).toBe('viewer');
  });

  test('[PL21] guests become viewers, whatever is offered', async () => {
    const id = await listOf();
    const { code } = await invite(id, 'editor');
    expect((await guest.rest.get<Offer>(`/invites/${code}`)).role).toBe('viewer');
    expect((await accept(guest, code)).body.role).toBe('viewer');
    expect((await guest.rest.call('POST', `/playlists/${id}/tracks`, { track_ids: [tracks[0]] })).status).toBe(403);
    // Whatever they may not change, they may leave it.
    expect((await guest.rest.call('POST', `/playlists/${id}/leave`)).status).toBe(204);
  });

  test('[PL20] bad input, and more than anybody hands out', async () => {
    const id = await listOf();
    const table: [object, string][] = [
      [{}, 'role'],
      [{ role: 'owner' }, 'role'],
      [{ role: 'viewer', expires_in: 59 }, 'expires_in'],
      [{ role: 'viewer', expires_in: 30 * 86_400 + 1 }, 'expires_in'],
      [{ role: 'viewer', expires_in: 1e9 + 0.5 }, 'expires_in'],
    ];
    for (const [body, path] of table) {
      const { status, body: problem } = await ana.rest.call<Problem>('POST', `/playlists/${id}/invites`, body);
      expect([status, problem.errors?.[0]?.path]).toEqual([400, path]);
    }
    expect(await invitesOf(id)).toEqual([]);
    for (let i = 0; i < 100; i++) await invite(id, 'viewer', { expires_in: 60 });
    expect((await ana.rest.call('POST', `/playlists/${id}/invites`, { role: 'viewer' })).status).toBe(409);
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: List<Invite> = await ana.rest.get(
        `/playlists/${id}/invites?limit=30${cursor && `&cursor=${cursor}`}`,
      );
      seen.push(...page.items.map((one) => one.id));
      cursor = page.next_cursor;
    }
    expect(new Set(seen).size).toBe(100);
    expect(seen).toHaveLength(100);
  });

  test('[PL22] a copy is one’s own: same songs and words, own entries, its origin told', async () => {
    const id = await listOf({ is_public: true });
    await ana.rest.post(`/playlists/${id}/tracks`, { track_ids: [tracks[2], tracks[0], tracks[2]] });
    const copy = await cat.rest.post<Playlist>(`/playlists/${id}/copy`);
    expect(copy).toMatchObject({
      name: 'Walk',
      description: 'by the sea',
      role: 'owner',
      owner: { username: 'cat' },
      is_public: false,
      copied_from_id: id,
      track_count: 3,
      total_duration: 300,
    });
    const entriesOf = async (who: Someone, list: string) =>
      (await who.rest.get<List<PlaylistTrack>>(`/playlists/${list}/tracks`)).items;
    const [theirs, mine] = [await entriesOf(ana, id), await entriesOf(cat, copy.id)];
    expect(mine.map((one) => one.track_id)).toEqual(theirs.map((one) => one.track_id));
    expect(mine.map((one) => one.added_by?.username)).toEqual(['cat', 'cat', 'cat']);
    expect(mine.filter((one) => theirs.some((other) => other.entry_id === one.entry_id))).toEqual([]);
    // Its document is whole: an edit goes on from it, and the first list does not feel it.
    await cat.rest.del(`/playlists/${copy.id}/tracks`, { entry_ids: [mine[0]!.entry_id] });
    await cat.rest.put(`/playlists/${copy.id}`, { name: 'Mine' });
    expect((await entriesOf(cat, copy.id)).map((one) => one.entry_id)).toEqual(
      mine.slice(1).map((one) => one.entry_id),
    );
    expect(await entriesOf(ana, id)).toEqual(theirs);
    expect((await cat.rest.post<Playlist>(`/playlists/${copy.id}/copy`, { name: 'Again' })).name).toBe('Again');
    // Where it came from is said even when that is gone.
    await ana.rest.del(`/playlists/${id}`);
    expect((await cat.rest.get<Playlist>(`/playlists/${copy.id}`)).copied_from_id).toBe(id);
  });

  test('[PL23] who leaves keeps nothing open and leaves their songs; an owner cannot', async () => {
    const id = await listOf();
    await share(id, ben);
    await ben.rest.post(`/playlists/${id}/tracks`, { track_ids: [tracks[0]] });
    const open = openPlaylist(world.url, id, { token: ben.token });
    await open.until((doc) => doc.getMap('entries').size === 1);
    await ben.rest.post(`/playlists/${id}/leave`);
    expect((await open.closed).code).toBe(4403);
    open.close();
    expect((await ben.rest.call('GET', `/playlists/${id}`)).status).toBe(404);
    const { items } = await ana.rest.get<List<PlaylistTrack>>(`/playlists/${id}/tracks`);
    expect(items.map((one) => one.added_by?.username)).toEqual(['ben']);
    const owner = await ana.rest.call<Problem>('POST', `/playlists/${id}/leave`);
    expect([owner.status, owner.body.code]).toEqual([422, 'unprocessable']);
  });

  test('[PL24] handing a list over: live, to a member, open invitations end', async () => {
    const id = await listOf();
    await share(id, ben);
    const gus = await world.someone('gus');
    await share(id, gus, 'viewer');
    await world.server.ctx.write((trx) =>
      trx.updateTable('users').set({ role: 'guest' }).where('id', '=', gus.id).execute(),
    );
    const { code } = await invite(id);
    for (const user_id of [cat.id, gus.id, newIds.id(), ana.id]) {
      const refused = await ana.rest.call<Problem>('POST', `/playlists/${id}/transfer`, { user_id });
      expect([refused.status, refused.body.code]).toEqual([422, 'unprocessable']);
    }
    expect((await ana.rest.get<Playlist>(`/playlists/${id}`)).role).toBe('owner');
    const gateway = await gatewayClient(world.url, ana.token);
    const open = openPlaylist(world.url, id, { token: ana.token });
    await open.until((doc) => doc.getMap('meta').get('name') === 'Walk');
    const handed = await ana.rest.post<Playlist>(`/playlists/${id}/transfer`, { user_id: ben.id });
    expect(handed).toMatchObject({ role: 'editor', owner: { username: 'ben' } });
    await expect.poll(() => gateway.heard.map(({ name }) => name)).toContain('playlist:changed');
    // Her copy stays open, and she edits as an editor.
    open.doc.getMap('meta').set('name', 'by the former owner');
    await expect.poll(async () => (await ben.rest.get<Playlist>(`/playlists/${id}`)).name).toBe('by the former owner');
    open.close();
    gateway.close();
    expect((await ben.rest.get<Playlist>(`/playlists/${id}`)).role).toBe('owner');
    expect((await accept(cat, code)).status).toBe(404);
    expect((await ana.rest.call('DELETE', `/playlists/${id}`)).status).toBe(403);
    expect((await ben.rest.call('DELETE', `/playlists/${id}/collaborators/${ana.id}`)).status).toBe(204);
  });

  test('[PL24] those who have a list open learn of roles, covers and visibility', async () => {
    const id = await listOf();
    await share(id, ben);
    const gateway = await gatewayClient(world.url, ben.token);
    const open = openPlaylist(world.url, id, { token: ben.token });
    await open.until((doc) => doc.getMap('meta').get('name') === 'Walk');
    const heard = () => gateway.heard.filter(({ name }) => name === 'playlist:changed').length;
    const png = await plain({ width: 40, height: 30 }).png().toBuffer();
    for (const change of [
      () => share(id, cat, 'viewer'),
      () => sendCover(ana, id, png),
      () => ana.rest.put(`/playlists/${id}`, { is_public: true }),
      () => cat.rest.post(`/playlists/${id}/leave`),
    ]) {
      const before = heard();
      await change();
      await expect.poll(heard).toBe(before + 1);
    }
    open.close();
    gateway.close();
  });

  const bearer = (who: Someone) => ({ authorization: `Bearer ${who.token}` });
  const sendCover = (who: Someone, id: string, body: Buffer, type = 'image/png') =>
    fetch(`${world.url}/api/v1/playlists/${id}/cover`, {
      method: 'POST',
      headers: { ...bearer(who), 'content-type': type },
      body: new Uint8Array(body),
    });

  test('[PL25] a cover is made harmless, served inert, and only to those who may read the list', async () => {
    const id = await listOf();
    await share(id, ben, 'viewer');
    const png = await plain({ width: 900, height: 700 }).png().toBuffer();
    const answer = await sendCover(ana, id, png);
    const { cover_image_url } = (await answer.json()) as Playlist;
    expect(answer.status).toBe(200);
    expect(cover_image_url).toMatch(new RegExp(`^/api/v1/playlists/${id}/cover\\?v=[\\w-]{22}$`));
    const address = new URL(cover_image_url!, world.url);
    const picture = await fetch(address, { headers: bearer(ben) });
    expect(picture.status).toBe(200);
    expect(Object.fromEntries(picture.headers)).toMatchObject({
      'content-type': 'image/webp',
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, no-cache',
    });
    expect(picture.headers.get('content-security-policy')).toContain('sandbox');
    const { width, height, format } = await sharp(Buffer.from(await picture.arrayBuffer())).metadata();
    expect([width, height, format]).toEqual([640, 640, 'webp']);
    const etag = picture.headers.get('etag')!;
    expect((await fetch(address, { headers: { ...bearer(ben), 'if-none-match': etag } })).status).toBe(304);
    for (const [who, status] of [
      [cat, 404],
      [guest, 404],
    ] as const) {
      expect((await fetch(address, { headers: bearer(who) })).status).toBe(status);
      expect((await sendCover(who, id, png)).status).toBe(who === cat ? 404 : 403);
    }
    expect((await fetch(address)).status).toBe(401);
    // A viewer looks, an editor changes; a right that ended counts at once, whatever a browser has kept.
    expect((await sendCover(ben, id, png)).status).toBe(403);
    expect((await ben.rest.call('DELETE', `/playlists/${id}/cover`)).status).toBe(403);
    await share(id, ben, 'editor');
    const next = (await (await sendCover(ben, id, png)).json()) as Playlist;
    expect(next.cover_image_url).not.toBe(cover_image_url);
    await ana.rest.del(`/playlists/${id}/collaborators/${ben.id}`);
    expect((await fetch(address, { headers: { ...bearer(ben), 'if-none-match': etag } })).status).toBe(404);
    // A copy has it too, and keeps it.
    await ana.rest.put(`/playlists/${id}`, { is_public: true });
    const copy = await cat.rest.post<Playlist>(`/playlists/${id}/copy`);
    await ana.rest.del(`/playlists/${id}/cover`);
    await ana.rest.del(`/playlists/${id}/cover`);
    expect((await ana.rest.get<Playlist>(`/playlists/${id}`)).cover_image_url).toBeNull();
    expect((await fetch(address, { headers: bearer(ana) })).status).toBe(404);
    const copied = await fetch(new URL(copy.cover_image_url!, world.url), { headers: bearer(cat) });
    expect([copied.status, copied.headers.get('content-type')]).toEqual([200, 'image/webp']);
  });

  test('[PL25] what is no picture changes nothing', async () => {
    const id = await listOf();
    const table: [Buffer, string, number][] = [
      [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'image/svg+xml', 415],
      [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'image/png', 415],
      [Buffer.alloc(0), 'image/png', 400],
      [Buffer.alloc(2_000_001), 'image/png', 413],
    ];
    for (const [body, type, status] of table) expect((await sendCover(ana, id, body, type)).status).toBe(status);
    expect((await ana.rest.get<Playlist>(`/playlists/${id}`)).cover_image_url).toBeNull();
    expect((await sendCover(ana, 'x', Buffer.from('x'))).status).toBe(404);
  });

  test('[PL32] repeats are marked, and lists can be narrowed to what is missing, unmatched or double', async () => {
    const id = await listOf();
    const { entry_ids } = await ana.rest.post<{ entry_ids: string[] }>(`/playlists/${id}/tracks`, {
      track_ids: [tracks[1], tracks[3], tracks[1], tracks[1]],
    });
    const ctx = world.server.ctx;
    const text = { title: 'Elsewhere', artist: 'Nobody' };
    await ctx.playlistDocs.transact(id, ana.id, (doc) => {
      doc.getMap('entries').set('unmatched-unmatched-un', { track_id: null, added_by: null, added_at: 1, text });
    });
    const setMissing = (missing_since: number | null) =>
      ctx.write((trx) => trx.updateTable('tracks').set({ missing_since }).where('id', '=', tracks[3]!).execute());
    const read = async (query: string) =>
      (await ana.rest.get<List<PlaylistTrack>>(`/playlists/${id}/tracks?${query}`)).items.map((one) => one.entry_id);
    const all = (await ana.rest.get<List<PlaylistTrack>>(`/playlists/${id}/tracks`)).items;
    expect(all.map((one) => one.is_duplicate)).toEqual([false, false, true, true, false]);
    expect(await read('only=duplicates')).toEqual(entry_ids.slice(2));
    expect(await read('only=unmatched')).toEqual(['unmatched-unmatched-un']);
    expect(await read('only=missing')).toEqual([]);
    await setMissing(1);
    expect(await read('only=missing')).toEqual([entry_ids[1]]);
    await setMissing(null);
    expect(await read('only=missing')).toEqual([]);
    expect((await ana.rest.call('GET', `/playlists/${id}/tracks?only=else`)).status).toBe(400);
  });
});
