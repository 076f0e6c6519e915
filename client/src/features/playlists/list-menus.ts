import Copy from '@lucide/svelte/icons/copy';
import Download from '@lucide/svelte/icons/download';
import History from '@lucide/svelte/icons/history';
import ImageMinus from '@lucide/svelte/icons/image-minus';
import ImagePlus from '@lucide/svelte/icons/image-plus';
import Trash2 from '@lucide/svelte/icons/trash-2';
import { playlistWords } from '../../lib/playlist-words.ts';
import { session } from '../accounts/session.svelte.ts';
import type { SortBy } from '#contract/playlists.ts';
import type { MenuEntry } from '../../ui/menu.svelte.ts';
import type { CoverState } from './cover.svelte.ts';
import type { PlaylistState } from './playlist.svelte.ts';

const EXPORTS = [
  ['m3u8', 'M3U8'],
  ['xspf', 'XSPF'],
  ['jspf', 'JSPF'],
  ['json', 'JSON'],
] as const;

const ORDERS = [
  ['title', 'title', false],
  ['artist', 'artist', false],
  ['album', 'album', false],
  ['newest', 'added_at', true],
  ['oldest', 'added_at', false],
  ['shortest', 'duration', false],
  ['longest', 'duration', true],
  ['yearUp', 'year', false],
  ['yearDown', 'year', true],
] as const satisfies [keyof ReturnType<typeof playlistWords>['sort']['by'], SortBy, boolean][];

/** The orders a list can be put in. */
export function sortMenu(list: PlaylistState): MenuEntry[] {
  const words = playlistWords().sort.by;
  return ORDERS.map(([name, by, descending]) => ({
    label: words[name],
    onselect: () => void list.sort(by, descending),
  }));
}

interface MoreActs {
  cover: CoverState;
  chooseCover: () => void;
  showHistory: () => void;
  copy: () => void;
  remove: () => void;
}

/** What else can be done with a list as a whole. */
export function moreMenu(list: PlaylistState, acts: MoreActs): MenuEntry[] {
  const words = playlistWords();
  const entries: MenuEntry[] = [];
  if (list.role !== 'public') {
    entries.push({ label: words.history.title, icon: History, onselect: acts.showHistory }, 'separator');
  }
  if (list.mayEdit) {
    const hasCover = acts.cover.url !== null;
    entries.push({
      label: hasCover ? words.cover.change : words.cover.choose,
      icon: ImagePlus,
      onselect: acts.chooseCover,
    });
    if (hasCover) {
      entries.push({ label: words.cover.remove, icon: ImageMinus, onselect: () => void acts.cover.remove() });
    }
    entries.push('separator');
  }
  if (!session.isGuest) entries.push({ label: words.view.copy, icon: Copy, onselect: acts.copy });
  for (const [format, name] of EXPORTS) {
    entries.push({
      label: words.view.exportAs(name),
      icon: Download,
      // The server names the file and says that it is to be saved.
      onselect: () => location.assign(`/api/v1/playlists/${list.id}/export?format=${format}`),
    });
  }
  if (list.isOwner) {
    entries.push('separator', { label: words.view.delete, icon: Trash2, danger: true, onselect: acts.remove });
  }
  return entries;
}
