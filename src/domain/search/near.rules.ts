/** Words that somebody may have meant: a letter too many, too few, another, or two swapped. */

/** Shorter words have too many neighbours to guess between. */
const MIN_LETTERS = 4;
/** From here on two mistakes. */
const LONG_LETTERS = 8;
const MAX_LETTERS = 24;
/** Mistakes are looked for through the beginning: what follows it may still be untyped. */
const HEAD_LETTERS = 5;
/** A word that only begins like the one asked for is a little farther off than one of its length. */
const UNTYPED = 0.25;

/** How many mistakes a word may have. */
export function mistakesIn(word: string): number {
  const { length } = word;
  if (length < MIN_LETTERS || length > MAX_LETTERS || /^\d+$/.test(word)) return 0;
  return length < LONG_LETTERS ? 1 : 2;
}

/**
 * The keys under which near words meet: the head of a word, and that with each letter left out. Two heads that differ by one
 * mistake have one in common (the idea of SymSpell: deletions alone stand for all four kinds of mistake).
 */
export function cutsOf(word: string): string[] {
  if (mistakesIn(word) === 0) return [];
  const head = word.slice(0, HEAD_LETTERS);
  const cuts = new Set([head]);
  for (let i = 0; i < head.length; i++) cuts.add((head.slice(0, i) + head.slice(i + 1)).toWellFormed());
  return [...cuts];
}

/**
 * By how many mistakes (optimal string alignment) a typed word differs from `word` or its beginning; Infinity when more than
 * `max`.
 */
export function distance(typed: string, word: string, max: number): number {
  const n = typed.length;
  if (word.length < n - max) return Infinity;
  const m = Math.min(word.length, n + max);
  let beforeLast: number[] = [];
  let last = Array.from({ length: m + 1 }, (_, j) => j);
  for (let i = 1; i <= n; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= m; j++) {
      const isSame = typed[i - 1] === word[j - 1];
      let steps = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && typed[i - 1] === word[j - 2] && typed[i - 2] === word[j - 1]) {
        steps = Math.min(steps, beforeLast[j - 2]! + 1);
      }
      row.push(steps);
      if (steps < least) least = steps;
    }
    if (least > max) return Infinity;
    beforeLast = last;
    last = row;
  }
  const whole = word.length === m ? last[m]! : Infinity;
  let begun = Infinity;
  for (let j = Math.max(0, n - max); j <= m; j++) if (last[j]! < begun) begun = last[j]!;
  const steps = Math.min(whole, begun + UNTYPED);
  return steps >= max + 1 ? Infinity : steps;
}

/** Of `words` those near the typed one, nearest first, with their distance; at most `limit`. */
export function nearest(typed: string, words: Iterable<string>, limit: number): Map<string, number> {
  const max = mistakesIn(typed);
  const found: [string, number][] = [];
  if (max === 0) return new Map();
  for (const word of words) {
    const steps = distance(typed, word, max);
    if (steps !== Infinity) found.push([word, steps]);
  }
  found.sort(
    (a, b) =>
      a[1] - b[1] ||
      Math.abs(a[0].length - typed.length) - Math.abs(b[0].length - typed.length) ||
      (a[0] < b[0] ? -1 : 1),
  );
  return new Map(found.slice(0, limit));
}
