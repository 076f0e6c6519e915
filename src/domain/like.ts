import { sql } from 'kysely';
import type { Expression, RawBuilder, SqlBool } from 'kysely';

/** `column` begins with `text`, taken literally; both databases are told the escape character. */
export function beginsWith(column: Expression<string | null>, text: string): RawBuilder<SqlBool> {
  return sql<SqlBool>`${column} like ${`${escapeLike(text)}%`} escape '\\'`;
}

/** `text` with nothing in it that LIKE would take for a wildcard, for patterns with `escape '\'`. */
export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, (c) => `\\${c}`);
}
