import { setImmediate } from 'node:timers/promises';
import { sql } from 'kysely';
import { tracksByIds } from '../library/library.queries.ts';
import { searchPatterns } from '../library/library.rules.ts';
import { cutPage, readCursor } from '../page.ts';
import { presentListen } from './listens.present.ts';
import { recordingsByIds } from './listens.repository.ts';
import type { listHistory } from '#contract/listens.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Track } from '#contract/library.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { ListeningSessionsTable, RecordingsTable } from './listens.table.ts';
import type { Expression, ExpressionBuilder, Kysely, Selectable, SqlBool } from 'kysely';

type Db = Kysely<Schema>;
type Filter = Input<typeof listHistory>;
type Place = readonly [started_at: number, id: string];
type Eb = ExpressionBuilder<Schema, 'listening_sessions'>;

/** Sessions looked at before others get their turn on the event loop. */
const LOOKED_AT = 4000;
/** What is found for a filter one by one; more is looked for along the way. */
const THINGS_MAX = 400;

/** What was heard elsewhere, by id. */
export function recordingsOf(db: Db, ids: readonly string[]): Promise<Map<string, RecordingsTable>> {
  return recordingsByIds(db, ids);
}

/** The first listen of a person within some of their days. */
export async function firstListen(
  db: Db,
  user_id: string,
  { from, to }: { from: number; to: number },
): Promise<Pick<ListeningSessionsTable, 'started_at' | 'track_id' | 'recording_id' | 'duration_played'> | null> {
  const row = await db
    .selectFrom('listening_sessions')
    .select(['started_at', 'track_id', 'recording_id', 'duration_played'])
    .where('user_id', '=', user_id)
    .where('counted', '=', 1)
    // No clock is further than 14 hours from UTC.
    .where('started_at', '>=', from * 86_400 - 50_400)
    .where('started_at', '<=', (to + 1) * 86_400 + 50_400)
    .where('local_day', '>=', from)
    .where('local_day', '<=', to)
    .orderBy('started_at')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row ?? null;
}

/** [LP30] My plays, newest first: those that counted, or those asked for. */
export async function history(ctx: Ctx, actor: Actor, input: Filter): Promise<Reply<typeof listHistory>> {
  const found = await findPlaces(ctx.db, actor.user_id, input);
  const { rows: places, next_cursor } = cutPage(found, input.limit, (row) => [row.started_at, row.id]);
  const rows = await rowsOf(ctx.db, places);
  const heard = await heardThings(ctx, rows);
  return { items: rows.map((row) => presentListen(row, ...heard(row))), next_cursor };
}

/** One more than a page holds, where there are. */
async function findPlaces(db: Db, user_id: string, input: Filter): Promise<{ started_at: number; id: string }[]> {
  const wanted = input.limit + 1;
  const things = await thingsWanted(db, input);
  if (things !== null && things.isAll && things.tracks.length + things.recordings.length === 0) return [];
  let from = readCursor<[number, string]>(input.cursor);
  const rows = (after: Place | null) => {
    let query = db
      .selectFrom('listening_sessions')
      .select(['started_at', 'id'])
      .where('user_id', '=', user_id)
      .orderBy('started_at', 'desc')
      .orderBy('id', 'desc');
    if (input.include === 'listens') query = query.where('counted', '=', 1);
    if (input.include === 'skips') query = query.where('skipped', '=', sql.lit(1));
    if (input.source !== undefined) query = query.where('source', '=', input.source);
    if (input.from !== undefined) query = query.where('started_at', '>=', input.from);
    if (input.to !== undefined) query = query.where('started_at', '<', input.to);
    if (input.in_library === false) query = query.where('track_id', 'is', null);
    if (input.in_library === true) query = query.where('track_id', 'is not', null);
    if (after !== null) {
      const [started_at, id] = after;
      query = query.where((eb) => eb(eb.refTuple('started_at', 'id'), '<', eb.tuple(started_at, id)));
    }
    return query;
  };
  if (things === null) return rows(from).limit(wanted).execute();
  if (things.isAll && (await areFew(db, user_id, things, wanted))) {
    return (
      rows(from)
        .where((eb) => isOneOf(eb, things, (column) => eb.ref(column)))
        // In an order no index has: SQLite would walk along all of a person's listens to be spared sorting these few.
        .clearOrderBy()
        .orderBy((eb) => eb.fn.coalesce('started_at', sql.lit(0)), 'desc')
        .orderBy('id', 'desc')
        .limit(wanted)
        .execute()
    );
  }
  // Along the time, in pieces: where one in many fits, the page is soon full.
  const found: { started_at: number; id: string }[] = [];
  for (;;) {
    const [end] = await rows(from).limit(1).offset(LOOKED_AT).execute();
    const piece = rows(from)
      // Not by the index of tracks, which would have to be sorted whole.
      .where((eb) => isOneOf(eb, things, (column) => eb.fn.coalesce(column, sql.lit(''))))
      .$if(end !== undefined, (query) =>
        query.where((eb) => eb(eb.refTuple('started_at', 'id'), '>', eb.tuple(end?.started_at ?? 0, end?.id ?? ''))),
      );
    found.push(...(await piece.limit(wanted - found.length).execute()));
    if (found.length >= wanted || end === undefined) return found;
    from = [end.started_at, end.id];
    // The row the piece ends before is the first of the next.
    const [first] = await rows(null)
      .where('started_at', '=', end.started_at)
      .where('id', '=', end.id)
      .where((eb) => isOneOf(eb, things, (column) => eb.ref(column)))
      .execute();
    if (first !== undefined) found.push(first);
    if (found.length >= wanted) return found;
    await setImmediate();
  }
}

/** What may have been heard; `isAll`: these are all, else only that so many were found. */
interface Wanted {
  input: Filter;
  tracks: string[];
  recordings: string[];
  isAll: boolean;
}

function like(column: string, pattern: string): Expression<SqlBool> {
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}

function wantedTracks(db: Db, { q, track_id, artist_id, album_id }: Filter) {
  let query = db.selectFrom('tracks').select('tracks.id');
  if (track_id !== undefined) query = query.where('tracks.id', '=', track_id);
  if (artist_id !== undefined) query = query.where('tracks.artist_id', '=', artist_id);
  if (album_id !== undefined) query = query.where('tracks.album_id', '=', album_id);
  for (const pattern of searchPatterns(q ?? '')) query = query.where(like('tracks.search_text', pattern));
  return query;
}

function wantedRecordings(db: Db, { q }: Filter) {
  let query = db.selectFrom('recordings').select('recordings.id');
  for (const pattern of searchPatterns(q ?? '')) query = query.where(like('recordings.search_text', pattern));
  return query;
}

/** Whether only music of the library can be meant. */
const isOfLibrary = ({ track_id, artist_id, album_id, in_library }: Filter) =>
  track_id !== undefined || artist_id !== undefined || album_id !== undefined || in_library === true;

async function thingsWanted(db: Db, input: Filter): Promise<Wanted | null> {
  const { q, track_id, artist_id, album_id } = input;
  if (q === undefined && track_id === undefined && artist_id === undefined && album_id === undefined) return null;
  // A `q` of nothing but spaces and accents finds nothing, as everywhere.
  if (q !== undefined && searchPatterns(q).length === 0) return { input, tracks: [], recordings: [], isAll: true };
  const tracks =
    input.in_library === false
      ? []
      : await wantedTracks(db, input)
          .limit(THINGS_MAX + 1)
          .execute();
  const recordings = isOfLibrary(input)
    ? []
    : await wantedRecordings(db, input)
        .limit(THINGS_MAX + 1)
        .execute();
  return {
    input,
    tracks: tracks.map(({ id }) => id),
    recordings: recordings.map(({ id }) => id),
    isAll: tracks.length <= THINGS_MAX && recordings.length <= THINGS_MAX,
  };
}

function isOneOf(
  eb: Eb,
  { input, tracks, recordings, isAll }: Wanted,
  of: (column: 'track_id' | 'recording_id') => Expression<string | null>,
): Expression<SqlBool> {
  const either: Expression<SqlBool>[] = [];
  if (tracks.length > 0) {
    either.push(
      isAll ? eb(of('track_id'), 'in', filled(tracks)) : eb(of('track_id'), 'in', wantedTracks(eb as never, input)),
    );
  }
  if (recordings.length > 0) {
    const its = isAll
      ? eb(of('recording_id'), 'in', filled(recordings))
      : eb(of('recording_id'), 'in', wantedRecordings(eb as never, input));
    either.push(eb.and([eb('track_id', 'is', null), its]));
  }
  return eb.or(either);
}

/** Lists of a few lengths only, so that few statements are prepared. */
function filled(ids: readonly string[]): string[] {
  const length = [1, 8, 64, 200, THINGS_MAX].find((one) => one >= ids.length) ?? ids.length;
  return [...ids, ...Array.from({ length: length - ids.length }, () => ids.at(-1) ?? '')];
}

/** Whether fetching every play of these costs less than looking along the time until a page is full. */
async function areFew(db: Db, user_id: string, { tracks, recordings }: Wanted, wanted: number): Promise<boolean> {
  const count = async (column: 'track_id' | 'recording_id', ids: readonly string[]) => {
    if (ids.length === 0) return 0;
    const some = db
      .selectFrom('listening_sessions')
      .select('id')
      .where('user_id', '=', user_id)
      .where(column, 'in', filled(ids))
      .limit(FEW);
    const row = await db
      .selectFrom(some.as('some'))
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return Number(row.count);
  };
  const plays = (await count('track_id', tracks)) + (await count('recording_id', recordings));
  return plays < Math.max(FEW, wanted);
}
/** Plays that are fetched and sorted within a millisecond or two. */
const FEW = 2000;

/** By id alone: SQLite would look through all of a person's sessions for ids among them. */
async function rowsOf(db: Db, places: readonly { id: string }[]): Promise<Selectable<ListeningSessionsTable>[]> {
  if (places.length === 0) return [];
  const ids = places.map(({ id }) => id);
  const rows = await db.selectFrom('listening_sessions').selectAll().where('id', 'in', ids).execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  // One that was deleted just now is left out.
  return ids.flatMap((id) => byId.get(id) ?? []);
}

type Heard = Pick<Selectable<ListeningSessionsTable>, 'track_id' | 'recording_id'>;

/** Looks up what was heard in these sessions. @returns the track and the recording of each */
export async function heardThings(
  ctx: Pick<Ctx, 'db'>,
  rows: readonly Heard[],
): Promise<(row: Heard) => [Track | null, RecordingsTable | null]> {
  const tracks = await tracksByIds(
    ctx.db,
    rows.flatMap((row) => row.track_id ?? []),
  );
  const recordings = await recordingsByIds(
    ctx.db,
    rows.flatMap((row) => (row.track_id === null ? (row.recording_id ?? []) : [])),
  );
  return (row) => [tracks.get(row.track_id ?? '') ?? null, recordings.get(row.recording_id ?? '') ?? null];
}
