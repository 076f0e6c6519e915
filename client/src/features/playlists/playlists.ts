import { api } from '../../lib/api.ts';
import type { Playlist } from '#contract/playlists.ts';

export interface PlaylistPage {
  items: Playlist[];
  next_cursor: string | null;
}
export type PlaylistScope = 'mine' | 'public';

/** Cache key of a list of playlists; everything under `playlists` is read anew after a change. */
export function playlistsKey(scope: PlaylistScope): readonly ['playlists', PlaylistScope] {
  return ['playlists', scope];
}

/** One page of the playlists I own or belong to, or of public ones. */
export function fetchPlaylists(
  scope: PlaylistScope,
  cursor: string | null,
  signal?: AbortSignal,
): Promise<PlaylistPage> {
  return api.get<PlaylistPage>('/playlists', { scope, cursor, limit: 50 }, signal ? { signal } : {});
}

/** Every playlist I may edit, in the order the server gives them. */
export async function fetchEditable(): Promise<Playlist[]> {
  const all: Playlist[] = [];
  let cursor: string | null = null;
  do {
    const page: PlaylistPage = await api.get('/playlists', { scope: 'mine', cursor, limit: 200 });
    all.push(...page.items.filter(({ role }) => role === 'owner' || role === 'editor'));
    cursor = page.next_cursor;
  } while (cursor !== null);
  return all;
}
