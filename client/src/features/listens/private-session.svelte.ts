import { api } from '../../lib/api.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { lengthInWords } from '../../lib/format.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { announce } from '../../ui/live-region.svelte.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import type { PrivateSession as Reply } from '#contract/history.ts';

const MINUTE_MS = 60_000;
/** Said this long before the end. */
const WARN_MS = 10 * MINUTE_MS;
/** Whether what I hear is shown to nobody, and until when. */
class PrivateSession {
  #endsAtMs = $state<number | null>(null);
  #now = $state(Date.now());
  #ticker: ReturnType<typeof setInterval> | undefined;
  #warning: number | null = null;
  #isOpen = false;

  get isOn(): boolean {
    return this.#endsAtMs !== null && this.#endsAtMs > this.#now;
  }
  /** What is left, in words, in whole minutes: `5 hr 59 min`. */
  get left(): string {
    const leftMs = Math.max(0, (this.#endsAtMs ?? 0) - this.#now);
    return lengthInWords(Math.ceil(leftMs / MINUTE_MS) * 60, i18n.locale);
  }

  /** Finds out how it stands, now and whenever it may have changed elsewhere: after a break, and when the page is seen again. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    void this.#read();
    let first = true;
    gateway.onLive(() => {
      if (!first) void this.#read();
      first = false;
    });
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.#read();
    });
  }

  /** Begins one of so many minutes, or makes the one that is on end then. */
  async begin(minutes: number): Promise<void> {
    await this.#change(async () => {
      this.#take(await api.post<Reply>('/user/private-session', { minutes }));
      announce(`${i18n.m.account.privateBegan}, ${i18n.m.account.privateEnds(this.left)}`);
    });
  }

  /** Makes the one that is on end an hour later. */
  extend(): Promise<void> {
    const leftMs = Math.max(0, (this.#endsAtMs ?? 0) - Date.now());
    return this.begin(Math.ceil(leftMs / MINUTE_MS) + 60);
  }

  async end(): Promise<void> {
    await this.#change(async () => {
      await api.del('/user/private-session');
      this.#take({ active: false, ends_at: null });
      announce(i18n.m.account.privateOver);
    });
  }

  async #change(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      toaster.error(`${i18n.m.account.privateFailed}: ${problemText(asProblem(error))}`);
    }
  }

  async #read(): Promise<void> {
    try {
      this.#take(await api.get<Reply>('/user/private-session'));
    } catch (error) {
      // What was known still holds; it is asked again when the line is back.
      console.debug('private session not read', error);
    }
  }

  #take({ active, ends_at }: Reply): void {
    this.#endsAtMs = active && ends_at !== null ? ends_at * 1000 : null;
    this.#forgetWarning();
    clearInterval(this.#ticker);
    this.#now = Date.now();
    if (this.isOn) this.#ticker = setInterval(() => this.#tick(), 5_000);
    this.#warnInTime();
  }

  #tick(): void {
    this.#now = Date.now();
    if (this.isOn) {
      this.#warnInTime();
      return;
    }
    clearInterval(this.#ticker);
    this.#endsAtMs = null;
    this.#forgetWarning();
    toaster.show({ text: i18n.m.account.privateOver });
  }

  #warnInTime(): void {
    if (!this.isOn || this.#warning !== null || (this.#endsAtMs ?? 0) - this.#now > WARN_MS) return;
    this.#warning = toaster.show({
      text: i18n.m.account.privateSoon(this.left),
      ms: 60_000,
      action: i18n.m.account.privateExtend,
      onaction: () => void this.extend(),
    });
  }

  #forgetWarning(): void {
    if (this.#warning !== null) toaster.dismiss(this.#warning);
    this.#warning = null;
  }
}

export const privateSession = new PrivateSession();
