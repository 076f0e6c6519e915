import { CompiledQuery } from 'kysely';
import { statementOf } from '#db/unit.ts';
import { getPlaylist, listCollaborators, listPlaylistTracks } from '#contract/playlists.ts';
import { usersByIds } from '../accounts/accounts.queries.ts';
import { tracksByIds } from '../library/library.queries.ts';
import { notFound } from '../errors.ts';
import { cutPage, readCursor } from '../page.ts';
import { isBlocked } from '../social/social.access.ts';
import { isShownTo, requireListRight } from './playlists.access.ts';
import { presentEntry, presentPlaylist } from './playlists.present.ts';
import type { listPlaylists, Playlist, PlaylistRole } from '#contract/playlists.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { PlaylistEntriesTable } from './playlists.table.ts';
import type { ExpressionBuilder, Kysely, Selectable } from 'kysely';

function withMyRole(db: Kysely<Schema>, actor: Actor) {
  return db
    .selectFrom('user_playlists')
    .leftJoin('playlist_collaborators as mine', (join) =>
      join.onRef('mine.playlist_id', '=', 'user_playlists.id').on('mine.user_id', '=', actor.user_id),
    )
    .selectAll('user_playlists')
    .select('mine.role as my_role');
}

/** My lists, or public ones of people who share theirs; last changed first. */
export async function playlists(
  ctx: Ctx,
  actor: Actor,
  { scope, limit, cursor }: Input<typeof listPlaylists>,
): Promise<Reply<typeof listPlaylists>> {
  const after = readCursor<[number, string]>(cursor);
  let query = withMyRole(ctx.db, actor)
    .orderBy('updated_at', 'desc')
    .orderBy('user_playlists.id', 'desc')
    .limit(limit + 1);
  query =
    scope === 'mine'
      ? query.where((eb) => eb.or([eb('user_playlists.user_id', '=', actor.user_id), eb('mine.role', 'is not', null)]))
      : query
          .where('is_public', '=', 1)
          .where('user_playlists.user_id', '<>', actor.user_id)
          .where((eb) =>
            eb.exists(
              eb
                .selectFrom('user_profiles')
                .innerJoin('users', 'users.id', 'user_profiles.user_id')
                .select('user_profiles.user_id')
                .whereRef('user_profiles.user_id', '=', 'user_playlists.user_id')
                .where('user_profiles.share_playlists', '=', 1)
                .where('user_profiles.privacy_level', '>', 0)
                .where('users.is_active', '=', 1)
                .where((not) => not.not(isBlocked(actor.user_id, 'users.id'))),
            ),
          );
  if (after !== null) {
    const [updated_at, id] = after;
    query = query.where((eb) =>
      eb.or([
        eb('user_playlists.updated_at', '<', updated_at),
        eb.and([eb('user_playlists.updated_at', '=', updated_at), eb('user_playlists.id', '<', id)]),
      ]),
    );
  }
  const { rows, next_cursor } = cutPage(await query.execute(), limit, (row) => [row.updated_at, row.id]);
  const owners = await usersByIds(
    ctx.db,
    rows.map((row) => row.user_id),
  );
  const items = rows.flatMap((row) => {
    const owner = owners.get(row.user_id);
    const role: PlaylistRole = row.user_id === actor.user_id ? 'owner' : (row.my_role ?? 'public');
    return owner === undefined ? [] : [presentPlaylist(row, owner, role)];
  });
  return { items, next_cursor };
}

/** One list I may see. @throws DomainError not_found */
export async function playlist(
  ctx: Ctx,
  actor: Actor,
  { id }: Input<typeof getPlaylist>,
): Promise<Reply<typeof getPlaylist>> {
  return showPlaylist(ctx, actor, id, await requireListRight(ctx.db, actor, getPlaylist, id));
}

/** A list as the actor sees it, who is this to it. @throws DomainError not_found */
export async function showPlaylist(
  ctx: Ctx,
  actor: Actor,
  id: string,
  role: PlaylistRole,
): Promise<Reply<typeof getPlaylist>> {
  const row = await ctx.db
    .selectFrom('user_playlists')
    .selectAll()
    .where('id', '=', id)
    .where(isShownTo(actor.user_id, 'user_playlists.id'))
    .executeTakeFirst();
  const owner = row === undefined ? undefined : (await usersByIds(ctx.db, [row.user_id])).get(row.user_id);
  if (row === undefined || owner === undefined) throw notFound('playlist');
  return presentPlaylist(row, owner, role);
}

/** Lists somebody looks through by name, last changed first: more than anybody knows by heart. */
const SHOWN_NAMES = 5_000;

/** Names of the lists a person may see: their own, those they belong to, public ones. */
export async function shownPlaylistNames(db: Kysely<Schema>, user_id: string): Promise<{ id: string; name: string }[]> {
  return (
    db
      .selectFrom('user_playlists')
      .select(['user_playlists.id', 'user_playlists.name'])
      // Narrows by indexes what the next line decides of each.
      .where((eb) =>
        eb.or([
          eb('user_playlists.user_id', '=', user_id),
          eb('user_playlists.is_public', '=', 1),
          eb('user_playlists.id', 'in', (mine) =>
            mine.selectFrom('playlist_collaborators').select('playlist_id').where('user_id', '=', user_id),
          ),
        ]),
      )
      .where(isShownTo(user_id, 'user_playlists.id'))
      .orderBy('user_playlists.updated_at', 'desc')
      .orderBy('user_playlists.id')
      .limit(SHOWN_NAMES)
      .execute()
  );
}

/** These lists as the actor sees them, in this order; those they may not see are left out. */
export async function playlistsByIds(ctx: Ctx, actor: Actor, ids: readonly string[]): Promise<Playlist[]> {
  if (ids.length === 0) return [];
  const rows = await ctx.db
    .selectFrom('user_playlists')
    .selectAll('user_playlists')
    .select((eb) =>
      eb
        .selectFrom('playlist_collaborators')
        .select('role')
        .whereRef('playlist_id', '=', 'user_playlists.id')
        .where('playlist_collaborators.user_id', '=', actor.user_id)
        .as('my_role'),
    )
    .where('user_playlists.id', 'in', ids)
    .where(isShownTo(actor.user_id, 'user_playlists.id'))
    .execute();
  const users = await usersByIds(ctx.db, [...new Set(rows.map((row) => row.user_id))]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => {
    const row = byId.get(id);
    const owner = row === undefined ? undefined : users.get(row.user_id);
    if (row === undefined || owner === undefined) return [];
    return [presentPlaylist(row, owner, row.user_id === actor.user_id ? 'owner' : (row.my_role ?? 'public'))];
  });
}

/** Entries of a list whose track stands further up in it: of some tracks, or of all. */
function duplicatesIn(db: Kysely<Schema>, playlist_id: string, track_ids: readonly string[] | null) {
  let all = db
    .selectFrom('playlist_tracks')
    .select('entry_id')
    .select((eb) =>
      eb.fn
        .agg<number>('row_number')
        .over((over) => over.partitionBy('track_id').orderBy('place').orderBy('entry_id'))
        .as('nth'),
    )
    .where('playlist_id', '=', playlist_id)
    .where('track_id', 'is not', null);
  if (track_ids !== null) all = all.where('track_id', 'in', track_ids);
  return db.selectFrom(all.as('one')).select('one.entry_id').where('one.nth', '>', 1);
}

async function duplicatesAmong(
  db: Kysely<Schema>,
  playlist_id: string,
  rows: readonly { track_id: string | null }[],
): Promise<Set<string>> {
  const track_ids = [...new Set(rows.flatMap((row) => row.track_id ?? []))];
  if (track_ids.length === 0) return new Set();
  const found = await duplicatesIn(db, playlist_id, track_ids).execute();
  return new Set(found.map((row) => row.entry_id));
}

/** How far a page of a list has come: the place and the id of its last entry. */
type Place = [string, string];

/** Entries behind a place, or up to it. */
function beside(compare: '>' | '<=', [place, entry_id]: Place) {
  return (eb: ExpressionBuilder<Schema, 'playlist_tracks'>) =>
    eb(eb.refTuple('place', 'entry_id'), compare, eb.tuple(place, entry_id));
}

/** The entries of a list in order, or those of one kind. @throws DomainError not_found */
export async function playlistTracks(
  ctx: Ctx,
  actor: Actor,
  { id, limit, cursor, only }: Input<typeof listPlaylistTracks>,
): Promise<Reply<typeof listPlaylistTracks>> {
  await requireListRight(ctx.db, actor, listPlaylistTracks, id);
  const after = readCursor<Place>(cursor, ['string', 'string']);
  let query = ctx.db
    .selectFrom('playlist_tracks')
    .selectAll()
    .where('playlist_id', '=', id)
    .where(isShownTo(actor.user_id, 'playlist_tracks.playlist_id'))
    .orderBy('place')
    .orderBy('entry_id')
    .limit(limit + 1);
  if (after !== null) query = query.where(beside('>', after));
  if (only === 'duplicates') query = query.where('entry_id', 'in', duplicatesIn(ctx.db, id, null));
  if (only === 'unmatched') query = query.where('track_id', 'is', null);
  if (only === 'missing') {
    query = query.where('track_id', 'in', (eb) =>
      eb.selectFrom('tracks').select('id').where('missing_since', 'is not', null),
    );
  }
  const found = await query.execute();
  const { rows, next_cursor } = cutPage(found, limit, (row) => [row.place, row.entry_id]);
  const tracks = await tracksByIds(
    ctx.db,
    rows.flatMap((row) => row.track_id ?? []),
  );
  const users = await usersByIds(ctx.db, [...new Set(rows.flatMap((row) => row.added_by_user_id ?? []))]);
  const places = await placesOf(ctx.db, { id, only }, after);
  const duplicates = await duplicatesAmong(ctx.db, id, rows);
  return {
    items: rows.map((row, i) =>
      presentEntry(
        { ...row, position: places(row.entry_id, i), is_duplicate: duplicates.has(row.entry_id) },
        tracks,
        users,
      ),
    ),
    next_cursor,
  };
}

/** How many entries stand before one: before the first of a whole page, or, where others were left out, before each. */
async function placesOf(
  db: Kysely<Schema>,
  { id, only }: { id: string; only: unknown },
  after: Place | null,
): Promise<(entry_id: string, index: number) => number> {
  if (only === undefined) {
    if (after === null) return (_entry_id, index) => index;
    const { n } = await db
      .selectFrom('playlist_tracks')
      .select((eb) => eb.fn.countAll<number>().as('n'))
      .where('playlist_id', '=', id)
      .where(beside('<=', after))
      .executeTakeFirstOrThrow();
    return (_entry_id, index) => n + index;
  }
  const all = await db
    .selectFrom('playlist_tracks')
    .select('entry_id')
    .where('playlist_id', '=', id)
    .orderBy('place')
    .orderBy('entry_id')
    .execute();
  const places = new Map(all.map((row, place) => [row.entry_id, place]));
  return (entry_id) => places.get(entry_id) ?? 0;
}

/** Owner and members of a list; those who merely read a public list see the owner only. */
export async function collaborators(
  ctx: Ctx,
  actor: Actor,
  { id }: Input<typeof listCollaborators>,
): Promise<Reply<typeof listCollaborators>> {
  const role = await requireListRight(ctx.db, actor, listCollaborators, id);
  const list = await ctx.db
    .selectFrom('user_playlists')
    .select(['user_id', 'created_at'])
    .where('id', '=', id)
    .where(isShownTo(actor.user_id, 'user_playlists.id'))
    .executeTakeFirst();
  if (list === undefined) throw notFound('playlist');
  const members =
    role === 'public'
      ? []
      : await ctx.db
          .selectFrom('playlist_collaborators')
          .select(['user_id', 'role', 'added_at'])
          .where('playlist_id', '=', id)
          .where(isShownTo(actor.user_id, 'playlist_collaborators.playlist_id'))
          .orderBy('added_at')
          .orderBy('user_id')
          .execute();
  const people = [{ user_id: list.user_id, role: 'owner' as const, added_at: list.created_at }, ...members];
  const users = await usersByIds(
    ctx.db,
    people.map((person) => person.user_id),
  );
  const items = people.flatMap(({ user_id, role: theirs, added_at }) => {
    const user = users.get(user_id);
    return user === undefined ? [] : [{ ...user, role: theirs, added_at }];
  });
  return { items, next_cursor: null };
}

/** The owner and everybody who belongs to a list: asked after every edit, so not built anew each time. */
export async function memberIds(db: Kysely<Schema>, playlist_id: string): Promise<string[]> {
  const query = memberQueries.get(db) ?? memberQuery(db);
  memberQueries.set(db, query);
  const { sql, parameters } = query({ playlist_id });
  const { rows } = await db.executeQuery<{ user_id: string }>(CompiledQuery.raw(sql, [...parameters]));
  return rows.map((row) => row.user_id);
}

const memberQueries = new WeakMap<Kysely<Schema>, ReturnType<typeof memberQuery>>();

function memberQuery(db: Kysely<Schema>) {
  return statementOf<{ playlist_id: string }>((at) =>
    db
      .selectFrom('user_playlists')
      .select('user_id')
      .where('id', '=', at.playlist_id)
      .unionAll(db.selectFrom('playlist_collaborators').select('user_id').where('playlist_id', '=', at.playlist_id)),
  );
}

/** How often a list was changed; 0 for one that is not there. */
export async function versionOf(db: Kysely<Schema>, playlist_id: string): Promise<number> {
  const row = await db.selectFrom('user_playlists').select('version').where('id', '=', playlist_id).executeTakeFirst();
  return row?.version ?? 0;
}

/** What the ledger has of these entries, in the list or removed from it. */
export async function ledgerEntries(
  db: Kysely<Schema>,
  playlist_id: string,
  entry_ids: readonly string[],
): Promise<Selectable<PlaylistEntriesTable>[]> {
  const known: Selectable<PlaylistEntriesTable>[] = [];
  for (let i = 0; i < entry_ids.length; i += 500) {
    const rows = await db
      .selectFrom('playlist_entries')
      .selectAll()
      .where('playlist_id', '=', playlist_id)
      .where('entry_id', 'in', entry_ids.slice(i, i + 500))
      .execute();
    known.push(...rows);
  }
  return known;
}

/** The epoch of each of these lists that is there. */
export async function epochsOf(db: Kysely<Schema>, playlist_ids: readonly string[]): Promise<Map<string, number>> {
  const epochs = new Map<string, number>();
  for (let i = 0; i < playlist_ids.length; i += 500) {
    const rows = await db
      .selectFrom('user_playlists')
      .select(['id', 'epoch'])
      .where('id', 'in', playlist_ids.slice(i, i + 500))
      .execute();
    for (const row of rows) epochs.set(row.id, row.epoch);
  }
  return epochs;
}

export async function playlistIdsOwnedBy(db: Kysely<Schema>, user_id: string): Promise<string[]> {
  const rows = await db.selectFrom('user_playlists').select('id').where('user_id', '=', user_id).execute();
  return rows.map((row) => row.id);
}
