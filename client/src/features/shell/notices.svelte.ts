import { goto } from '$app/navigation';
import { api } from '../../lib/api.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { session } from '../accounts/session.svelte.ts';
import { isMyOwnChange } from '../playlists/own-changes.ts';
import { friends } from '../social/friends.svelte.ts';
import { NoticePace } from './notice-pace.ts';
import type { Playlist } from '#contract/playlists.ts';

const MINUTE_MS = 60_000;
/** One friend who stops and starts is told once in a while; an evening where everybody arrives is no flood. */
const friendPace = new NoticePace(30 * MINUTE_MS, 15_000);
/** Others may be at a list for an hour. */
const playlistPace = new NoticePace(10 * MINUTE_MS, 5_000);

async function onPlaylistChanged(playlist_id: string): Promise<void> {
  const address = `/playlist/${playlist_id}`;
  if (!session.preferences.notify_playlists || location.pathname === address || isMyOwnChange(playlist_id)) return;
  if (!playlistPace.allows(playlist_id, Date.now())) return;
  let name: string;
  try {
    ({ name } = await api.get<Playlist>(`/playlists/${playlist_id}`));
  } catch (error) {
    // It may be gone, or no longer mine to know about: then there is nothing to tell.
    console.debug('changed playlist not read', error);
    return;
  }
  if (location.pathname === address) return;
  toaster.show({
    text: i18n.m.notices.playlistChanged(name),
    action: i18n.m.notices.open,
    onaction: () => void goto(address),
  });
}

/** Tells, by short messages, of what a person asked to be told of. Begins once, for as long as the app is open. */
export function listenForNotices(): void {
  gateway.on('playlist:changed', ({ playlist_id }) => void onPlaylistChanged(playlist_id));
  friends.onBegin((person, update) => {
    if (!session.preferences.notify_friends || !update.track || !friendPace.allows(person.id, Date.now())) return;
    const { username } = person;
    toaster.show({
      text: i18n.m.notices.friendListens(person.display_name, update.track.title),
      action: i18n.m.notices.show,
      onaction: () => void goto(`/u/${encodeURIComponent(username)}`),
    });
  });
}
