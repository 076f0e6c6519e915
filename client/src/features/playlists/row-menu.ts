import ArrowDown from '@lucide/svelte/icons/arrow-down';
import ArrowDownToLine from '@lucide/svelte/icons/arrow-down-to-line';
import ArrowUp from '@lucide/svelte/icons/arrow-up';
import ArrowUpToLine from '@lucide/svelte/icons/arrow-up-to-line';
import Disc3 from '@lucide/svelte/icons/disc-3';
import Hash from '@lucide/svelte/icons/hash';
import ListEnd from '@lucide/svelte/icons/list-end';
import ListPlus from '@lucide/svelte/icons/list-plus';
import ListStart from '@lucide/svelte/icons/list-start';
import MicVocal from '@lucide/svelte/icons/mic-vocal';
import Play from '@lucide/svelte/icons/play';
import Trash2 from '@lucide/svelte/icons/trash-2';
import { goto } from '$app/navigation';
import { resolve } from '$app/paths';
import { playlistWords } from '../../lib/playlist-words.ts';
import { session } from '../accounts/session.svelte.ts';
import { player } from '../listens/player.svelte.ts';
import { isPlayable } from '../tracks/grid-row.ts';
import { addToPlaylist } from './add-to-playlist.svelte.ts';
import type { Track } from '#contract/library.ts';
import type { MenuEntry } from '../../ui/menu.svelte.ts';
import type { GridRow } from '../tracks/grid-row.ts';
import type { PlaylistState } from './playlist.svelte.ts';

interface RowActs {
  playFrom: (row: GridRow) => void;
  /** Asks for the place to move these to. */
  toPosition: (ids: string[]) => void;
}

/** The tracks of rows that can be played. */
export function playableOf(rows: readonly GridRow[]): Track[] {
  return rows.flatMap((row) => (isPlayable(row) && row.track ? [row.track] : []));
}

/** What can be done with rows of a playlist. */
export function rowMenu(list: PlaylistState, rows: GridRow[], acts: RowActs): MenuEntry[] {
  const t = playlistWords().menu;
  const ids = rows.map((row) => row.id);
  const tracks = playableOf(rows);
  const known = rows.flatMap((row) => (row.track ? [row.track] : []));
  const only = rows.length === 1 ? rows[0] : undefined;
  const none = tracks.length === 0;
  const entries: MenuEntry[] = [];
  if (only) entries.push({ label: t.play, icon: Play, disabled: none, onselect: () => acts.playFrom(only) });
  entries.push(
    { label: t.playNext, icon: ListStart, disabled: none, onselect: () => player.playNext(tracks) },
    { label: t.queue, icon: ListEnd, disabled: none, onselect: () => player.enqueue(tracks) },
  );
  if (!session.isGuest) {
    entries.push({
      label: t.addToPlaylist,
      icon: ListPlus,
      disabled: known.length === 0,
      onselect: () =>
        addToPlaylist.open(
          known.map((track) => track.id),
          known[0]?.title ?? '',
        ),
    });
  }
  if (list.canEdit) {
    entries.push(
      'separator',
      { label: t.top, icon: ArrowUpToLine, onselect: () => list.moveToPosition(ids, 0) },
      { label: t.up, icon: ArrowUp, onselect: () => list.moveStep(ids, 'up') },
      { label: t.down, icon: ArrowDown, onselect: () => list.moveStep(ids, 'down') },
      { label: t.bottom, icon: ArrowDownToLine, onselect: () => list.move(ids, null) },
      {
        label: t.toPosition,
        icon: Hash,
        onselect: () => acts.toPosition(ids),
      },
    );
  }
  const { album_id = null, artist_id = null } = only?.track ?? {};
  if (album_id !== null || artist_id !== null) entries.push('separator');
  if (album_id !== null) {
    entries.push({
      label: t.goToAlbum,
      icon: Disc3,
      onselect: () => void goto(resolve('/(app)/album/[id]', { id: album_id })),
    });
  }
  if (artist_id !== null) {
    entries.push({
      label: t.goToArtist,
      icon: MicVocal,
      onselect: () => void goto(resolve('/(app)/artist/[id]', { id: artist_id })),
    });
  }
  if (list.canEdit) {
    entries.push('separator', { label: t.remove, icon: Trash2, danger: true, onselect: () => list.remove(ids) });
  }
  return entries;
}
