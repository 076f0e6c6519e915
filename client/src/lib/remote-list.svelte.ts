import { toaster } from '../ui/toaster.svelte.ts';
import { api } from './api.ts';
import { i18n } from './i18n.svelte.ts';
import { asProblem } from './problem.ts';
import { problemText } from './problem-text.ts';
import type { QueryValue } from './api.ts';
import type { ApiProblem } from './problem.ts';

interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}
type Query = Record<string, QueryValue>;

/** A paged list of the server's that is changed here at once, and set right again if the server refuses. */
export class RemoteList<Item extends { id: string }> {
  readonly #path: string;
  #query: Query = {};
  #items = $state.raw<readonly Item[] | null>(null);
  #cursor = $state<string | null>(null);
  #problem = $state.raw<ApiProblem | null>(null);
  #isFetchingMore = $state(false);
  /** Counts the loads, so that a late answer to an earlier question is passed over. */
  #load = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Null while the first page is on its way. */
  get items(): readonly Item[] | null {
    return this.#items;
  }
  /** Why the list could not be read. */
  get problem(): ApiProblem | null {
    return this.#problem;
  }
  get hasMore(): boolean {
    return this.#cursor !== null;
  }
  get isFetchingMore(): boolean {
    return this.#isFetchingMore;
  }

  /** Reads the first page; another question than before empties the list first. */
  async load(query: Query = this.#query): Promise<void> {
    const load = ++this.#load;
    if (query !== this.#query) this.#items = null;
    this.#query = query;
    this.#problem = null;
    this.#isFetchingMore = false;
    try {
      const page = await api.get<Page<Item>>(this.#path, query);
      if (load !== this.#load) return;
      this.#items = page.items;
      this.#cursor = page.next_cursor;
    } catch (error) {
      if (load === this.#load) this.#problem = asProblem(error);
    }
  }

  /** Reads the next page behind what is there. */
  async more(): Promise<void> {
    if (this.#cursor === null || this.#isFetchingMore) return;
    const load = this.#load;
    this.#isFetchingMore = true;
    try {
      const page = await api.get<Page<Item>>(this.#path, { ...this.#query, cursor: this.#cursor });
      if (load !== this.#load) return;
      const known = this.#items ?? [];
      const fresh = page.items.filter((item) => !known.some((one) => one.id === item.id));
      this.#items = [...known, ...fresh];
      this.#cursor = page.next_cursor;
    } catch (error) {
      if (load === this.#load) toaster.error(problemText(asProblem(error)));
    } finally {
      if (load === this.#load) this.#isFetchingMore = false;
    }
  }

  /** Puts a new item in front, or one that is known in its place. */
  put(item: Item): void {
    const items = this.#items ?? [];
    this.#items = items.some((one) => one.id === item.id) ? this.#replaced(item) : [item, ...items];
  }

  /**
   * Changes an item at once, then asks the server, whose answer counts. A refusal puts the item back, says `failed` and
   * why (or what `failed` makes of it), and offers to try again if that can help. @returns the refusal, or null.
   */
  async change(
    id: string,
    part: Partial<Item>,
    send: () => Promise<Item | undefined>,
    failed: string | ((problem: ApiProblem) => string),
  ): Promise<ApiProblem | null> {
    const before = this.#items?.find((item) => item.id === id);
    if (!before) return null;
    this.#items = this.#replaced({ ...before, ...part });
    try {
      const answer = await send();
      if (answer) this.#items = this.#replaced(answer);
      return null;
    } catch (error) {
      this.#items = this.#replaced(before);
      return this.#refused(error, failed, () => void this.change(id, part, send, failed));
    }
  }

  /**
   * Takes an item out at once; a refusal puts it back where it stood, aloud unless the caller says it (no `failed`).
   * @returns the refusal, or null.
   */
  async remove(id: string, send: () => Promise<unknown>, failed?: string): Promise<ApiProblem | null> {
    const at = this.#items?.findIndex((item) => item.id === id) ?? -1;
    const item = this.#items?.[at];
    if (!item) return null;
    this.#items = this.#items?.toSpliced(at, 1) ?? null;
    try {
      await send();
      return null;
    } catch (error) {
      const problem = asProblem(error);
      // What is not there any more is what was wanted.
      if (problem.status === 404) return null;
      if (!this.#items?.some((one) => one.id === id)) this.#items = this.#items?.toSpliced(at, 0, item) ?? [item];
      return failed === undefined ? problem : this.#refused(error, failed, () => void this.remove(id, send, failed));
    }
  }

  #replaced(item: Item): readonly Item[] | null {
    return this.#items?.map((one) => (one.id === item.id ? item : one)) ?? null;
  }

  #refused(error: unknown, failed: string | ((problem: ApiProblem) => string), again: () => void): ApiProblem {
    const problem = asProblem(error);
    toaster.error(
      typeof failed === 'string' ? `${failed}: ${problemText(problem)}` : failed(problem),
      problem.retryable ? { action: i18n.m.common.retry, onaction: again } : {},
    );
    return problem;
  }
}
