/**
 * Pure rules for finding the library's track for what another program calls it [PL60]. A wrong track is worse than an open
 * question: a match needs title and artist to agree, and nothing to speak against it.
 */
import anyAscii from 'any-ascii';
import { distance } from 'fastest-levenshtein';
import { fold } from './library.rules.ts';

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
const ARTIST_SIMILAR = 0.88;

/** Says that this is another recording than the one of the plain title, wherever it stands in an added part. */
const OTHER_RECORDING: readonly [RegExp, string][] = [
  [/\b(live|en vivo|ao vivo|en directo|concert|unplugged)\b/, 'live'],
  [/\b(acoustic|acustic[ao]|akustik|stripped)\b/, 'acoustic'],
  [/\bdemos?\b/, 'demo'],
  [/\b(remix(ed)?|rmx|rework|bootleg|mashup|mash up|vip|flip)\b/, 'remix'],
  [/\bdub\b/, 'dub'],
  [/\b(mix|club)\b/, 'mix'],
  [/\b(edit|short|cut)\b/, 'edit'],
  [/\b(extended|long|12 ?inch|full length)\b/, 'extended'],
  [/\b(instrumental|backing track)\b/, 'instrumental'],
  [/\b(karaoke|originally performed|in the style of|made famous|tribute)\b/, 'karaoke'],
  [/\b(a ?cappella|acapella|accapella|vocals? only)\b/, 'a cappella'],
  [/\bcovers?\b/, 'cover'],
  [/\bsessions?\b/, 'session'],
  [/\b(alternate|alternative|alt|take|outtake|early|rehearsal|rough)\b/, 'take'],
  [/\b(sped up|speed up|nightcore)\b/, 'sped up'],
  [/\b(slowed|screwed)\b/, 'slowed'],
  [/\b8d\b/, '8d'],
  [/\b(re ?record(ed|ing)?|taylors version)\b/, 're-recorded'],
  [/\b(orchestral|symphonic|piano|strings?|string quartet)( version)?\b/, 'arrangement'],
  [/\bversion\b/, 'version'],
  [/\breprise\b/, 'reprise'],
  [/\b(interlude|skit)\b/, 'interlude'],
];
/** Says nothing about which recording it is. */
const NO_INFORMATION = new RegExp(
  '^(' +
    [
      '((\\d{4}) )?(digital(ly)? )?re ?master(ed|ing)?( version| edition| audio)?( (in )?\\d{4})?',
      '\\d{4} (digital )?(re ?master(ed)?|version|mix)',
      'mono|stereo|mono version|stereo version|stereo mix|mono mix',
      'explicit|clean|explicit version|clean version|explicit album version',
      '(original )?(album|single|lp|ep|cd|main|standard|original|studio|7 inch)( version)?',
      'original mix',
      'bonus|bonus track|hidden track|deluxe|deluxe (edition|version)|expanded edition|special edition|anniversary edition',
      '(from|aus|de|du film|theme from|taken from|featured in)( the)? .*',
      '(original )?(motion picture )?(soundtrack|ost)',
      'official|official (music )?(video|audio|lyric video)|lyrics?|lyric video|audio|video|visuali[sz]er|hd|hq|4k',
      'ep|lp|single|album',
    ].join('|') +
    ')$',
);
const CREDIT = /^(?:feat|ft|featuring|with|w|x|prod|prod by|produced by|duet with)\b\.?\s*(.*)$/;
const CREDIT_INSIDE = /\s(?:feat\.?|ft\.?|featuring)\s+(.*)$/i;
/** Parts of a work, by number. */
const NUMBERED =
  /\b(pts?|parts?|teil|no|nr|num|number|op|opus|vol|volume|chapter|ch|act|book|movement|mvt|mov|episode|ep|scene|symphony|sonata|concerto|suite|etude|prelude|nocturne)\.?\s*#?((?:\d+|[ivxl]+)(?:\s*(?:-|–|&|and|,|to|\/)\s*(?:\d+|[ivxl]+))*)\b/g;
const ROMAN: Record<string, number> = { i: 1, v: 5, x: 10, l: 50 };

function fromRoman(text: string): number | null {
  if (!/^[ivxl]+$/.test(text)) return null;
  let sum = 0;
  for (let i = 0; i < text.length; i++) {
    const value = ROMAN[text[i] ?? ''] ?? 0;
    sum += value < (ROMAN[text[i + 1] ?? ''] ?? 0) ? -value : value;
  }
  return sum;
}

/** Text to be compared: folded, `&` and `+` as `and`, without punctuation and a leading or moved article. */
export function comparable(text: string): string {
  const folded = fold(text)
    .replace(/\s*[&+]\s*/g, ' and ')
    .replace(/['’`´.·]/g, '')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .replace(/^(.+) (the|a|an)$/, '$2 $1')
    .replace(/^(the|a|an|les|le|la|el|los|der|die|das) (?=.)/, '');
  // A name of nothing but signs is its signs.
  return folded === '' ? fold(text).replaceAll(' ', '') : folded;
}

/** As `comparable`, without spaces: `Anti-Hero` and `Antihero`. */
export const squashed = (text: string): string => comparable(text).replaceAll(' ', '');

/** Latin letters for whatever script it is in. */
const latin = (text: string): string => squashed(anyAscii(text));

const isLatin = (text: string): boolean => !/[^\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}]/u.test(text);

/** 0 to 1: one minus the edits needed for each character of the longer. */
function likeness(a: string, b: string): number {
  if (a === b) return 1;
  const longer = Math.max(a.length, b.length);
  return longer === 0 ? 0 : 1 - distance(a, b) / longer;
}

export interface TitleParts {
  /** The title itself, comparable. */
  base: string;
  /** Added words that may or may not be there: `(Pretty Young Thing)`. */
  extra: string;
  /** Base and added words as they stand. */
  whole: string;
  /** Which other recording it is, each with whose or where if that is said. */
  marks: Map<string, string>;
  /** Numbers that name a part of a work, and all others in the title. */
  numbers: string;
  /** Who else is named. */
  credits: string[];
}

/** The numbers of a run: `VI-IX` is 6 and 9. */
const numbersIn = (run: string): string[] =>
  run.split(/\s*(?:-|–|&|and|,|to|\/)\s*/).map((one) => String(fromRoman(one) ?? Number(one)));

/** One spelling of words before numbers, and of the numbers: `Parts VI-IX` and `Pt. 6-9`. */
function numbersSpelled(text: string): string {
  return fold(text).replace(NUMBERED, (_all, word: string, run: string) => {
    const one = /^pts?$|^parts?$|^teil$/.test(word) ? 'pt' : /^n/.test(word) ? 'no' : word;
    return `${one} ${numbersIn(run).join(' ')}`;
  });
}

function numbersOf(text: string): string {
  const parts: string[] = [];
  const rest = fold(text).replace(NUMBERED, (_all, _word, run: string) => {
    parts.push(...numbersIn(run));
    return ' ';
  });
  const last = /\s([ivx]{1,4})$/.exec(rest.replace(/[^\p{L}\p{N}]+/gu, ' ').trim());
  const roman = last?.[1] === undefined || last[1] === 'i' || last[1] === 'x' ? null : fromRoman(last[1]);
  const plain = [...rest.matchAll(/\d+/g)].map(([digits]) => String(Number(digits)));
  return [...parts, ...plain, ...(roman === null ? [] : [String(roman)])].sort().join(',');
}

/** Takes a title apart: what it is called, which recording it says it is, and who else is named. */
export function titleParts(title: string): TitleParts {
  const added: string[] = [];
  let base = title.normalize('NFKC');
  // From the inside out; a title that is all in brackets is itself.
  for (;;) {
    const found =
      /^(.*?\S.*?)\s*[([{]([^()[\]{}]*)[)\]}]\s*(.*)$/s.exec(base) ??
      /^()[([{]([^()[\]{}]*)[)\]}]\s*(\S.*)$/s.exec(base);
    if (found === null) break;
    const [, before = '', inside = '', after = ''] = found;
    added.push(inside);
    base = `${before} ${after}`.trim();
  }
  const dashed = base.split(/\s+[-–—]\s+/);
  base = dashed[0] ?? base;
  const credits: string[] = [];
  base = base.replace(CREDIT_INSIDE, (_all, names: string) => {
    credits.push(names);
    return '';
  });
  const extras: string[] = [];
  const marks = new Map<string, string>();
  let whole = title.normalize('NFKC').replace(CREDIT_INSIDE, '');
  const drop = (part: string) => (whole = whole.replace(part, ' '));
  for (const [i, part] of [...dashed.slice(1), ...added].entries()) {
    const isDashed = i < dashed.length - 1;
    const folded = fold(part)
      .replace(/['’`´.]/g, '')
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim();
    if (folded === '' || NO_INFORMATION.test(folded)) {
      drop(part);
      continue;
    }
    const credit = CREDIT.exec(folded);
    if (credit !== null) {
      credits.push(credit[1] ?? '');
      drop(part);
      continue;
    }
    const found = OTHER_RECORDING.filter(([pattern]) => pattern.test(folded));
    // `Song - Live` says which; `Song - Live Forever Tonight Somewhere` is rather a name.
    if (found.length > 0 && (!isDashed || folded.split(' ').length <= 8)) {
      const rest = found.reduce((text, [pattern]) => text.replace(pattern, ' '), folded.replace(/\b\d{4}\b/g, ' '));
      const named = comparable(rest.replace(/\b(at|in|from|on|the|by|of|version|and|recorded|radio)\b/g, ' '));
      for (const [, mark] of found) marks.set(mark, named);
      drop(part);
      // What is said anyway: a remix is a mix, and both are versions.
      if (marks.size > 1) marks.delete('version');
      if (marks.has('remix')) marks.delete('mix');
    } else {
      extras.push(part);
    }
  }
  const extra = comparable(extras.join(' '));
  return {
    base: comparable(numbersSpelled(base)),
    extra,
    whole: comparable(numbersSpelled(whole)),
    marks,
    numbers: numbersOf(whole),
    credits,
  };
}

const NAMES_APART =
  /\s*(?:;|,|\/|\bfeat\.?(?=\s)|\bft\.?(?=\s)|\bfeaturing\b|\bwith\b|\bvs\.?(?=\s)|\s&\s|\s\+\s|\sx\s|\band\b|\bund\b|\by\b|\bet\b)\s*/i;

/** The ways a credit can be read: as one name, and as several. The first of each is the main artist. */
function artistReadings(artist: string): { whole: string; names: string[] } {
  const names = artist
    .split(NAMES_APART)
    .map(squashed)
    .filter((name) => name !== '');
  return { whole: squashed(artist), names };
}

/** How far two credits name the same main artist: 1 the same, below 1 nearly, 0 not. */
export function artistLikeness(a: string, b: string): number {
  const [one, other] = [artistReadings(a), artistReadings(b)];
  if (one.whole === other.whole) return 1;
  const mains = [one.names[0] ?? one.whole, other.names[0] ?? other.whole] as const;
  const setA = new Set([one.whole, ...one.names]);
  const setB = new Set([other.whole, ...other.names]);
  // Each one's main artist is among the other's.
  const mainA = setB.has(mains[0]) || setB.has(one.whole);
  const mainB = setA.has(mains[1]) || setA.has(other.whole);
  if (mainA && mainB) return 1;
  const near = Math.max(likeness(one.whole, other.whole), likeness(mains[0], mains[1]));
  if (Math.min(one.whole.length, other.whole.length) >= 5 && near >= ARTIST_SIMILAR) return near;
  return 0;
}

/** The names a credit may be looked up by: the whole, and each in it. */
export function artistNames(artist: string): Set<string> {
  const { whole, names } = artistReadings(artist);
  return new Set([whole, ...names]);
}

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
