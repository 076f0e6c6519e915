import { api } from '../../lib/api.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { playlistWords } from '../../lib/playlist-words.ts';
import { asProblem, type ApiProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { queryClient } from '../../lib/query.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { session } from '../accounts/session.svelte.ts';
import { addToPlaylist } from './add-to-playlist.svelte.ts';
import { noteOwnChange } from './own-changes.ts';
import { fetchEditable } from './playlists.ts';
import type { Playlist } from '#contract/playlists.ts';

/** The server takes up to 1,000 a call, and JSON of 64 KiB: 500 ids are 20 kB. */
const PART = 500;

/** Putting what `addToPlaylist` holds into one of my playlists, or into a new one. */
export class AddingState {
  #playlists = $state.raw<readonly Playlist[] | null>(null);
  #problem = $state.raw<ApiProblem | null>(null);
  #busy = $state(false);

  /** Null while they are on their way. */
  get playlists(): readonly Playlist[] | null {
    return this.#playlists;
  }
  get problem(): ApiProblem | null {
    return this.#problem;
  }
  get isBusy(): boolean {
    return this.#busy;
  }

  /** Reads which playlists there are to choose from. */
  async load(): Promise<void> {
    this.#problem = null;
    this.#playlists = null;
    try {
      this.#playlists = await fetchEditable();
    } catch (error) {
      this.#problem = asProblem(error);
    }
  }

  /** Adds at the end of a playlist; the message offers to take it back. */
  async addTo(playlist: Pick<Playlist, 'id' | 'name'>): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const words = playlistWords().addTo;
    const { track_ids: all } = addToPlaylist;
    const added: string[] = [];
    try {
      for (let i = 0; i < all.length; i += PART) {
        const track_ids = all.slice(i, i + PART);
        noteOwnChange(playlist.id);
        const { entry_ids } = await api.post<{ entry_ids: string[] }>(`/playlists/${playlist.id}/tracks`, {
          track_ids,
        });
        added.push(...entry_ids);
      }
      addToPlaylist.isOpen = false;
      toaster.show({
        text: words.added(playlist.name, added.length),
        action: i18n.m.common.undo,
        onaction: () => void this.#takeBack(playlist, added),
      });
    } catch (error) {
      const what =
        added.length > 0 ? words.partly(playlist.name, added.length, all.length) : words.failed(playlist.name);
      toaster.error(`${what}: ${problemText(asProblem(error))}`);
    } finally {
      this.#busy = false;
      void queryClient.invalidateQueries({ queryKey: ['playlists'] });
    }
  }

  async addToNew(name: string): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    let playlist: Playlist;
    try {
      const { new_playlists_public: is_public, new_playlists_collaborative: is_collaborative } = session.preferences;
      playlist = await api.post<Playlist>('/playlists', { name, is_public, is_collaborative });
    } catch (error) {
      toaster.error(`${playlistWords().create.failed}: ${problemText(asProblem(error))}`);
      return;
    } finally {
      this.#busy = false;
    }
    await this.addTo(playlist);
  }

  async #takeBack(playlist: Pick<Playlist, 'id' | 'name'>, entry_ids: readonly string[]): Promise<void> {
    const words = playlistWords().addTo;
    try {
      for (let i = 0; i < entry_ids.length; i += PART) {
        noteOwnChange(playlist.id);
        await api.del(`/playlists/${playlist.id}/tracks`, { entry_ids: entry_ids.slice(i, i + PART) });
      }
      toaster.show({ text: words.removedAgain(playlist.name) });
    } catch (error) {
      toaster.error(problemText(asProblem(error)));
    }
    void queryClient.invalidateQueries({ queryKey: ['playlists'] });
  }
}
