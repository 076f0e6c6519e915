/**
 * Pure rules for finding the library's track for what another program calls it [PL60]. A wrong track is worse than an open
 * question: a match needs title and artist to agree, and nothing to speak against it.
 */
import { fold } from '../library.rules.ts';
import { artistLikeness, isLatin, latin, likeness } from './names.rules.ts';
import { titleParts } from './titles.rules.ts';
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

function marksOf(title: TitleParts, album: string | null | undefined): Map<string, string> {
  if (album === null || album === undefined) return title.marks;
  const folded = fold(album).replace(/[^\p{L}\p{N}]+/gu, ' ');
  const marks = new Map(title.marks);
  // Only what an album says of all its tracks; and only beside a word that makes it more than a name.
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
function sameMarks(a: Map<string, string>, b: Map<string, string>): 'same' | 'vague' | 'other' {
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

/** Compares by what they are called and how long they are. */
export function compareTracks(wanted: Wanted, candidate: Candidate): Comparison {
  const length = compareLength(wanted.duration_ms, candidate.duration);
  if (length === 'refused') return no;
  const [mine, theirs] = [titleParts(wanted.title), titleParts(candidate.title)];
  if (mine.numbers !== theirs.numbers) return no;
  const marks = sameMarks(marksOf(mine, wanted.album), marksOf(theirs, candidate.album));
  if (marks === 'other') return no;

  const artists = [candidate.artist, candidate.album_artist].filter((name) => name !== null);
  const artist =
    wanted.artist === null || wanted.artist.trim() === '' || artists.length === 0
      ? null
      : Math.max(...artists.map((name) => artistLikeness(wanted.artist ?? '', name)));

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
    const across = likeness(latin(wanted.title), latin(candidate.title));
    const artistAcross = artists.some((name) => likeness(latin(wanted.artist ?? ''), latin(name)) >= 0.8);
    if (across < 0.7 || !artistAcross || length !== 'strong') return no;
    return { verdict: across >= 0.9 ? 'match' : 'close', score: 0.6 + 0.3 * across, reason: 'other_script' };
  }
  if (title < TITLE_SIMILAR || artist === 0) return no;

  const score = Math.max(
    0,
    Math.min(
      1,
      0.62 * title +
        0.3 * (artist ?? 0.5) +
        (length === 'strong' ? 0.05 : length === 'against' ? -0.15 : 0.02) +
        (isSameAlbum(wanted.album, candidate.album) ? 0.03 : 0) -
        (marks === 'vague' ? 0.03 : 0) -
        (reason === 'extra_words' ? 0.03 : 0),
    ),
  );
  const close = (why: MatchReason): Comparison => ({ verdict: 'close', score, reason: why });
  if (length === 'against') return close('other_length');
  if (artist === null) {
    const isSure = title === 1 && length === 'strong' && isSameAlbum(wanted.album, candidate.album);
    return isSure ? { verdict: 'match', score, reason } : close('unknown_artist');
  }
  const isShort = squashA.length < 6;
  // Letters that differ are a slip only where all the rest agrees.
  if (reason === 'similar_title') {
    const isSlip = artist === 1 && length === 'strong' && title >= 0.9 && !isShort;
    return isSlip ? { verdict: 'match', score, reason } : close(reason);
  }
  if (artist < 1 && length !== 'strong') return close('unknown_artist');
  if (reason === 'extra_words' && length === 'unknown' && (mine.extra !== '') === (theirs.extra !== ''))
    return close(reason);
  if (marks === 'vague' && length !== 'strong') return close('extra_words');
  return { verdict: 'match', score, reason };
}

function isSameAlbum(a: string | null | undefined, b: string | null): boolean {
  if (a === null || a === undefined || b === null || a.trim() === '') return false;
  return titleParts(a).base === titleParts(b).base;
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

/**
 * Picks the track among what may be it; between two that are as good it never guesses, unless they are one recording on
 * several albums: then the album that was named, else the first that came out.
 */
export function chooseTrack(wanted: Wanted, candidates: readonly Candidate[]): Choice {
  const compared = candidates
    .map((candidate) => ({ candidate, ...compareTracks(wanted, candidate) }))
    .filter((one) => one.verdict !== 'no')
    .sort((a, b) => b.score - a.score || before(a.candidate, b.candidate));
  const matches = compared.filter((one) => one.verdict === 'match');
  const [best] = matches;
  const shown = compared
    .slice(0, CANDIDATES_SHOWN)
    .map(({ candidate, score, reason }) => ({ candidate, score, reason }));
  if (best === undefined) return shown.length === 0 ? { outcome: 'none' } : { outcome: 'close', candidates: shown };
  const rivals = matches.filter((one) => one !== best && best.score - one.score < 0.02);
  const isOneRecording = rivals.every(
    ({ candidate }) =>
      candidate.duration !== null &&
      best.candidate.duration !== null &&
      Math.abs(candidate.duration - best.candidate.duration) <= LENGTH_STRONG_S,
  );
  if (!isOneRecording) return { outcome: 'close', candidates: shown };
  const all = [best, ...rivals];
  const named = all.filter(({ candidate }) => isSameAlbum(wanted.album, candidate.album));
  const { candidate, score, reason } =
    (named.length > 0 ? named : all).toSorted((a, b) => before(a.candidate, b.candidate))[0] ?? best;
  return { outcome: 'match', candidate, score, reason };
}

/** What is there before what is gone, then the first that came out, then always the same. */
function before(a: Candidate, b: Candidate): number {
  const gone = Number(a.missing_since !== null) - Number(b.missing_since !== null);
  return gone || (a.year ?? 9999) - (b.year ?? 9999) || (a.id < b.id ? -1 : 1);
}
