/** Names as they are compared: one spelling for what programs and people spell in several ways [PL60]. */
import anyAscii from 'any-ascii';
import { distance } from 'fastest-levenshtein';
import { fold } from '../library.rules.ts';

/** Artists less alike than this are different ones. */
const ARTIST_SIMILAR = 0.88;

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
export const latin = (text: string): string => squashed(anyAscii(text));

export const isLatin = (text: string): boolean =>
  !/[^\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}]/u.test(text);

/** 0 to 1: one minus the edits needed for each character of the longer. */
export function likeness(a: string, b: string): number {
  if (a === b) return 1;
  const longer = Math.max(a.length, b.length);
  return longer === 0 ? 0 : 1 - distance(a, b) / longer;
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
