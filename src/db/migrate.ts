import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Kysely, SqliteDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { openSqlite } from './sqlite-open.ts';
import type { Migration } from 'kysely/migration';

/** The database was written by a newer version of this program. */
export class NewerDatabaseError extends Error {}

async function loadMigrations(folder: string): Promise<Record<string, Migration>> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_.*\.ts$/.test(name)).sort();
  const loaded = await Promise.all(
    names.map(async (name) => {
      const migration = (await import(pathToFileURL(path.join(folder, name)).href)) as Migration;
      return [name.replace(/\.ts$/, ''), migration] as const;
    }),
  );
  return Object.fromEntries(loaded);
}

/**
 * Brings a database to the schema of this code.
 * @returns the names of the migrations it ran.
 * @throws NewerDatabaseError when the database knows migrations this code does not.
 */
export async function migrate(db: Kysely<unknown>, folder: string): Promise<string[]> {
  const migrations = await loadMigrations(folder);
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (tables.some((table) => table.name === 'kysely_migration')) {
    const applied = await (db as Kysely<{ kysely_migration: { name: string } }>)
      .selectFrom('kysely_migration')
      .select('name')
      .execute();
    const unknown = applied.map((row) => row.name).filter((name) => !(name in migrations));
    if (unknown.length > 0) {
      throw new NewerDatabaseError(
        `the database was made by a newer version (it has ${unknown.join(', ')}): update the program, or restore an older backup`,
      );
    }
  }
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName);
}

/** Migrates a SQLite file in one transaction: after a crash it has the old schema or the new one. */
export async function migrateSqliteFile(file: string, folder: string): Promise<string[]> {
  const { db: database } = openSqlite(file, { readonly: false });
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database }) });
  try {
    database.exec('begin immediate');
    const ran = await migrate(db, folder);
    database.exec('commit');
    return ran;
  } catch (error) {
    if (database.inTransaction) database.exec('rollback');
    throw error;
  } finally {
    await db.destroy();
  }
}
