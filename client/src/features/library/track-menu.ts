import Disc from '@lucide/svelte/icons/disc-3';
import Heart from '@lucide/svelte/icons/heart';
import ListEnd from '@lucide/svelte/icons/list-end';
import ListPlus from '@lucide/svelte/icons/list-plus';
import ListStart from '@lucide/svelte/icons/list-start';
import MicVocal from '@lucide/svelte/icons/mic-vocal';
import Star from '@lucide/svelte/icons/star';
import { goto } from '$app/navigation';
import { resolve } from '$app/paths';
import { favoriteWords } from '../../lib/favorite-words.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { session } from '../accounts/session.svelte.ts';
import { setHearts, setStars } from '../favorites/change-marks.ts';
import { marks } from '../favorites/marks.svelte.ts';
import { player } from '../listens/player.svelte.ts';
import { addToPlaylist } from '../playlists/add-to-playlist.svelte.ts';
import type { Track } from '#contract/library.ts';
import { menu } from '../../ui/menu.svelte.ts';
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
  if (!session.isGuest && tracks.length > 0) entries.push(...markEntries(tracks));
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

/** Hearts and stars of all of these at once; where some have a heart and some not, all are given one. */
function markEntries(tracks: readonly Track[]): MenuEntry[] {
  const words = favoriteWords();
  const ids = [...new Set(tracks.map((track) => track.id))];
  marks.want(ids);
  const areHeld = ids.every((id) => marks.of(id).is_favorite);
  const ratings = new Set(ids.map((id) => marks.of(id).rating));
  const rating = ratings.size === 1 ? [...ratings][0] : undefined;
  const stars = [5, 4, 3, 2, 1].map((count) => ({
    label: words.stars(count),
    checked: rating === count,
    onselect: () => void setStars(ids, count),
  }));
  return [
    {
      label: areHeld ? words.remove : words.add,
      icon: Heart,
      onselect: () => void setHearts(ids, !areHeld),
    },
    {
      label: `${words.rate}…`,
      icon: Star,
      onselect: (at) =>
        menu.open(at, words.rate, [
          ...stars,
          'separator',
          {
            label: words.clearStars,
            disabled: [...ratings].every((one) => one === null),
            onselect: () => void setStars(ids, null),
          },
        ]),
    },
  ];
}
