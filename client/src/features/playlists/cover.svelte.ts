import { api } from '../../lib/api.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { checkPicture, copyOfPicture } from '../../lib/picture.ts';
import { playlistWords } from '../../lib/playlist-words.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import type { Playlist } from '#contract/playlists.ts';

/** As much of an open list as its cover needs. */
export interface CoverOwner {
  readonly id: string;
  readonly playlist: Playlist | null;
  /** Takes what the server says of the list now. */
  take: (playlist: Playlist) => void;
}

/** The picture of one list: changed or taken away at once, with a message that brings back the one before. */
export class CoverState {
  readonly #list: CoverOwner;
  #busy = $state(false);

  constructor(list: CoverOwner) {
    this.#list = list;
  }

  get busy(): boolean {
    return this.#busy;
  }
  get url(): string | null {
    return this.#list.playlist?.cover_image_url ?? null;
  }

  /** Gives the list a picture of a file. */
  async choose(file: File): Promise<void> {
    const words = playlistWords().cover;
    const checked = await checkPicture(file);
    if ('refusal' in checked) {
      toaster.error(`${words.failed}: ${words[checked.refusal]}`);
      return;
    }
    await this.#change(words.changed, () => this.#send(checked.picture));
  }

  async remove(): Promise<void> {
    if (this.url !== null) await this.#change(playlistWords().cover.removed, () => this.#clear());
  }

  get #path(): string {
    return `/playlists/${encodeURIComponent(this.#list.id)}/cover`;
  }

  async #change(done: string, act: () => Promise<void>): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const before = this.url;
    try {
      const copy = before === null ? null : await copyOfPicture(before);
      await act();
      // What could not be copied cannot come back.
      const isUndoable = before === null || copy !== null;
      toaster.show({
        text: done,
        ...(isUndoable ? { action: i18n.m.common.undo, onaction: () => void this.#bringBack(copy) } : {}),
      });
    } catch (error) {
      toaster.error(`${playlistWords().cover.failed}: ${problemText(asProblem(error))}`);
    } finally {
      this.#busy = false;
    }
  }

  async #bringBack(copy: Blob | null): Promise<void> {
    const words = playlistWords().cover;
    try {
      await (copy === null ? this.#clear() : this.#send(copy));
      toaster.show({ text: words.back });
    } catch (error) {
      toaster.error(`${words.failed}: ${problemText(asProblem(error))}`);
    }
  }

  async #send(picture: Blob): Promise<void> {
    this.#list.take(await api.post<Playlist>(this.#path, picture));
  }
  async #clear(): Promise<void> {
    await api.del(this.#path);
    const { playlist } = this.#list;
    if (playlist) this.#list.take({ ...playlist, cover_image_url: null });
  }
}
