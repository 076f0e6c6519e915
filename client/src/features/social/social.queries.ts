import { api } from '../../lib/api.ts';
import type { Follower, Person } from '#contract/social.ts';

interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

/** Letters a search for people needs at least. */
export const MIN_LETTERS = 3;

/** People who follow me, in pages. */
export function followersQuery() {
  return {
    queryKey: ['people', 'followers'] as const,
    queryFn: ({ pageParam, signal }: { pageParam: string; signal: AbortSignal }) =>
      api.get<Page<Follower>>('/social/followers', { cursor: pageParam }, { signal }),
    initialPageParam: '',
    getNextPageParam: (last: Page<Follower>) => last.next_cursor ?? undefined,
  };
}

/** People by the beginning of their name; an exact username also finds private people. */
export function findPeopleQuery(q: string) {
  return {
    queryKey: ['people', 'find', q] as const,
    queryFn: async ({ signal }: { signal: AbortSignal }) =>
      (await api.get<Page<Person>>('/users/search', { q, limit: 20 }, { signal })).items,
    enabled: q.length >= MIN_LETTERS,
  };
}

/** One person, as far as I may see them. */
export function personQuery(username: string) {
  return {
    queryKey: ['people', 'one', username] as const,
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      api.get<Person>(`/users/${encodeURIComponent(username)}`, undefined, { signal }),
  };
}
