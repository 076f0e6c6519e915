import { createPostgresIndex } from './postgres-index.ts';
import { createSqliteIndex } from './sqlite-index.ts';
import type { SqlDialect } from '#db/dialect.ts';
import type { Schema } from '../database.ts';
import type { Found } from './rank.rules.ts';
import type { Expression, Kysely, SelectQueryBuilder, SqlBool } from 'kysely';

/** What the index knows. */
export const INDEXED = ['search_tracks', 'search_albums', 'search_artists'] as const;
export type Indexed = (typeof INDEXED)[number];

/** One word of a question: what begins with `begin`, or is one of `or`. Words are letters and digits alone (`ask`). */
export interface Slot {
  begin: string;
  or: readonly string[];
}
/** Every slot of one of these must be met. */
export type Question = readonly (readonly Slot[])[];

/** Looking words up, each database in its own way; both answer the same. */
export interface SearchIndex {
  /** Things that meet a question, in any order, at most `limit`; with `isNameOnly` by the words of their name alone. */
  meeting(
    db: Kysely<Schema>,
    indexed: Indexed,
    question: Question,
    options: { limit: number; isNameOnly: boolean },
  ): Promise<Found[]>;
  /** Whether one text stands within another, which is known to be folded: LIKE would fold both again for every row. */
  contains(text: Expression<string>, part: string): Expression<SqlBool>;
  /** For the WHERE of a list: the ids of what meets a question. */
  idsMeeting(
    db: Kysely<Schema>,
    indexed: Indexed,
    question: Question,
  ): SelectQueryBuilder<Schema, Indexed, { id: string }>;
}

/** Of more things than this a list is walked in its order, until the page is full; fewer are looked up and sorted. */
export const FEW_MATCHES = 1_500;

/** The index of this database. */
export function searchIndexOf({ name }: SqlDialect): SearchIndex {
  return name === 'sqlite' ? createSqliteIndex() : createPostgresIndex();
}
