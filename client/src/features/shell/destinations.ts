import House from '@lucide/svelte/icons/house';
import Library from '@lucide/svelte/icons/library';
import ListMusic from '@lucide/svelte/icons/list-music';
import Rss from '@lucide/svelte/icons/rss';
import Search from '@lucide/svelte/icons/search';
import type { Messages } from '../../lib/i18n.svelte.ts';

/** The five places the navigation leads to, on every width. */
export const DESTINATIONS = [
  { href: '/', name: 'home', icon: House },
  { href: '/search', name: 'search', icon: Search },
  { href: '/library/tracks', name: 'library', icon: Library },
  { href: '/playlists', name: 'playlists', icon: ListMusic },
  { href: '/feed', name: 'feed', icon: Rss },
] as const satisfies readonly { href: string; name: keyof Messages['nav']; icon: unknown }[];

/** Whether an address lies in the part of the app a destination stands for; people are their own where they have a link. */
export function isHere(href: string, pathname: string, peopleApart = false): boolean {
  if (href === '/') return pathname === '/';
  const part = href.split('/')[1] ?? '';
  const families: Record<string, readonly string[]> = {
    library: ['library', 'album', 'artist'],
    playlists: ['playlists', 'playlist'],
    people: ['people', 'u'],
    feed: peopleApart ? ['feed'] : ['feed', 'people', 'u'],
    history: ['history', 'import'],
  };
  return (families[part] ?? [part]).includes(pathname.split('/')[1] ?? '');
}
