import { SvelteSet } from 'svelte/reactivity';
import { addressOf, api } from '../../lib/api.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { listeningWords } from '../../lib/listening-words.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { queryClient } from '../../lib/query.ts';
import { toaster } from '../../ui/toaster.svelte.ts';

interface Listen {
  id: string;
  text: { title: string };
}

/**
 * Plays deleted from the history. Each is out of sight at once and deleted once its message has gone, or when the page
 * is left, so that Undo needs no copy of what is gone.
 */
class ForgottenListens {
  /** Out of sight: on their way to be deleted, or deleted. */
  #gone = new SvelteSet<string>();
  /** Not asked for yet, with the messages that can take it back. */
  #waiting = new Map<string, { listen: Listen; toast: number }>();
  #isListening = false;

  has(id: string): boolean {
    return this.#gone.has(id);
  }

  forget(listen: Listen): void {
    if (this.#gone.has(listen.id)) return;
    this.#listen();
    this.#gone.add(listen.id);
    const toast = toaster.show({
      text: listeningWords().history.removed(listen.text.title),
      action: i18n.m.common.undo,
      onaction: () => {
        this.#waiting.delete(listen.id);
        this.#gone.delete(listen.id);
      },
      onexpire: () => {
        if (this.#waiting.delete(listen.id)) void this.#send(listen);
      },
    });
    this.#waiting.set(listen.id, { listen, toast });
  }

  async #send(listen: Listen): Promise<void> {
    try {
      await api.del(`/listen/history/${listen.id}`);
    } catch (error) {
      const problem = asProblem(error);
      // What is not there any more is what was wanted.
      if (problem.status !== 404) {
        this.#gone.delete(listen.id);
        const text = `${listeningWords().history.removeFailed(listen.text.title)}: ${problemText(problem)}`;
        toaster.error(
          text,
          problem.retryable ? { action: i18n.m.common.retry, onaction: () => this.forget(listen) } : {},
        );
        return;
      }
    }
    await Promise.all(['listens', 'stats'].map((key) => queryClient.invalidateQueries({ queryKey: [key] })));
  }

  /** The page may be going for good: what waits is sent past it, and Undo is over. */
  #listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    addEventListener('pagehide', () => {
      for (const [id, { toast }] of [...this.#waiting]) {
        this.#waiting.delete(id);
        toaster.dismiss(toast);
        fetch(addressOf(`/listen/history/${id}`), { method: 'DELETE', keepalive: true }).catch((error: unknown) =>
          console.debug('last deletion', error),
        );
      }
    });
  }
}

export const forgotten = new ForgottenListens();
