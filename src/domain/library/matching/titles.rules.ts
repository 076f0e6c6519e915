/** Titles taken apart: what a piece is called, which recording of it this is, and what says nothing [PL60]. */
import { fold } from '../library.rules.ts';
import { comparable, numbersOfWords, romanToNumber } from './names.rules.ts';
import { remembered } from './remembered.ts';

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
      '\\d{4} (digital )?(re ?master(ed)?|version)',
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
/** Roman numbers that are no words; single letters only where they end a title: `I`, `V` and `X` are more often not numbers. */
const ROMAN = /\b(?:ii|iii|iv|vi|vii|viii|ix|xi{1,3}|xiv|xv)\b|(?<=\S\s)v$/g;

export interface TitleParts {
  /** The title itself, comparable. */
  base: string;
  /** Added words that may or may not be there: `(Pretty Young Thing)`. */
  extra: string;
  /** Base and added words as they stand. */
  whole: string;
  /** Which other recording it is, each with whose or where if that is said. */
  marks: ReadonlyMap<string, string>;
  /** Numbers that name a part of a work, and all others in the title. */
  numbers: string;
  /** Who else is named. */
  credits: readonly string[];
}

/** The numbers of a run: `VI-IX` is 6 and 9. */
const numbersIn = (run: string): string[] =>
  run.split(/\s*(?:-|–|&|and|,|to|\/)\s*/).map((one) => String(romanToNumber(one) ?? Number(one)));

/** One spelling of words before numbers, and of the numbers: `Parts VI-IX` and `Pt. 6-9`. */
function numbersSpelled(text: string): string {
  return numbersOfWords(fold(text))
    .replace(NUMBERED, (_all, word: string, run: string) => {
      const one = /^pts?$|^parts?$|^teil$/.test(word) ? 'pt' : /^n/.test(word) ? 'no' : word;
      return `${one} ${numbersIn(run).join(' ')}`;
    })
    .replace(ROMAN, (roman) => String(romanToNumber(roman)));
}

function numbersOf(text: string): string {
  const parts: string[] = [];
  const rest = numbersOfWords(fold(text)).replace(NUMBERED, (_all, _word, run: string) => {
    parts.push(...numbersIn(run));
    return ' ';
  });
  const plain = rest
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .replace(ROMAN, (roman) => String(romanToNumber(roman)))
    .matchAll(/\d+/g)
    .map(([digits]) => String(Number(digits)));
  return [...parts, ...plain].sort().join(',');
}

/** Takes a title apart: what it is called, which recording it says it is, and who else is named. */
export const titleParts = remembered((title): TitleParts => {
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
});
