import { setImmediate } from 'node:timers/promises';
import { cleanIsrc } from '../library.rules.ts';
import { chooseTrack, compareTracks } from './match.rules.ts';
import {
  artistLikeness,
  artistNames,
  isLatin,
  isSomebody,
  latin,
  likeness,
  otherReadings,
  squashed,
  umlautsWrittenOut,
} from './names.rules.ts';
import { titleParts } from './titles.rules.ts';
import type { Ctx } from '../../context.ts';
import type { Candidate, Choice, MatchReason, Wanted } from './match.rules.ts';

/** Rows read at once: SQLite reads hold up the event loop. */
const ROWS_PER_READ = 2_000;
/** Searches in one go before others get their turn. */
const FINDS_PER_TURN = 50;

/** Letters and figures of a file's name that is no usual one. */
const UNUSUAL_NAME = 12;
/** Titles that one ISRC and one artist have in common need be no more alike. */
const TITLE_LIKE = 0.75;

/** What is looked for, with all that may identify it. */
export interface Sought extends Wanted {
  track_id?: string | null | undefined;
  /** As another program spells it: compared from its end, never opened. */
  path?: string | null | undefined;
  recording_mbid?: string | null | undefined;
  isrc?: string | null | undefined;
  /** Other ways to read the same line. */
  others?: readonly { title: string; artist: string | null }[] | undefined;
}

/** By what it was found; names come last. */
export type FoundBy = 'id' | 'path' | 'mbid' | 'isrc' | MatchReason;
export type Found =
  { outcome: 'match'; candidate: Candidate; score: number; reason: FoundBy } | Exclude<Choice, { outcome: 'match' }>;

export interface TrackFinder {
  /** Finds many, in order, letting others have their turn. */
  findAll(sought: readonly Sought[]): Promise<Found[]>;
}

type Row = Candidate & { track_path: string; isrc: string | null; recording_mbid: string | null };

/**
 * Reads what the whole library is called, to look up any number of names in it: for 100,000 tracks some 60 MB for as long as it
 * is used.
 */
export async function openTrackFinder(ctx: Pick<Ctx, 'db'>): Promise<TrackFinder> {
  const byId = new Map<string, Row>();
  const byTitle = new Map<string, Row[]>();
  const byArtist = new Map<string, Row[]>();
  const byFile = new Map<string, Row[]>();
  const byIsrc = new Map<string, Row[]>();
  const byMbid = new Map<string, Row[]>();
  const put = (map: Map<string, Row[]>, key: string | null, row: Row) => {
    if (key === null || key === '') return;
    const known = map.get(key);
    if (known === undefined) map.set(key, [row]);
    else if (known.at(-1) !== row) known.push(row);
  };
  for (let after = ''; ; await setImmediate()) {
    const rows = await ctx.db
      .selectFrom('tracks')
      .select(['id', 'title', 'artist', 'album', 'album_artist', 'duration', 'year', 'missing_since'])
      .select(['track_path', 'isrc', 'recording_mbid'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(ROWS_PER_READ)
      .execute();
    for (const row of rows) {
      byId.set(row.id, row);
      for (const key of titleKeys(row.title)) put(byTitle, key, row);
      for (const credit of [row.artist, row.album_artist].filter(isSomebody)) {
        for (const name of artistNames(credit)) put(byArtist, name, row);
      }
      put(byFile, withoutEnding(pathParts(row.track_path).at(-1) ?? ''), row);
      put(byIsrc, row.isrc, row);
      put(byMbid, row.recording_mbid, row);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_PER_READ) break;
    after = last.id;
  }

  function byNames(wanted: Wanted): Choice {
    const candidates = new Set<Row>();
    for (const key of titleKeys(wanted.title)) for (const row of byTitle.get(key) ?? []) candidates.add(row);
    // Other spellings are looked for among the artist's own.
    for (const name of isSomebody(wanted.artist) ? artistNames(wanted.artist) : []) {
      for (const row of byArtist.get(name) ?? []) candidates.add(row);
    }
    return chooseTrack(wanted, [...candidates]);
  }

  /** Of several with one id, the one the names speak for; of one, that one. */
  function among(rows: readonly Row[], wanted: Wanted): Row | null {
    if (rows.length <= 1) return rows[0] ?? null;
    const choice = chooseTrack(wanted, rows);
    return choice.outcome === 'match' ? (choice.candidate as Row) : null;
  }

  function find(sought: Sought): Found {
    const sure = (candidate: Row, reason: FoundBy): Found => ({ outcome: 'match', candidate, score: 1, reason });
    const own = byId.get(sought.track_id ?? '');
    if (own !== undefined) return sure(own, 'id');
    const file = byPath(sought);
    if (file !== null) return sure(file, 'path');
    const recording = among(byMbid.get(sought.recording_mbid ?? '') ?? [], sought);
    if (recording !== null) return sure(recording, 'mbid');
    // An ISRC can be mistyped or shared: something else must agree.
    const coded = (byIsrc.get(cleanIsrc(sought.isrc) ?? '') ?? []).filter((row) => agrees(sought, row));
    const isrc = among(coded, sought);
    if (isrc !== null) return sure(isrc, 'isrc');
    let close: Found | null = null;
    for (const wanted of [sought, ...(sought.others ?? []).map((names) => ({ ...sought, ...names }))]) {
      const choice = byNames(wanted);
      if (choice.outcome === 'match') return choice;
      if (choice.outcome === 'close') close ??= choice;
    }
    for (const { isSwapped, ...names } of otherReadings(sought.title, sought.artist)) {
      const choice = byNames({ ...sought, ...names });
      // Names changed over are a guess that only the length can bear out.
      if (choice.outcome === 'match' && (!isSwapped || isSameLength(sought, choice.candidate))) return choice;
      if (choice.outcome === 'close' && !isSwapped) close ??= choice;
    }
    return close ?? { outcome: 'none' };
  }

  /**
   * The one track whose path ends like this, were the file of another type. A file's name alone is enough only where the names
   * speak for it, or where it is all there is and no usual one: `01 Intro.mp3` is the name of many files.
   */
  function byPath(sought: Sought): Row | null {
    const parts = pathParts(sought.path ?? '');
    const name = parts.at(-1) ?? '';
    const ends = (byFile.get(withoutEnding(name)) ?? []).map((row) => {
      const theirs = pathParts(row.track_path);
      let length = 1;
      while (length < Math.min(parts.length, theirs.length) && parts.at(-1 - length) === theirs.at(-1 - length))
        length++;
      return { row, length, isWhole: length === theirs.length, isSameType: theirs.at(-1) === name };
    });
    let left = ends.filter(({ length }) => length === Math.max(...ends.map((end) => end.length)));
    for (const fits of [
      (end: (typeof ends)[number]) => end.isSameType,
      ({ row }: (typeof ends)[number]) => row.missing_since === null,
    ]) {
      const fitting = left.filter(fits);
      if (left.length > 1 && fitting.length > 0) left = fitting;
    }
    const [only] = left;
    if (only === undefined || left.length > 1) return null;
    if (only.isWhole || only.length >= 3) return only.row;
    const { verdict } = compareTracks(sought, only.row);
    if (only.length === 2 || (parts.length === 1 && squashed(name).length >= UNUSUAL_NAME))
      return verdict === 'no' ? null : only.row;
    return verdict === 'match' ? only.row : null;
  }

  return {
    async findAll(sought) {
      const found: Found[] = [];
      for (const [i, one] of sought.entries()) {
        if (i > 0 && i % FINDS_PER_TURN === 0) await setImmediate();
        found.push(find(one));
      }
      return found;
    },
  };
}

/** Folders and name of a path as they are compared: one Unicode form, one case, one kind of slash. */
function pathParts(path: string): string[] {
  return path
    .normalize('NFC')
    .toLowerCase()
    .split(/[\\/]+/)
    .filter((part) => part !== '' && part !== '.' && part !== '..');
}

/** A file's name in lower case without what its type is called. */
const withoutEnding = (name: string): string => name.replace(/\.[a-z0-9]{2,5}$/, '');

/** What a title may be looked up by: itself, all it says, with umlauts written out and in Latin letters too. */
function titleKeys(title: string): Set<string> {
  const keys = new Set<string>();
  for (const text of [title, umlautsWrittenOut(title)]) {
    if (text === null) continue;
    const { base, whole } = titleParts(text);
    for (const key of [base, whole]) keys.add(key.replaceAll(' ', ''));
  }
  if (!isLatin(title)) keys.add(latin(titleParts(title).base));
  keys.delete('');
  return keys;
}

function isSameLength({ duration_ms }: Wanted, { duration }: Candidate): boolean {
  return typeof duration_ms === 'number' && duration !== null && Math.abs(duration_ms / 1000 - duration) <= 3;
}

/** Whether anything else speaks for what an ISRC says. */
function agrees(sought: Wanted, row: Row): boolean {
  const title = likeness(squashed(titleParts(sought.title).base), squashed(titleParts(row.title).base));
  const isBy = isSomebody(sought.artist) && isSomebody(row.artist) && artistLikeness(sought.artist, row.artist) === 1;
  return title === 1 || isSameLength(sought, row) || (isBy && title >= TITLE_LIKE);
}
