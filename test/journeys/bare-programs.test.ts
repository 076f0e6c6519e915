import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type * as Y from 'yjs';
import { addEntries, metaOf, moveEntries, readList, removeEntries } from '#contract/playlist-doc.ts';
import { newIds } from '#server/ids.ts';
import { gatewayClient, openPlaylist, restClient } from '../support/clients.ts';
import { startIssuer } from '../support/issuer.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import type { Me } from '#contract/accounts.ts';
import type { ScanState, Track } from '#contract/library.ts';
import type { Playlist, PlaylistTrack } from '#contract/playlists.ts';
import type { TestIssuer } from '../support/issuer.ts';
import type { Folders, Program } from '../support/server.ts';

interface Page<T> {
  items: T[];
}

/** Two programs that hold nothing but access tokens of an outside issuer, and a server that is killed under them. */
describe('two bare programs with tokens of an outside issuer', () => {
  let issuer: TestIssuer;
  let folders: Folders;
  let server: Program;
  const people = {
    ana: { sub: 'subject-ana', username: 'ana', name: 'Ana', roles: ['user'] },
    ben: { sub: 'subject-ben', username: 'ben', name: 'Ben', roles: ['user'] },
    cat: { sub: 'subject-cat', username: 'cat', name: 'Cat', roles: ['user'] },
  };
  const tokenOf = (name: keyof typeof people) => issuer.issueAccessToken(people[name]);

  beforeAll(async () => {
    issuer = await startIssuer();
    folders = makeFolders();
    mkdirSync(folders.musicDir, { recursive: true });
    makeLibrary(folders.musicDir, {
      'Ana/One.flac': { title: 'One', artist: 'The Firsts', album: 'Numbers', seconds: 2 },
      'Ana/Two.flac': { title: 'Two', artist: 'The Firsts', album: 'Numbers', seconds: 2 },
      'Ana/Three.flac': { title: 'Three', artist: 'The Firsts', album: 'Numbers', seconds: 2 },
    });
    server = await spawnServer(folders, { issuer });
  });
  afterAll(async () => {
    await server.kill();
    await issuer.close();
    folders.remove();
  });

  test('[JO2] they hear, see and edit together, and a kill -9 takes nothing that was acknowledged', async () => {
    const [anaToken, benToken, catToken] = [await tokenOf('ana'), await tokenOf('ben'), await tokenOf('cat')];
    const ana = restClient(server.url, anaToken);
    const ben = restClient(server.url, benToken);
    const cat = restClient(server.url, catToken);
    const [anaMe, benMe] = [await ana.get<Me>('/auth/profile'), await ben.get<Me>('/auth/profile')];
    expect([anaMe.username, benMe.username]).toEqual(['ana', 'ben']);

    await expect.poll(async () => (await ana.get<ScanState>('/library/scan')).state, { timeout: 20_000 }).toBe('idle');
    const tracks = (await ana.get<Page<Track>>('/library/tracks?sort=title')).items;
    expect(tracks.map((track) => track.title)).toEqual(['One', 'Three', 'Two']);
    const byTitle = Object.fromEntries(tracks.map((track) => [track.title, track.id])) as Record<string, string>;

    // Ben follows Ana, and sees nothing until she shares and follows back.
    await ben.post(`/social/follow/${anaMe.id}`);
    const benSocket = await gatewayClient(server.url, benToken);
    const anaSocket = await gatewayClient(server.url, anaToken);
    const hidden = await anaSocket.ask('listen:start', { track_id: byTitle.One!, source: 'api' });
    await anaSocket.ask('listen:complete', { session_id: hidden.session_id, seq: 0, position_ms: 0 });
    await ana.post(`/social/follow/${benMe.id}`);
    await ana.put('/user/profile', { share_listening_history: true });
    expect(benSocket.heard.filter((one) => one.name === 'listening:update')).toEqual([]);

    const client_session_id = crypto.randomUUID();
    const { session_id } = await anaSocket.ask('listen:start', {
      track_id: byTitle.Two!,
      source: 'api',
      client_session_id,
    });
    const seen = await benSocket.next('listening:update', (update) => update.state === 'playing');
    expect(seen).toMatchObject({ user_id: anaMe.id, username: 'ana', track: { id: byTitle.Two, title: 'Two' } });
    const again = await anaSocket.ask('listen:start', { track_id: byTitle.Two!, source: 'api', client_session_id });
    expect(again.session_id).toBe(session_id);
    const progress = await anaSocket.ask('listen:progress', { session_id, seq: 1, position_ms: 500, state: 'paused' });
    expect(progress).toMatchObject({ session_id, seq: 1 });

    // A playlist, edited by both at once.
    const playlist = await ana.post<Playlist>('/playlists', { name: 'Together' });
    expect((await cat.call('GET', `/playlists/${playlist.id}`)).status).toBe(404);
    await ana.put(`/playlists/${playlist.id}/collaborators/${benMe.id}`, { role: 'editor' });
    const a = openPlaylist(server.url, playlist.id, { token: anaToken });
    const { ticket } = await ben.post<{ ticket: string }>(`/playlists/${playlist.id}/ticket`);
    const b = openPlaylist(server.url, playlist.id, { ticket });
    const stranger = openPlaylist(server.url, playlist.id, { token: catToken });
    expect((await stranger.closed).code).toBe(4404);
    expect(readList(stranger.doc)).toEqual([]);
    stranger.close();
    await Promise.all(
      [a, b].map((one) => one.until((doc) => metaOf(doc).get('name') === 'Together', 'the first sync')),
    );

    const entry = (track_id: string, added_by: string) => ({
      entry_id: newIds.id(),
      value: { track_id, added_by, added_at: 1 },
    });
    const [one, two, three] = [
      entry(byTitle.One!, anaMe.id),
      entry(byTitle.Two!, benMe.id),
      entry(byTitle.Three!, benMe.id),
    ];
    addEntries(a.doc, [one], null);
    addEntries(b.doc, [two, three], null);
    const both = (doc: Y.Doc) => readList(doc).length === 3;
    await Promise.all([a.until(both, 'three entries at Ana'), b.until(both, 'three entries at Ben')]);
    moveEntries(a.doc, [three.entry_id], one.entry_id);
    removeEntries(b.doc, [two.entry_id]);
    metaOf(b.doc).set('name', 'Together still');
    const settled = (doc: Y.Doc) =>
      readList(doc).length === 2 &&
      metaOf(doc).get('name') === 'Together still' &&
      readList(doc)[0]?.entry_id === three.entry_id;
    await Promise.all([a.until(settled, 'Ana to settle'), b.until(settled, 'Ben to settle')]);
    expect(readList(a.doc)).toEqual(readList(b.doc));

    const rows = (await ana.get<Page<PlaylistTrack>>(`/playlists/${playlist.id}/tracks`)).items;
    expect(rows.map((row) => [row.entry_id, row.track?.title, row.added_by?.username])).toEqual([
      [three.entry_id, 'Three', 'ben'],
      [one.entry_id, 'One', 'ana'],
    ]);

    // What another client has seen is on disk: killed at that moment, nothing is lost.
    const last = entry(byTitle.One!, anaMe.id);
    addEntries(a.doc, [last], null);
    await b.until((doc) => readList(doc).some((row) => row.entry_id === last.entry_id), 'the last edit at Ben');
    await server.kill();
    const expected = readList(b.doc).map((row) => row.entry_id);
    for (const open of [a, b]) open.close();
    for (const socket of [anaSocket, benSocket]) socket.close();

    server = await spawnServer(folders, { issuer });
    const anaAfter = restClient(server.url, anaToken);
    const after = (await anaAfter.get<Page<PlaylistTrack>>(`/playlists/${playlist.id}/tracks`)).items;
    expect(after.map((row) => row.entry_id)).toEqual(expected);
    expect((await anaAfter.get<Playlist>(`/playlists/${playlist.id}`)).name).toBe('Together still');
    const fresh = openPlaylist(server.url, playlist.id, { token: benToken });
    await fresh.until((doc) => readList(doc).length === expected.length, 'a fresh copy');
    expect(readList(fresh.doc).map((row) => row.entry_id)).toEqual(expected);
    fresh.close();
    const session = await anaAfter.get<{ session_id: string; track_id: string }>(
      `/listen/sessions/${client_session_id}`,
    );
    expect(session).toMatchObject({ session_id, track_id: byTitle.Two });
  });

  test('[JO3] a viewer reads along and cannot write', async () => {
    const [anaToken, benToken] = [await tokenOf('ana'), await tokenOf('ben')];
    const ana = restClient(server.url, anaToken);
    const ben = restClient(server.url, benToken);
    const benMe = await ben.get<Me>('/auth/profile');
    const [track] = (await ana.get<Page<Track>>('/library/tracks')).items;
    const playlist = await ana.post<Playlist>('/playlists', { name: 'Mine' });
    await ana.put(`/playlists/${playlist.id}/collaborators/${benMe.id}`, { role: 'viewer' });
    const viewer = openPlaylist(server.url, playlist.id, { token: benToken });
    const { entry_ids } = await ana.post<{ entry_ids: string[] }>(`/playlists/${playlist.id}/tracks`, {
      track_ids: [track!.id],
    });
    await viewer.until((doc) => readList(doc).length === 1, 'an edit by REST');
    expect(readList(viewer.doc)[0]?.entry_id).toBe(entry_ids[0]);

    expect((await ben.call('DELETE', `/playlists/${playlist.id}/tracks`, { entry_ids })).status).toBe(403);
    removeEntries(viewer.doc, entry_ids);
    expect((await viewer.closed).code).toBe(4403);
    viewer.close();
    const rows = (await ana.get<Page<PlaylistTrack>>(`/playlists/${playlist.id}/tracks`)).items;
    expect(rows.map((row) => row.entry_id)).toEqual(entry_ids);
  });
});
