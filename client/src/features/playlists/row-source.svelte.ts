/* eslint-disable svelte/prefer-svelte-reactivity -- sets are replaced whole, never changed in place */
import { api } from '../../lib/api.ts';
import { asProblem } from '../../lib/problem.ts';
import { TrackCache } from './track-cache.ts';
import type { Track } from '#contract/library.ts';
import type { ListEntry } from '#contract/playlist-doc.ts';
import type { PlaylistTrack } from '#contract/playlists.ts';
import type { Known } from './track-cache.ts';

const PAGE = 200;
/** From this many unknown tracks on, reading the list's pages is cheaper than asking for each. */
const MANY = 40;
/** Many answers, one redraw. */
const REDRAW_MS = 60;

interface Listener {
  /** The list as it is now. */
  list: () => readonly ListEntry[];
  /** Whether rows by REST are as new as the document. */
  isLive: () => boolean;
  /** Rows by REST, as far as they are here. */
  onrows: (list: ListEntry[]) => void;
  onpeople: (people: { id: string; display_name: string }[]) => void;
}

/** What is known of the tracks of a list: its pages by REST, then single look-ups for what comes in. */
export class RowSource {
  readonly #path: string;
  readonly #listener: Listener;
  readonly #tracks = new TrackCache(fetchTrack, () => this.#answered());
  #hasRows = $state(false);
  /** Counts answers, so that rows are made anew. */
  #version = $state(0);
  #isPaging = false;
  #isClosed = false;
  /** The pages were already read for these: what they did not bring is asked for one by one. */
  #pagedFor: ReadonlySet<string> = new Set();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(list_path: string, listener: Listener) {
    this.#path = `${list_path}/tracks`;
    this.#listener = listener;
  }

  /** Whether any page has come. */
  get hasRows(): boolean {
    return this.#hasRows;
  }
  /** What is known of a track; reactive. */
  track(track_id: string): Known {
    void this.#version;
    return this.#tracks.get(track_id);
  }

  /** Rows by REST: shown until the document is here, and the quick way to many tracks' details. */
  async readPages(): Promise<void> {
    if (this.#isPaging) return;
    this.#isPaging = true;
    const list: ListEntry[] = [];
    try {
      let cursor: string | null = null;
      do {
        const page: { items: PlaylistTrack[]; next_cursor: string | null } = await api.get(this.#path, {
          limit: PAGE,
          cursor,
        });
        if (this.#isClosed) return;
        for (const item of page.items) if (item.track) this.#tracks.put(item.track);
        list.push(...page.items.map(entryOf));
        this.#listener.onpeople(page.items.flatMap(({ added_by }) => (added_by ? [added_by] : [])));
        this.#listener.onrows([...list]);
        this.#hasRows = true;
        this.#version++;
        cursor = page.next_cursor;
      } while (cursor !== null);
    } catch (error) {
      // The document brings the rows too, and single look-ups the details.
      console.warn('playlist rows', asProblem(error).code);
    } finally {
      this.#isPaging = false;
    }
    this.lookUp();
  }

  /** Finds the details of tracks that arrived since. */
  lookUp(): void {
    if (this.#isPaging || this.#isClosed) return;
    const unknown = new Set(
      this.#listener
        .list()
        .flatMap(({ track_id }) => (track_id !== null && this.#tracks.get(track_id) === undefined ? [track_id] : [])),
    );
    if (unknown.size === 0) return;
    if (unknown.size > MANY && this.#tracks.pending === 0 && this.#listener.isLive() && !this.#hasPagedFor(unknown)) {
      void this.readPages();
      return;
    }
    this.#tracks.want(unknown);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #hasPagedFor(unknown: ReadonlySet<string>): boolean {
    const was = this.#pagedFor;
    this.#pagedFor = unknown;
    return [...unknown].every((id) => was.has(id));
  }
  #answered(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#version++;
    }, REDRAW_MS);
  }
}

async function fetchTrack(track_id: string): Promise<Track | null> {
  try {
    return await api.get<Track>(`/library/tracks/${encodeURIComponent(track_id)}`, undefined, { quiet_401: true });
  } catch (error) {
    if (asProblem(error).status === 404) return null;
    throw error;
  }
}

function entryOf({ entry_id, track_id, added_by, added_at, text }: PlaylistTrack): ListEntry {
  const common = { entry_id, order_key: null, track_id, added_by: added_by?.id ?? null, added_at };
  if (!text) return common;
  // Optional fields stay absent instead of undefined, as the document has them.
  const { title, artist, album, duration_ms, isrc, mbid } = text;
  return {
    ...common,
    text: {
      title,
      artist,
      ...(album === undefined ? {} : { album }),
      ...(duration_ms === undefined ? {} : { duration_ms }),
      ...(isrc === undefined ? {} : { isrc }),
      ...(mbid === undefined ? {} : { mbid }),
    },
  };
}
