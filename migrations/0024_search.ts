import { sql } from 'kysely';
import { byCodeUnit, id } from './_columns.ts';
import type { Kysely } from 'kysely';

/**
 * What the library is searched by: a row a track (whose file is there), album and artist with its words, and each database's own
 * index over them. The rows made here are from the words there were; the server makes them anew where `search_state` is of
 * another version than its own.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  const isPostgres = db.getExecutor().adapter.supportsTransactionalDdl;
  for (const table of ['search_tracks', 'search_albums', 'search_artists']) {
    await db.schema
      .createTable(table)
      // SQLite's index refers to it by its row id, which only a column of this kind keeps over a VACUUM.
      .addColumn('doc', isPostgres ? 'bigint' : 'integer', (c) =>
        isPostgres ? c.primaryKey().generatedByDefaultAsIdentity() : c.primaryKey(),
      )
      .addColumn('id', id, (c) => c.notNull().unique())
      .addColumn('name', 'text', (c) => c.notNull().modifyEnd(byCodeUnit(db)))
      .addColumn('name_words', 'text', (c) => c.notNull())
      .addColumn('other_words', 'text', (c) => c.notNull())
      .execute();
    await db.schema.createIndex(`idx_${table}_name`).on(table).columns(['name', 'id']).execute();
    await (isPostgres ? indexPostgres(db, table) : indexSqlite(db, table));
  }
  await sql`
    insert into search_tracks (id, name, name_words, other_words)
    select id, substr(lower(title), 1, 80), trim(search_text), '' from tracks where missing_since is null
  `.execute(db);
  for (const [table, of, name] of [
    ['search_albums', 'albums', 'title'],
    ['search_artists', 'artists', 'name'],
  ] as const) {
    await sql`
      insert into ${sql.table(table)} (id, name, name_words, other_words)
      select id, substr(lower(${sql.ref(name)}), 1, 80), trim(search_text), '' from ${sql.table(of)}
    `.execute(db);
  }

  // Words of tracks, albums and artists, and the keys under which those meet that differ by a mistake.
  await db.schema
    .createTable('search_words')
    .addColumn('word', 'text', (c) => c.primaryKey())
    .execute();
  await db.schema
    .createTable('search_cuts')
    .addColumn('cut', 'text', (c) => c.notNull())
    .addColumn('word', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('search_cuts_pk', ['cut', 'word'])
    .modifyEnd(isPostgres ? sql`` : sql`without rowid`)
    .execute();
  await db.schema
    .createTable('search_state')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('version', 'integer', (c) => c.notNull())
    .execute();
  await indexLists(db);
}

/** What lists of tracks are sorted by beside the names (`trackSort`, word for word), and what is counted of them. */
async function indexLists(db: Kysely<unknown>): Promise<void> {
  for (const [name, value] of [
    ['added', sql`coalesce(added_at, 999999999)`],
    ['added_down', sql`coalesce(added_at, -1)`],
    ['year', sql`coalesce(year, 999999999)`],
    ['year_down', sql`coalesce(year, -1)`],
    ['duration', sql`coalesce(duration, 999999999)`],
    ['duration_down', sql`coalesce(duration, -1)`],
  ] as const) {
    await sql`
      create index ${sql.id(`idx_tracks_${name}`)} on tracks ((cast(${value} as double precision)), artist_sort, id)
    `.execute(db);
  }
  await sql`create index idx_tracks_missing on tracks (artist_sort, id) where missing_since is not null`.execute(db);
  await db.schema.createIndex('idx_track_genres_names').on('track_genres').columns(['genre_key', 'name']).execute();
}

/** Our own words, one space between, as lexemes: PostgreSQL's parser and dictionaries would make others of them. */
async function indexPostgres(db: Kysely<unknown>, table: string): Promise<void> {
  for (const [name, words] of [
    ['name', sql`name_words`],
    ['all', sql`trim(name_words || ' ' || other_words)`],
  ] as const) {
    await sql`
      create index ${sql.id(`idx_${table}_${name}_words`)} on ${sql.table(table)}
      using gin (array_to_tsvector(string_to_array(${words}, ' ')))
    `.execute(db);
  }
}

/** FTS5 that keeps no text of its own and follows the table; its tokenizer takes every letter beyond ASCII as part of a word. */
async function indexSqlite(db: Kysely<unknown>, table: string): Promise<void> {
  const [index, name] = [sql.table(`${table}_fts`), sql.table(table)];
  await sql`
    create virtual table ${index} using fts5(
      name_words, other_words, content=${sql.lit(table)}, content_rowid='doc', tokenize='ascii', prefix='1 2 3 4', detail='column'
    )
  `.execute(db);
  const add = sql`insert into ${index} (rowid, name_words, other_words)
    values (new.doc, new.name_words, new.other_words);`;
  const remove = sql`insert into ${index} (${sql.ref(`${table}_fts`)}, rowid, name_words, other_words)
    values ('delete', old.doc, old.name_words, old.other_words);`;
  await sql`create trigger ${sql.id(`${table}_added`)} after insert on ${name} begin ${add} end`.execute(db);
  await sql`create trigger ${sql.id(`${table}_removed`)} after delete on ${name} begin ${remove} end`.execute(db);
  await sql`create trigger ${sql.id(`${table}_changed`)} after update on ${name} begin ${remove} ${add} end`.execute(
    db,
  );
}
