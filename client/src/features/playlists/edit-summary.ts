import type { RemoteChange } from './playlist-sync.ts';

/** Words for what others did, in the chosen language. */
export interface EditWords {
  theyAdded: (name: string, count: number) => string;
  theyRemoved: (count: number) => string;
  theyMoved: (count: number) => string;
  theyRestored: (count: number) => string;
  renamed: (name: string) => string;
  somebody: string;
}

/** Gathers what others did and says it in one go: who added how many, then removals, moves and the last new name. */
export class EditSummary {
  #added = new Map<string | null, number>();
  #moved = new Set<string>();
  #restored = new Set<string>();
  #removed = 0;
  #name: string | null = null;

  take(change: RemoteChange): void {
    for (const { added_by } of change.added) this.#added.set(added_by, (this.#added.get(added_by) ?? 0) + 1);
    for (const id of change.restored) this.#restored.add(id);
    for (const id of change.moved) this.#moved.add(id);
    this.#removed += change.removed;
    if (change.name !== null) this.#name = change.name;
  }

  get isEmpty(): boolean {
    return this.#added.size + this.#restored.size + this.#moved.size + this.#removed === 0 && this.#name === null;
  }

  /** What there is to say; starts anew. */
  say(words: EditWords, nameOf: (user_id: string | null) => string | undefined): string {
    const parts = [...this.#added].map(([id, count]) => words.theyAdded(nameOf(id) ?? words.somebody, count));
    if (this.#removed > 0) parts.push(words.theyRemoved(this.#removed));
    if (this.#restored.size > 0) parts.push(words.theyRestored(this.#restored.size));
    if (this.#moved.size > 0) parts.push(words.theyMoved(this.#moved.size));
    if (this.#name !== null) parts.push(words.renamed(this.#name));
    this.#added = new Map();
    this.#restored = new Set();
    this.#moved = new Set();
    this.#removed = 0;
    this.#name = null;
    return parts.join('. ');
  }
}
