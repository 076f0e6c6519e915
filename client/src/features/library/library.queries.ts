import { api } from '../../lib/api.ts';
import type { Album, Artist, ScanState, Track } from '#contract/library.ts';

export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}
export type AlbumWithTracks = Album & { tracks: Track[] };
export type ArtistWithAlbums = Artist & { albums: Album[] };
export interface Found {
  tracks: Track[];
  albums: Album[];
  artists: Artist[];
}

export const SORTS = ['artist', 'title', 'album', 'year', 'added', 'duration'] as const;
export type Sort = (typeof SORTS)[number];
export type Order = 'asc' | 'desc';
export interface TrackFilter {
  q?: string;
  sort?: Sort;
  order?: Order;
  artist_id?: string;
}

const PAGE_SIZE = 100;

/** Pages of tracks; a list is asked for a hundred at a time. */
export function tracksQuery(filter: TrackFilter) {
  return {
    queryKey: ['library', 'tracks', filter] as const,
    queryFn: ({ pageParam, signal }: { pageParam: string; signal: AbortSignal }) =>
      api.get<Page<Track>>('/library/tracks', { ...filter, cursor: pageParam, limit: PAGE_SIZE }, { signal }),
    initialPageParam: '',
    getNextPageParam: (last: Page<Track>) => last.next_cursor ?? undefined,
  };
}

/** Pages of albums or artists. */
export function cardsQuery<Item>(kind: 'albums' | 'artists', q: string) {
  return {
    queryKey: ['library', kind, q] as const,
    queryFn: ({ pageParam, signal }: { pageParam: string; signal: AbortSignal }) =>
      api.get<Page<Item>>(`/library/${kind}`, { q, cursor: pageParam, limit: 60 }, { signal }),
    initialPageParam: '',
    getNextPageParam: (last: Page<Item>) => last.next_cursor ?? undefined,
  };
}

/** One album with its tracks. */
export function albumQuery(id: string) {
  return {
    queryKey: ['library', 'album', id] as const,
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      api.get<AlbumWithTracks>(`/library/albums/${encodeURIComponent(id)}`, undefined, { signal }),
  };
}

/** One artist with their albums. */
export function artistQuery(id: string) {
  return {
    queryKey: ['library', 'artist', id] as const,
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      api.get<ArtistWithAlbums>(`/library/artists/${encodeURIComponent(id)}`, undefined, { signal }),
  };
}

/** What the library holds for some words. */
export function searchQuery(q: string) {
  return {
    queryKey: ['library', 'search', q] as const,
    queryFn: ({ signal }: { signal: AbortSignal }) => api.get<Found>('/library/search', { q, limit: 30 }, { signal }),
    enabled: q !== '',
  };
}

const SCAN_POLL_MS = 1_000;

/** How the running or last scan is doing; asked again each second while one runs. */
export function scanQuery() {
  return {
    queryKey: ['library', 'scan'] as const,
    queryFn: ({ signal }: { signal: AbortSignal }) => api.get<ScanState>('/library/scan', undefined, { signal }),
    refetchInterval: (query: { state: { data?: ScanState | undefined } }) =>
      query.state.data?.state === 'running' ? SCAN_POLL_MS : false,
    staleTime: 5_000,
  } as const;
}
