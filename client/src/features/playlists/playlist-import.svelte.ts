/* eslint-disable svelte/prefer-svelte-reactivity -- maps are replaced whole ($state.raw), never changed in place */
import { api } from '../../lib/api.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { queryClient } from '../../lib/query.ts';
import { upload } from '../../lib/upload.ts';
import { noteOwnChange, whileMaking } from './own-changes.ts';
import type { ImportedPlaylist, PlaylistImport } from '#contract/playlists.ts';

const MAX_BYTES = 64 * 1024 * 1024;

export type ImportedEntry = ImportedPlaylist['entries'][number];
type Candidate = ImportedEntry['candidates'][number];

/** A file becoming playlists: sent, read, what became of each entry, and a person's choice where that was a question. */
export class PlaylistImportState {
  #share = $state<number | null>(null);
  #stop: AbortController | null = null;
  #error = $state<string | undefined>(undefined);
  #items = $state.raw<readonly ImportedPlaylist[] | null>(null);
  #chosen = $state.raw<ReadonlyMap<string, Candidate>>(new Map());
  #choosing = $state<string | null>(null);

  get busy(): boolean {
    return this.#share !== null;
  }
  /** How much of the file is there, 0 to 1; at 1 the server is reading it. Null while nothing is sent. */
  get share(): number | null {
    return this.#share;
  }
  get error(): string | undefined {
    return this.#error;
  }
  /** Null until a file was read. */
  get items(): readonly ImportedPlaylist[] | null {
    return this.#items;
  }
  /** The entry whose choice is on its way. */
  get choosing(): string | null {
    return this.#choosing;
  }
  /** What was chosen for an entry that could have been several things. */
  chosen(entry: ImportedEntry): Candidate | undefined {
    return this.#chosen.get(entry.entry_id);
  }

  /** Sends a file; `tooLarge` is said without sending it. */
  async take(file: File, tooLarge: string): Promise<void> {
    if (this.busy) return;
    this.reset();
    if (file.size > MAX_BYTES) {
      this.#error = tooLarge;
      return;
    }
    const stop = new AbortController();
    this.#stop = stop;
    this.#share = 0;
    try {
      const { items } = await whileMaking(
        () =>
          upload<PlaylistImport>('/playlists/import', file, {
            signal: stop.signal,
            onprogress: (share) => (this.#share = share),
          }),
        (answer) => answer.items.map(({ playlist }) => playlist.id),
      );
      this.#items = items;
      await queryClient.invalidateQueries({ queryKey: ['playlists'] });
    } catch (error) {
      if (!stop.signal.aborted) this.#error = problemText(asProblem(error));
    } finally {
      this.#share = null;
      this.#stop = null;
    }
  }

  /** Ends a sending that is under way. */
  cancel(): void {
    this.#stop?.abort();
  }

  /** Puts a track of the library in the place of an entry that could not be told for sure. */
  async choose({ playlist }: ImportedPlaylist, entry: ImportedEntry, candidate: Candidate): Promise<void> {
    if (this.#choosing !== null || this.#chosen.has(entry.entry_id)) return;
    const path = `/playlists/${encodeURIComponent(playlist.id)}/tracks`;
    this.#choosing = entry.entry_id;
    noteOwnChange(playlist.id);
    this.#error = undefined;
    try {
      // In this order, so that whatever fails loses nothing.
      await api.post(path, { track_ids: [candidate.track.id], before_entry_id: entry.entry_id });
      this.#chosen = new Map([...this.#chosen, [entry.entry_id, candidate]]);
      await api.del(path, { entry_ids: [entry.entry_id] });
    } catch (error) {
      this.#error = problemText(asProblem(error));
    } finally {
      this.#choosing = null;
    }
  }

  /** Ready for another file. */
  reset(): void {
    this.cancel();
    this.#items = null;
    this.#error = undefined;
    this.#chosen = new Map();
  }
}
