import { sql } from 'kysely';
import { notFound } from '#domain/errors.ts';
import { after, decodeCursor, encodeCursor } from './keyset.ts';
import { FEW_MATCHES } from '../search/search-index.ts';
import { begunBy } from '../search/begun.queries.ts';
import { nameKey, searchPatterns } from './library.rules.ts';
import { TRACK_COLUMNS, presentAlbum, presentArtist, presentTrack } from './library.present.ts';
import type * as contract from '#contract/library.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Album, Artist, Track } from '#contract/library.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Schema } from '#domain/database.ts';
import type { Order, SortColumn, SortValue } from './keyset.ts';
import type { Expression, Kysely, NotNull, Selectable, SqlBool } from 'kysely';
import type { TracksTable } from './library.table.ts';

type Db = Kysely<Schema>;

/** Ids in one statement: SQLite takes 32,766 values. */
const IDS_AT_ONCE = 500;

/** Sorts after every year or duration there is. */
const UNKNOWN_LAST = 999_999_999;

/**
 * A number to sort by; what is not known comes last, whichever way the list runs. Compared with a fraction, so that PostgreSQL takes
 * any number a cursor may hold.
 */
function numberOrLast(column: 'year' | 'duration' | 'added_at', order: Order): SortColumn {
  const value = sql`coalesce(${sql.ref(`tracks.${column}`)}, ${sql.lit(order === 'asc' ? UNKNOWN_LAST : -1)})`;
  return { name: `s_${column}`, expression: sql<SortValue>`cast(${value} as double precision)` };
}

/** How tracks are sorted; `types` are those of a cursor's values. */
export function trackSort(
  sort: Input<typeof contract.listTracks>['sort'],
  order: Order,
): { columns: SortColumn[]; types: string } {
  const ref = (name: string): SortColumn => ({ name: `s_${name}`, expression: sql.ref<SortValue>(`tracks.${name}`) });
  const id = ref('id');
  switch (sort) {
    case 'title':
      return { columns: [ref('title_sort'), id], types: 'ss' };
    case 'artist':
      return { columns: [ref('artist_sort'), id], types: 'ss' };
    case 'album':
      return { columns: [ref('album_sort'), id], types: 'ss' };
    case 'added':
      return { columns: [numberOrLast('added_at', order), ref('artist_sort'), id], types: 'nss' };
    case 'year':
    case 'duration':
      return { columns: [numberOrLast(sort, order), ref('artist_sort'), id], types: 'nss' };
  }
}

export function like(column: string, pattern: string): Expression<SqlBool> {
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}

/** Tracks, sorted and filtered; those whose file is gone only when asked for. */
export async function listTracks(
  ctx: Ctx,
  _actor: Actor,
  input: Input<typeof contract.listTracks>,
): Promise<Reply<typeof contract.listTracks>> {
  const { limit, cursor, sort, order } = input;
  const { columns, types } = trackSort(sort, order);
  let query = ctx.db
    .selectFrom('tracks')
    .select(TRACK_COLUMNS.map((name) => `tracks.${name}` as const))
    .select(columns.map((column) => sql<SortValue>`${column.expression}`.as(column.name)))
    .where('missing_since', input.missing === true ? 'is not' : 'is', null)
    .limit(limit + 1);
  for (const column of columns) query = query.orderBy(column.expression, order);
  if (cursor !== undefined) query = query.where(after(columns, order, decodeCursor(cursor, sort, order, types)));
  if (input.missing === true) {
    // Few, and not in the index: a search does not find them.
    for (const pattern of searchPatterns(input.q ?? '')) query = query.where(like('tracks.search_text', pattern));
  } else {
    const begun = await begunBy(ctx, 'search_tracks', 'tracks.id', input.q ?? '');
    if (begun !== null) query = query.where(begun);
  }
  if (input.album_id !== undefined) query = query.where('album_id', '=', input.album_id);
  if (input.artist_id !== undefined) query = query.where('artist_id', '=', input.artist_id);
  if (input.artist !== undefined) {
    const key = nameKey(input.artist);
    query = query.where('artist_id', 'in', (eb) => eb.selectFrom('artists').select('id').where('artist_key', '=', key));
  }
  if (input.genre !== undefined) query = query.where(await ofGenre(ctx.db, nameKey(input.genre)));
  const rows = await query.execute();
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  const values = (row: (typeof rows)[number]) =>
    columns.map((column) => (row as unknown as Record<string, SortValue>)[column.name] ?? '');
  return {
    items: shown.map(presentTrack),
    next_cursor: last === undefined ? null : encodeCursor(sort, order, values(last)),
  };
}

/** For the WHERE of tracks: those of a genre, by whichever way is shorter (`FEW_MATCHES`). */
async function ofGenre(db: Db, key: string): Promise<Expression<SqlBool>> {
  const theirs = db.selectFrom('track_genres').select('track_id').where('genre_key', '=', key);
  const beyond = await theirs.limit(1).offset(FEW_MATCHES).executeTakeFirst();
  if (beyond === undefined) return sql<SqlBool>`tracks.id in ${theirs}`;
  return sql<SqlBool>`exists ${theirs.whereRef('track_id', '=', sql.ref('tracks.id'))}`;
}

/** One track, missing or not. @throws DomainError `not_found` */
export async function getTrack(ctx: Ctx, _actor: Actor, input: { track_id: string }): Promise<Track> {
  const row = await ctx.db
    .selectFrom('tracks')
    .select(TRACK_COLUMNS)
    .where('id', '=', input.track_id)
    .executeTakeFirst();
  if (row === undefined) throw notFound('track');
  return presentTrack(row);
}

/** Tracks by id, missing ones too; ids that never were are not in the answer. */
export async function tracksByIds(db: Db, ids: Iterable<string>): Promise<Map<string, Track>> {
  const wanted = [...new Set(ids)];
  const found = new Map<string, Track>();
  for (let i = 0; i < wanted.length; i += IDS_AT_ONCE) {
    const some = wanted.slice(i, i + IDS_AT_ONCE);
    for (const row of await db.selectFrom('tracks').select(TRACK_COLUMNS).where('id', 'in', some).execute()) {
      found.set(row.id, presentTrack(row));
    }
  }
  return found;
}

/** Which of these ids are tracks the library has or had. */
export async function existingTrackIds(db: Db, ids: Iterable<string>): Promise<Set<string>> {
  const wanted = [...new Set(ids)];
  const found = new Set<string>();
  for (let i = 0; i < wanted.length; i += IDS_AT_ONCE) {
    const some = wanted.slice(i, i + IDS_AT_ONCE);
    for (const row of await db.selectFrom('tracks').select('id').where('id', 'in', some).execute()) found.add(row.id);
  }
  return found;
}

/** Of these tracks the ones the library ever had, with their lengths in seconds (null: unknown). */
export async function trackLengths(
  db: Db,
  ids: readonly string[],
): Promise<Map<string, { id: string; duration: number | null }>> {
  const found = new Map<string, { id: string; duration: number | null }>();
  for (let i = 0; i < ids.length; i += IDS_AT_ONCE) {
    const some = ids.slice(i, i + IDS_AT_ONCE);
    const rows = await db.selectFrom('tracks').select(['id', 'duration']).where('id', 'in', some).execute();
    for (const row of rows) found.set(row.id, row);
  }
  return found;
}

/** The track at a path relative to its root, by exact match; one whose file is there before one whose file is gone. */
export async function findTrackByPath(db: Db, track_path: string): Promise<Track | null> {
  // No file system has NUL in a name, and PostgreSQL refuses it.
  if (track_path.includes('\0')) return null;
  const row = await db
    .selectFrom('tracks')
    .select(TRACK_COLUMNS)
    .where('track_path', '=', track_path)
    .orderBy((eb) => eb.case().when('missing_since', 'is', null).then(0).else(1).end())
    .orderBy('missing_since', 'desc')
    .orderBy('added_at')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : presentTrack(row);
}

/** Where a track's file is, for the door that streams it; null when there is no such track. */
export async function trackFile(db: Db, track_id: string) {
  const row = await db
    .selectFrom('tracks')
    .select(['library_root', 'track_path', 'audio_hash', 'container', 'missing_since'])
    .where('id', '=', track_id)
    .executeTakeFirst();
  return row ?? null;
}

/** The cover that stands for a track; null when it has none or there is no such track. */
export async function trackCover(db: Db, track_id: string): Promise<string | null> {
  const row = await db.selectFrom('tracks').select('cover_hash').where('id', '=', track_id).executeTakeFirst();
  return row?.cover_hash ?? null;
}

/** Albums of which a track is there, with their sums. The first track in order that has a cover lends it. */
function albumRows(db: Db) {
  return db
    .selectFrom('albums')
    .innerJoin('tracks', (join) =>
      join.onRef('tracks.album_id', '=', 'albums.id').on('tracks.missing_since', 'is', null),
    )
    .select(['albums.id', 'albums.title', 'albums.album_artist', 'albums.year', 'albums.title_sort'])
    .select((eb) => [
      eb.fn.countAll().as('track_count'),
      eb.fn.sum<number>('tracks.duration').as('duration'),
      eb
        .selectFrom('tracks as covered')
        .select('covered.id')
        .whereRef('covered.album_id', '=', 'albums.id')
        .where('covered.missing_since', 'is', null)
        .where('covered.cover_hash', 'is not', null)
        .orderBy('covered.album_sort')
        .orderBy('covered.id')
        .limit(1)
        .as('cover_track_id'),
    ])
    .groupBy(['albums.id', 'albums.title', 'albums.album_artist', 'albums.year', 'albums.title_sort']);
}

const ALBUM_SORT: SortColumn[] = [
  { name: 'title_sort', expression: sql.ref('albums.title_sort') },
  { name: 'id', expression: sql.ref('albums.id') },
];

/** Albums by title. */
export async function listAlbums(
  ctx: Ctx,
  _actor: Actor,
  input: Input<typeof contract.listAlbums>,
): Promise<Reply<typeof contract.listAlbums>> {
  // The page first, and only of its albums the sums.
  let query = ctx.db
    .selectFrom('albums')
    .select(['albums.id', 'albums.title_sort'])
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('tracks')
          .select('tracks.id')
          .whereRef('tracks.album_id', '=', 'albums.id')
          .where('tracks.missing_since', 'is', null),
      ),
    )
    .orderBy('albums.title_sort')
    .orderBy('albums.id')
    .limit(input.limit + 1);
  if (input.cursor !== undefined)
    query = query.where(after(ALBUM_SORT, 'asc', decodeCursor(input.cursor, 'albums', 'asc', 'ss')));
  const begun = await begunBy(ctx, 'search_albums', 'albums.id', input.q ?? '');
  if (begun !== null) query = query.where(begun);
  const { artist_id } = input;
  if (artist_id !== undefined) query = query.where('albums.id', 'in', albumsOf(ctx.db, artist_id));
  const rows = await query.execute();
  const shown = rows.slice(0, input.limit);
  const last = rows.length > input.limit ? shown.at(-1) : undefined;
  const albums = await albumsByIds(
    ctx.db,
    shown.map(({ id }) => id),
  );
  return {
    items: shown.flatMap(({ id }) => albums.get(id) ?? []),
    next_cursor: last === undefined ? null : encodeCursor('albums', 'asc', [last.title_sort, last.id]),
  };
}

/** Albums an artist has a track on. */
function albumsOf(db: Db, artist_id: string) {
  return db
    .selectFrom('tracks as theirs')
    .select('theirs.album_id')
    .$narrowType<{ album_id: NotNull }>()
    .where('theirs.artist_id', '=', artist_id)
    .where('theirs.album_id', 'is not', null)
    .where('theirs.missing_since', 'is', null);
}

/** One album with its tracks by disc and number. @throws DomainError `not_found` */
export async function getAlbum(
  ctx: Ctx,
  _actor: Actor,
  input: { id: string },
): Promise<Reply<typeof contract.getAlbum>> {
  const album = await albumRows(ctx.db).where('albums.id', '=', input.id).executeTakeFirst();
  if (album === undefined) throw notFound('album');
  const tracks = await ctx.db
    .selectFrom('tracks')
    .select(TRACK_COLUMNS)
    .where('album_id', '=', input.id)
    .where('missing_since', 'is', null)
    .orderBy('album_sort')
    .orderBy('id')
    .execute();
  return { ...presentAlbum(album), tracks: tracks.map(presentTrack) };
}

/** Artists of which a track is there, with their counts. */
function artistRows(db: Db) {
  return db
    .selectFrom('artists')
    .innerJoin('tracks', (join) =>
      join.onRef('tracks.artist_id', '=', 'artists.id').on('tracks.missing_since', 'is', null),
    )
    .select(['artists.id', 'artists.name', 'artists.name_sort'])
    .select((eb) => [eb.fn.countAll().as('track_count'), eb.fn.count('tracks.album_id').distinct().as('album_count')])
    .groupBy(['artists.id', 'artists.name', 'artists.name_sort']);
}

const ARTIST_SORT: SortColumn[] = [
  { name: 'name_sort', expression: sql.ref('artists.name_sort') },
  { name: 'id', expression: sql.ref('artists.id') },
];

/** Artists by name. */
export async function listArtists(
  ctx: Ctx,
  _actor: Actor,
  input: Input<typeof contract.listArtists>,
): Promise<Reply<typeof contract.listArtists>> {
  let query = ctx.db
    .selectFrom('artists')
    .select(['artists.id', 'artists.name_sort'])
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('tracks')
          .select('tracks.id')
          .whereRef('tracks.artist_id', '=', 'artists.id')
          .where('tracks.missing_since', 'is', null),
      ),
    )
    .orderBy('artists.name_sort')
    .orderBy('artists.id')
    .limit(input.limit + 1);
  if (input.cursor !== undefined)
    query = query.where(after(ARTIST_SORT, 'asc', decodeCursor(input.cursor, 'artists', 'asc', 'ss')));
  const begun = await begunBy(ctx, 'search_artists', 'artists.id', input.q ?? '');
  if (begun !== null) query = query.where(begun);
  const rows = await query.execute();
  const shown = rows.slice(0, input.limit);
  const last = rows.length > input.limit ? shown.at(-1) : undefined;
  const artists = await artistsByIds(
    ctx.db,
    shown.map(({ id }) => id),
  );
  return {
    items: shown.flatMap(({ id }) => artists.get(id) ?? []),
    next_cursor: last === undefined ? null : encodeCursor('artists', 'asc', [last.name_sort, last.id]),
  };
}

/** One artist with the albums they have a track on, oldest first. @throws DomainError `not_found` */
export async function getArtist(
  ctx: Ctx,
  _actor: Actor,
  input: { id: string },
): Promise<Reply<typeof contract.getArtist>> {
  const artist = await artistRows(ctx.db).where('artists.id', '=', input.id).executeTakeFirst();
  if (artist === undefined) throw notFound('artist');
  const albums = await albumRows(ctx.db)
    .where('albums.id', 'in', albumsOf(ctx.db, input.id))
    .orderBy((eb) => eb.fn.coalesce('albums.year', sql.lit(UNKNOWN_LAST)))
    .orderBy('albums.title_sort')
    .orderBy('albums.id')
    .execute();
  return { ...presentArtist(artist), albums: albums.map(presentAlbum) };
}

/** Albums by id; those of which no track is there any more have none. */
export async function albumsByIds(db: Db, ids: readonly string[]): Promise<Map<string, Album>> {
  if (ids.length === 0) return new Map();
  const rows = await albumRows(db).where('albums.id', 'in', ids).execute();
  const found = new Map(rows.map((row) => [row.id, presentAlbum(row)]));
  const gone = ids.filter((id) => !found.has(id));
  if (gone.length === 0) return found;
  const empty = { track_count: 0, duration: 0, cover_track_id: null };
  for (const { id, title, album_artist, year } of await db
    .selectFrom('albums')
    .selectAll()
    .where('id', 'in', gone)
    .execute()) {
    found.set(id, { id, title, album_artist, year, ...empty });
  }
  return found;
}

/** As `albumsByIds`, artists. */
export async function artistsByIds(db: Db, ids: readonly string[]): Promise<Map<string, Artist>> {
  if (ids.length === 0) return new Map();
  const rows = await artistRows(db).where('artists.id', 'in', ids).execute();
  const found = new Map(rows.map((row) => [row.id, presentArtist(row)]));
  const gone = ids.filter((id) => !found.has(id));
  if (gone.length === 0) return found;
  for (const { id, name } of await db.selectFrom('artists').selectAll().where('id', 'in', gone).execute()) {
    found.set(id, { id, name, track_count: 0, album_count: 0 });
  }
  return found;
}

/** Genres with their track counts; a track of several genres counts in each. */
export async function listGenres(ctx: Ctx): Promise<Reply<typeof contract.listGenres>> {
  // All of them by the index alone, less the few whose file is gone: looking up every track takes forty times as long.
  const all = await ctx.db
    .selectFrom('track_genres')
    .select((eb) => ['genre_key', eb.fn.min('name').as('name'), eb.fn.countAll().as('count')])
    .groupBy('genre_key')
    .orderBy('genre_key')
    .execute();
  const gone = await ctx.db
    .selectFrom('track_genres')
    .select((eb) => ['genre_key', eb.fn.countAll().as('count')])
    .where('track_id', 'in', (eb) => eb.selectFrom('tracks').select('id').where('missing_since', 'is not', null))
    .groupBy('genre_key')
    .execute();
  const goneBy = new Map(gone.map(({ genre_key, count }) => [genre_key, Number(count)]));
  const items = all
    .map(({ genre_key, name, count }) => ({ name, track_count: Number(count) - (goneBy.get(genre_key) ?? 0) }))
    .filter(({ track_count }) => track_count > 0);
  return { items, next_cursor: null };
}

/** What decides whether a track is something heard elsewhere. */
const MATCHED_COLUMNS = [
  'id',
  'title',
  'artist',
  'album',
  'duration',
  'recording_mbid',
  'isrc',
  'missing_since',
  'title_sort',
] as const;
export type MatchableTrack = Pick<Selectable<TracksTable>, (typeof MATCHED_COLUMNS)[number]>;

/** Tracks of these sort keys (title and artist), MBIDs of recordings or ISRCs. */
export async function tracksLike(
  db: Db,
  { title_sorts, mbids, isrcs }: { title_sorts: readonly string[]; mbids: readonly string[]; isrcs: readonly string[] },
): Promise<MatchableTrack[]> {
  const found = new Map<string, MatchableTrack>();
  for (const [column, values] of [
    ['title_sort', title_sorts],
    ['recording_mbid', mbids],
    ['isrc', isrcs],
  ] as const) {
    const wanted = [...new Set(values)];
    for (let i = 0; i < wanted.length; i += IDS_AT_ONCE) {
      const some = wanted.slice(i, i + IDS_AT_ONCE);
      for (const row of await db.selectFrom('tracks').select(MATCHED_COLUMNS).where(column, 'in', some).execute()) {
        found.set(row.id, row);
      }
    }
  }
  return [...found.values()];
}
