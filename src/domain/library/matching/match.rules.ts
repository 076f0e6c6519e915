/**
 * Pure rules for finding the library's track for what another program calls it [PL60]. A wrong track is worse than an open
 * question: a match needs title and artist to agree, and nothing to speak against it.
 */
import { fold } from '../library.rules.ts';
import {
  artistLikeness,
  comparable,
  isLatin,
  isSlip,
  isSomebody,
  latin,
  likeness,
  sharesPerformers,
  squashed,
  umlautsWrittenOut,
} from './names.rules.ts';
import { titleParts } from './titles.rules.ts';
import { isSameWork, namedMovement, workParts } from './works.rules.ts';
import type { TitleParts } from './titles.rules.ts';

/** What is looked for, as a file or another service names it. */
export interface Wanted {
  title: string;
  artist: string | null;
  album?: string | null | undefined;
  duration_ms?: number | null | undefined;
}

/** A track that may be it. */
export interface Candidate {
  id: string;
  title: string;
  artist: string | null;
  album: string | null;
  album_artist: string | null;
  /** Seconds. */
  duration: number | null;
  year: number | null;
  missing_since: number | null;
  recording_mbid?: string | null;
  isrc?: string | null;
}

/** Why two are taken for one, or not. */
export type MatchReason = 'same' | 'similar_title' | 'other_length' | 'unknown_artist' | 'other_script' | 'extra_words';

export interface Comparison {
  /** `match`: it is it · `close`: a person should look · `no`. */
  verdict: 'match' | 'close' | 'no';
  /** 0 to 1. */
  score: number;
  reason: MatchReason;
}

/** Seconds between two lengths of one recording: strong up to the first, neutral up to the second, refused above the third. */
const LENGTH_STRONG_S = 3;
const LENGTH_NEUTRAL_S = 10;
const LENGTH_REFUSED_S = 30;
/** Of long pieces this share may differ instead. */
const LENGTH_SHARE = 0.05;
/** Titles less alike than this are different ones. */
const TITLE_SIMILAR = 0.85;

/** What the title says, and what its album says of all its tracks. */
function marksOf(title: TitleParts, album: string | null | undefined): ReadonlyMap<string, string> {
  if (album === null || album === undefined) return title.marks;
  const folded = fold(album)
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
  const marks = new Map(title.marks);
  // Only beside a word that makes it more than a name.
  if (
    /\b(mtv )?unplugged\b|\blive (at|in|from|on)\b|\b(live album|in concert)\b|^live$/.test(folded) &&
    !marks.has('live')
  ) {
    marks.set('live', '');
  }
  if (/\bkaraoke\b|\btribute to\b/.test(folded)) marks.set('karaoke', '');
  return marks;
}

/** Whether both say they are the same recording: `named` differs where only one says whose remix or where. */
function sameMarks(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): 'same' | 'vague' | 'other' {
  if (a.size !== b.size || [...a.keys()].some((mark) => !b.has(mark))) return 'other';
  let isVague = false;
  for (const [mark, named] of a) {
    const theirs = b.get(mark) ?? '';
    if (named === theirs) continue;
    if (named !== '' && theirs !== '' && likeness(named, theirs) < TITLE_SIMILAR) return 'other';
    if (named === '' || theirs === '') isVague = true;
  }
  return isVague ? 'vague' : 'same';
}

type Length = 'strong' | 'neutral' | 'unknown' | 'against' | 'refused';

function compareLength(wantedMs: number | null | undefined, duration: number | null): Length {
  if (wantedMs === null || wantedMs === undefined || wantedMs <= 0 || duration === null) return 'unknown';
  const wanted = wantedMs / 1000;
  const apart = Math.abs(wanted - duration);
  if (apart <= LENGTH_STRONG_S) return 'strong';
  if (apart <= LENGTH_NEUTRAL_S || apart <= LENGTH_SHARE * Math.min(wanted, duration)) return 'neutral';
  return apart > LENGTH_REFUSED_S ? 'refused' : 'against';
}

const no: Comparison = { verdict: 'no', score: 0, reason: 'same' };

/** The names with their umlauts as two letters; themselves where there are none. */
function spelledOut<T extends Pick<Wanted, 'title' | 'artist'>>(named: T): T {
  const title = umlautsWrittenOut(named.title);
  const artist = named.artist === null ? null : umlautsWrittenOut(named.artist);
  return title === null && artist === null
    ? named
    : { ...named, title: title ?? named.title, artist: artist ?? named.artist };
}

/** Compares by what they are called and how long they are. */
export function compareTracks(wanted: Wanted, candidate: Candidate): Comparison {
  const plain = compareSpelled(wanted, candidate);
  if (plain.verdict === 'match') return plain;
  const [mine, theirs] = [spelledOut(wanted), spelledOut(candidate)];
  if (mine === wanted && theirs === candidate) return plain;
  const written = compareSpelled(mine, theirs);
  return written.score > plain.score ? written : plain;
}

function compareSpelled(wanted: Wanted, candidate: Candidate): Comparison {
  const length = compareLength(wanted.duration_ms, candidate.duration);
  if (length === 'refused') return no;
  const [mine, theirs] = [titleParts(wanted.title), titleParts(candidate.title)];
  const artists = [candidate.artist, candidate.album_artist].filter(isSomebody);
  const by = isSomebody(wanted.artist) ? wanted.artist : null;
  const isNamed = by !== null && artists.length > 0;
  const artist = isNamed ? Math.max(...artists.map((name) => artistLikeness(by, name))) : null;
  const scored = (title: number, their: number | null, less = 0): number =>
    Math.max(
      0,
      Math.min(
        1,
        0.62 * title +
          0.3 * (their ?? 0.5) +
          (length === 'strong' ? 0.05 : length === 'against' ? -0.15 : 0.02) +
          (albumLikeness(wanted.album, candidate.album) > 0 ? 0.03 : 0) -
          less,
      ),
    );

  if (isCutOff(wanted.title, candidate.title) && artist === 1) {
    const verdict = length === 'strong' ? 'match' : 'close';
    return { verdict, score: scored(0.95, artist), reason: 'similar_title' };
  }

  const marks =
    mine.marks.size > 0 && sameMarks(mine.marks, theirs.marks) === 'same'
      ? 'same'
      : sameMarks(marksOf(mine, wanted.album), marksOf(theirs, candidate.album));
  if (marks === 'other') return no;

  const [work, theirWork] = [workParts(wanted.title), workParts(candidate.title)];
  const isWork = isSameWork(work, theirWork);
  if (isWork === false) return no;
  const isMovement =
    isNamesake(wanted.title, namedMovement(theirWork)) || isNamesake(candidate.title, namedMovement(work));
  if (isWork || isMovement) {
    const performers = isNamed && artists.some((name) => sharesPerformers(by, name)) ? 1 : artist;
    if (performers === 0) return no;
    const reason = performers === null ? 'unknown_artist' : length === 'against' ? 'other_length' : 'similar_title';
    const isSure = performers !== null && (isMovement ? length === 'strong' : length !== 'against');
    return { verdict: isSure ? 'match' : 'close', score: scored(0.97, performers), reason };
  }

  if (mine.numbers !== theirs.numbers) {
    // Which part is meant, where there are only parts, is a question.
    if (mine.numbers !== '' || artist === 0 || !isPartOf(mine.base, theirs.whole)) return no;
    return { verdict: 'close', score: scored(0.85, artist), reason: 'extra_words' };
  }

  const [squashA, squashB] = [mine.base.replaceAll(' ', ''), theirs.base.replaceAll(' ', '')];
  let title = likeness(squashA, squashB);
  let reason: MatchReason = 'same';
  const [wholeA, wholeB] = [mine.whole.replaceAll(' ', ''), theirs.whole.replaceAll(' ', '')];
  if (title === 1 && wholeA !== wholeB) {
    // One says more than the other, or both say something else behind the same words.
    const saysElse = mine.extra !== '' && theirs.extra !== '' && likeness(mine.extra, theirs.extra) < TITLE_SIMILAR;
    if (saysElse) title = 0.8;
    else if (mine.extra !== theirs.extra) reason = 'extra_words';
  } else if (title < 1) {
    title = Math.max(
      title,
      wholeA === wholeB ? 1 : likeness(wholeA, wholeB),
      wholeA === squashB || wholeB === squashA ? 1 : 0,
    );
    if (title < 1) reason = 'similar_title';
  }

  const isOtherScript =
    isLatin(wanted.title + (wanted.artist ?? '')) !== isLatin(candidate.title + (candidate.artist ?? ''));
  if (title < TITLE_SIMILAR && isOtherScript) {
    if (length !== 'strong') return no;
    // `봄날 (Spring Day)` gives both.
    const isTranslated = mine.base === theirs.extra || mine.extra === theirs.base;
    const across = isTranslated ? 1 : likeness(latin(wanted.title), latin(candidate.title));
    const isArtist = artists.some((name) => likeness(latin(wanted.artist ?? ''), latin(name)) >= 0.8);
    if (across < 0.7 || !isArtist) return no;
    return { verdict: across >= 0.9 ? 'match' : 'close', score: 0.6 + 0.3 * across, reason: 'other_script' };
  }
  if (title < TITLE_SIMILAR || artist === 0) return no;

  const score = scored(title, artist, (marks === 'vague' ? 0.03 : 0) + (reason === 'extra_words' ? 0.03 : 0));
  const close = (why: MatchReason): Comparison => ({ verdict: 'close', score, reason: why });
  if (length === 'against') return close('other_length');
  if (artist === null) {
    const isSure = title === 1 && length === 'strong' && albumLikeness(wanted.album, candidate.album) > 0;
    return isSure ? { verdict: 'match', score, reason } : close('unknown_artist');
  }
  // Letters that differ are a slip only where all the rest agrees.
  if (reason === 'similar_title') {
    const isMistyped =
      title >= 0.9 && squashA.length >= 6 && (isSlip(mine.base, theirs.base) || isSlip(mine.whole, theirs.whole));
    return isMistyped && artist === 1 && length === 'strong' ? { verdict: 'match', score, reason } : close(reason);
  }
  if (artist < 1 && length !== 'strong') return close('unknown_artist');
  if (reason === 'extra_words' && length === 'unknown' && (mine.extra !== '') === (theirs.extra !== ''))
    return close(reason);
  if (marks === 'vague' && length !== 'strong') return close('extra_words');
  return { verdict: 'match', score, reason };
}

/** Characters an ID3v1 tag has for a title; one less where the last would be a space. */
const TAG_LENGTHS: readonly number[] = [29, 30];

/** Whether a title is the beginning of the other, and ends where tags do. */
function isCutOff(title: string, whole: string): boolean {
  const isMarked = /(?:…|\.\.\.)$/.test(title);
  const start = fold(title.replace(/(?:…|\.\.\.)$/, ''));
  return (isMarked || TAG_LENGTHS.includes(title.length)) && start !== fold(whole) && fold(whole).startsWith(start);
}

const isNamesake = (title: string, name: string | null): boolean =>
  name !== null && squashed(title) === name.replaceAll(' ', '');

/** Whether a title is another one and the number of its part. */
const isPartOf = (base: string, whole: string): boolean =>
  whole.startsWith(`${base} `) && /^pt [\d ]+$/.test(whole.slice(base.length + 1));

/** How far two albums are one: 2 in name and edition, 1 in name, 0 not, or not known. */
function albumLikeness(a: string | null | undefined, b: string | null): 0 | 1 | 2 {
  if (a === null || a === undefined || b === null || a.trim() === '') return 0;
  if (comparable(a) === comparable(b)) return 2;
  return titleParts(a).base === titleParts(b).base ? 1 : 0;
}

/** A MusicBrainz id in a text or address, lower case; null if there is none. */
export function cleanMbid(text: string | null | undefined): string | null {
  return /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/i.exec(text ?? '')?.[0].toLowerCase() ?? null;
}

export type Choice =
  | { outcome: 'match'; candidate: Candidate; score: number; reason: MatchReason }
  /** Best first; a person decides. */
  | { outcome: 'close'; candidates: { candidate: Candidate; score: number; reason: MatchReason }[] }
  | { outcome: 'none' };

/** Questions nobody reads to the end. */
const CANDIDATES_SHOWN = 5;
/** Scores nearer than this are as good as each other. */
const RIVALS_WITHIN = 0.02;

/**
 * Picks the track among what may be it; between two that are as good it never guesses: the album or the length has to tell. Only
 * of files that are known to hold one recording, by its id or ISRC, it takes the one that came out first.
 */
export function chooseTrack(wanted: Wanted, candidates: readonly Candidate[]): Choice {
  const compared = candidates
    .map((candidate) => ({ candidate, ...compareTracks(wanted, candidate) }))
    .filter((one) => one.verdict !== 'no')
    .sort((a, b) => b.score - a.score || before(a.candidate, b.candidate));
  const ask = (some: typeof compared): Choice => ({
    outcome: 'close',
    candidates: some.slice(0, CANDIDATES_SHOWN).map(({ candidate, score, reason }) => ({ candidate, score, reason })),
  });
  const matches = compared.filter((one) => one.verdict === 'match');
  const [best] = matches;
  if (best === undefined) return compared.length === 0 ? { outcome: 'none' } : ask(compared);
  let left = matches.filter((one) => best.score - one.score < RIVALS_WITHIN);
  const prefer = (fits: (candidate: Candidate) => boolean): void => {
    const fitting = left.filter(({ candidate }) => fits(candidate));
    if (fitting.length > 0) left = fitting;
  };
  prefer((candidate) => candidate.missing_since === null);
  prefer((candidate) => albumLikeness(wanted.album, candidate.album) === 2);
  prefer((candidate) => albumLikeness(wanted.album, candidate.album) > 0);
  const years = left.map(({ candidate }) => candidate.year ?? Infinity);
  if (isOneRecording(left.map(({ candidate }) => candidate)))
    prefer((candidate) => candidate.year === Math.min(...years));
  const [only, second] = left;
  if (only === undefined || second !== undefined) return ask(left);
  return { outcome: 'match', candidate: only.candidate, score: only.score, reason: only.reason };
}

/** Whether their files say that they hold the same recording. */
function isOneRecording(candidates: readonly Candidate[]): boolean {
  const isShared = (of: (candidate: Candidate) => string | null | undefined): boolean => {
    const ids = new Set(candidates.map(of));
    return ids.size === 1 && !ids.has(null) && !ids.has(undefined);
  };
  return isShared(({ recording_mbid }) => recording_mbid) || isShared(({ isrc }) => isrc);
}

/** What is there before what is gone, then the first that came out, then always the same. */
function before(a: Candidate, b: Candidate): number {
  const gone = Number(a.missing_since !== null) - Number(b.missing_since !== null);
  return gone || (a.year ?? 9999) - (b.year ?? 9999) || (a.id < b.id ? -1 : 1);
}
