import { api } from '../../lib/api.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { merged, without } from './merged.ts';
import type { FeedItem } from '#contract/feed.ts';
import type { ApiProblem } from '../../lib/problem.ts';

interface Page {
  items: FeedItem[];
  next_cursor: string | null;
}

/**
 * What the people I follow did. The place up to which everything was told is kept, so that after a break, or when the view
 * is opened again, what was missed follows without a gap, and nothing comes twice.
 */
export class Feed {
  #items = $state.raw<readonly FeedItem[] | null>(null);
  /** Come while somebody reads further down; not in the list yet, so that it does not move under them. */
  #fresh = $state.raw<readonly FeedItem[]>([]);
  #problem = $state.raw<ApiProblem | null>(null);
  #older = $state<string | null>(null);
  #isFetchingMore = $state(false);
  #isLive = $state(false);
  #hasGap = $state(false);
  /** Opened anew: what is shown may not be there, or not for me, any more. */
  #isStale = false;
  /** Everything up to here was told. */
  #cursor: string | null = null;
  #isReading = () => false;
  /** Counts the openings and breaks, so that a late answer to an earlier one is passed over. */
  #turn = 0;
  #offs: (() => void)[] = [];

  /** Null while the first page is on its way. */
  get items(): readonly FeedItem[] | null {
    return this.#items;
  }
  get fresh(): readonly FeedItem[] {
    return this.#fresh;
  }
  get problem(): ApiProblem | null {
    return this.#problem;
  }
  get hasMore(): boolean {
    return this.#older !== null;
  }
  get isFetchingMore(): boolean {
    return this.#isFetchingMore;
  }
  /** Whether new items come by themselves. */
  get isLive(): boolean {
    return this.#isLive;
  }
  /** Something between what is shown is not kept any more. */
  get hasGap(): boolean {
    return this.#hasGap;
  }

  /** Begins to follow; `isReading` says whether somebody has scrolled down. @returns the way to stop. */
  open(isReading: () => boolean): () => void {
    this.#isReading = isReading;
    this.#isStale = true;
    this.#offs = [
      gateway.on('feed:item', (item) => {
        this.#cursor = item.cursor;
        this.#add([item]);
      }),
      gateway.onLive(() => void this.#follow()),
      gateway.onDown(() => {
        this.#turn++;
        this.#isLive = false;
      }),
    ];
    // Without a line what there is can still be read.
    if (gateway.state !== 'live') void this.load();
    return () => this.#close();
  }

  #close(): void {
    this.#turn++;
    for (const off of this.#offs) off();
    this.#isLive = false;
    this.showFresh();
    if (gateway.state === 'live')
      gateway.request('feed:unsubscribe', {}).catch((error: unknown) => console.debug('feed not left', error));
  }

  /** Takes what was missed, then what happens. */
  async #follow(): Promise<void> {
    const turn = ++this.#turn;
    try {
      for (let hasMore = true; hasMore;) {
        const answer = await gateway.request('feed:subscribe', this.#cursor === null ? {} : { cursor: this.#cursor });
        if (turn !== this.#turn) return;
        if (answer.resync) {
          this.#hasGap = true;
          this.#items = null;
        }
        this.#cursor = answer.cursor;
        this.#add([...answer.items].reverse());
        hasMore = answer.has_more;
      }
      this.#isLive = true;
    } catch (error) {
      if (turn !== this.#turn) return;
      const problem = asProblem(error);
      // A cursor of another database, or one that is not ours: begin anew.
      if (problem.status === 400 && this.#cursor !== null) {
        this.#cursor = null;
        this.#items = null;
        return this.#follow();
      }
      console.debug('feed not live', problem.code);
    }
    // What is read after the place was taken may overlap with what is told, and leaves nothing out.
    if (this.#items === null || this.#isStale) await this.load();
  }

  /** Reads the newest page anew: what may not be seen any more is gone, what is told meanwhile stays. */
  async load(): Promise<void> {
    this.#problem = null;
    const before = [...(this.#items ?? []), ...this.#fresh];
    try {
      const page = await api.get<Page>('/social/feed', { limit: 50 });
      const arrived = without([...this.#fresh, ...(this.#items ?? [])], before);
      this.#items = merged(arrived, page.items);
      this.#fresh = [];
      this.#older = page.next_cursor;
      this.#isStale = false;
    } catch (error) {
      this.#problem = asProblem(error);
    }
  }

  /** Reads what is older. */
  async more(): Promise<void> {
    if (this.#older === null || this.#isFetchingMore) return;
    this.#isFetchingMore = true;
    try {
      const page = await api.get<Page>('/social/feed', { limit: 50, cursor: this.#older });
      this.#items = merged(this.#items ?? [], page.items);
      this.#older = page.next_cursor;
    } catch (error) {
      toaster.error(problemText(asProblem(error)));
    } finally {
      this.#isFetchingMore = false;
    }
  }

  /** Puts what came meanwhile on top. */
  showFresh(): void {
    if (this.#fresh.length === 0) return;
    this.#items = merged(this.#fresh, this.#items ?? []);
    this.#fresh = [];
  }

  #add(news: readonly FeedItem[]): void {
    const known = this.#items ?? [];
    this.#fresh = without(merged(news, this.#fresh), known);
    // Before the first page there is no list to put them on: `load` takes them in.
    if (this.#items !== null && !this.#isReading()) this.showFresh();
  }
}

/** One for as long as the app is open: the view comes back to where it was. */
export const feed = new Feed();
