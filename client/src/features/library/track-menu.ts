import Disc from '@lucide/svelte/icons/disc-3';
import ListEnd from '@lucide/svelte/icons/list-end';
import ListPlus from '@lucide/svelte/icons/list-plus';
import ListStart from '@lucide/svelte/icons/list-start';
import MicVocal from '@lucide/svelte/icons/mic-vocal';
import { goto } from '$app/navigation';
import { resolve } from '$app/paths';
import { i18n } from '../../lib/i18n.svelte.ts';
import { session } from '../accounts/session.svelte.ts';
import { player } from '../listens/player.svelte.ts';
import { addToPlaylist } from '../playlists/add-to-playlist.svelte.ts';
import type { Track } from '#contract/library.ts';
import type { MenuEntry } from '../../ui/menu.svelte.ts';
import type { GridRow } from '../tracks/grid-row.ts';

/** The tracks of rows that stand for one. */
export function tracksOf(rows: readonly GridRow[]): Track[] {
  return rows.flatMap((row) => (row.track ? [row.track] : []));
}

/** What can be done with tracks wherever they are listed. `queue: false` leaves out what the queue's own list offers. */
export function trackMenu(rows: readonly GridRow[], { queue = true }: { queue?: boolean } = {}): MenuEntry[] {
  const tracks = tracksOf(rows);
  const playable = tracks.filter((track) => !track.missing);
  const first = tracks[0];
  const entries: MenuEntry[] = [];
  if (queue) {
    entries.push(
      {
        label: i18n.m.player.playNext,
        icon: ListStart,
        disabled: playable.length === 0,
        onselect: () => player.playNext(playable),
      },
      {
        label: i18n.m.player.addToQueue,
        icon: ListEnd,
        disabled: playable.length === 0,
        onselect: () => player.enqueue(playable),
      },
    );
  }
  if (!session.isGuest && tracks.length > 0) {
    const label = tracks.length === 1 && first ? first.title : i18n.m.common.tracks(tracks.length);
    entries.push({
      label: i18n.m.library.addToPlaylist,
      icon: ListPlus,
      onselect: () =>
        addToPlaylist.open(
          tracks.map((track) => track.id),
          label,
        ),
    });
  }
  if (tracks.length === 1 && first) {
    const { album_id, artist_id } = first;
    if (album_id !== null || artist_id !== null) entries.push('separator');
    if (album_id !== null) {
      entries.push({
        label: i18n.m.library.goToAlbum,
        icon: Disc,
        onselect: () => void goto(resolve('/(app)/album/[id]', { id: album_id })),
      });
    }
    if (artist_id !== null) {
      entries.push({
        label: i18n.m.library.goToArtist,
        icon: MicVocal,
        onselect: () => void goto(resolve('/(app)/artist/[id]', { id: artist_id })),
      });
    }
  }
  return entries;
}
