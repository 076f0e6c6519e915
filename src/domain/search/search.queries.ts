import { albumsByIds, artistsByIds, tracksByIds } from '../library/library.queries.ts';
import { playlistsByIds, shownPlaylistNames } from '../playlists/playlists.queries.ts';
import { findPeople } from '../social/social.queries.ts';
import { foldUsername } from '../accounts/accounts.rules.ts';
import { cutsOf, nearest } from './near.rules.ts';
import { farness, rank } from './rank.rules.ts';
import { INDEXED, searchIndexOf } from './search-index.ts';
import { ask, inLatin, nameStart, wordsOf } from './words.rules.ts';
import type { searchLibrary as endpoint } from '#contract/search.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { Found, Reading } from './rank.rules.ts';
import type { Indexed, Question } from './search-index.ts';
import type { Asked } from './words.rules.ts';
import type { Kysely } from 'kysely';

type Db = Kysely<Schema>;
type Finds = Record<Indexed, Map<string, Found>>;

/** Things looked at by how their name begins, by words of their name, and by any word: enough that the wanted one is among them. */
const BY_START = 60;
const BY_NAME = 150;
const BY_ANY = 250;
/** With fewer things found than this, and none that has all the words, somebody may have mistyped. */
const FEW = 3;
/** Words that one may have been meant to be. */
const NEAR_WORDS = 24;
/** Words that are looked at for them: those that share a beginning but for a letter. */
const NEAR_LOOKED_AT = 3_000;
/** Of questions with more words than this two may be wrong. */
const MANY_WORDS = 4;
/** Beyond every letter there is. */
const LAST = '\u{10ffff}';

const isRequired = ({ isFiller }: { isFiller: boolean }) => !isFiller;

/** What a reading asks the index for: everything but fillers, less `left` words, in every way there is. */
function questionOf({ asked, meant }: Reading, left = 0): Question {
  const slots = asked.words.flatMap(({ word, isFiller }, i) =>
    isFiller ? [] : [{ begin: word, or: [...(meant[i]?.keys() ?? [])] }],
  );
  let ways = [slots];
  for (let n = 0; n < left; n++) ways = ways.flatMap((way) => way.map((_, i) => way.toSpliced(i, 1)));
  return ways.filter((way) => way.length > 0);
}

/** Those of some words that the library has just so. */
async function knownOf(db: Db, words: readonly string[]): Promise<Set<string>> {
  const rows = await db.selectFrom('search_words').select('word').where('word', 'in', words).execute();
  return new Set(rows.map(({ word }) => word));
}

/** What one word may have been meant to be: near words of the library, and how it is written in Latin letters. */
async function meantByWord(db: Db, word: string): Promise<Map<string, number>> {
  const latin = inLatin(word);
  const cuts = cutsOf(latin ?? word);
  const rows =
    cuts.length === 0
      ? []
      : await db
          .selectFrom('search_cuts')
          .select('word')
          .distinct()
          .where('cut', 'in', cuts)
          .limit(NEAR_LOOKED_AT)
          .execute();
  const words = rows.map((row) => row.word);
  const near = nearest(latin ?? word, words, NEAR_WORDS);
  if (latin !== null) near.set(latin, 0);
  near.delete(word);
  return near;
}

/** Of each word what it may have been meant to be; nothing of those that are `right`. */
async function meantBy(db: Db, { words }: Asked, right: ReadonlySet<string>): Promise<Map<string, number>[]> {
  const meant: Map<string, number>[] = [];
  for (const { word } of words) meant.push(right.has(word) ? new Map() : await meantByWord(db, word));
  return meant;
}

/** The question with two neighbours as one word, each pair in turn: `black bird` may be one. */
function gluings({ start, words }: Asked): Asked[] {
  return words.slice(1).map((second, i) => ({
    start,
    words: words.toSpliced(i, 2, { word: words[i]!.word + second.word, isFiller: false }),
  }));
}

/** Searches one kind of thing by each of `ways`, widening until enough is found. */
async function look(ctx: Ctx, indexed: Indexed, start: string, question: Question, into: Map<string, Found>) {
  const index = searchIndexOf(ctx.dialect);
  const add = (rows: Found[]) => {
    for (const row of rows) into.set(row.id, row);
  };
  if (start !== '') {
    add(
      await ctx.db
        .selectFrom(indexed)
        .select(['id', 'name', 'name_words', 'other_words'])
        .where('name', '>=', start)
        .where('name', '<', start + LAST)
        .orderBy('name')
        .orderBy('id')
        .limit(BY_START)
        .execute(),
    );
  }
  if (question.length === 0 || into.size >= BY_START) return;
  add(await index.meeting(ctx.db, indexed, question, { limit: BY_NAME, isNameOnly: true }));
  if (indexed === 'search_artists' || into.size >= BY_NAME) return;
  add(await index.meeting(ctx.db, indexed, question, { limit: BY_ANY, isNameOnly: false }));
}

async function lookAll(ctx: Ctx, start: string, question: Question, into: Finds): Promise<number> {
  for (const indexed of INDEXED) await look(ctx, indexed, start, question, into[indexed]);
  return INDEXED.reduce((sum, indexed) => sum + into[indexed].size, 0);
}

/** Finds in the library what was asked for; more guessing only where less of it found nothing. */
async function findIndexed(ctx: Ctx, asked: Asked): Promise<{ finds: Finds; readings: Reading[] }> {
  const finds: Finds = { search_tracks: new Map(), search_albums: new Map(), search_artists: new Map() };
  const plain: Reading = { asked, meant: [], costs: 0 };
  const total = await lookAll(ctx, asked.start, questionOf(plain), finds);
  const isMet = INDEXED.some((indexed) =>
    [...finds[indexed].values()].some((one) => farness(plain, one) <= 2 * asked.words.length),
  );
  if (total >= FEW || isMet || asked.words.length === 0) return { finds, readings: [plain] };

  // Words the library has just so are right until nothing is found with them.
  const words = asked.words.map(({ word }) => word);
  const right = await knownOf(ctx.db, words);
  const guess: Reading = { asked, meant: await meantBy(ctx.db, asked, right), costs: 0 };
  const readings = [guess, ...gluings(asked).map((glued): Reading => ({ asked: glued, meant: [], costs: 1 }))];
  const lookBy = (question: Question) => lookAll(ctx, '', question, finds);
  if ((await lookBy(readings.flatMap((reading) => questionOf(reading)))) > 0) return { finds, readings };

  // A word the library has nothing like is the first to be left out: one look instead of one a word.
  const isSure = (word: string) => right.has(word) || cutsOf(word).length === 0;
  const sure = asked.words.map(({ word, isFiller }) => ({ word, isFiller: isFiller || !isSure(word) }));
  const sureOnly: Reading = { ...guess, asked: { ...asked, words: sure } };
  if (sure.some(isRequired) && (await lookBy(questionOf(sureOnly))) > 0) return { finds, readings: [guess] };

  const required = asked.words.filter(isRequired).length;
  for (let left = 1; left <= (required > MANY_WORDS ? 2 : 1) && left < required; left++) {
    if ((await lookBy(questionOf(guess, left))) > 0) return { finds, readings: [guess] };
  }
  const wilder: Reading = { asked, meant: await meantBy(ctx.db, asked, new Set()), costs: 0 };
  await lookBy(questionOf(wilder));
  return { finds, readings: [wilder] };
}

/** Lists the actor may see, by their names alone; a person sees so few of them that no index of private names need be kept. */
async function findPlaylists(ctx: Ctx, actor: Actor, asked: Asked, limit: number) {
  const names = await shownPlaylistNames(ctx.db, actor.user_id);
  const all = names.map(({ id, name }) => ({ id, ...keptWords(name) }));
  const without = (reading: Reading, missing: number) =>
    all.filter((one) => one.name.startsWith(asked.start) || farness(reading, one) < missing);
  const plain: Reading = { asked, meant: [], costs: 0 };
  let readings = [plain];
  const MISSING_ONE = 10;
  let found = without(plain, MISSING_ONE);
  if (found.length === 0) {
    const words = new Set(all.flatMap((one) => one.name_words.split(' ')));
    const reading = {
      asked,
      meant: asked.words.map(({ word }) => nearest(inLatin(word) ?? word, words, NEAR_WORDS)),
      costs: 0,
    };
    readings = [reading];
    found = without(reading, MISSING_ONE);
    if (found.length === 0 && asked.words.length > 1) found = without(reading, MISSING_ONE + MISSING_ONE);
  }
  const ranked = rank(readings, found, limit);
  return playlistsByIds(
    ctx,
    actor,
    ranked.map(({ id }) => id),
  );
}

/** Words of names, kept because the same lists are looked through at every letter that is typed. */
const kept = new Map<string, Omit<Found, 'id'>>();
const KEPT_NAMES = 5_000;

function keptWords(name: string): Omit<Found, 'id'> {
  let words = kept.get(name);
  if (words === undefined) {
    words = { name: nameStart(name), name_words: wordsOf([name], true).join(' '), other_words: '' };
    if (kept.size >= KEPT_NAMES) kept.clear();
    kept.set(name, words);
  }
  return words;
}

/** Asked before somebody is shown whom the actor neither follows nor is followed by, and whose name they did not know whole. */
export type AskLeave = () => Promise<boolean>;

async function findPersons(ctx: Ctx, actor: Actor, { q, limit }: Input<typeof endpoint>, mayMeet: AskLeave) {
  if (actor.role === 'guest') return [];
  const { items } = await findPeople(ctx, actor, { q, limit });
  const key = foldUsername(q);
  const isStranger = ({ is_me, i_follow, follows_me, username }: (typeof items)[number]) =>
    !is_me && !i_follow && !follows_me && foldUsername(username) !== key;
  // [SE6] Or this would be a way around the limit of searches for people.
  if (!items.some(isStranger) || (await mayMeet())) return items;
  return items.filter((person) => !isStranger(person));
}

/** [SE1] What was meant by `q`, the nearest first; at most `limit` of each kind. */
export async function searchLibrary(
  ctx: Ctx,
  actor: Actor,
  input: Input<typeof endpoint>,
  mayMeet: AskLeave,
): Promise<Reply<typeof endpoint>> {
  const { limit } = input;
  // A NUL is an error to PostgreSQL, as is half a surrogate pair.
  const q = input.q.replaceAll('\0', ' ').toWellFormed();
  const asked = ask(q);
  const { finds, readings } = await findIndexed(ctx, asked);
  const ids = (indexed: Indexed) => rank(readings, finds[indexed].values(), limit).map(({ id }) => id);
  const inOrder = <T>(order: string[], by: Map<string, T>) => order.flatMap((id) => by.get(id) ?? []);
  const [trackIds, albumIds, artistIds] = [ids('search_tracks'), ids('search_albums'), ids('search_artists')];
  const tracks = await tracksByIds(ctx.db, trackIds);
  const albums = await albumsByIds(ctx.db, albumIds);
  const artists = await artistsByIds(ctx.db, artistIds);
  return {
    tracks: inOrder(trackIds, tracks).filter(({ missing }) => !missing),
    albums: inOrder(albumIds, albums).filter(({ track_count }) => track_count > 0),
    artists: inOrder(artistIds, artists).filter(({ track_count }) => track_count > 0),
    playlists: await findPlaylists(ctx, actor, asked, limit),
    people: await findPersons(ctx, actor, { q, limit }, mayMeet),
  };
}
