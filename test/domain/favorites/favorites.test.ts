import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FavoriteQuery } from '#contract/favorites.ts';
import {
  listFavoriteAlbums,
  listFavoriteArtists,
  listFavorites,
  listMarks,
} from '#domain/favorites/favorites.queries.ts';
import {
  addFavorite,
  clearRating,
  removeFavorite,
  setAlbum,
  setArtist,
  setMarks,
  setNote,
  setRating,
} from '#domain/favorites/set-marks.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { seeded } from '../../support/random.ts';
import { putTracks } from '../../support/room.ts';
import type { Favorite } from '#contract/favorites.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const LIKED = { sort: 'favorited', order: 'desc', limit: 50 } as const;
const nobody = 'A'.repeat(22);

describe.each(DIALECTS)('what a person holds dear on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let ana: Actor;
  let ben: Actor;
  let tracks: string[];
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await database.close();
    database = await dialect.open();
    ctx = testCtx(database);
    [ana, ben] = [await person(ctx, 'ana'), await person(ctx, 'ben')];
    tracks = await putTracks(ctx, 6);
    for (const [i, id] of tracks.entries()) {
      const words = {
        title: `Song ${i}`,
        title_sort: `song ${i}`,
        artist_sort: `artist ${9 - i}`,
        search_text: ` song ${i}`,
      };
      await ctx.write((trx) => trx.updateTable('tracks').set(words).where('id', '=', id).execute());
    }
  });

  const list = (query: object = {}, who = ana) => listFavorites(ctx, who, FavoriteQuery.parse(query));
  const idsOf = (items: readonly Favorite[]) => items.map(({ track_id }) => tracks.indexOf(track_id));
  const heartAt = async (i: number, seconds: number) => {
    ctx.clock.set(Date.UTC(2026, 10, 1, 12) + seconds * 1000);
    return addFavorite(ctx, ana, { track_id: tracks[i] });
  };

  test('[FA1] heart, stars and note are each given and taken by themselves', async () => {
    const track_id = tracks[0]!;
    const hearted = await addFavorite(ctx, ana, { track_id, notes: 'In the car' });
    expect(hearted).toMatchObject({ track_id, notes: 'In the car', rating: null, version: 1 });
    expect(hearted.track.title).toBe('Song 0');

    expect(await setRating(ctx, ana, { track_id, rating: 4 })).toMatchObject({ rating: 4, notes: 'In the car' });
    await removeFavorite(ctx, ana, { track_id });
    const [rated] = (await list({ show: 'rated' })).items;
    expect(rated).toMatchObject({ favorited_at: null, rating: 4, notes: 'In the car' });
    expect((await list()).items).toEqual([]);

    await clearRating(ctx, ana, { track_id });
    expect(idsOf((await list({ show: 'noted' })).items)).toEqual([0]);
    expect(await setNote(ctx, ana, { track_id, notes: '' })).toMatchObject({ notes: null, rating: null });
    expect((await list({ show: 'all' })).items).toEqual([]);
    expect((await listMarks(ctx, ana, { track_ids: tracks })).items).toEqual([]);
  });

  test('[FA1] stars and a note need no heart, and what is another’s is not seen', async () => {
    await setRating(ctx, ana, { track_id: tracks[1]!, rating: 2 });
    await setNote(ctx, ana, { track_id: tracks[2]!, notes: 'The bridge' });
    const { items } = await listMarks(ctx, ana, { track_ids: tracks });
    expect(items.map(({ track_id, rating, notes }) => [tracks.indexOf(track_id), rating, notes]).sort()).toEqual([
      [1, 2, null],
      [2, null, 'The bridge'],
    ]);
    expect((await listMarks(ctx, ben, { track_ids: tracks })).items).toEqual([]);
    expect((await list({ show: 'all' }, ben)).items).toEqual([]);
  });

  test('[FA2] a heart twice is one, of the day it was first given, and one that was never there is taken for nothing', async () => {
    const first = await heartAt(0, 0);
    const again = await heartAt(0, 90);
    expect(again.favorited_at).toBe(first.favorited_at);
    await removeFavorite(ctx, ana, { track_id: tracks[0]! });
    const anew = await heartAt(0, 120);
    expect(anew.favorited_at).toBe(first.favorited_at! + 120);
    await removeFavorite(ctx, ana, { track_id: tracks[3]! });
    expect(await database.db.selectFrom('user_favorites').selectAll().execute()).toHaveLength(1);
  });

  test('[FA3] lists are sorted by any of it, filtered by stars and words, and page without a gap or a double', async () => {
    for (const [i, seconds] of [2, 0, 5, 1, 4, 3].entries()) await heartAt(i, seconds);
    for (const [i, rating] of [3, 5, 1, 4].entries()) await setRating(ctx, ana, { track_id: tracks[i]!, rating });
    expect(idsOf((await list()).items)).toEqual([2, 4, 5, 0, 3, 1]);
    expect(idsOf((await list({ order: 'asc' })).items)).toEqual([1, 3, 0, 5, 4, 2]);
    expect(idsOf((await list({ sort: 'title', order: 'asc' })).items)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(idsOf((await list({ sort: 'artist', order: 'asc' })).items)).toEqual([5, 4, 3, 2, 1, 0]);
    expect(idsOf((await list({ sort: 'rating', show: 'rated' })).items)).toEqual([1, 3, 0, 2]);
    expect(idsOf((await list({ sort: 'rating', min_rating: 3, max_rating: 4 })).items)).toEqual([3, 0]);
    expect(idsOf((await list({ q: 'song 4' })).items)).toEqual([4]);
    for (const sort of ['favorited', 'rating', 'title', 'artist', 'album', 'year', 'duration']) {
      const whole = idsOf((await list({ sort })).items);
      const paged: number[] = [];
      let cursor: string | null | undefined;
      do {
        const page = await list({ sort, limit: 2, ...((cursor ?? null) === null ? {} : { cursor }) });
        paged.push(...idsOf(page.items));
        cursor = page.next_cursor;
      } while (cursor !== null);
      expect([sort, paged]).toEqual([sort, whole]);
    }
  });

  test('[FA4] a track whose file is gone keeps its heart, and is shown as missing', async () => {
    await heartAt(0, 0);
    await ctx.write((trx) =>
      trx.updateTable('tracks').set({ missing_since: 1 }).where('id', '=', tracks[0]!).execute(),
    );
    const [left] = (await list()).items;
    expect(left?.track.missing).toBe(true);
  });

  test('[FA5] many at once are all or none, and named twice is one after the other', async () => {
    const [a = '', b = ''] = tracks;
    const { items } = await setMarks(ctx, ana, {
      marks: [
        { track_id: a, is_favorite: true, rating: 5 },
        { track_id: b, rating: 2 },
        { track_id: a, rating: null, notes: 'Loud' },
      ],
    });
    expect(items.map(({ track_id, rating, notes, favorited_at }) => [track_id, rating, notes, favorited_at !== null])).toEqual(
      [[a, null, 'Loud', true], [b, 2, null, false]],
    ); // prettier-ignore
    const before = await database.db.selectFrom('user_favorites').selectAll().orderBy('track_id').execute();
    await expect(
      setMarks(ctx, ana, { marks: [{ track_id: b, rating: 1 }, { track_id: nobody, rating: 1 }] }), // prettier-ignore
    ).rejects.toMatchObject({ code: 'unprocessable', errors: [{ path: 'marks.1.track_id' }] });
    expect(await database.db.selectFrom('user_favorites').selectAll().orderBy('track_id').execute()).toEqual(before);
  });

  test('[FA5] a heart that is put back has its day again, and none is of tomorrow', async () => {
    const first = await heartAt(0, 0);
    await heartAt(1, 60);
    await removeFavorite(ctx, ana, { track_id: tracks[0]! });
    const later = first.favorited_at! + 1_000_000;
    const { items } = await setMarks(ctx, ana, {
      marks: [
        { track_id: tracks[0]!, is_favorite: true, favorited_at: first.favorited_at! },
        { track_id: tracks[2]!, is_favorite: true, favorited_at: later },
      ],
    });
    expect(items.map(({ favorited_at }) => favorited_at)).toEqual([first.favorited_at, first.favorited_at! + 60]);
  });

  test('[FA6] what there never was has no heart', async () => {
    for (const refused of [
      () => addFavorite(ctx, ana, { track_id: nobody }),
      () => addFavorite(ctx, ana, { track_path: '../../etc/passwd' }),
      () => setRating(ctx, ana, { track_id: nobody, rating: 1 }),
      () => setNote(ctx, ana, { track_id: nobody, notes: 'x' }),
      () => removeFavorite(ctx, ana, { track_id: nobody }),
      () => setAlbum(ctx, ana, nobody, { is_favorite: true }),
      () => setArtist(ctx, ana, nobody, { is_favorite: false }),
    ]) {
      await expect(refused()).rejects.toMatchObject({ code: 'not_found' });
    }
    expect((await addFavorite(ctx, ana, { track_path: `${tracks[0]}.flac` })).track_id).toBe(tracks[0]);
  });

  test('[FA7] albums and artists have hearts and notes, and keep them when their files are gone', async () => {
    const [album_ids, artist_ids] = [[nobody.replace('A', 'b'), nobody.replace('A', 'c')], [nobody]];
    await ctx.write(async (trx) => {
      for (const [i, id] of album_ids.entries()) {
        const album = { id, album_key: `k${i}`, title: `Album ${i}`, album_artist: null, year: 2001 };
        await trx
          .insertInto('albums')
          .values({ ...album, title_sort: `album ${1 - i}`, search_text: '' })
          .execute();
      }
      const artist = { artist_key: 'a', name: 'Artist', name_sort: 'artist', search_text: '' };
      await trx
        .insertInto('artists')
        .values({ id: artist_ids[0]!, ...artist })
        .execute();
      await trx.updateTable('tracks').set({ album_id: album_ids[0]! }).where('id', '=', tracks[0]!).execute();
    });
    for (const id of album_ids) {
      await setAlbum(ctx, ana, id, { is_favorite: true });
      ctx.clock.advance(1000);
    }
    const albums = async (more: object = {}) =>
      (await listFavoriteAlbums(ctx, ana, { ...LIKED, ...more })).items.map(({ album }) => [
        album.title,
        album.track_count,
      ]);
    expect(await albums()).toEqual([['Album 1', 0], ['Album 0', 1]]); // prettier-ignore
    expect(await albums({ sort: 'name', order: 'asc' })).toEqual([['Album 1', 0], ['Album 0', 1]]); // prettier-ignore
    const first = await listFavoriteAlbums(ctx, ana, { ...LIKED, limit: 1 });
    const rest = await listFavoriteAlbums(ctx, ana, { ...LIKED, limit: 1, cursor: first.next_cursor! });
    expect([first.items[0]?.album.title, rest.items[0]?.album.title, rest.next_cursor]).toEqual([
      'Album 1',
      'Album 0',
      null,
    ]);

    expect(await setAlbum(ctx, ana, album_ids[1]!, { notes: 'Side two' })).toMatchObject({
      notes: 'Side two',
      version: 2,
    });
    await setAlbum(ctx, ana, album_ids[1]!, { is_favorite: false });
    expect(await albums()).toEqual([['Album 0', 1]]);
    expect(await setArtist(ctx, ana, artist_ids[0]!, { is_favorite: true })).toMatchObject({
      artist: { name: 'Artist', track_count: 0 },
    });
    expect((await listFavoriteArtists(ctx, ana, LIKED)).items).toHaveLength(1);
    expect((await listFavoriteArtists(ctx, ben, LIKED)).items).toEqual([]);
    const held = await listMarks(ctx, ana, { album_ids, artist_ids });
    expect([held.albums.length, held.artists[0]?.id, held.items]).toEqual([2, artist_ids[0], []]);
    expect(await listMarks(ctx, ben, { album_ids, artist_ids })).toMatchObject({ albums: [], artists: [] });
  });

  test('[FA8] two devices at once: whoever keeps the highest version of each ends with what is stored', async () => {
    const random = seeded();
    console.log(`SEED=${random.seed}`);
    const devices = [new Map<string, object>(), new Map<string, object>()];
    const seen = devices.map(() => new Map<string, number>());
    await Promise.all(
      Array.from({ length: 60 }, () => {
        const track_id = random.pick(tracks);
        return random.pick([
          () => addFavorite(ctx, ana, { track_id }),
          () => removeFavorite(ctx, ana, { track_id }),
          () => setRating(ctx, ana, { track_id, rating: 1 + random.int(5) }),
          () => clearRating(ctx, ana, { track_id }),
        ])();
      }),
    );
    const told = ctx.happened.flatMap((event) =>
      event.name === 'favorites.changed' && event.payload.kind === 'track' ? event.payload.marks : [],
    );
    // Each device hears it in an order of its own, as answers and notices overtake each other.
    for (const [d, device] of devices.entries()) {
      for (const mark of [...told].sort(() => random.next() - 0.5)) {
        if ((seen[d]!.get(mark.track_id) ?? -1) >= mark.version) continue;
        seen[d]!.set(mark.track_id, mark.version);
        device.set(mark.track_id, mark);
      }
    }
    const stored = await database.db
      .selectFrom('user_favorites')
      .select(['track_id', 'rating', 'notes', 'favorited_at', 'version'])
      .execute();
    for (const device of devices) {
      for (const row of stored) expect(device.get(row.track_id)).toEqual(row);
    }
  });
});
