import { api } from '../../lib/api.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { queryClient } from '../../lib/query.ts';
import type { ImportedPlaylist, PlaylistImport } from '#contract/playlists.ts';

const MAX_BYTES = 64 * 1024 * 1024;

/** A file becoming playlists: sent, read, and what became of each entry. */
export class PlaylistImportState {
  #busy = $state(false);
  #error = $state<string | undefined>(undefined);
  #items = $state.raw<readonly ImportedPlaylist[] | null>(null);

  get busy(): boolean {
    return this.#busy;
  }
  get error(): string | undefined {
    return this.#error;
  }
  /** Null until a file was read. */
  get items(): readonly ImportedPlaylist[] | null {
    return this.#items;
  }

  /** Sends a file; `tooLarge` is said without sending it. */
  async take(file: File, tooLarge: string): Promise<void> {
    if (this.#busy) return;
    this.reset();
    if (file.size > MAX_BYTES) {
      this.#error = tooLarge;
      return;
    }
    this.#busy = true;
    try {
      // A type of its own: what the browser makes of the name says less than what is in the file.
      const body = new Blob([file], { type: 'application/octet-stream' });
      const { items } = await api.post<PlaylistImport>('/playlists/import', body, { query: { name: file.name } });
      this.#items = items;
      await queryClient.invalidateQueries({ queryKey: ['playlists'] });
    } catch (error) {
      this.#error = problemText(asProblem(error));
    } finally {
      this.#busy = false;
    }
  }

  /** Ready for another file. */
  reset(): void {
    this.#items = null;
    this.#error = undefined;
  }
}
