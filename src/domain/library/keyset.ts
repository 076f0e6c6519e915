/** Pages by key: the next page begins after the last row of this one, whatever was added or removed meanwhile. */
import { sql } from 'kysely';
import { z } from 'zod';
import { DomainError } from '#domain/errors.ts';
import type { Expression, SqlBool } from 'kysely';

export type SortValue = string | number;
export type Order = 'asc' | 'desc';

/** Where a page ended: by what it was sorted, and the last row's values. */
const Cursor = z.tuple([
  z.string(),
  z.enum(['asc', 'desc']),
  z
    .array(z.union([z.string(), z.number()]))
    .min(1)
    .max(4),
]);

/** An opaque cursor: where a page ended. */
export function encodeCursor(sort: string, order: Order, values: SortValue[]): string {
  return Buffer.from(JSON.stringify([sort, order, values])).toString('base64url');
}

/**
 * What a cursor says; `types` is a letter a value: `s` text, `n` number.
 * @throws DomainError `malformed` for a cursor that is not ours, or of another sorting.
 */
export function decodeCursor(cursor: string, sort: string, order: Order, types: string): SortValue[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    parsed = null;
  }
  const { data } = Cursor.safeParse(parsed);
  const values = data?.[2] ?? [];
  // A NUL in a text parameter is an error to PostgreSQL.
  const isOurs = data?.[0] === sort && data[1] === order && values.map((v) => (typeof v)[0]).join('') === types;
  if (!isOurs || values.some((v) => typeof v === 'string' && v.includes('\0'))) {
    throw new DomainError('malformed', 'This cursor does not belong to this list. Start again without a cursor.', {
      errors: [{ path: 'cursor', message: 'must be a next_cursor of the same list' }],
    });
  }
  return values;
}

/** One column a list is sorted by; the last of a list is the id, so that no two rows are equal. */
export interface SortColumn {
  name: string;
  expression: Expression<SortValue>;
}

/** The rows after `values`, in `order`: row values compare column by column on both databases. */
export function after(columns: readonly SortColumn[], order: Order, values: SortValue[]): Expression<SqlBool> {
  const left = sql.join(columns.map((column) => column.expression));
  const right = sql.join(values);
  const [first] = columns;
  // The first column by itself, since SQLite looks no row of expressions up in an index.
  return order === 'asc'
    ? sql<SqlBool>`(${left}) > (${right}) and ${first!.expression} >= ${values[0]}`
    : sql<SqlBool>`(${left}) < (${right}) and ${first!.expression} <= ${values[0]}`;
}
