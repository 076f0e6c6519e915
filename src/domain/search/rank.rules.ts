/** Which of what the index found comes first: the same on both databases, since neither of them is asked. */
import type { Asked } from './words.rules.ts';

/** A thing as the index keeps it. */
export interface Found {
  id: string;
  /** `nameStart` of its name. */
  name: string;
  /** Words of its name, one space between. */
  name_words: string;
  /** Words of what it belongs to. */
  other_words: string;
}

/** One way to read a question. */
export interface Reading {
  asked: Asked;
  /** For each word that was asked for, what it may have been meant to be, with the number of mistakes. */
  meant: readonly ReadonlyMap<string, number>[];
  /** Of two readings that fit equally, the one that costs less is meant. */
  costs: number;
}

const NOTHING: ReadonlyMap<string, number> = new Map();

/** What it costs that a word of the question is … */
const COST = {
  beginsName: 1,
  isOther: 2,
  beginsOther: 3,
  /** One mistake: more than where the word stands. */
  mistake: 6,
  missingFiller: 3,
  missing: 14,
  /** The last word is likely not typed to its end. */
  lastBegun: -0.5,
} as const;
/** What it is worth that the whole name is, or begins with, what was typed. */
const IS_NAME = -8;
const BEGINS_NAME = -4;
/** Ten letters of the name nobody asked for cost one, up to three. */
const LETTERS_UNASKED = 10;
const UNASKED_MAX = 3;

function costIn(words: readonly string[], word: string, meant: ReadonlyMap<string, number>): number {
  let cost = Infinity;
  for (const one of words) {
    if (one === word) return 0;
    if (one.startsWith(word)) cost = Math.min(cost, 1);
    const mistakes = meant.get(one);
    if (mistakes !== undefined) cost = Math.min(cost, mistakes * COST.mistake);
  }
  return cost;
}

/** How far a thing is from what was asked: the less, the better. */
export function farness(
  { asked: { start, words }, meant, costs }: Reading,
  found: Found,
  name = found.name_words.split(' '),
  other = found.other_words.split(' '),
): number {
  let sum = costs;
  for (const [i, { word, isFiller }] of words.entries()) {
    const near = meant[i] ?? NOTHING;
    const isLast = i === words.length - 1;
    const inName = costIn(name, word, near);
    let cost = inName === 1 ? COST.beginsName : inName;
    if (cost > COST.isOther) {
      const inOther = costIn(other, word, near);
      cost = Math.min(cost, inOther + COST.isOther);
    }
    if (cost === COST.beginsName || cost === COST.beginsOther) cost += isLast ? COST.lastBegun : 0;
    sum += cost === Infinity ? (isFiller ? COST.missingFiller : COST.missing) : cost;
  }
  if (start !== '' && found.name === start) sum += IS_NAME;
  else if (start !== '' && found.name.startsWith(start)) sum += BEGINS_NAME;
  return sum + Math.min(UNASKED_MAX, Math.max(0, found.name.length - start.length) / LETTERS_UNASKED);
}

/** The first `limit` of what was found, the nearest first. */
export function rank<F extends Found>(readings: readonly Reading[], found: Iterable<F>, limit: number): F[] {
  return [...found]
    .map((one) => {
      const [name, other] = [one.name_words.split(' '), one.other_words.split(' ')];
      return { one, far: Math.min(...readings.map((reading) => farness(reading, one, name, other))) };
    })
    .sort((a, b) => a.far - b.far || compare(a.one.name, b.one.name) || compare(a.one.id, b.one.id))
    .slice(0, limit)
    .map(({ one }) => one);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
