/** What a name is found by, and what somebody typed: the same on both databases, which only keep and look up these words. */
import anyAscii from 'any-ascii';
import { fold } from '../library/library.rules.ts';

/** How words are made; whoever changes that raises it, and every server makes its index anew when it starts. */
export const WORDS_VERSION = 1;

/** Longer words are found by so many letters, and PostgreSQL takes none of more than 2,046 bytes. */
const WORD_CHARS = 40;
/** Of one text; the longest titles there are have less. */
const TEXT_CHARS = 600;
/** A part of a word in a script without spaces is found by so many letters. */
const PART_CHARS = 10;
/** A question has no more words than this: each one costs a look into the index. */
const ASKED_WORDS = 10;

const LETTERS = /[\p{L}\p{N}]+/gu;
const NO_LETTERS = /[^\p{L}\p{N}]+/gu;
/** In the middle of a word people leave them out: `dont`, `dun`. */
const APOSTROPHES = /['`´‘’ʼ]/g;
/** Scripts written without spaces between words, as runs. */
const SPACELESS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー]{2,}/gu;

/** Signs that stand for letters before another letter, and at the end of a word where it is no punctuation: P!nk, Ke$ha. */
const STANDS_FOR: Readonly<Record<string, string>> = { '!': 'i', $: 's', '@': 'a' };
const SIGN = /[!$@](?=[\p{L}\p{N}])|(?<=[\p{L}\p{N}])\$/gu;

/** How keyboards without them write these. */
const SPELLED: Readonly<Record<string, string>> = { ä: 'ae', ö: 'oe', ü: 'ue', ø: 'oe', å: 'aa' };

/** Numbers people write out. */
const NUMBERS = 'zero one two three four five six seven eight nine ten eleven twelve'.split(' ');

const ARTICLES = 'the a an der die das le la les el los las il lo';
/** Leading ones do not count in how a name begins. */
const ARTICLE = new Set(ARTICLES.split(' '));
/** Words that may be missing from what is wanted as long as another is there. */
const FILLERS = new Set(`${ARTICLES} and und y et e of von de feat ft featuring n`.split(' '));

const withoutSigns = (text: string) => text.replace(SIGN, (sign) => STANDS_FOR[sign] ?? sign);

/** The one word that is left of a text without anything that is no letter or number. */
function squash(text: string): string {
  return fold(withoutSigns(text)).replace(NO_LETTERS, '');
}

/**
 * A name as it begins: folded, without a leading article, spaces and punctuation, so that `acdc`, `AC/DC` and `ac dc` begin the
 * same. Of a name without any letter, the name.
 */
export function nameStart(name: string): string {
  const chunks = fold(name.slice(0, TEXT_CHARS)).split(' ');
  const rest = chunks.length > 1 && ARTICLE.has(chunks[0] ?? '') ? chunks.slice(1) : chunks;
  const start = squash(rest.join(' '));
  // Cut by code points: PostgreSQL takes no half of a surrogate pair.
  return [...(start === '' ? fold(name) : start)].slice(0, 80).join('');
}

/** The ways one chunk between two spaces is written. */
function* spellings(chunk: string): Generator<string> {
  const folded = fold(chunk);
  yield* folded.match(LETTERS) ?? [];
  yield folded.replace(NO_LETTERS, '');
  yield squash(chunk);
  const lower = chunk.normalize('NFC').toLowerCase();
  const spelled = lower.replace(/[äöüøå]/g, (letter) => SPELLED[letter] ?? letter);
  if (spelled !== lower) yield squash(spelled);
  for (const part of lower.match(LETTERS) ?? []) {
    const latin = inLatin(part);
    if (latin !== null) yield latin;
  }
  for (const [run] of folded.matchAll(SPACELESS)) {
    const letters = [...run];
    for (let i = 1; i < letters.length; i++) yield letters.slice(i, i + PART_CHARS).join('');
  }
  const number = NUMBERS[Number(folded)];
  if (number !== undefined && /^\d+$/.test(folded)) yield number;
}

/** A word of another script in Latin letters; null for one that is in them. */
export function inLatin(word: string): string | null {
  if (/^[\p{Script=Latin}\p{N}]*$/u.test(word)) return null;
  const latin = anyAscii(word.replace(SMALL_KANA, joinKana))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '');
  return latin === '' ? null : latin;
}

/** Two kana that are one syllable, and a doubled consonant, which a table of single letters does not know. */
const SMALL_KANA = /(.)([ゃゅょャュョァィェォ])|[っッ](.)/gu;

/** きゃ is kya and しゃ sha, フォ fo; what follows ッ begins twice. */
function joinKana(
  _all: string,
  first: string | undefined,
  small: string | undefined,
  doubled: string | undefined,
): string {
  if (doubled !== undefined) return anyAscii(doubled).charAt(0) + doubled;
  const stem = anyAscii(first ?? '').slice(0, -1);
  const vowel = anyAscii(small ?? '');
  return stem + (/(?:sh|ch|j)$/.test(stem) ? vowel.replace(/^y/, '') : vowel);
}

const cut = (word: string) => [...word].slice(0, WORD_CHARS).join('');

/** Every word some texts are found by the beginning of; of a name those of its neighbours in one, too. */
export function wordsOf(texts: readonly (string | null)[], isName: boolean): string[] {
  const words = new Set<string>();
  for (const text of texts) {
    if (text === null) continue;
    const chunks = text
      .slice(0, TEXT_CHARS)
      .split(/[\s\p{Cc}]+/u)
      .filter((chunk) => chunk !== '');
    let before = '';
    for (const chunk of chunks) {
      for (const word of spellings(chunk)) words.add(cut(word));
      const whole = squash(chunk);
      if (isName && before !== '' && whole !== '') words.add(cut(before + whole));
      before = whole;
    }
  }
  words.delete('');
  return [...words];
}

/** One word that was typed. */
export interface AskedWord {
  word: string;
  /** It may be missing where others are there. */
  isFiller: boolean;
}

/** What was typed, taken apart. */
export interface Asked {
  start: string;
  words: AskedWord[];
}

/** Takes apart what somebody typed; without words there is only how the name begins. */
export function ask(q: string): Asked {
  const words: string[] = [];
  for (const chunk of q.split(/[\s\p{Cc}]+/u)) {
    const typed = fold(withoutSigns(chunk.replace(APOSTROPHES, ''))).match(LETTERS) ?? [];
    for (const word of typed) words.push(cut(lookedUp(word)));
  }
  const asked = words.slice(0, ASKED_WORDS);
  const isAllFiller = asked.every((word) => FILLERS.has(word));
  return {
    start: nameStart(q),
    words: asked.map((word) => ({ word, isFiller: !isAllFiller && FILLERS.has(word) })),
  };
}

/** As much of a word in a script without spaces as its parts are kept by. */
function lookedUp(word: string): string {
  const letters = [...word];
  return letters.length > PART_CHARS && new RegExp(SPACELESS.source, 'u').test(word)
    ? letters.slice(0, PART_CHARS).join('')
    : word;
}
