import type { ListEntry } from '#contract/playlist-doc.ts';
import type { GridRow } from '../tracks/grid-row.ts';
import type { Known } from './track-cache.ts';

type Named = { id: string; display_name: string };

/** The grid rows of a playlist: every entry in order, with what is known of its track and of who added it. */
export function rowsOf(
  list: readonly ListEntry[],
  trackOf: (track_id: string) => Known,
  personOf: (user_id: string) => Named | undefined,
  unsent: ReadonlySet<string>,
): GridRow[] {
  const seen = new Set<string>();
  return list.map((entry) => {
    const { entry_id: id, track_id, text } = entry;
    const who = entry.added_by === null ? null : personOf(entry.added_by);
    const duplicate = track_id !== null && seen.has(track_id);
    if (track_id !== null) seen.add(track_id);
    const common = {
      id,
      duplicate,
      unsent: unsent.has(id),
      ...(who === undefined ? {} : { added_by: who }),
    };
    const known = track_id === null ? undefined : trackOf(track_id);
    if (known !== undefined && known !== 'unknown') {
      return {
        ...common,
        track: known,
        title: known.title,
        artist: known.artist ?? known.album_artist ?? '',
        album: known.album ?? '',
        duration: known.duration,
        state: known.missing ? 'missing' : 'ready',
      };
    }
    if (text !== undefined) {
      const duration = text.duration_ms === undefined ? null : text.duration_ms / 1000;
      return {
        ...common,
        track: null,
        title: text.title,
        artist: text.artist,
        album: text.album ?? '',
        duration,
        state: 'text',
      };
    }
    const state = known === 'unknown' ? 'missing' : 'loading';
    return { ...common, track: null, title: '', artist: '', album: '', duration: null, state };
  });
}

/** Entries whose track already stands above them: what a clean-up removes. */
export function duplicatesOf(list: readonly ListEntry[]): string[] {
  const seen = new Set<string>();
  return list.flatMap(({ entry_id, track_id }) => {
    if (track_id === null) return [];
    if (seen.has(track_id)) return [entry_id];
    seen.add(track_id);
    return [];
  });
}
