/** Which play is being explained; the dialog is fetched when there is one. */
class Why {
  #session_id = $state<string | null>(null);

  get session_id(): string | null {
    return this.#session_id;
  }
  get isOpen(): boolean {
    return this.#session_id !== null;
  }

  /** Shows what was heard of a play of mine, and why it counted or not. */
  open(session_id: string): void {
    this.#session_id = session_id;
  }

  close(): void {
    this.#session_id = null;
  }
}

export const why = new Why();
