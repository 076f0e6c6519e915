import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIALECTS } from '../../support/dialects.ts';
import { makeLibrary } from '../../support/music/make-track.ts';
import { openWorld } from '../../support/world.ts';
import type { Playlist, PlaylistImport, PlaylistTrack } from '#contract/playlists.ts';
import type { Problem } from '#contract/problems.ts';
import type { Someone, World } from '../../support/world.ts';

const MBID = 'e97f805a-ab48-4c52-855e-07049142113d';

describe.each(DIALECTS)('playlist files on $name', (dialect) => {
  let world: World;
  let ana: Someone;
  let ben: Someone;
  beforeAll(async () => {
    world = await openWorld(dialect);
    [ana, ben] = [await world.someone('ana'), await world.someone('ben')];
    const { ctx, scanner } = world.server;
    makeLibrary(ctx.files.musicDirs[0]!, {
      'A/First/01 One.mp3': {
        title: 'One',
        artist: 'Ana & the As',
        album: 'First',
        seconds: 2,
        frequency: 200,
        mbid: MBID,
      },
      'A/First/02 Two.mp3': { title: 'Two', artist: 'Ana & the As', album: 'First', seconds: 2, frequency: 300 },
      'B/Same.mp3': { title: 'Same', artist: 'Ben', album: 'Early', seconds: 1, frequency: 400 },
      'B/Same later.mp3': { title: 'Same', artist: 'Ben', album: 'Late', seconds: 12, frequency: 500 },
    });
    scanner.start();
    await scanner.whenIdle();
  });
  afterAll(() => world.close());

  const bearer = (who: Someone) => ({ authorization: `Bearer ${who.token}` });
  const send = (who: Someone, body: FormData | string | Uint8Array, headers: Record<string, string> = {}, query = '') =>
    fetch(`${world.url}/api/v1/playlists/import${query}`, {
      method: 'POST',
      headers: { ...bearer(who), ...headers },
      body: body as never,
    });
  const form = (text: string | Uint8Array, name = 'list.m3u8', field = 'file') => {
    const data = new FormData();
    data.append(field, new Blob([text as never]), name);
    return data;
  };
  async function take(text: string, name?: string): Promise<PlaylistImport['items']> {
    const answer = await send(ana, form(text, name));
    expect(answer.status).toBe(201);
    return ((await answer.json()) as PlaylistImport).items;
  }
  const tracks = async (id: string) =>
    (await ana.rest.get<{ items: PlaylistTrack[] }>(`/playlists/${id}/tracks?limit=200`)).items;
  const file = (who: Someone, id: string, format: string, method = 'GET') =>
    fetch(`${world.url}/api/v1/playlists/${id}/export?format=${format}`, { method, headers: bearer(who) });

  const LIST = `#EXTM3U
#PLAYLIST:Mixed
#EXTINF:2,Somebody else - Whatever
D:\\Musik\\A\\First\\02 TWO.mp3
#EXTINF:2,Ana and the As - One
nowhere.mp3
#EXTINF:-1,Ben - Same
x.mp3
#EXTINF:200,Nobody - Nothing
y.mp3
`;

  test('[PL61] a file becomes a private list: by path and by name, what is a question and what is missing kept as text', async () => {
    const [item, ...others] = await take(LIST);
    expect(others).toEqual([]);
    expect(item).toMatchObject({ matched: 2, close: 1, missing: 1, skipped: [] });
    expect(item?.playlist).toMatchObject({ name: 'Mixed', is_public: false, role: 'owner', track_count: 4 });
    expect(item?.entries.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['match', 'path'],
      ['match', 'same'],
      ['close', null],
      ['none', null],
    ]);
    expect(item?.entries[2]?.candidates.map(({ track }) => track.album).sort()).toEqual(['Early', 'Late']);
    expect((await tracks(item?.playlist.id ?? '')).map(({ track, text }) => track?.title ?? text?.title)).toEqual([
      'Two',
      'One',
      'Same',
      'Nothing',
    ]);
  });

  test('[PL61] by MusicBrainz’ id, whatever it is called, and by what an album says', async () => {
    const [item] = await take(
      JSON.stringify({
        playlist: {
          title: 'Ids',
          track: [
            { title: 'Uno', creator: 'Anna', identifier: [`https://musicbrainz.org/recording/${MBID}`] },
            { title: 'Same', creator: 'Ben', album: 'Late', duration: 12_000 },
          ],
        },
      }),
    );
    expect(item?.entries.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['match', 'mbid'],
      ['match', 'same'],
    ]);
    expect((await tracks(item?.playlist.id ?? ''))[1]?.track?.album).toBe('Late');
  });

  test('[PL62] a list goes out in four formats and comes back the same, with repeats and what is missing', async () => {
    const [item] = await take(LIST, 'x.m3u');
    const id = item?.playlist.id ?? '';
    const [first] = await tracks(id);
    await ana.rest.post(`/playlists/${id}/tracks`, { track_ids: [first?.track_id, first?.track_id] });
    await ana.rest.put(`/playlists/${id}`, { name: 'Röd/“list”', description: 'About\nit' });
    const shape = (list: PlaylistTrack[]) => list.map(({ track_id, text }) => ({ track_id, text }));
    const before = shape(await tracks(id));
    for (const format of ['m3u8', 'xspf', 'jspf', 'json']) {
      const answer = await file(ana, id, format);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-disposition')).toBe(
        `attachment; filename="R_d__list_.${format}"; filename*=UTF-8''R%C3%B6d_%E2%80%9Clist%E2%80%9D.${format}`,
      );
      const text = await answer.text();
      expect(text).not.toContain(world.server.ctx.files.musicDirs[0]);
      const [back] = await take(text, `x.${format}`);
      expect(back?.playlist).toMatchObject({ name: 'Röd/“list”', description: 'About\nit' });
      expect(shape(await tracks(back?.playlist.id ?? ''))).toEqual(before);
    }
    const head = await file(ana, id, 'm3u8', 'HEAD');
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test('[PL62] only for those who may read the list, and in no other format', async () => {
    const list = await ana.rest.post<Playlist>('/playlists', { name: 'Mine' });
    expect((await file(ben, list.id, 'm3u8')).status).toBe(404);
    expect((await file(ana, list.id, 'doc')).status).toBe(400);
    await ana.rest.put(`/playlists/${list.id}`, { is_public: true });
    expect((await file(ben, list.id, 'm3u8')).status).toBe(200);
  });

  test('[PL61] the body alone will do, and its name is a list’s name', async () => {
    const answer = await send(
      ana,
      'A/First/01 One.mp3\n',
      { 'content-type': 'audio/x-mpegurl' },
      '?name=Road%20trip.m3u',
    );
    expect(answer.status).toBe(201);
    const { items } = (await answer.json()) as PlaylistImport;
    expect(items[0]).toMatchObject({ matched: 1, playlist: { name: 'Road trip' } });
  });

  test.each([
    ['no file', () => new FormData(), 400],
    ['another field', () => form('x', 'a.m3u', 'picture'), 400],
    ['an empty file', () => form(''), 400],
    ['what is no playlist', () => form('just words', 'a.txt'), 422],
    ['XML with a document type', () => form('<!DOCTYPE a><playlist/>', 'a.xspf'), 422],
    ['broken JSON', () => form('{"playlist":', 'a.json'), 422],
  ] as const)('[PL61] %s is refused, and no list is made', async (_what, body, status) => {
    const count = async () => (await ana.rest.get<{ items: unknown[] }>('/playlists?limit=200')).items.length;
    const before = await count();
    const answer = await send(ana, body());
    expect(answer.status).toBe(status);
    expect(((await answer.json()) as Problem).errors?.[0]?.path).toBe('file');
    expect(await count()).toBe(before);
  });

  test('[PL61] more than 64 MB is refused as it comes, and an upload that breaks off hurts nobody', async () => {
    const large = await send(ana, new Uint8Array(64 * 1024 * 1024 + 20_000));
    expect(large.status).toBe(413);
    const { hostname, port } = new URL(world.url);
    for (let i = 0; i < 5; i++) {
      await new Promise<void>((resolve) => {
        const socket = createConnection({ host: hostname, port: Number(port) }, () => {
          socket.write(
            `POST /api/v1/playlists/import HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${ana.token}\r\ncontent-length: 1000\r\n\r\n#EXTM3U\n`,
            () => socket.destroy(),
          );
        });
        socket.once('close', () => resolve());
      });
    }
    expect((await send(ana, form('A/First/01 One.mp3', 'a.m3u'))).status).toBe(201);
  });

  test('[PL61] 10,000 entries and what is beyond', async () => {
    const lines = Array.from({ length: 10_050 }, (_, i) => `#EXTINF:10,Artist ${i} - Song ${i}\nfile-${i}.mp3`);
    const startedMs = performance.now();
    const [item] = await take(`#EXTM3U\n${lines.join('\n')}\n`);
    process.stdout.write(`${dialect.name}: 10,000 entries in ${Math.round(performance.now() - startedMs)} ms\n`);
    expect(item?.playlist.track_count).toBe(10_000);
    expect(item?.missing).toBe(10_000);
    expect(item?.skipped).toHaveLength(50);
  });

  test('[LB15] files read by an older version are read again once, and keep their ids', async () => {
    const { ctx, scanner } = world.server;
    const before = await ctx.db.selectFrom('tracks').select(['id', 'recording_mbid']).orderBy('id').execute();
    await ctx.write((trx) => trx.updateTable('tracks').set({ reader_version: 0, recording_mbid: null }).execute());
    scanner.start();
    await scanner.whenIdle();
    expect(scanner.state({ role: 'admin' })).toMatchObject({ updated: 4, unchanged: 0 });
    expect(await ctx.db.selectFrom('tracks').select(['id', 'recording_mbid']).orderBy('id').execute()).toEqual(before);
    scanner.start();
    await scanner.whenIdle();
    expect(scanner.state({ role: 'admin' })).toMatchObject({ updated: 0, unchanged: 4 });
  });
});
