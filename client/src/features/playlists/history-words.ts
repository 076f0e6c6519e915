import type { playlistsEn } from '../../lib/messages/playlists.en.ts';
import type { HistoryItem } from '#contract/playlists.ts';

export type Change = Extract<HistoryItem, { type: 'edits' }>['changes'][number];

/** Titles that are named; the others are counted. */
const NAMED = 3;

/** What somebody did, as the rest of a sentence that begins with their name. */
export function sayChange(change: Change, words: typeof playlistsEn.history): string {
  switch (change.kind) {
    case 'added':
    case 'removed':
    case 'moved':
      return words[change.kind](change.count);
    case 'renamed':
      return words.renamed(change.from ?? '', change.to ?? '');
    case 'described':
      return words.described;
    case 'sorted':
      return change.by === null ? words.sorted : words.sortedBy[change.by];
    case 'restored':
      return words.restored;
  }
}

/** The titles a change is about, the first of them by name; empty where there are none. */
export function sayEntries(change: Change, words: typeof playlistsEn.history, locale: string): string {
  // A sorting moves them all: that says enough.
  if (change.entries.length === 0 || change.kind === 'sorted' || change.kind === 'restored') return '';
  const names = change.entries.slice(0, NAMED).map(({ title }) => title ?? words.unnamed);
  const rest = change.count - names.length;
  const list = rest > 0 ? names.join(', ') : new Intl.ListFormat(locale).format(names);
  return words.entries(list, rest);
}

/** The tracks of a removal that can be added again: all of them known, and none of them back in the list. */
export function tracksToPutBack(change: Change, inList: ReadonlySet<string>): string[] {
  if (change.kind !== 'removed' || change.count > change.entries.length) return [];
  const gone = change.entries.filter(({ entry_id }) => !inList.has(entry_id));
  return gone.flatMap(({ track_id }) => (track_id === null ? [] : [track_id]));
}
