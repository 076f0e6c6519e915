import { session } from '../accounts/session.svelte.ts';
import { dropUnsent, keepUnsent, keptUnsent } from './unsent-edits.ts';
import type { Unsent } from './unsent-edits.ts';

/** Edits of one list that could not be sent yet, on this device: this tab's as they come, and those of earlier visits. */
export class KeptEdits {
  readonly #playlist_id: string;
  readonly #tab = crypto.randomUUID();
  #aside = $state.raw<readonly Unsent[]>([]);
  #isRefused = $state(false);

  constructor(playlist_id: string) {
    this.#playlist_id = playlist_id;
  }

  /** Edits of an earlier visit that may not be sent any more: they can be saved as a copy, or let go. */
  get aside(): readonly Unsent[] {
    return this.#aside;
  }
  /** This device keeps no data: edits that wait live in this page alone. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Keeps what this tab has not sent, in place of what it kept before; null when all is sent. */
  keep(unsent: Unsent | null): void {
    this.#use((storage, me) => {
      if (unsent === null) dropUnsent(storage, me, this.#playlist_id, this.#tab);
      else this.#isRefused = !keepUnsent(storage, me, this.#playlist_id, this.#tab, unsent);
    });
  }

  /** Hands over what earlier visits could not send, to be sent now; without `take` it is put aside. */
  takeUp(take: ((kept: readonly Unsent[]) => void) | null): void {
    this.#use((storage, me) => {
      const kept = keptUnsent(storage, me, this.#playlist_id);
      if (kept.length === 0) return;
      if (take === null) {
        this.#aside = kept;
        return;
      }
      take(kept);
      dropUnsent(storage, me, this.#playlist_id);
    });
  }

  /** Lets go of all the edits this device has kept. */
  discard(): void {
    this.#aside = [];
    this.#use((storage, me) => dropUnsent(storage, me, this.#playlist_id));
  }

  /** Uses this device's storage, where there is one; reading the property itself throws where it is switched off. */
  #use(act: (storage: Storage, user_id: string) => void): void {
    const me = session.me?.id;
    if (me === undefined) return;
    try {
      act(localStorage, me);
    } catch (error) {
      console.warn('no storage', error);
      this.#isRefused = true;
    }
  }
}
