import House from '@lucide/svelte/icons/house';
import Library from '@lucide/svelte/icons/library';
import ListMusic from '@lucide/svelte/icons/list-music';
import Search from '@lucide/svelte/icons/search';
import Users from '@lucide/svelte/icons/users';
import type { Messages } from '../../lib/i18n.svelte.ts';

/** The five places the navigation leads to, on every width. */
export const DESTINATIONS = [
  { href: '/', name: 'home', icon: House },
  { href: '/search', name: 'search', icon: Search },
  { href: '/library/tracks', name: 'library', icon: Library },
  { href: '/playlists', name: 'playlists', icon: ListMusic },
  { href: '/people', name: 'people', icon: Users },
] as const satisfies readonly { href: string; name: keyof Messages['nav']; icon: unknown }[];

/** Whether an address lies in the part of the app a destination stands for. */
export function isHere(href: string, pathname: string): boolean {
  if (href === '/') return pathname === '/';
  const part = href.split('/')[1] ?? '';
  const families: Record<string, readonly string[]> = {
    library: ['library', 'album', 'artist'],
    playlists: ['playlists', 'playlist'],
    people: ['people', 'u'],
  };
  return (families[part] ?? [part]).includes(pathname.split('/')[1] ?? '');
}
