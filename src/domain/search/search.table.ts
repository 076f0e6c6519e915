import type { Generated } from 'kysely';

/** What a track, album or artist is found by. */
export interface SearchItemsTable {
  doc: Generated<number>;
  /** Of the track, album or artist. */
  id: string;
  /** How its name begins (`nameStart`). */
  name: string;
  /** Words of its name, one space between, as `wordsOf` makes them; each database has an index of its own over them. */
  name_words: string;
  /** Words of its artist and album. */
  other_words: string;
}

/** Words of the library that were ever there, long enough to be mistyped. */
export interface SearchWordsTable {
  word: string;
}

/** Words by what is left of their beginning without a letter (`cutsOf`). */
export interface SearchCutsTable {
  cut: string;
  word: string;
}

/** One row: by which version of the code all of this was made; none while it was not, or is being made. */
export interface SearchStateTable {
  id: number;
  version: number;
}

export interface SearchTables {
  search_tracks: SearchItemsTable;
  search_albums: SearchItemsTable;
  search_artists: SearchItemsTable;
  search_words: SearchWordsTable;
  search_cuts: SearchCutsTable;
  search_state: SearchStateTable;
}
