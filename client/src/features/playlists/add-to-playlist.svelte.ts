import { api } from '../../lib/api.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { asProblem, type ApiProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { queryClient } from '../../lib/query.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { session } from '../accounts/session.svelte.ts';
import { noteOwnChange } from './own-changes.ts';
import { fetchEditable } from './playlists.ts';
import type { Playlist } from '#contract/playlists.ts';

/** The server takes up to 1,000 a call, and JSON of 64 KiB: 500 ids are 20 kB. */
const PART = 500;

/** The dialog that puts tracks, from wherever they are shown, into one of my playlists. */
class AddToPlaylist {
  isOpen = $state(false);
  #track_ids: readonly string[] = [];
  #title = $state('');
  #count = $state(0);
  #playlists = $state.raw<readonly Playlist[] | null>(null);
  #problem = $state.raw<ApiProblem | null>(null);
  #busy = $state(false);

  get title(): string {
    return this.#title;
  }
  get count(): number {
    return this.#count;
  }
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

  /** Opens the dialog for these tracks; `title` names the first of them. */
  open(track_ids: readonly string[], title: string): void {
    if (track_ids.length === 0) return;
    this.#track_ids = track_ids;
    this.#title = title;
    this.#count = track_ids.length;
    this.isOpen = true;
    void this.load();
  }

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
    const words = i18n.m.playlists.addTo;
    const added: string[] = [];
    try {
      for (let i = 0; i < this.#track_ids.length; i += PART) {
        const track_ids = this.#track_ids.slice(i, i + PART);
        noteOwnChange(playlist.id);
        const { entry_ids } = await api.post<{ entry_ids: string[] }>(`/playlists/${playlist.id}/tracks`, {
          track_ids,
        });
        added.push(...entry_ids);
      }
      this.isOpen = false;
      toaster.show({
        text: words.added(playlist.name, added.length),
        action: i18n.m.common.undo,
        onaction: () => void this.#takeBack(playlist, added),
      });
    } catch (error) {
      const what =
        added.length > 0 ? words.partly(playlist.name, added.length, this.#count) : words.failed(playlist.name);
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
      toaster.error(`${i18n.m.playlists.create.failed}: ${problemText(asProblem(error))}`);
      return;
    } finally {
      this.#busy = false;
    }
    await this.addTo(playlist);
  }

  async #takeBack(playlist: Pick<Playlist, 'id' | 'name'>, entry_ids: readonly string[]): Promise<void> {
    const words = i18n.m.playlists.addTo;
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

export const addToPlaylist = new AddToPlaylist();
