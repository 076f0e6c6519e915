import { api } from '../../lib/api.ts';
import { marks } from './marks.svelte.ts';
import type { Favorite, FavoriteAlbum, FavoriteArtist } from '#contract/favorites.ts';

export const SHOWN = ['hearts', 'rated', 'noted', 'all'] as const;
export type Shown = (typeof SHOWN)[number];
export const FAVORITE_SORTS = ['favorited', 'rating', 'title', 'artist', 'album', 'year', 'duration'] as const;
export type FavoriteSort = (typeof FAVORITE_SORTS)[number];

export interface FavoriteFilter {
  show: Shown;
  sort: FavoriteSort;
  order: 'asc' | 'desc';
  min_rating: number | null;
  q: string;
}

interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}
const nextOf = <Item>(last: Page<Item>) => last.next_cursor ?? undefined;

/** Pages of what I hold dear; their hearts and stars are known then. */
export function favoritesQuery(filter: FavoriteFilter) {
  return {
    queryKey: ['favorites', 'tracks', filter] as const,
    queryFn: async ({ pageParam, signal }: { pageParam: string; signal: AbortSignal }) => {
      const page = await api.get<Page<Favorite>>(
        '/favorites',
        { ...filter, cursor: pageParam, limit: 100 },
        { signal },
      );
      marks.know(page.items);
      return page;
    },
    initialPageParam: '',
    getNextPageParam: nextOf<Favorite>,
  };
}

/** Pages of albums or artists with my heart. */
export function likedQuery<Item extends FavoriteAlbum | FavoriteArtist>(kind: 'albums' | 'artists') {
  return {
    queryKey: ['favorites', kind] as const,
    queryFn: ({ pageParam, signal }: { pageParam: string; signal: AbortSignal }) =>
      api.get<Page<Item>>(`/favorites/${kind}`, { cursor: pageParam, limit: 60 }, { signal }),
    initialPageParam: '',
    getNextPageParam: nextOf<Item>,
  };
}
