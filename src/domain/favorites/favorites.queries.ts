/** Reads what a person holds dear. */
import { sql } from 'kysely';
import { after, decodeCursor, encodeCursor } from '../library/keyset.ts';
import { TRACK_COLUMNS, presentTrack } from '../library/library.present.ts';
import { albumsByIds, artistsByIds, like, trackSort } from '../library/library.queries.ts';
import { searchPatterns } from '../library/library.rules.ts';
import type * as contract from '#contract/favorites.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Order, SortColumn, SortValue } from '../library/keyset.ts';
import type { LikedKind, LikedRow } from './favorites.repository.ts';
import { LIKED } from './favorites.repository.ts';

const MARK_COLUMNS = ['track_id', 'rating', 'notes', 'favorited_at', 'version'] as const;
const whole = (name: string, column: string): SortColumn => ({
  name,
  // With a fraction, so that PostgreSQL takes any number a cursor may hold.
  expression: sql<SortValue>`cast(coalesce(${sql.ref(column)}, 0) as double precision)`,
});

function sortOf(sort: Input<typeof contract.listFavorites>['sort'], order: Order) {
  const id: SortColumn = { name: 's_id', expression: sql.ref<SortValue>('tracks.id') };
  const artist: SortColumn = { name: 's_artist', expression: sql.ref<SortValue>('tracks.artist_sort') };
  switch (sort) {
    case 'favorited':
      return { columns: [whole('s_favorited', 'user_favorites.favorited_at'), id], types: 'ns' };
    case 'rating':
      return { columns: [whole('s_rating', 'user_favorites.rating'), artist, id], types: 'nss' };
    default:
      return trackSort(sort, order);
  }
}

/** My hearts, stars and notes with their tracks, missing ones too. */
export async function listFavorites(
  ctx: Ctx,
  actor: Actor,
  input: Input<typeof contract.listFavorites>,
): Promise<Reply<typeof contract.listFavorites>> {
  const { limit, cursor, sort, order, show } = input;
  const { columns, types } = sortOf(sort, order);
  let query = ctx.db
    .selectFrom('user_favorites')
    .innerJoin('tracks', 'tracks.id', 'user_favorites.track_id')
    .select(TRACK_COLUMNS.map((name) => `tracks.${name}` as const))
    .select(MARK_COLUMNS.map((name) => `user_favorites.${name}` as const))
    .select(columns.map((column) => sql<SortValue>`${column.expression}`.as(column.name)))
    .where('user_favorites.user_id', '=', actor.user_id)
    .limit(limit + 1);
  if (show === 'hearts') query = query.where('favorited_at', 'is not', null);
  if (show === 'rated') query = query.where('rating', 'is not', null);
  if (show === 'noted') query = query.where('notes', 'is not', null);
  if (show === 'all') {
    query = query.where((eb) =>
      eb.or([eb('favorited_at', 'is not', null), eb('rating', 'is not', null), eb('notes', 'is not', null)]),
    );
  }
  if (input.min_rating !== undefined) query = query.where('rating', '>=', input.min_rating);
  if (input.max_rating !== undefined) query = query.where('rating', '<=', input.max_rating);
  for (const pattern of searchPatterns(input.q ?? '')) query = query.where(like('tracks.search_text', pattern));
  for (const column of columns) query = query.orderBy(column.expression, order);
  if (cursor !== undefined) query = query.where(after(columns, order, decodeCursor(cursor, sort, order, types)));
  const rows = await query.execute();
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  const values = (row: (typeof rows)[number]) =>
    columns.map((column) => (row as unknown as Record<string, SortValue>)[column.name] ?? '');
  return {
    items: shown.map((row) => {
      const { track_id, rating, notes, favorited_at, version } = row;
      return { track_id, track: presentTrack(row), rating, notes, favorited_at, version };
    }),
    next_cursor: last === undefined ? null : encodeCursor(sort, order, values(last)),
  };
}

/** What I hold of these. */
export async function listMarks(
  ctx: Ctx,
  actor: Actor,
  { track_ids = [], album_ids = [], artist_ids = [] }: Input<typeof contract.listMarks>,
): Promise<Reply<typeof contract.listMarks>> {
  const items =
    track_ids.length === 0
      ? []
      : await ctx.db
          .selectFrom('user_favorites')
          .select(MARK_COLUMNS)
          .where('user_id', '=', actor.user_id)
          .where('track_id', 'in', [...new Set(track_ids)])
          .where((eb) =>
            eb.or([eb('favorited_at', 'is not', null), eb('rating', 'is not', null), eb('notes', 'is not', null)]),
          )
          .execute();
  const liked = async (kind: LikedKind, ids: readonly string[]) => {
    if (ids.length === 0) return [];
    const { table, column } = LIKED[kind];
    const { rows } = await sql<LikedRow & { id: string }>`
      select ${sql.ref(column)} as id, favorited_at, notes, version from ${sql.table(table)}
      where user_id = ${actor.user_id} and ${sql.ref(column)} in (${sql.join([...new Set(ids)])})
        and (favorited_at is not null or notes is not null)`.execute(ctx.db);
    return rows;
  };
  return {
    items,
    albums: await liked('album', album_ids),
    artists: await liked('artist', artist_ids),
    next_cursor: null,
  };
}

type LikedInput = Input<typeof contract.listFavoriteAlbums>;

async function likedPage(ctx: Ctx, actor: Actor, kind: LikedKind, { limit, cursor, sort, order }: LikedInput) {
  const { table, column, of } = LIKED[kind];
  const name = kind === 'album' ? 'albums.title_sort' : 'artists.name_sort';
  const columns: SortColumn[] = [
    ...(sort === 'favorited'
      ? [whole('favorited', `${table}.favorited_at`)]
      : [{ name: 'name', expression: sql.ref<SortValue>(name) }]),
    { name: 'id', expression: sql.ref<SortValue>(`${of}.id`) },
  ];
  const past =
    cursor === undefined
      ? sql`true`
      : after(columns, order, decodeCursor(cursor, `${kind} ${sort}`, order, sort === 'favorited' ? 'ns' : 'ss'));
  // One text for both tables: kysely's types know no table by a variable.
  const { rows } = await sql<LikedRow & { id: string; first: SortValue }>`
    select ${sql.ref(`${of}.id`)}, favorited_at, notes, version, ${columns[0]?.expression} as "first"
    from ${sql.table(table)} inner join ${sql.table(of)} on ${sql.ref(`${of}.id`)} = ${sql.ref(`${table}.${column}`)}
    where user_id = ${actor.user_id} and favorited_at is not null and ${past}
    order by ${sql.join(columns.map(({ expression }) => sql`${expression} ${sql.raw(order)}`))}
    limit ${limit + 1}`.execute(ctx.db);
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return {
    shown,
    next_cursor: last === undefined ? null : encodeCursor(`${kind} ${sort}`, order, [last.first, last.id]),
  };
}

/** Albums with my heart, those whose files are gone too. */
export async function listFavoriteAlbums(
  ctx: Ctx,
  actor: Actor,
  input: LikedInput,
): Promise<Reply<typeof contract.listFavoriteAlbums>> {
  const { shown, next_cursor } = await likedPage(ctx, actor, 'album', input);
  const albums = await albumsByIds(
    ctx.db,
    shown.map(({ id }) => id),
  );
  return {
    items: shown.flatMap(({ id, favorited_at, notes, version }) => {
      const album = albums.get(id);
      return album === undefined ? [] : [{ album_id: id, album, favorited_at, notes, version }];
    }),
    next_cursor,
  };
}

/** Artists with my heart, those whose files are gone too. */
export async function listFavoriteArtists(
  ctx: Ctx,
  actor: Actor,
  input: LikedInput,
): Promise<Reply<typeof contract.listFavoriteArtists>> {
  const { shown, next_cursor } = await likedPage(ctx, actor, 'artist', input);
  const artists = await artistsByIds(
    ctx.db,
    shown.map(({ id }) => id),
  );
  return {
    items: shown.flatMap(({ id, favorited_at, notes, version }) => {
      const artist = artists.get(id);
      return artist === undefined ? [] : [{ artist_id: id, artist, favorited_at, notes, version }];
    }),
    next_cursor,
  };
}
