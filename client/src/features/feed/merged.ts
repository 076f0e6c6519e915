import type { FeedItem } from '#contract/feed.ts';

/** Newest first, each once; of two with one time the one told later stands first. */
export function merged(news: readonly FeedItem[], known: readonly FeedItem[]): FeedItem[] {
  const ids = new Set<string>();
  const all = [...news, ...known].filter(({ id }) => !ids.has(id) && ids.add(id));
  return all.sort((a, b) => b.created_at - a.created_at);
}

/** Items that are not among others. */
export function without(items: readonly FeedItem[], others: readonly FeedItem[]): FeedItem[] {
  const ids = new Set(others.map(({ id }) => id));
  return items.filter(({ id }) => !ids.has(id));
}
