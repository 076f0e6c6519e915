import { DomainError } from './errors.ts';

/** Cursors are opaque to callers: the sort values of the last row, as base64url JSON. */
export function writeCursor(values: readonly (string | number | null)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

/**
 * The sort values a cursor carries, or null for the first page.
 * @throws DomainError malformed when it is none of ours
 */
export function readCursor<T extends readonly (string | number | null)[]>(
  cursor: string | undefined,
  shape: readonly ('string' | 'number')[] = ['number', 'string'],
): T | null {
  if (cursor === undefined) return null;
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (
      Array.isArray(values) &&
      values.length === shape.length &&
      values.every((value, i) => typeof value === shape[i] && isUsable(value))
    ) {
      return values as unknown as T;
    }
  } catch (error) {
    throw new DomainError('malformed', 'That cursor is not one this server gave out.', { cause: error });
  }
  throw new DomainError('malformed', 'That cursor is not one this server gave out.');
}

/** What a database takes: PostgreSQL refuses a NUL in text, and fractions or more than 2^53 for our whole numbers. */
function isUsable(value: unknown): boolean {
  return typeof value === 'number' ? Number.isSafeInteger(value) : !String(value).includes('\0');
}

/** Of `limit + 1` rows the first `limit`, and where the next page begins if there is one. */
export function cutPage<Row>(
  found: readonly Row[],
  limit: number,
  sortValues: (row: Row) => readonly (string | number | null)[],
): { rows: Row[]; next_cursor: string | null } {
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  return { rows, next_cursor: found.length > limit && last !== undefined ? writeCursor(sortValues(last)) : null };
}
