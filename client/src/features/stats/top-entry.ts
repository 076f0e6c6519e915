import { historyOfDays } from './stats-period.ts';
import type { Stats } from '#contract/stats.ts';

/** One of the most heard, as the lists draw it. */
export interface Top {
  key: string;
  name: string;
  artist: string | null;
  listens: number;
  seconds: number;
  /** Its own page, where the library has one. */
  href: string | undefined;
  /** Its plays in the history. */
  history: string | undefined;
  track_id: string | null;
}

type Tops = Pick<Stats, 'top_tracks' | 'top_artists' | 'top_albums' | 'top_genres'>;
interface Days {
  from: string;
  to: string;
}

/** The lists of an answer in one shape; music that is not in the library has a name and no page. */
export function topsOf(stats: Tops, days: Days, unknown: string) {
  const key = (i: number, ...names: (string | null)[]) => `${i}:${names.join('/')}`;
  return {
    tracks: stats.top_tracks.map(({ track_id, track, text, listens, seconds }, i): Top => {
      const album_id = track?.album_id ?? null;
      return {
        key: key(i, track_id, text.title),
        name: text.title,
        artist: text.artist ?? unknown,
        listens,
        seconds,
        href: album_id === null ? undefined : `/album/${album_id}`,
        history: track_id === null ? undefined : historyOfDays(days, { track_id }),
        track_id,
      };
    }),
    artists: stats.top_artists.map((artist, i) => artistEntry(artist, days, key(i, artist.name))),
    albums: stats.top_albums.map(({ album_id, title, artist, listens, seconds }, i): Top => ({
      key: key(i, album_id, title),
      name: title,
      artist,
      listens,
      seconds,
      href: album_id === null ? undefined : `/album/${album_id}`,
      history: album_id === null ? undefined : historyOfDays(days, { album_id }),
      track_id: null,
    })),
    genres: stats.top_genres.map(({ name, listens, seconds }, i): Top => ({
      key: key(i, name),
      name,
      artist: null,
      listens,
      seconds,
      href: undefined,
      history: undefined,
      track_id: null,
    })),
  };
}

export function artistEntry(
  { artist_id, name, listens, seconds }: Stats['top_artists'][number],
  days: Days,
  key: string,
): Top {
  return {
    key,
    name,
    artist: null,
    listens,
    seconds,
    href: artist_id === null ? undefined : `/artist/${artist_id}`,
    history: artist_id === null ? undefined : historyOfDays(days, { artist_id }),
    track_id: null,
  };
}
