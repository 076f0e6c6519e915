import { CompiledQuery, Kysely, PostgresDialect, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { postgresDialect, sqliteDialect } from './dialect.ts';
import { openSqlite } from './sqlite-open.ts';
import { startSqliteWriter } from './sqlite-writer.ts';
import type { SqlDialect } from './dialect.ts';
import type { Unit, UnitOutcome } from './unit.ts';
import type { DatabaseConnection, Dialect, QueryResult, Transaction } from 'kysely';

/** A database of ours, whichever it is. */
export interface Database<S> {
  /** For reads. On SQLite its connection cannot write, so a write that bypasses `write` fails loudly. */
  db: Kysely<S>;
  /** One transaction; resolves once it is durable (SQLite: synchronous=FULL, in groups; PostgreSQL: its own commit). */
  write<T>(fn: (trx: Transaction<S>) => Promise<T>): Promise<T>;
  /**
   * One unit of work whose statements are all known beforehand: whole or not at all, durable when this resolves. It costs a
   * fraction of `write`, which asks and waits for each statement.
   * @param after what must be settled before; on SQLite units are taken in the order they came anyway
   * @returns false when a `mustChange` statement changed too little; then nothing of the unit stays
   */
  writeUnit(unit: Unit, after?: Promise<unknown>): Promise<UnitOutcome>;
  /**
   * Resolves when a unit handed in now would not wait for those before it: who gathers work until then gathers all there is.
   * PostgreSQL takes several at once, so that it is always somebody's turn.
   */
  turnToWrite(): Promise<void>;
  dialect: SqlDialect;
  close(): Promise<void>;
}

/** A kysely dialect over one read-only SQLite connection with its prepared statements kept. */
function sqliteReader(file: string): Dialect {
  const { db, prepare } = openSqlite(file, { readonly: true });
  const connection: DatabaseConnection = {
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      const statement = prepare(sql);
      if (!statement.reader) {
        statement.run(parameters);
        return { rows: [] };
      }
      return { rows: statement.all(parameters) as R[] };
    },
    async *streamQuery<R>({ sql, parameters }: CompiledQuery) {
      // A statement of its own: a kept one would be busy for other readers while this iterates.
      for (const row of db.prepare(sql).iterate(parameters)) yield { rows: [row as R] };
    },
  };
  return {
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createDriver: () => ({
      init: async () => {},
      acquireConnection: async () => connection,
      releaseConnection: async () => {},
      beginTransaction: async () => void (await connection.executeQuery(CompiledQuery.raw('begin'))),
      commitTransaction: async () => void (await connection.executeQuery(CompiledQuery.raw('commit'))),
      rollbackTransaction: async () => void (await connection.executeQuery(CompiledQuery.raw('rollback'))),
      destroy: async () => void db.close(),
    }),
  };
}

/** Opens an already migrated SQLite file. */
export function openSqliteDatabase<S>(file: string): Database<S> {
  const db = new Kysely<S>({ dialect: sqliteReader(file) });
  const writer = startSqliteWriter<S>(file);
  return {
    db,
    write: (fn) => writer.write(fn),
    writeUnit: (unit) => writer.writeUnit(unit),
    turnToWrite: () => writer.turnToWrite(),
    dialect: sqliteDialect,
    async close() {
      await writer.close();
      await db.destroy();
    },
  };
}

/** Wraps a kysely instance over any PostgreSQL. */
export function wrapPostgres<S>(db: Kysely<S>): Database<S> {
  return {
    db,
    write: (fn) => db.transaction().execute(fn),
    writeUnit: (unit, after) => writeUnit(db, unit, after),
    turnToWrite: () => Promise.resolve(),
    dialect: postgresDialect,
    close: () => db.destroy(),
  };
}

/** Nothing of the unit stays; not an error to anybody outside. */
class UndoneError extends Error {}

/** One transaction a unit; PostgreSQL groups the commits of those that run at once by itself. */
async function writeUnit<S>(db: Kysely<S>, unit: Unit, after: Promise<unknown> | undefined): Promise<UnitOutcome> {
  // Whether it came about is for whoever handed that in; this one is refused if it builds on what is not there.
  await after?.catch(() => undefined);
  const statements = typeof unit === 'function' ? unit() : unit;
  const [only] = statements;
  if (only !== undefined && statements.length === 1) {
    const { numAffectedRows = 0n } = await db.executeQuery(CompiledQuery.raw(only.sql, [...only.parameters]));
    return numAffectedRows >= BigInt(Number(only.mustChange ?? 0));
  }
  try {
    await db.transaction().execute(async (trx) => {
      for (const { sql, parameters, mustChange } of statements) {
        const { numAffectedRows = 0n } = await trx.executeQuery(CompiledQuery.raw(sql, [...parameters]));
        if (numAffectedRows < BigInt(Number(mustChange ?? 0))) throw new UndoneError();
      }
    });
    return true;
  } catch (error) {
    if (error instanceof UndoneError) return false;
    throw error;
  }
}

/** Opens a PostgreSQL database; the driver is loaded only when one is used. */
export async function openPostgresKysely<S>(url: string, onBroken: (error: Error) => void): Promise<Kysely<S>> {
  const { default: pg } = await import('pg');
  const INT8 = 20;
  const types = {
    // Our 64-bit columns hold times and counts, all below 2^53.
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === INT8 ? Number : (pg.types.getTypeParser(oid, format) as (value: string) => unknown),
  };
  const pool = new pg.Pool({ connectionString: url, max: 10, types: types as never, connectionTimeoutMillis: 5000 });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', onBroken);
  return new Kysely<S>({ dialect: new PostgresDialect({ pool }) });
}
