import { sql } from 'kysely';
import { FEW_MATCHES, searchIndexOf } from './search-index.ts';
import { ask } from './words.rules.ts';
import type { Ctx } from '../context.ts';
import type { Indexed } from './search-index.ts';
import type { Expression, SqlBool } from 'kysely';

/**
 * For the WHERE of a list: what has, for every word of `q`, a word that begins with it, without any guessing. Which of two ways is
 * the shorter depends on how many there are.
 * @param id the column of the listed things' ids
 */
export async function begunBy(
  ctx: Pick<Ctx, 'db' | 'dialect'>,
  indexed: Indexed,
  id: 'tracks.id' | 'albums.id' | 'artists.id',
  q: string,
): Promise<Expression<SqlBool> | null> {
  if (q.trim() === '') return null;
  const words = ask(q.replaceAll('\0', ' ').toWellFormed()).words.map(({ word }) => word);
  if (words.length === 0) return sql<SqlBool>`1 = 0`;
  const question = [words.map((begin) => ({ begin, or: [] }))];
  const index = searchIndexOf(ctx.dialect);
  const meeting = index.idsMeeting(ctx.db, indexed, question);
  const beyond = await meeting.limit(1).offset(FEW_MATCHES).executeTakeFirst();
  if (beyond === undefined) return sql<SqlBool>`${sql.ref(id)} in ${meeting}`;
  const all = sql<string>`(' ' || name_words || ' ' || other_words)`;
  const has = words.map((word) => index.contains(all, ` ${word}`));
  return sql<SqlBool>`exists (
    select 1 from ${sql.table(indexed)} as found where found.id = ${sql.ref(id)} and ${sql.join(has, sql` and `)}
  )`;
}
