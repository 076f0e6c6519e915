import { recordingsOf } from '../listens/history.queries.ts';
import { heardText } from '../listens/listens.present.ts';
import { tracksByIds } from '../library/library.queries.ts';
import { unpackThings } from './day-sums.rules.ts';
import { NAME_BREAK } from './heard-sessions.ts';
import { GRAIN, KIND } from './stats.table.ts';
import { filledUp } from './stats.repository.ts';
import type { TopAlbum, TopArtist, TopGenre, TopTrack } from '#contract/stats.ts';
import type { Ctx } from '../context.ts';
import type { Kind } from './stats.table.ts';
import type { Summed, View } from './thing-sums.ts';
import type { z } from 'zod';

type Db = Ctx['db'];

const amountOf = ({ listens, heard_ms }: Summed) => ({ listens, seconds: heard_ms / 1000 });
const idIn = (prefix: 't' | 'r', key: string) => (key.startsWith(`${prefix}:`) ? [key.slice(2)] : []);

export async function namedTracks(db: Db, sums: readonly Summed[]): Promise<z.input<typeof TopTrack>[]> {
  const tracks = await tracksByIds(
    db,
    sums.flatMap(({ key }) => idIn('t', key)),
  );
  const recordings = await recordingsOf(
    db,
    sums.flatMap(({ key }) => idIn('r', key)),
  );
  return sums.map((sum) => {
    const id = sum.key.slice(2);
    const track = tracks.get(id) ?? null;
    return { track_id: track?.id ?? null, track, text: heardText(track, recordings.get(id) ?? null), ...amountOf(sum) };
  });
}

export async function namedArtists(db: Db, view: View, sums: readonly Summed[]): Promise<z.input<typeof TopArtist>[]> {
  if (sums.length === 0) return [];
  const rows = await db
    .selectFrom('artists')
    .select(['id', 'artist_key', 'name'])
    .where('artist_key', 'in', filledUp(sums.map(({ key }) => key)))
    .execute();
  const known = new Map(rows.map((row) => [row.artist_key, row]));
  const spelled = await spellings(
    db,
    view,
    KIND.artist,
    sums.flatMap(({ key }) => (known.has(key) ? [] : key)),
  );
  return sums.map((sum) => {
    const artist = known.get(sum.key);
    return {
      artist_id: artist?.id ?? null,
      name: artist?.name ?? spelled.get(sum.key) ?? sum.key,
      ...amountOf(sum),
    };
  });
}

export async function namedAlbums(db: Db, view: View, sums: readonly Summed[]): Promise<z.input<typeof TopAlbum>[]> {
  if (sums.length === 0) return [];
  const rows = await db
    .selectFrom('albums')
    .select(['id', 'album_key', 'title', 'album_artist'])
    .where('album_key', 'in', filledUp(sums.map(({ key }) => key)))
    .execute();
  const known = new Map(rows.map((row) => [row.album_key, row]));
  const spelled = await spellings(
    db,
    view,
    KIND.album,
    sums.flatMap(({ key }) => (known.has(key) ? [] : key)),
  );
  return sums.map((sum) => {
    const album = known.get(sum.key);
    const [title = sum.key, artist = ''] = spelled.get(sum.key)?.split(NAME_BREAK) ?? [];
    return {
      album_id: album?.id ?? null,
      title: album?.title ?? title,
      artist: album === undefined ? artist || null : album.album_artist,
      ...amountOf(sum),
    };
  });
}

export async function namedGenres(db: Db, view: View, sums: readonly Summed[]): Promise<z.input<typeof TopGenre>[]> {
  if (sums.length === 0) return [];
  const known = new Map<string, string>();
  for (const { key } of sums) {
    // One by one: the least of an index is found at once, the least of each of several only by reading all.
    const row = await db
      .selectFrom('track_genres')
      .select((eb) => eb.fn.min<string | null>('name').as('name'))
      .where('genre_key', '=', key)
      .executeTakeFirst();
    if (row !== undefined && row.name !== null) known.set(key, row.name);
  }
  const spelled = await spellings(
    db,
    view,
    KIND.genre,
    sums.flatMap(({ key }) => (known.has(key) ? [] : key)),
  );
  return sums.map((sum) => ({ name: known.get(sum.key) ?? spelled.get(sum.key) ?? sum.key, ...amountOf(sum) }));
}

/** How what the library has no name for was spelled on the day it was first heard. */
async function spellings(db: Db, view: View, kind: Kind, keys: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  if (keys.length === 0) return found;
  const firstDay = view.isSelf ? 'own_first_day' : 'first_day';
  const firsts = await db
    .selectFrom('listen_rollups')
    .select(['key', `${firstDay} as first_day`])
    .where('user_id', '=', view.user_id)
    .where('kind', '=', kind)
    .where('key', 'in', filledUp(keys))
    .where('grain', '=', GRAIN.all)
    .where(firstDay, 'is not', null)
    .$narrowType<{ first_day: number }>()
    .execute();
  if (firsts.length === 0) return found;
  const days = await db
    .selectFrom('listen_days')
    .select(['local_day', 'things_json'])
    .where('user_id', '=', view.user_id)
    .where('local_day', 'in', filledUp(firsts.map(({ first_day }) => first_day)))
    .where('is_hidden', '<=', view.isSelf ? 1 : 0)
    .orderBy('local_day')
    .orderBy('is_hidden')
    .execute();
  const firstOf = new Map(firsts.map(({ key, first_day }) => [key, first_day]));
  for (const day of days) {
    for (const { kind: its, key, name, listens } of unpackThings(day.things_json)) {
      if (its !== kind || name === null || listens === 0 || found.has(key)) continue;
      if (firstOf.get(key) === day.local_day) found.set(key, name);
    }
  }
  return found;
}
