import { announce } from './live-region.svelte.ts';

export interface ToastInput {
  text: string;
  /** Label of the one thing that can be done about it, such as Undo. */
  action?: string;
  onaction?: () => void;
  /** Called once when it goes without the action having been taken: by its time, by hand, or to make room. */
  onexpire?: () => void;
  /** How long it stays; longer while it has the focus or the pointer. */
  ms?: number;
  tone?: 'info' | 'error' | 'success';
}
export interface Toast extends ToastInput {
  id: number;
}

const DEFAULT_MS = 5_000;
/** With an action there must be time to reach it (design brief §6). */
const ACTION_MS = 10_000;
const MAX_SHOWN = 3;

/** Short messages at the edge of the page, also read out. */
class ToasterState {
  #toasts = $state.raw<readonly Toast[]>([]);
  #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #next = 1;

  get toasts(): readonly Toast[] {
    return this.#toasts;
  }

  /** Shows a message. @returns its id, for `dismiss`. */
  show(input: ToastInput): number {
    const toast: Toast = { ...input, id: this.#next++ };
    // The oldest make room.
    for (const old of this.#toasts.slice(0, Math.max(0, this.#toasts.length - MAX_SHOWN + 1))) this.dismiss(old.id);
    this.#toasts = [...this.#toasts, toast];
    announce(
      input.action ? `${input.text} ${input.action}` : input.text,
      input.tone === 'error' ? 'assertive' : 'polite',
    );
    this.resume(toast.id);
    return toast.id;
  }

  error(text: string, more: Pick<ToastInput, 'action' | 'onaction'> = {}): number {
    return this.show({ text, tone: 'error', ms: 8_000, ...more });
  }

  dismiss(id: number): void {
    this.#take(id)?.onexpire?.();
  }

  #take(id: number): Toast | undefined {
    this.hold(id);
    const toast = this.#toasts.find((one) => one.id === id);
    this.#toasts = this.#toasts.filter((one) => one !== toast);
    return toast;
  }

  /** Stops the clock of a message while somebody is at it. */
  hold(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  resume(id: number): void {
    this.hold(id);
    const toast = this.#toasts.find((one) => one.id === id);
    if (!toast) return;
    const ms = toast.ms ?? (toast.action ? ACTION_MS : DEFAULT_MS);
    this.#timers.set(
      id,
      setTimeout(() => this.dismiss(id), ms),
    );
  }

  act(toast: Toast): void {
    this.#take(toast.id)?.onaction?.();
  }
}

export const toaster = new ToasterState();
