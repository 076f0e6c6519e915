import { mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Track, TrackQuery } from '#contract/library.ts';
import {
  existingTrackIds,
  findTrackByPath,
  getAlbum,
  getArtist,
  getTrack,
  listAlbums,
  listArtists,
  listGenres,
  listTracks,
  tracksByIds,
} from '#domain/library/library.queries.ts';
import { createScanner } from '#domain/library/scanner.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { makeLibrary, makePng } from '../../support/music/make-track.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

describe.each(DIALECTS)('library queries on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let actor: Actor;
  const folder = mkdtempSync(path.join(tmpdir(), 'queries-'));
  afterAll(async () => {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeAll(async () => {
    database = await dialect.open();
    const root = path.join(folder, 'music');
    ctx = testCtx(database, { musicDirs: [root], dataDir: path.join(folder, 'data') });
    actor = await person(ctx, 'lena');
    const files: Parameters<typeof makeLibrary>[1] = {};
    for (let i = 0; i < 23; i++) {
      files[`${String(i).padStart(2, '0')}.wav`] = {
        title: i === 5 ? 'Straße 100%' : i === 6 ? 'Été à Paris' : `Tune ${i % 4}`,
        artist: i === 22 ? undefined : `Artist ${'CAB'[i % 3]}`,
        album: i % 5 === 0 ? undefined : `Album ${i % 4}`,
        albumArtist: i % 5 === 0 ? undefined : 'Various Artists',
        genre: i % 2 === 0 ? ['Jazz', 'Soul'] : 'Folk',
        year: i % 3 === 0 ? undefined : 1990 + i,
        track: i + 1,
        seconds: 0.1 + (i % 3) * 0.1,
        frequency: 100 + i * 7,
        cover: i === 9 ? makePng(8, '#112233') : undefined,
      } as never;
    }
    makeLibrary(root, files);
    const scanner = createScanner(ctx);
    scanner.start();
    await scanner.whenIdle();
    unlinkSync(path.join(root, '03.wav'));
    ctx.clock.advance(60_000);
    scanner.start();
    await scanner.whenIdle();
  });

  const list = (query: Record<string, unknown> = {}) => listTracks(ctx, actor, TrackQuery.parse(query));

  test.each(
    ['title', 'artist', 'album', 'year', 'added', 'duration'].flatMap((sort) => [
      [sort, 'asc'] as const,
      [sort, 'desc'] as const,
    ]),
  )('[LB12] pages by %s %s hold every track once, in one order', async (sort, order) => {
    const whole = await list({ sort, order, limit: 200 });
    expect(whole.items).toHaveLength(22);
    expect(whole.next_cursor).toBeNull();
    const paged: Track[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await list({ sort, order, limit: 4, ...(cursor ? { cursor } : {}) });
      expect(page.items.length).toBeGreaterThan(0);
      paged.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(paged).toEqual(whole.items);
    for (const item of whole.items) Track.parse(item);
    const first = whole.items[0];
    const last = whole.items.at(-1);
    if (sort === 'artist') expect((order === 'asc' ? last : first)?.artist).toBeNull();
    if (sort === 'year') expect(last?.year).toBeNull();
  });

  test('[LB12] an artist is in album and track order', async () => {
    const { items } = await list({ artist: 'artist a', limit: 200 });
    const keys = items.map((track) => `${track.album ?? '~'} ${String(track.track_number).padStart(2, '0')}`);
    expect(keys).toEqual([...keys].sort());
    expect(new Set(items.map((track) => track.artist))).toEqual(new Set(['Artist A']));
  });

  test.each([
    '',
    '!',
    'e30',
    Buffer.from('["artist","asc",[1,2]]').toString('base64url'),
    Buffer.from('["title","asc",["a","b"]]').toString('base64url'),
    Buffer.from('["artist","asc",["a\\u0000","b"]]').toString('base64url'),
    Buffer.from('["artist","desc",["a","b"]]').toString('base64url'),
  ])('[LB12] the cursor %j is refused as malformed', async (cursor) => {
    await expect(list({ cursor })).rejects.toMatchObject({ code: 'malformed' });
  });

  test.each([1.5, -1, 2 ** 40, 1e300])('[LB12] a cursor with the year %d is only a place in the list', async (year) => {
    const cursor = Buffer.from(JSON.stringify(['year', 'asc', [year, 'a', 'b']])).toString('base64url');
    expect((await list({ sort: 'year', cursor })).items.length).toBe(year < 2000 ? 22 : 0);
  });

  test('[LB4] missing tracks are listed only when asked for, and shown by id', async () => {
    const { items } = await list({ missing: 'true' });
    expect(items.map((track) => [track.track_path, track.missing])).toEqual([['03.wav', true]]);
    const track = await getTrack(ctx, actor, { track_id: items[0]?.id ?? '' });
    expect(track).toMatchObject({ title: 'Tune 3', missing: true });
    await expect(getTrack(ctx, actor, { track_id: 'x'.repeat(22) })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('[LB6] a track of several genres is found by each', async () => {
    expect((await list({ genre: 'soul' })).items).toHaveLength(12);
    expect((await list({ genre: 'FOLK' })).items).toHaveLength(10);
    expect((await list({ genre: 'Jazz; Soul' })).items).toHaveLength(0);
    expect((await listGenres(ctx)).items).toEqual([
      { name: 'Folk', track_count: 10 },
      { name: 'Jazz', track_count: 12 },
      { name: 'Soul', track_count: 12 },
    ]);
  });

  test('[LB10] every word of q begins a word of title, artist, album or album artist; wildcards are letters like others', async () => {
    const count = async (q: string) => (await list({ q, limit: 200 })).items.length;
    expect(await count('strasse')).toBe(1);
    expect(await count('100% str')).toBe(1);
    expect(await count('ete par')).toBe(1);
    // One has no artist, but its album is by Various Artists.
    expect(await count('tun artist')).toBe(20);
    expect((await list({ q: 'tun artist', missing: 'true' })).items.map((track) => track.track_path)).toEqual([
      '03.wav',
    ]);
    expect((await list({ q: 'other', missing: 'true' })).items).toEqual([]);
    for (const q of ['%', '_', '\\', 'une', '%une', "'; drop table tracks; --"]) expect(await count(q)).toBe(0);
    expect(await count('')).toBe(22);
    expect(await count('str\0asse')).toBe(0);
    expect((await list({ artist: 'Artist\0A', genre: 'ja\0zz' })).items).toEqual([]);
  });

  test('[LB13] albums and artists have their sums, and page like tracks', async () => {
    const albums = await listAlbums(ctx, actor, { limit: 3 });
    expect(albums.items.map((album) => album.title)).toEqual(['Album 0', 'Album 1', 'Album 2']);
    const rest = await listAlbums(ctx, actor, { limit: 3, cursor: albums.next_cursor ?? '' });
    expect(rest.items.map((album) => album.title)).toEqual(['Album 3']);
    expect(rest.next_cursor).toBeNull();
    const one = albums.items.find((album) => album.title === 'Album 1');
    const album = await getAlbum(ctx, actor, { id: one?.id ?? '' });
    expect(album.tracks).toHaveLength(one?.track_count ?? -1);
    expect(album.tracks.map((track) => track.track_number)).toEqual(
      album.tracks.map((track) => track.track_number ?? 0).sort((a, b) => a - b),
    );
    expect(album.duration).toBeCloseTo(album.tracks.reduce((sum, track) => sum + (track.duration ?? 0), 0));
    expect(album.album_artist).toBe('Various Artists');
    expect(album.cover_track_id).toBe(album.tracks.find((track) => track.has_cover)?.id);

    const artists = await listArtists(ctx, actor, { limit: 2 });
    expect(artists.items.map((artist) => artist.name)).toEqual(['Artist A', 'Artist B']);
    const more = await listArtists(ctx, actor, { limit: 2, cursor: artists.next_cursor ?? '' });
    expect(more.items.map((artist) => artist.name)).toEqual(['Artist C']);
    const artist = await getArtist(ctx, actor, { id: artists.items[0]?.id ?? '' });
    expect(artist.albums).toHaveLength(artist.album_count);
    expect((await listAlbums(ctx, actor, { limit: 50, artist_id: artist.id })).items).toHaveLength(artist.album_count);
    await expect(getAlbum(ctx, actor, { id: 'x'.repeat(22) })).rejects.toMatchObject({ code: 'not_found' });
    await expect(getArtist(ctx, actor, { id: 'x'.repeat(22) })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('[LB14] other slices look tracks up by many ids or by path', async () => {
    const { items } = await list({ limit: 200 });
    const ids = [...items.map((track) => track.id), ...Array.from({ length: 1200 }, () => ctx.ids.id())];
    expect((await tracksByIds(ctx.db, ids)).size).toBe(22);
    expect(await existingTrackIds(ctx.db, ids)).toEqual(new Set(items.map((track) => track.id)));
    expect(await tracksByIds(ctx.db, [])).toEqual(new Map());
    expect((await findTrackByPath(ctx.db, '00.wav'))?.id).toBe(
      items.find((track) => track.track_path === '00.wav')?.id,
    );
    expect((await findTrackByPath(ctx.db, '03.wav'))?.missing).toBe(true);
    for (const bad of ['../music/00.wav', '/etc/passwd', '00.wav\0', ''])
      expect(await findTrackByPath(ctx.db, bad)).toBeNull();
  });
});
