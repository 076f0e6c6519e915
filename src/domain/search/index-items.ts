/** Keeps the index in step: whoever writes tracks, albums or artists calls this in the same transaction. */
import { cutsOf } from './near.rules.ts';
import { nameStart, wordsOf } from './words.rules.ts';
import type { Schema } from '../database.ts';
import type { Indexed } from './search-index.ts';
import type { Kysely } from 'kysely';

type Db = Kysely<Schema>;

/** Rows in one statement: SQLite takes 32,766 values. */
const ROWS_AT_ONCE = 500;

interface Item {
  id: string;
  name: string;
  others: (string | null)[];
}

function* parts<T>(list: readonly T[]): Generator<T[]> {
  for (let i = 0; i < list.length; i += ROWS_AT_ONCE) yield list.slice(i, i + ROWS_AT_ONCE);
}

/** Makes words known that somebody may mistype. */
async function learn(db: Db, items: readonly Item[]): Promise<void> {
  const words = new Set<string>();
  for (const { name, others } of items) {
    for (const word of wordsOf([name, ...others], false)) if (cutsOf(word).length > 0) words.add(word);
  }
  for (const some of parts([...words])) {
    const fresh = await db
      .insertInto('search_words')
      .values(some.map((word) => ({ word })))
      .onConflict((oc) => oc.column('word').doNothing())
      .returning('word')
      .execute();
    const cuts = fresh.flatMap(({ word }) => cutsOf(word).map((cut) => ({ cut, word })));
    for (const rows of parts(cuts)) {
      await db
        .insertInto('search_cuts')
        .values(rows)
        .onConflict((oc) => oc.columns(['cut', 'word']).doNothing())
        .execute();
    }
  }
}

async function put(db: Db, indexed: Indexed, items: readonly Item[]): Promise<void> {
  if (items.length === 0) return;
  const rows = items.map(({ id, name, others }) => {
    const name_words = wordsOf([name], true);
    const own = new Set(name_words);
    const other_words = wordsOf(others, false).filter((word) => !own.has(word));
    return { id, name: nameStart(name), name_words: name_words.join(' '), other_words: other_words.join(' ') };
  });
  await db
    .insertInto(indexed)
    .values(rows)
    .onConflict((oc) =>
      oc
        .column('id')
        .doUpdateSet((eb) => ({
          name: eb.ref('excluded.name'),
          name_words: eb.ref('excluded.name_words'),
          other_words: eb.ref('excluded.other_words'),
        }))
        // What is the same is not written again: a rescan of retagged covers costs the index nothing.
        .where((eb) =>
          eb.or([
            eb(eb.ref(`${indexed}.name`), '<>', eb.ref('excluded.name')),
            eb(eb.ref(`${indexed}.name_words`), '<>', eb.ref('excluded.name_words')),
            eb(eb.ref(`${indexed}.other_words`), '<>', eb.ref('excluded.other_words')),
          ]),
        ),
    )
    .execute();
  await learn(db, items);
}

/** Makes these tracks found by what their rows say; those whose file is gone by nothing. */
export async function indexTracks(db: Db, ids: readonly string[]): Promise<void> {
  for (const some of parts(ids)) {
    const rows = await db
      .selectFrom('tracks')
      .select(['id', 'title', 'artist', 'album', 'album_artist'])
      .where('id', 'in', some)
      .where('missing_since', 'is', null)
      .execute();
    const there = new Set(rows.map(({ id }) => id));
    const gone = some.filter((id) => !there.has(id));
    if (gone.length > 0) await db.deleteFrom('search_tracks').where('id', 'in', gone).execute();
    const items = rows.map(({ id, title, artist, album, album_artist }) => ({
      id,
      name: title,
      others: [artist, album, album_artist],
    }));
    await put(db, 'search_tracks', items);
  }
}

/** As `indexTracks`, albums. */
export async function indexAlbums(db: Db, ids: readonly string[]): Promise<void> {
  for (const some of parts(ids)) {
    const rows = await db
      .selectFrom('albums')
      .select(['id', 'title', 'album_artist'])
      .where('id', 'in', some)
      .execute();
    const items = rows.map(({ id, title, album_artist }) => ({ id, name: title, others: [album_artist] }));
    await put(db, 'search_albums', items);
  }
}

/** As `indexTracks`, artists. */
export async function indexArtists(db: Db, ids: readonly string[]): Promise<void> {
  for (const some of parts(ids)) {
    const rows = await db.selectFrom('artists').select(['id', 'name']).where('id', 'in', some).execute();
    const items = rows.map(({ id, name }) => ({ id, name, others: [] }));
    await put(db, 'search_artists', items);
  }
}
