import { describe, expect, it } from 'vitest';
import { duplicatesOf, rowsOf } from '../../../client/src/features/playlists/playlist-rows.ts';
import type { Track } from '#contract/library.ts';
import type { ListEntry } from '#contract/playlist-doc.ts';

const track = (id: string, more: Partial<Track> = {}): Track => ({
  id,
  track_path: `${id}.flac`,
  title: `Title ${id}`,
  artist: 'Artist',
  album: 'Album',
  album_id: null,
  artist_id: null,
  album_artist: null,
  genre: null,
  year: null,
  track_number: null,
  disc_number: null,
  duration: 61.5,
  codec: 'flac',
  has_cover: false,
  missing: false,
  added_at: 1,
  ...more,
});
const entry = (entry_id: string, track_id: string | null, more: Partial<ListEntry> = {}): ListEntry => ({
  entry_id,
  order_key: 'a0',
  track_id,
  added_by: 'ana',
  added_at: 1,
  ...more,
});
const people = new Map([['ana', { id: 'ana', display_name: 'Ana' }]]);
const rows = (list: ListEntry[], known: Record<string, Track | 'unknown'> = {}, unsent: string[] = []) =>
  rowsOf(
    list,
    (id) => known[id],
    (id) => people.get(id),
    new Set(unsent),
  );

describe('rows of a playlist', () => {
  it('tells playable, missing, unknown, not looked up and text-only entries apart', () => {
    const list = [
      entry('1', 'here'),
      entry('2', 'away'),
      entry('3', 'never'),
      entry('4', 'later'),
      entry('5', null, { text: { title: 'Song', artist: 'Band', duration_ms: 90_000 } }),
    ];
    const made = rows(list, { here: track('here'), away: track('away', { missing: true }), never: 'unknown' });
    expect(made.map(({ state }) => state)).toEqual(['ready', 'missing', 'missing', 'loading', 'text']);
    expect(made[4]).toMatchObject({ title: 'Song', artist: 'Band', duration: 90, track: null });
  });

  it('marks the second place of a track as a duplicate, never the first, and never text-only songs', () => {
    const text = { title: 'Song', artist: '' };
    const list = [
      entry('1', 'a'),
      entry('2', 'b'),
      entry('3', 'a'),
      entry('4', null, { text }),
      entry('5', null, { text }),
      entry('6', 'a'),
    ];
    expect(
      rows(list)
        .filter(({ duplicate }) => duplicate)
        .map(({ id }) => id),
    ).toEqual(['3', '6']);
    expect(duplicatesOf(list)).toEqual(['3', '6']);
  });

  it('names who added a row, tells a former member, and leaves out who is not known yet', () => {
    const made = rows([entry('1', 'a'), entry('2', 'a', { added_by: null }), entry('3', 'a', { added_by: 'ben' })]);
    expect(made[0]?.added_by?.display_name).toBe('Ana');
    expect(made[1]?.added_by).toBeNull();
    expect(made[2]).not.toHaveProperty('added_by');
  });

  it('marks rows whose edit has not been sent', () => {
    expect(rows([entry('1', 'a'), entry('2', 'b')], {}, ['2']).map(({ unsent }) => unsent)).toEqual([false, true]);
  });
});
