import { sql } from 'kysely';
import type { Found } from './rank.rules.ts';
import type { Question, SearchIndex, Slot } from './search-index.ts';
import type { SqlBool } from 'kysely';

/** A tsquery as text (https://www.postgresql.org/docs/current/datatype-textsearch.html); words have no quotes to escape. */
function slotText({ begin, or }: Slot): string {
  return `(${[`'${begin}':*`, ...or.map((word) => `'${word}'`)].join(' | ')})`;
}

const questionText = (question: Question) =>
  question.map((slots) => `(${slots.map(slotText).join(' & ')})`).join(' | ');

/** As the indexes of migration 0024 have it, word for word, or they would not be used. */
function meets(question: Question, isNameOnly: boolean) {
  const words = isNameOnly ? sql`name_words` : sql`trim(name_words || ' ' || other_words)`;
  return sql<SqlBool>`array_to_tsvector(string_to_array(${words}, ' ')) @@ ${questionText(question)}::tsquery`;
}

/** PostgreSQL's GIN over our own words as lexemes. It needs no extension. */
export function createPostgresIndex(): SearchIndex {
  return {
    async meeting(db, indexed, question, { limit, isNameOnly }): Promise<Found[]> {
      return db
        .selectFrom(indexed)
        .select(['id', 'name', 'name_words', 'other_words'])
        .where(meets(question, isNameOnly))
        .limit(limit)
        .execute();
    },
    contains: (text, part) => sql<SqlBool>`strpos(${text}, ${part}) > 0`,
    idsMeeting: (db, indexed, question) => db.selectFrom(indexed).select('id').where(meets(question, false)),
  };
}
