import type { Track } from '#contract/library.ts';

/** One line of a track grid; `id` names the place in this list, so the same track may stand in it twice. */
export interface GridRow {
  id: string;
  /** Null while it is being looked up, and for songs that are not in the library. */
  track: Track | null;
  title: string;
  artist: string;
  album: string;
  /** Seconds. */
  duration: number | null;
  /** `missing`: its file is gone for now; `text`: only its name is known. Neither can be played. */
  state: 'ready' | 'loading' | 'missing' | 'text';
  added_by?: { id: string; display_name: string } | null;
  duplicate?: boolean;
  unsent?: boolean;
}

/** What somebody else just did to a row; `color` is a CSS colour. */
export interface RowMark {
  /** Who did it; empty where nobody can tell. */
  name: string;
  color: string;
  verb: 'added' | 'moved' | 'restored';
}
/** Somebody whose focus is on a row. */
export interface RowPresence {
  id: string;
  name: string;
  color: string;
}

/** The grid row of a library track; `id` is for lists that may hold it twice. */
export function rowOfTrack(track: Track, id: string = track.id): GridRow {
  return {
    id,
    track,
    title: track.title,
    artist: track.artist ?? track.album_artist ?? '',
    album: track.album ?? '',
    duration: track.duration,
    state: track.missing ? 'missing' : 'ready',
  };
}

/** Whether Enter and the play button do anything on a row. */
export function isPlayable(row: GridRow): boolean {
  return row.state === 'ready' && row.track !== null;
}
