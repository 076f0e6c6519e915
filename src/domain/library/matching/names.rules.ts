/** Names as they are compared: one spelling for what programs and people spell in several ways [PL60]. */
import anyAscii from 'any-ascii';
import { distance } from 'fastest-levenshtein';
import { fold } from '../library.rules.ts';
import { remembered } from './remembered.ts';

/** Artists less alike than this are different ones; one letter in seven may be a slip. */
const ARTIST_SIMILAR = 0.85;

const ONES = 'one two three four five six seven eight nine'.split(' ');
const TEENS = 'ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ');
const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
const NUMBER_WORDS = new Map([
  ...[...ONES, ...TEENS].map((word, i) => [word, i + 1] as const),
  ...TENS.map((word, i) => [word, (i + 2) * 10] as const),
]);
const NUMBER_WORD = new RegExp(
  `\\b(?:(${TENS.join('|')})[\\s-](${ONES.join('|')})|${[...NUMBER_WORDS.keys()].join('|')})\\b`,
  'g',
);
/** Words with a short form that means the same; `'n'` and `o'` have lost their marks by then. */
const SHORT_FORMS: Record<string, string> = {
  n: 'and',
  o: 'of',
  mister: 'mr',
  missus: 'mrs',
  doctor: 'dr',
  saint: 'st',
};
const SHORTENED = new RegExp(`\\b(?:${Object.keys(SHORT_FORMS).join('|')})\\b`, 'g');

/** Folded text with English number words as figures: `Seven Seconds`, `7 Seconds`. */
export const numbersOfWords = (text: string): string =>
  text.replace(NUMBER_WORD, (word, tens?: string, ones?: string) =>
    String(tens === undefined ? NUMBER_WORDS.get(word) : NUMBER_WORDS.get(tens)! + NUMBER_WORDS.get(ones!)!),
  );

const ROMAN: Record<string, number> = { i: 1, v: 5, x: 10, l: 50 };

/** The value of a number in small Roman letters; null for what is none. */
export function romanToNumber(text: string): number | null {
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
  const folded = numbersOfWords(
    fold(text)
      // Marks that stand for letters: P!nk, Ke$ha.
      .replace(/(?<=\p{L})!(?=\p{L})/gu, 'i')
      .replace(/(?<=\p{L})\$(?=\p{L})/gu, 's')
      .replace(/\s*[&+]\s*/g, ' and ')
      .replace(/['’`´.·]/g, '')
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim(),
  )
    .replace(SHORTENED, (word) => SHORT_FORMS[word] ?? word)
    .replace(/^(.+) (the|a|an)$/, '$2 $1')
    .replace(/^(the|a|an|les|le|la|el|los|der|die|das) (?=.)/, '');
  // A name of nothing but signs is its signs.
  return folded === '' ? fold(text).replaceAll(' ', '') : folded;
}

/** As `comparable`, without spaces: `Anti-Hero` and `Antihero`. */
export const squashed = (text: string): string => comparable(text).replaceAll(' ', '');

const WRITTEN_OUT: Record<string, string> = { ä: 'ae', ö: 'oe', ü: 'ue', ø: 'oe', å: 'aa' };

/** The text with its umlauts as two letters, as where there are none: `Die Aerzte`; null where it has none. */
export function umlautsWrittenOut(text: string): string | null {
  const small = text.normalize('NFKC').toLowerCase();
  const out = small.replace(/[äöüøå]/g, (letter) => WRITTEN_OUT[letter] ?? letter);
  return out === small ? null : out;
}

/** Latin letters for whatever script it is in. */
export const latin = remembered((text) => squashed(anyAscii(text)));

export const isLatin = (text: string): boolean =>
  !/[^\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}]/u.test(text);

/** 0 to 1: one minus the edits needed for each character of the longer. */
export function likeness(a: string, b: string): number {
  if (a === b) return 1;
  const longer = Math.max(a.length, b.length);
  return longer === 0 ? 0 : 1 - distance(a, b) / longer;
}

/**
 * Whether one is the other with letters left out, doubled or wrong. A short word with another letter, or one that begins otherwise,
 * is another word: `He Came Back`, `Silver Train`.
 */
export function isSlip(a: string, b: string): boolean {
  const [one, other] = [a.split(' '), b.split(' ')];
  return (
    one.length === other.length &&
    one.every((word, i) => {
      const theirs = other[i]!;
      const shorter = Math.min(word.length, theirs.length);
      return (
        word === theirs ||
        (shorter >= 4 && word[0] === theirs[0] && !/\d/.test(word + theirs) && distance(word, theirs) <= shorter / 4)
      );
    })
  );
}

const CREDITED = /\s*(?:\b(?:feat|ft)\b\.?(?=\s)|\bfeaturing\b|\bwith\b|\bw\/)\s*/i;
const NAMES_APART = /\s*(?:;|,|\/|\bvs\.?(?=\s)|\s&\s|\s\+\s|\sx\s|\band\b|\bund\b|\by\b|\bet\b)\s*/i;
/** `Crosby, Stills & Nash`: most likely one name. */
const LIST_NAME = /^[^,]+,.*(?:&|\band\b)[^,]+$/i;
const TITLED = /^(?:sir|dame|dr|maestro)\.?\s+(?=\S)/i;
/** Stand where an artist would, and are none. */
const NOBODY = new Set(
  [
    'various',
    'various artists',
    'v a',
    'va',
    'unknown',
    'unknown artist',
    'diverse',
    'diverse interpreten',
    'verschiedene interpreten',
    'verschiedene',
    'varios artistas',
    'vários artistas',
    'artistes variés',
    'artisti vari',
    'autori vari',
    'multiple artists',
    'compilation',
  ].map(squashed),
);

/** Whether a credit names anybody: collections do not. */
export const isSomebody = (artist: string | null | undefined): artist is string =>
  artist !== null && artist !== undefined && artist.trim() !== '' && !NOBODY.has(squashed(artist));

/** The ways a credit can be read: as one name, and as several. The first of each is the main artist. */
const artistReadings = remembered((artist): { whole: string; names: readonly string[]; isList: boolean } => {
  const names = artist
    .split(CREDITED)
    // Credits first: the X of `Lil Nas X feat. …` is no "x".
    .flatMap((part) => part.split(NAMES_APART))
    .map((name) => squashed(name.replace(TITLED, '')))
    .filter((name) => name !== '');
  return { whole: squashed(artist), names, isList: LIST_NAME.test(artist) && !CREDITED.test(artist) };
});

/** How far two credits name the same main artist: 1 the same, below 1 nearly, 0 not. */
export function artistLikeness(a: string, b: string): number {
  const [one, other] = [artistReadings(a), artistReadings(b)];
  if (one.whole === other.whole) return 1;
  const mains = [one.names[0] ?? one.whole, other.names[0] ?? other.whole] as const;
  const setA = new Set([one.whole, ...one.names]);
  const setB = new Set([other.whole, ...other.names]);
  if (one.isList && other.isList) {
    if (isWithin(one.names, setB) && isWithin(other.names, setA)) return 1;
  } else {
    // Each one's main artist is among the other's, or all of one are: a composer may come before them.
    const mainA = setB.has(mains[0]) || setB.has(one.whole);
    const mainB = setA.has(mains[1]) || setA.has(other.whole);
    if (mainA && mainB) return 1;
    const [fewer, more] = one.names.length < other.names.length ? [one.names, setB] : [other.names, setA];
    if (fewer.length >= 2 && isWithin(fewer, more)) return 1;
  }
  const alike = [likeness(one.whole, other.whole)];
  if (!(one.isList && other.isList)) alike.push(likeness(mains[0], mains[1]));
  const near = Math.max(...alike);
  return Math.min(one.whole.length, other.whole.length) >= 5 && near >= ARTIST_SIMILAR ? near : 0;
}

const isWithin = (names: readonly string[], all: ReadonlySet<string>): boolean =>
  names.length > 0 && names.every((name) => all.has(name));

/** Whether all that one credit names are named by the other: of a work it is enough to name the conductor. */
export function sharesPerformers(a: string, b: string): boolean {
  const [one, other] = [artistReadings(a).names, artistReadings(b).names];
  return one.length <= other.length ? isWithin(one, new Set(other)) : isWithin(other, new Set(one));
}

/** The names a credit may be looked up by: the whole, and each in it, with umlauts written out and in Latin letters too. */
export function artistNames(artist: string): Set<string> {
  const all = new Set<string>();
  for (const text of [artist, umlautsWrittenOut(artist), isLatin(artist) ? null : anyAscii(artist)]) {
    if (text === null) continue;
    const { whole, names } = artistReadings(text);
    for (const name of [whole, ...names]) all.add(name);
  }
  return all;
}

/** The ways to read `Artist - Title`: the likeliest first. */
export function splitArtistTitle(text: string): { title: string; artist: string | null }[] {
  const parts = text.split(/\s+[-–—]\s+/);
  if (parts.length < 2) return [{ title: text, artist: null }];
  const ways = parts.slice(1).map((_part, i) => ({
    artist: parts.slice(0, i + 1).join(' - '),
    title: parts.slice(i + 1).join(' - '),
  }));
  return [...ways, { artist: parts.slice(1).join(' - '), title: parts[0] ?? text }];
}

/** A track's number in front: with a sign behind it, or a zero before it; `15 Step` is a title. */
const TRACK_NUMBER = /^(?:\d{1,3}(?:[.\-_)]|\s-)\s*|0\d\s+)(?=\S)/;

/**
 * How names may be meant that are found nowhere as they stand: a file's name for a title, the artist in front of it, the two
 * changed over. The likeliest first.
 */
export function otherReadings(
  title: string,
  artist: string | null,
): { title: string; artist: string; isSwapped: boolean }[] {
  const spaced = /\s/.test(title) ? title : title.replaceAll('_', ' ');
  const plain = spaced.replace(TRACK_NUMBER, '');
  const split = [...new Set([spaced, plain])].flatMap((text) =>
    splitArtistTitle(text).flatMap((way) => (way.artist === null ? [] : [{ title: way.title, artist: way.artist }])),
  );
  if (!isSomebody(artist)) return split.map((way) => ({ ...way, isSwapped: false }));
  return [
    ...(plain === title ? [] : [{ title: plain, artist, isSwapped: false }]),
    ...split
      .filter((way) => artistLikeness(way.artist, artist) === 1)
      .map((way) => ({ title: way.title, artist, isSwapped: false })),
    { title: artist, artist: title, isSwapped: true },
  ];
}
