/**
 * Entries as other programs' lists write them and the track each means, or none, in a library of 243 tracks (one JSON object a
 * line). They were written apart from the matcher: what it gets wrong is mended by a rule, never by a row.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTrackFinder } from '#domain/library/matching/track-finder.ts';
import { pathOfLocation, readEntry } from '#domain/playlists/files/read-entry.ts';
import { sortKey } from '#domain/library/library.rules.ts';
import { DIALECTS } from '../../../support/dialects.ts';
import type { Found } from '#domain/library/matching/track-finder.ts';
import type { TestDatabase } from '../../../support/dialects.ts';

interface LibraryRow {
  id: string;
  title: string;
  artist: string;
  album: string;
  album_artist?: string;
  /** Seconds. */
  duration: number;
  track_number: number;
  isrc?: string;
  recording_mbid?: string;
  path: string;
}

interface EntryRow {
  group: string;
  artist?: string;
  title?: string;
  album?: string;
  duration?: number;
  isrc?: string;
  recording_mbid?: string;
  path?: string;
  /** The track it means; null where none is sure enough. */
  expect: string | null;
  /** Where it may be several, those to be asked about. */
  candidates?: string[];
  why: string;
}

const rows = <T>(name: string): T[] =>
  readFileSync(path.join(import.meta.dirname, 'corpus', `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
const LIBRARY = rows<LibraryRow>('library');
const ENTRIES = rows<EntryRow>('entries');

/** A match that is wrong plays the wrong song; one that is missing asks a question. */
const PRECISION = 0.99;
const RECALL = 0.9;

let database: TestDatabase;
let judged: { entry: EntryRow; found: Found; track_id: string | null }[];

beforeAll(async () => {
  database = await DIALECTS[0]!.open();
  await database.write((trx) =>
    trx
      .insertInto('tracks')
      .values(
        LIBRARY.map(({ path: track_path, ...row }) => ({
          album_artist: null,
          isrc: null,
          recording_mbid: null,
          ...row,
          track_path,
          library_root: '/music',
          genre: null,
          year: null,
          disc_number: null,
          codec: 'flac',
          container: 'flac',
          album_id: null,
          artist_id: null,
          cover_hash: null,
          cover_source: null,
          audio_hash: row.id,
          file_size_bytes: 1,
          file_mtime_ms: 0,
          search_text: '',
          title_sort: sortKey(row.title, row.artist),
          artist_sort: '',
          album_sort: '',
          added_at: 0,
          updated_at: 0,
          missing_since: null,
        })),
      )
      .execute(),
  );
  const finder = await openTrackFinder(database);
  const read = ENTRIES.map(({ duration, path: location, ...entry }) =>
    readEntry({
      ...entry,
      path: location === undefined ? null : pathOfLocation(location),
      duration_ms: duration === undefined ? null : duration * 1000,
    }),
  );
  const found = await finder.findAll(read.filter((entry) => entry !== null));
  // What names nothing at all is no entry: nothing is looked for.
  judged = ENTRIES.map((entry, i) => {
    const one = read[i] === null ? { outcome: 'none' as const } : found.shift()!;
    return { entry, found: one, track_id: one.outcome === 'match' ? one.candidate.id : null };
  });
});
afterAll(() => database.close());

const told = ({ entry, found }: (typeof judged)[number]): string => {
  const got =
    found.outcome === 'match'
      ? `${found.candidate.id} (${found.reason} ${found.score.toFixed(2)})`
      : found.outcome === 'close'
        ? `asks ${found.candidates.map(({ candidate, reason }) => `${candidate.id} (${reason})`).join(', ')}`
        : 'none';
  const { artist, title, album, duration, path: file } = entry;
  return `${[artist, title, album, duration, file].filter(Boolean).join(' | ')}: ${got}, not ${entry.expect} - ${entry.why}`;
};

test('[PL60] of the matches 99 in 100 are right, and 9 in 10 of what is there is found', () => {
  const matches = judged.filter(({ track_id }) => track_id !== null);
  const right = matches.filter(({ entry, track_id }) => track_id === entry.expect);
  const there = ENTRIES.filter(({ expect }) => expect !== null);
  const precision = right.length / matches.length;
  const recall = right.length / there.length;
  const wrong = judged.filter(({ entry, track_id }) => track_id !== null && track_id !== entry.expect);
  const missed = judged.filter(({ entry, track_id }) => track_id === null && entry.expect !== null);
  console.log(
    [
      `${ENTRIES.length} entries, ${there.length} of them in the library: precision ${precision.toFixed(4)}, recall ${recall.toFixed(4)}`,
      ...wrong.map((one) => `  wrong   ${told(one)}`),
      ...missed.map((one) => `  missed  ${told(one)}`),
    ].join('\n'),
  );
  expect(ENTRIES.length).toBeGreaterThanOrEqual(180);
  expect(precision).toBeGreaterThanOrEqual(PRECISION);
  expect(recall).toBeGreaterThanOrEqual(RECALL);
});

test('[PL60] whatever is found has a score and a reason', () => {
  for (const { found } of judged) {
    const each = found.outcome === 'match' ? [found] : found.outcome === 'close' ? found.candidates : [];
    for (const { score, reason } of each) {
      expect(reason).toMatch(/^[a-z_]+$/);
      expect(score).toBeGreaterThan(0);
      expect(score).toBeLessThanOrEqual(1);
    }
  }
});

test.each(ENTRIES.flatMap((entry, i) => (entry.candidates === undefined ? [] : [{ ...entry, i }])))(
  '[PL60] line $i of the entries ($why) is asked about, not guessed',
  ({ i, candidates }) => {
    const { found } = judged[i]!;
    const asked = found.outcome === 'close' ? found.candidates.map(({ candidate }) => candidate.id) : [];
    expect(asked.toSorted(), told(judged[i]!)).toEqual(candidates!.toSorted());
  },
);
