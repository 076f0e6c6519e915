/** Pieces of a catalogue, `Symphony No. 5 in C minor, Op. 67: I. Allegro con brio`: its number says more than its words [PL60]. */
import { fold } from '../library.rules.ts';
import { comparable, numbersOfWords, romanToNumber } from './names.rules.ts';
import { remembered } from './remembered.ts';

/** A title that names a work by its catalogue, and which movement. */
export interface WorkParts {
  /** `op 9/2`, `bwv 988`. */
  catalogue: string;
  /** Words before the catalogue's number, each by its beginning: `nocturne` and `Nocturnes` are one. */
  stems: ReadonlySet<string>;
  /** Of the movement; null where the title has none. */
  number: number | null;
  /** What the movement is called, comparable; empty where it is the whole work. */
  movement: string;
}

/** An opus with its number within, or the letters of a catalogue with theirs. Of single letters only those with a full stop. */
const CATALOGUE =
  /\b(?:(?:op|opus)\.?\s*(\d+)(?:(?:\s*[:,]?\s*(?:no|nr)\.?\s*|\s*\/\s*)(\d+))?|(bwv|kv|rv|hob|woo|hwv|twv|wab|wq|buxwv|k\.|d\.|s\.)\s*(\d+[a-z]?))/;
/** Tells nothing apart: `in E-flat major`. */
const KEY = /^in [a-h](?:[\s-]?(?:flat|sharp|is|es))?(?:[\s-]?(?:major|minor|dur|moll))?\b/;
/** A movement's number in front of its name. */
const NUMBER = /^([ivx]+|\d{1,2})\s*[.:)]\s*/;
const STEM = 5;
/** How movements are called that have no name of their own. */
const TEMPO =
  /^(?:allegr|andant|adag|prest|larg|lent|viva|moderat|scherz|menuet|minuet|rond|aria|prelud|fug|gigue|courant|sarabande|allemande|variatio|finale|poco|molto|introdu)/;

/** Takes the title of a catalogued piece apart; null where it is none. */
export const workParts = remembered((title): WorkParts | null => {
  const folded = fold(title).replace(/[–—]/g, '-');
  const found = CATALOGUE.exec(folded);
  if (found === null) return null;
  const [all, opus, within, letters = '', number = ''] = found;
  const catalogue =
    opus === undefined
      ? `${letters.replace('.', '').replace('kv', 'k')} ${number}`
      : `op ${opus}${within === undefined ? '' : `/${within}`}`;
  const rest = folded
    .slice(found.index + all.length)
    .replace(/["“”„«][^"“”„»]*["“”»]/g, ' ')
    .replace(/^[\s:,-]+/, '')
    .replace(KEY, '')
    .replace(/^[\s:,-]+/, '');
  const numbered = NUMBER.exec(rest);
  const before = comparable(folded.slice(0, found.index));
  return {
    catalogue,
    stems: new Set(before.split(' ').flatMap((word) => (word.length < STEM ? [] : [word.slice(0, STEM)]))),
    number: numbered === null ? null : (romanToNumber(numbered[1]!) ?? Number(numbered[1])),
    movement: numbersOfWords(comparable(numbered === null ? rest : rest.slice(numbered[0].length))),
  };
});

/** Whether two titles are the same movement of the same work: `null` where that is not theirs to say. */
export function isSameWork(a: WorkParts | null, b: WorkParts | null): boolean | null {
  if (a === null || b === null) return null;
  if (a.catalogue !== b.catalogue) return false;
  // Every composer has an opus 9: what it is must agree as well.
  if (a.catalogue.startsWith('op') && !a.stems.values().some((stem) => b.stems.has(stem))) return null;
  if (a.number !== null && b.number !== null && a.number !== b.number) return false;
  if (a.movement === b.movement) return true;
  const [short, long] = [a.movement, b.movement].toSorted((one, other) => one.length - other.length) as [
    string,
    string,
  ];
  return short !== '' && long.startsWith(`${short} `) ? true : null;
}

/** The name of a movement that is known by it, `In the Hall of the Mountain King`; null for a tempo. */
export function namedMovement(work: WorkParts | null): string | null {
  if (work === null || TEMPO.test(work.movement) || work.movement.split(' ').length < 3) return null;
  return work.movement;
}
