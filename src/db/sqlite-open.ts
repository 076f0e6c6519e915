import Database from 'better-sqlite3';

/** Statements kept prepared per connection: preparing costs four times what running does. */
const STATEMENTS_KEPT = 500;

export interface SqliteConnection {
  db: Database.Database;
  /** As `db.prepare`, keeping the statement for the next time. */
  prepare(sql: string): Database.Statement;
}

/** Opens a SQLite file with the settings every connection of ours has: WAL, full sync at commit, enforced references. */
export function openSqlite(file: string, { readonly }: { readonly: boolean }): SqliteConnection {
  const db = new Database(file, { readonly, timeout: 5000 });
  if (!readonly) db.pragma('journal_mode = wal');
  // FULL: a commit that was acknowledged survives a power cut, not only a crash of this process.
  db.pragma('synchronous = full');
  db.pragma('foreign_keys = on');
  db.pragma('temp_store = memory');
  // Pages (16 MiB of them). A checkpoint costs two more syncs, which everybody in that commit waits for: with the usual 1,000 it
  // is every fiftieth group of reports, with this hardly one in a hundred and fifty.
  if (!readonly) db.pragma('wal_autocheckpoint = 4000');
  const kept = new Map<string, Database.Statement>();
  const prepare = (sql: string): Database.Statement => {
    const known = kept.get(sql);
    if (known !== undefined) return known;
    const statement = db.prepare(sql);
    if (kept.size >= STATEMENTS_KEPT) {
      const oldest = kept.keys().next();
      if (!oldest.done) kept.delete(oldest.value);
    }
    kept.set(sql, statement);
    return statement;
  };
  return { db, prepare };
}
