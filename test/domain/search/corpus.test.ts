import { expect, test } from 'vitest';
import { CORPUS, PEOPLE, PLAYLISTS, TRACKS } from './corpus.ts';

/** What of the corpus a query wants; more than one only where several are called the same. */
function wantedOf({ kind, wanted, by }: (typeof CORPUS)[number]): number {
  switch (kind) {
    case 'track':
      return TRACKS.filter(({ title, artist }) => title === wanted && (by === undefined || artist === by)).length;
    case 'album':
      return TRACKS.filter(({ album }) => album === wanted).length;
    case 'artist':
      return TRACKS.filter(({ artist }) => artist === wanted).length;
    case 'playlist':
      return PLAYLISTS.filter((name) => name === wanted).length;
    case 'person':
      return PEOPLE.filter((name) => name === wanted).length;
  }
}

test('[SE1] the corpus has some hundred tracks and 200 queries and more, each of which wants what is there', () => {
  expect(TRACKS.length).toBeGreaterThan(500);
  expect(CORPUS.length).toBeGreaterThan(200);
  expect(CORPUS.filter((query) => wantedOf(query) === 0)).toEqual([]);
  const typed = CORPUS.map(({ kind, q, wanted, by }) => [kind, q, wanted, by].join('\n'));
  expect(typed.filter((one, i) => typed.indexOf(one) !== i)).toEqual([]);
});
