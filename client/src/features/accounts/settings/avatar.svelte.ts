import { api } from '../../../lib/api.ts';
import { i18n } from '../../../lib/i18n.svelte.ts';
import { checkPicture, copyOfPicture } from '../../../lib/picture.ts';
import { asProblem } from '../../../lib/problem.ts';
import { problemText } from '../../../lib/problem-text.ts';
import { queryClient } from '../../../lib/query.ts';
import { toaster } from '../../../ui/toaster.svelte.ts';
import { session } from '../session.svelte.ts';
import { accountWords } from './account-words.ts';
import type { Profile } from '#contract/accounts.ts';

/** My picture: one chosen and looked at, then sent; or taken away, with a way back. */
export class AvatarState {
  #chosen = $state.raw<{ picture: Blob; url: string } | null>(null);
  #error = $state<string | undefined>(undefined);
  #busy = $state(false);

  /** The address of the picture that is looked at and not sent yet. */
  get preview(): string | null {
    return this.#chosen?.url ?? null;
  }
  /** Why the file or its upload was refused. */
  get error(): string | undefined {
    return this.#error;
  }
  get busy(): boolean {
    return this.#busy;
  }

  /** Looks at a file; nothing is sent yet. */
  async choose(file: File): Promise<void> {
    this.discard();
    const words = accountWords().avatar;
    const checked = await checkPicture(file);
    if ('picture' in checked) {
      this.#chosen = { picture: checked.picture, url: URL.createObjectURL(checked.picture) };
      return;
    }
    const megabytes = new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 1 }).format(file.size / 1024 / 1024);
    this.#error = checked.refusal === 'tooLarge' ? words.tooLarge(megabytes) : words[checked.refusal];
  }

  /** Puts the chosen picture back; also frees it. */
  discard(): void {
    if (this.#chosen) URL.revokeObjectURL(this.#chosen.url);
    this.#chosen = null;
    this.#error = undefined;
  }

  /** Sends the chosen picture; it shows everywhere at once. */
  async upload(): Promise<void> {
    const chosen = this.#chosen;
    if (!chosen || this.#busy) return;
    const words = accountWords().avatar;
    this.#busy = true;
    this.#error = undefined;
    try {
      await this.#send(chosen.picture);
      this.discard();
      toaster.show({ text: words.changed, tone: 'success' });
    } catch (error) {
      this.#error = `${words.failed}: ${problemText(asProblem(error))}`;
    } finally {
      this.#busy = false;
    }
  }

  /** Takes my picture away. The message can bring it back, for which a copy is kept until it is gone. */
  async remove(): Promise<void> {
    const url = session.me?.avatar_url ?? null;
    if (url === null || this.#busy) return;
    const words = accountWords().avatar;
    this.#busy = true;
    this.discard();
    try {
      const copy = await copyOfPicture(url);
      await api.del('/user/avatar');
      this.#shows(null);
      toaster.show({
        text: words.removed,
        ...(copy ? { action: i18n.m.common.undo, onaction: () => void this.#bringBack(copy) } : {}),
      });
    } catch (error) {
      toaster.error(`${words.removeFailed}: ${problemText(asProblem(error))}`);
    } finally {
      this.#busy = false;
    }
  }

  async #bringBack(copy: Blob): Promise<void> {
    try {
      await this.#send(copy);
    } catch (error) {
      toaster.error(`${accountWords().avatar.undoFailed}: ${problemText(asProblem(error))}`);
    }
  }

  async #send(picture: Blob): Promise<void> {
    const { avatar_url } = await api.post<Profile>('/user/avatar', picture);
    this.#shows(avatar_url);
  }

  #shows(avatar_url: string | null): void {
    session.changed({ avatar_url });
    // Lists that name me may show the old one.
    void queryClient.invalidateQueries({ queryKey: ['people'] });
    void queryClient.invalidateQueries({ queryKey: ['playlists'] });
  }
}
