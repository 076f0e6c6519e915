import { api } from '../../lib/api.ts';
import { asProblem, type ApiProblem } from '../../lib/problem.ts';
import type { User } from '#contract/accounts.ts';
import type { HistoryItem } from '#contract/playlists.ts';

interface Page {
  items: HistoryItem[];
  next_cursor: string | null;
}

/** Who did what to a list, by person and minute, the newest first; of everybody or of one person. */
export class HistoryState {
  readonly #path: string;
  #user_id: string | null = null;
  #items = $state.raw<readonly HistoryItem[] | null>(null);
  #cursor = $state<string | null>(null);
  #people = $state.raw<readonly User[]>([]);
  #problem = $state.raw<ApiProblem | null>(null);
  #isFetchingMore = $state(false);
  /** Counts the loads, so that a late answer to an earlier question is passed over. */
  #load = 0;

  constructor(playlist_id: string) {
    this.#path = `/playlists/${encodeURIComponent(playlist_id)}/history`;
  }

  /** Null while the first page is on its way. */
  get items(): readonly HistoryItem[] | null {
    return this.#items;
  }
  /** Everybody met in it so far, also those who have left. */
  get people(): readonly User[] {
    return this.#people;
  }
  get problem(): ApiProblem | null {
    return this.#problem;
  }
  get hasMore(): boolean {
    return this.#cursor !== null;
  }
  get isFetchingMore(): boolean {
    return this.#isFetchingMore;
  }

  /** Shows one person's changes, or (null) everybody's. */
  async show(user_id: string | null): Promise<void> {
    this.#user_id = user_id;
    this.#items = null;
    await this.load();
  }

  /** Reads the newest; what was shown of it stays until they are there. */
  async load(): Promise<void> {
    const load = ++this.#load;
    this.#problem = null;
    try {
      const page = await this.#page(null);
      if (load !== this.#load) return;
      this.#take(page.items);
      this.#cursor = page.next_cursor;
    } catch (error) {
      if (load === this.#load) this.#problem = asProblem(error);
    }
  }

  /** Reads what came before. */
  async more(): Promise<void> {
    if (this.#cursor === null || this.#isFetchingMore) return;
    const load = this.#load;
    this.#isFetchingMore = true;
    this.#problem = null;
    try {
      const page = await this.#page(this.#cursor);
      if (load !== this.#load) return;
      this.#take([...(this.#items ?? []), ...page.items]);
      this.#cursor = page.next_cursor;
    } catch (error) {
      if (load === this.#load) this.#problem = asProblem(error);
    } finally {
      this.#isFetchingMore = false;
    }
  }

  #take(items: readonly HistoryItem[]): void {
    this.#items = items;
    const fresh = items.flatMap(({ user }) => user ?? []);
    const isNew = (user: User, i: number, all: readonly User[]) => all.findIndex(({ id }) => id === user.id) === i;
    this.#people = [...this.#people, ...fresh].filter(isNew);
  }

  #page(cursor: string | null): Promise<Page> {
    return api.get<Page>(this.#path, { user_id: this.#user_id, cursor, limit: 50 });
  }
}

/** Names one line, for a list that is drawn by keys. */
export function keyOf(item: HistoryItem): string {
  return item.type === 'checkpoint' ? item.id : `${Math.floor(item.first_at / 60)} ${item.user?.id ?? ''}`;
}
