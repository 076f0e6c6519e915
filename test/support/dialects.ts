/**
 * The databases every suite runs on: SQLite in a file of its own, PostgreSQL in-process (PGlite), and, where
 * `TEST_DATABASE_URL` names one, a real PostgreSQL (`npm run test:services`).
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PGlite, types } from '@electric-sql/pglite';
import { CompiledQuery, Kysely, PGliteAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from 'kysely';
import { migrate, migrateSqliteFile } from '#db/migrate.ts';
import { openPostgresKysely, openSqliteDatabase, wrapPostgres } from '#db/open.ts';
import type { Database } from '#db/open.ts';
import type { Schema } from '#domain/database.ts';
import type { DatabaseConnection, Dialect, Driver } from 'kysely';

export const MIGRATIONS = path.resolve(import.meta.dirname, '../../migrations');

export interface TestDatabase extends Database<Schema> {
  /** SQLite's file, to be opened again after a "crash"; null on PostgreSQL. */
  file: string | null;
}

export interface TestDialect {
  name: 'sqlite' | 'pglite' | 'postgres';
  /** A fresh, migrated database; `close` leaves nothing behind. */
  open(): Promise<TestDatabase>;
}

async function openSqliteFresh(): Promise<TestDatabase> {
  const folder = await mkdtemp(path.join(tmpdir(), 'stepheybot-db-'));
  const file = path.join(folder, 'test.db');
  await migrateSqliteFile(file, MIGRATIONS);
  const database = openSqliteDatabase<Schema>(file);
  return {
    ...database,
    file,
    async close() {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * PGlite has one connection: whoever holds it, in a transaction or for one query, keeps others waiting. (Kysely's own
 * PGlite driver would run a stranger's query inside the open transaction.) A read past the transaction it is in
 * therefore hangs here, which is the mistake this should show.
 */
function pgliteDialect(pglite: PGlite): Dialect {
  const connection: DatabaseConnection = {
    async executeQuery(query) {
      const { rows, affectedRows } = await pglite.query<never>(query.sql, [...query.parameters]);
      return { rows, numAffectedRows: BigInt(affectedRows ?? 0) };
    },

    async *streamQuery() {
      throw new Error('PGlite does not stream');
    },
  };
  let held = Promise.resolve();
  let release = () => {};
  const driver: Driver = {
    init: async () => {},
    async acquireConnection() {
      const before = held;
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      await before;
      release = resolve;
      return connection;
    },
    releaseConnection: async () => release(),
    beginTransaction: async () => void (await connection.executeQuery(CompiledQuery.raw('begin'))),
    commitTransaction: async () => void (await connection.executeQuery(CompiledQuery.raw('commit'))),
    rollbackTransaction: async () => void (await connection.executeQuery(CompiledQuery.raw('rollback'))),
    destroy: async () => {},
  };
  return {
    createAdapter: () => new PGliteAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

let sharedPglite: Promise<PGlite> | null = null;

async function openPgliteFresh(): Promise<TestDatabase> {
  // One instance a test file (it takes a second and a half to start); a fresh schema each time.
  sharedPglite ??= PGlite.create({ parsers: { [types.INT8]: Number } });
  const pglite = await sharedPglite;
  await pglite.exec('drop schema public cascade; create schema public');
  const kysely = new Kysely<Schema>({ dialect: pgliteDialect(pglite) });
  await migrate(kysely as unknown as Kysely<unknown>, MIGRATIONS);
  return { ...wrapPostgres(kysely), file: null };
}

const broken = (error: Error) => process.stderr.write(`a database connection broke: ${error.message}\n`);

/** A database of its own beside the one that `url` names; `close` drops it. */
async function openPostgresFresh(url: string): Promise<TestDatabase> {
  const admin = await openPostgresKysely<Schema>(url, broken);
  const name = `stepheybot_${randomBytes(8).toString('hex')}`;
  await sql`create database ${sql.id(name)}`.execute(admin);
  const own = new URL(url);
  own.pathname = `/${name}`;
  const kysely = await openPostgresKysely<Schema>(own.href, broken);
  await migrate(kysely as unknown as Kysely<unknown>, MIGRATIONS);
  return {
    ...wrapPostgres(kysely),
    file: null,
    async close() {
      await kysely.destroy();
      await sql`drop database ${sql.id(name)}`.execute(admin);
      await admin.destroy();
    },
  };
}

const postgresUrl = process.env.TEST_DATABASE_URL;

export const DIALECTS: readonly TestDialect[] = [
  { name: 'sqlite', open: openSqliteFresh },
  { name: 'pglite', open: openPgliteFresh },
  ...(postgresUrl === undefined ? [] : [{ name: 'postgres' as const, open: () => openPostgresFresh(postgresUrl) }]),
];
