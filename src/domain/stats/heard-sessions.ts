import { KIND } from './stats.table.ts';
import { filledUp, LIST_MAX } from './stats.repository.ts';
import { keyOf, shortKey } from './day-sums.rules.ts';
import type { Ctx } from '../context.ts';
import type { HeardSession, Thing } from './day-sums.rules.ts';

type Db = Ctx['db'];

/** A session with what decides whether its day is over. */
export interface DaySession extends HeardSession {
  isUnderWay: boolean;
}

/** A session not stopped and not heard of for this long is over. [ST2] */
const UNDER_WAY_MS = 24 * 3_600_000;
/** Between the names of what a recording is called: in no name. */
export const NAME_BREAK = '\u001f';

/** What tracks and recordings count for, looked up once in the course of one settling. */
export type Things = Map<string, readonly Thing[]>;

/** A person's sessions that began on these local days, with what each is counted for. */
export async function sessionsOfDays(
  ctx: Pick<Ctx, 'db' | 'clock'>,
  user_id: string,
  days: readonly number[],
  things: Things,
): Promise<DaySession[]> {
  if (days.length === 0) return [];
  const rows = await ctx.db
    .selectFrom('listening_sessions')
    .select(['id', 'track_id', 'recording_id', 'local_day', 'started_at', 'utc_offset_s', 'duration_played'])
    .select(['counted', 'skipped', 'is_hidden', 'wall_json', 'state', 'reported_at_ms'])
    .where('user_id', '=', user_id)
    .where('local_day', 'in', filledUp(days))
    .execute();
  await lookUp(ctx.db, rows, things);
  const overBefore = ctx.clock.nowMs() - UNDER_WAY_MS;
  return rows.map((row) => ({
    id: row.id,
    local_day: row.local_day,
    started_at: row.started_at,
    utc_offset_s: row.utc_offset_s,
    heard_ms: Math.round(row.duration_played * 1000),
    counted: row.counted,
    skipped: row.skipped,
    is_hidden: row.is_hidden,
    wall: (JSON.parse(row.wall_json) as [number, number][]).map(([from, to]) => [Math.round(from), Math.round(to)]),
    things: things.get(row.track_id ?? row.recording_id ?? '') ?? [],
    isUnderWay: row.state !== 'stopped' && row.reported_at_ms > overBefore,
  }));
}

function* lists(ids: Iterable<string>): Generator<string[]> {
  const all = [...new Set(ids)];
  for (let i = 0; i < all.length; i += LIST_MAX) yield filledUp(all.slice(i, i + LIST_MAX));
}

/** Adds to `things` what these were heard as, where it is not there yet. */
async function lookUp(
  db: Db,
  heard: readonly { track_id: string | null; recording_id: string | null }[],
  things: Things,
): Promise<void> {
  const missing = heard.filter(({ track_id, recording_id }) => !things.has(track_id ?? recording_id ?? ''));
  for (const ids of lists(missing.flatMap(({ track_id }) => track_id ?? []))) {
    const genres = new Map<string, Thing[]>();
    for (const row of await db
      .selectFrom('track_genres')
      .select(['track_id', 'genre_key', 'name'])
      .where('track_id', 'in', ids)
      .execute()) {
      const known = genres.get(row.track_id) ?? [];
      genres.set(row.track_id, [...known, fromLibrary(KIND.genre, row.genre_key, row.name)]);
    }
    for (const row of await db
      .selectFrom('tracks')
      .leftJoin('artists', 'artists.id', 'tracks.artist_id')
      .leftJoin('albums', 'albums.id', 'tracks.album_id')
      .select(['tracks.id', 'artists.artist_key', 'artists.name', 'albums.album_key', 'albums.title'])
      .select('albums.album_artist')
      .where('tracks.id', 'in', ids)
      .execute()) {
      const { id, artist_key, album_key } = row;
      const heardAs: Thing[] = [{ kind: KIND.track, key: `t:${id}`, name: null }];
      if (artist_key !== null) heardAs.push(fromLibrary(KIND.artist, artist_key, row.name ?? ''));
      if (album_key !== null) {
        heardAs.push(fromLibrary(KIND.album, album_key, `${row.title}${NAME_BREAK}${row.album_artist ?? ''}`));
      }
      things.set(id, [...heardAs, ...(genres.get(id) ?? [])]);
    }
  }
  for (const ids of lists(missing.flatMap((row) => (row.track_id === null ? (row.recording_id ?? []) : [])))) {
    for (const { id, artist, album } of await db
      .selectFrom('recordings')
      .select(['id', 'artist', 'album'])
      .where('id', 'in', ids)
      .execute()) {
      const heardAs: Thing[] = [{ kind: KIND.track, key: `r:${id}`, name: null }];
      if (keyOf(artist) !== '') heardAs.push({ kind: KIND.artist, key: keyOf(artist), name: artist });
      if (album !== null && keyOf(album) !== '') {
        heardAs.push({ kind: KIND.album, key: keyOf(artist, album), name: `${album}${NAME_BREAK}${artist}` });
      }
      things.set(id, heardAs);
    }
  }
}

/** The library names it when it is read, unless its key is not the library's. */
function fromLibrary(kind: Thing['kind'], libraryKey: string, name: string): Thing {
  const key = shortKey(libraryKey);
  return { kind, key, name: key === libraryKey ? null : name };
}
