/**
 * Everything in which the two databases differ, beside how they are opened. Queries are written in what both understand:
 * text ids, integer times, 0/1 flags, bytes, `returning`, `on conflict`, `update … from`.
 */
export interface SqlDialect {
  name: 'sqlite' | 'postgres';
  /** A unique constraint refused the row; `on conflict` is the first choice, this is for races it cannot cover. */
  isUniqueViolation(error: unknown): boolean;
  /** A foreign key refused the row: what it refers to is gone. */
  isMissingReference(error: unknown): boolean;
  /** The database cannot be reached or is locked by somebody else: worth trying again. */
  isUnavailable(error: unknown): boolean;
  /** There is no room left to write. */
  isDiskFull(error: unknown): boolean;
}

/** The driver's own code of an error, or '' when it has none. */
function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return '';
}

/** Result codes: https://sqlite.org/rescode.html, as better-sqlite3 names them. */
export const sqliteDialect: SqlDialect = {
  name: 'sqlite',
  isUniqueViolation: (error) => /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY|ROWID)$/.test(codeOf(error)),
  isMissingReference: (error) => codeOf(error) === 'SQLITE_CONSTRAINT_FOREIGNKEY',
  isUnavailable: (error) =>
    /^SQLITE_(BUSY|LOCKED|PROTOCOL|CANTOPEN|IOERR)/.test(codeOf(error)) && codeOf(error) !== 'SQLITE_IOERR_WRITE',
  isDiskFull: (error) => codeOf(error) === 'SQLITE_FULL' || codeOf(error) === 'SQLITE_IOERR_WRITE',
};

/** Error codes: https://www.postgresql.org/docs/current/errcodes-appendix.html; the E… ones are Node's for sockets. */
export const postgresDialect: SqlDialect = {
  name: 'postgres',
  isUniqueViolation: (error) => codeOf(error) === '23505',
  isMissingReference: (error) => codeOf(error) === '23503',
  isUnavailable: (error) => /^(08|57P|53[03]|40001|40P01|55P03|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND)/.test(codeOf(error)),
  isDiskFull: (error) => codeOf(error) === '53100',
};
