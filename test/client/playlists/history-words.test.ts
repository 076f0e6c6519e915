import { describe, expect, it } from 'vitest';
import { sayChange, sayEntries, tracksToPutBack } from '../../../client/src/features/playlists/history-words.ts';
import { playlistsEn } from '../../../client/src/lib/messages/playlists.en.ts';
import type { Change } from '../../../client/src/features/playlists/history-words.ts';

const words = playlistsEn.history;
const entry = (n: number, track_id: string | null = `t${n}`) => ({
  entry_id: `e${n}`,
  track_id,
  title: track_id === null ? null : `Song ${n}`,
  artist: null,
});
function change(kind: Change['kind'], more: Partial<Change> = {}): Change {
  const nothing = { from: null, to: null, by: null, descending: null, checkpoint_id: null };
  return { kind, count: more.entries?.length ?? 0, entries: [], ...nothing, ...more };
}

describe('what somebody did, in words', () => {
  it.each([
    [change('added', { count: 1 }), 'added 1 track'],
    [change('removed', { count: 12 }), 'removed 12 tracks'],
    [change('moved', { count: 2 }), 'moved 2 tracks'],
    [change('renamed', { from: 'A', to: 'B' }), 'renamed it from “A” to “B”'],
    [change('renamed', { to: 'B' }), 'named it “B”'],
    [change('described'), 'changed the description'],
    [change('sorted', { by: 'year', descending: true }), 'sorted it by year'],
    [change('sorted'), 'sorted it'],
    [change('restored'), 'went back to an earlier version'],
  ])('%o', (what, text) => {
    expect(sayChange(what, words)).toBe(text);
  });

  it('names the first titles and counts the others', () => {
    const entries = [1, 2, 3, 4].map((n) => entry(n));
    expect(sayEntries(change('added', { entries: entries.slice(0, 2) }), words, 'en')).toBe('Song 1 and Song 2');
    expect(sayEntries(change('added', { entries, count: 40 }), words, 'en')).toBe('Song 1, Song 2, Song 3 and 37 more');
    expect(sayEntries(change('removed', { entries: [entry(1, null)] }), words, 'en')).toBe('a track that is gone');
    expect(sayEntries(change('sorted', { entries }), words, 'en')).toBe('');
  });
});

describe('what can be added again', () => {
  it('is a removal whose tracks are all known, without those that are back', () => {
    const removed = change('removed', { entries: [entry(1), entry(2), entry(3, null)] });
    expect(tracksToPutBack(removed, new Set())).toEqual(['t1', 't2']);
    expect(tracksToPutBack(removed, new Set(['e1', 'e2']))).toEqual([]);
    expect(tracksToPutBack({ ...removed, count: 30 }, new Set())).toEqual([]);
    expect(tracksToPutBack(change('added', { entries: [entry(1)] }), new Set())).toEqual([]);
  });
});
