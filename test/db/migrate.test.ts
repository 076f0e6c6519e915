import { readFileSync, readdirSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NewerDatabaseError, migrate, migrateSqliteFile } from '#db/migrate.ts';
import { DIALECTS, MIGRATIONS } from '../support/dialects.ts';
import type { Kysely } from 'kysely';
import type { TestDatabase } from '../support/dialects.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** Tables and columns as the `*.table.ts` files declare them: their text is read, since types are gone at run time. */
function declaredTables(): Record<string, { name: string; nullable: boolean }[]> {
  const folder = path.join(ROOT, 'src/domain');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.table.ts'));
  const tables: Record<string, { name: string; nullable: boolean }[]> = {};
  for (const file of files) {
    const text = readFileSync(path.join(folder, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    const shapes = new Map<string, { name: string; nullable: boolean }[]>();
    for (const [, shape, body] of text.matchAll(/interface (\w+Table) \{([\s\S]*?)\n\}/g)) {
      const columns = [...body!.matchAll(/^ {2}(\w+): ([^;]+);/gm)].map((match) => ({
        name: match[1]!,
        nullable: /\bnull\b/.test(match[2]!),
      }));
      shapes.set(shape!, columns);
    }
    for (const [, body] of text.matchAll(/interface \w+Tables \{([\s\S]*?)\n\}/g)) {
      for (const [, table, shape] of body!.matchAll(/^ {2}(\w+): (\w+);/gm)) tables[table!] = shapes.get(shape!) ?? [];
    }
  }
  return tables;
}

describe.each(DIALECTS)('migrations on $name', (dialect) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());

  test('[DB7] the tables in code are the tables in the database, column by column', async () => {
    const declared = declaredTables();
    expect(Object.keys(declared).length).toBeGreaterThan(15);
    const found = Object.fromEntries(
      (await database.db.introspection.getTables())
        // What SQLite's search index is and keeps; PostgreSQL's is an index like others.
        .filter((table) => !/^search_\w+_fts/.test(table.name))
        .map((table) => [
          table.name,
          // SQLite says of a text primary key that it may be null; none of ours is.
          table.columns.map((column) => ({ name: column.name, nullable: column.isNullable })),
        ]),
    );
    expect(Object.keys(found).sort()).toEqual(Object.keys(declared).sort());
    const sorted = (columns: { name: string }[]) => columns.map((column) => column.name).sort();
    const views = new Set(
      (await database.db.introspection.getTables()).flatMap((table) => (table.isView ? table.name : [])),
    );
    for (const [table, columns] of Object.entries(declared)) {
      expect([table, sorted(found[table]!)]).toEqual([table, sorted(columns)]);
      // Of a view neither says whether a column may be null.
      if (dialect.name === 'sqlite' || views.has(table)) continue;
      const nullable = (list: { name: string; nullable: boolean }[]) =>
        list
          .filter((one) => one.nullable)
          .map((one) => one.name)
          .sort();
      expect([table, nullable(found[table]!)]).toEqual([table, nullable(columns)]);
    }
  });

  test('[DB7] a second run does nothing', async () => {
    if (database.file !== null) expect(await migrateSqliteFile(database.file, MIGRATIONS)).toEqual([]);
    else expect(await migrate(database.db as unknown as Kysely<unknown>, MIGRATIONS)).toEqual([]);
  });

  test('[DB8] a database of a newer version is refused, and left as it is', async () => {
    const fresh = await dialect.open();
    await (
      fresh.write as (
        fn: (trx: Kysely<Record<string, Record<string, unknown>>>) => Promise<unknown>,
      ) => Promise<unknown>
    )((trx) => trx.insertInto('kysely_migration').values({ name: '9999_future', timestamp: 'x' }).execute());
    const again =
      fresh.file === null
        ? migrate(fresh.db as unknown as Kysely<unknown>, MIGRATIONS)
        : migrateSqliteFile(fresh.file, MIGRATIONS);
    await expect(again).rejects.toThrow(NewerDatabaseError);
    await expect(
      fresh.file === null
        ? migrate(fresh.db as unknown as Kysely<unknown>, MIGRATIONS)
        : migrateSqliteFile(fresh.file, MIGRATIONS),
    ).rejects.toThrow(/9999_future/);
    expect(await fresh.db.selectFrom('users').select('id').execute()).toEqual([]);
    await fresh.close();
  });
});

describe('a migration that fails', () => {
  test('[DB8] leaves the SQLite file with the old schema, whole', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'stepheybot-migrate-'));
    const migrations = path.join(folder, 'migrations');
    await cp(MIGRATIONS, migrations, { recursive: true });
    const file = path.join(folder, 'test.db');
    await migrateSqliteFile(file, migrations);
    const schema = () => {
      const db = new Database(file, { readonly: true });
      const text = JSON.stringify(db.prepare('select name, sql from sqlite_master order by name').all());
      db.close();
      return text;
    };
    const before = schema();
    await writeFile(
      path.join(migrations, '9000_broken.ts'),
      `export async function up(db) { await db.schema.createTable('half_done').addColumn('id', 'text').execute(); throw new Error('broke'); }\n`,
    );
    await expect(migrateSqliteFile(file, migrations)).rejects.toThrow('broke');
    expect(schema()).toBe(before);
    await rm(path.join(migrations, '9000_broken.ts'));
    expect(await migrateSqliteFile(file, migrations)).toEqual([]);
    await rm(folder, { recursive: true, force: true });
  });
});
