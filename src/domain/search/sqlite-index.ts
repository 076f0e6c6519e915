import { sql } from 'kysely';
import type { Schema } from '../database.ts';
import type { Found } from './rank.rules.ts';
import type { Indexed, Question, SearchIndex, Slot } from './search-index.ts';
import type { Kysely, SqlBool } from 'kysely';

/** FTS5's own language (https://sqlite.org/fts5.html#full_text_query_syntax); words have no quotes to escape. */
function slotText({ begin, or }: Slot): string {
  return `(${[`"${begin}" *`, ...or.map((word) => `"${word}"`)].join(' OR ')})`;
}

function questionText(question: Question, isNameOnly: boolean): string {
  const text = question.map((slots) => `(${slots.map(slotText).join(' AND ')})`).join(' OR ');
  return isNameOnly ? `name_words : (${text})` : text;
}

/** SQLite's FTS5. */
export function createSqliteIndex(): SearchIndex {
  const docs = (indexed: Indexed, text: string, limit: number | null) => {
    const index = sql.table(`${indexed}_fts`);
    return sql<number>`(select rowid from ${index} where ${index} match ${text}${limit === null ? sql`` : sql` limit ${limit}`})`;
  };
  return {
    async meeting(db: Kysely<Schema>, indexed, question, { limit, isNameOnly }): Promise<Found[]> {
      return db
        .selectFrom(indexed)
        .select(['id', 'name', 'name_words', 'other_words'])
        .where('doc', 'in', docs(indexed, questionText(question, isNameOnly), limit))
        .execute();
    },
    contains: (text, part) => sql<SqlBool>`instr(${text}, ${part}) > 0`,
    idsMeeting: (db, indexed, question) =>
      db
        .selectFrom(indexed)
        .select('id')
        .where('doc', 'in', docs(indexed, questionText(question, false), null)),
  };
}
