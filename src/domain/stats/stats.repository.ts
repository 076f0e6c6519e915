/** The only SQL that writes what is derived of listening: all of it statements of units, compiled once a database. */
import { sql } from 'kysely';
import { statementOf } from '#db/unit.ts';
import { GRAIN } from './stats.table.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Schema } from '../database.ts';
import type { ListenDaysTable, ListenRollupsTable, ListenSumsTable, StaleDaysTable } from './stats.table.ts';
import type { Kysely } from 'kysely';

type Rollup = ListenRollupsTable;
type ThingOf = Pick<Rollup, 'user_id' | 'kind' | 'key'>;

/** Rows in one statement: a few sizes, so that each is compiled, and prepared by the database, once. */
const ROWS = [64, 8, 1] as const;
const ROLLUP_COLUMNS = [
  'user_id', 'kind', 'key', 'grain', 'bucket', 'listens', 'heard_ms', 'plays', 'first_day',
  'own_listens', 'own_heard_ms', 'private_plays', 'own_first_day',
] as const satisfies (keyof Rollup)[]; // prettier-ignore

/** Lengths that lists of values are filled up to, for the same reason. */
const LENGTHS = [1, 4, 16, 64, 256, 512];
/** The most values in one list. */
export const LIST_MAX = 512;

/** A list of values for `in`, filled up with its last one; at most `LIST_MAX`. */
export function filledUp<T>(values: readonly T[]): T[] {
  const length = LENGTHS.find((one) => one >= values.length) ?? values.length;
  const last = values.at(-1);
  return last === undefined ? [] : [...values, ...Array.from({ length: length - values.length }, () => last)];
}

/** The earlier of the day that is stored and the one to be added, either of which may be none. */
function earlier(column: 'first_day' | 'own_first_day') {
  const [added, stored] = [sql.ref(`excluded.${column}`), sql.ref(`listen_rollups.${column}`)];
  return sql<number | null>`case
    when ${added} is null then ${stored}
    when ${stored} is null or ${added} < ${stored} then ${added}
    else ${stored} end`;
}

function compile(db: Kysely<Schema>) {
  const addRollups = (rows: number) =>
    statementOf<Record<string, unknown>>((at) =>
      db
        .insertInto('listen_rollups')
        .values(
          Array.from({ length: rows }, (_, i) =>
            Object.fromEntries(ROLLUP_COLUMNS.map((column) => [column, at[`${column}${i}`]])),
          ) as never,
        )
        .onConflict((conflict) =>
          conflict.columns(['user_id', 'kind', 'key', 'grain', 'bucket']).doUpdateSet((eb) => ({
            listens: eb('listen_rollups.listens', '+', eb.ref('excluded.listens')),
            heard_ms: eb('listen_rollups.heard_ms', '+', eb.ref('excluded.heard_ms')),
            plays: eb('listen_rollups.plays', '+', eb.ref('excluded.plays')),
            first_day: earlier('first_day'),
            own_listens: eb('listen_rollups.own_listens', '+', eb.ref('excluded.own_listens')),
            own_heard_ms: eb('listen_rollups.own_heard_ms', '+', eb.ref('excluded.own_heard_ms')),
            private_plays: eb('listen_rollups.private_plays', '+', eb.ref('excluded.private_plays')),
            own_first_day: earlier('own_first_day'),
          })),
        ),
    );
  const thing = (at: { [K in keyof ThingOf]-?: ThingOf[K] }) =>
    ({ user_id: at.user_id, kind: at.kind, key: at.key }) as const;
  const setFirst = (column: 'first_day' | 'own_first_day') =>
    statementOf<ThingOf & { day: number | null }>((at) =>
      db
        .updateTable('listen_rollups')
        .set({ [column]: at.day } as Record<typeof column, typeof at.day>)
        .where((eb) => eb.and(thing(at)))
        .where('grain', '=', GRAIN.all),
    );
  return {
    begin: statementOf<ListenSumsTable>(
      (at) =>
        db
          .insertInto('listen_sums')
          .values({ user_id: at.user_id, version: at.version, settled_at_ms: at.settled_at_ms })
          .onConflict((conflict) => conflict.column('user_id').doNothing()),
      { mustChange: true },
    ),
    goOn: statementOf<ListenSumsTable & { builds_on: string }>(
      (at) =>
        db
          .updateTable('listen_sums')
          .set({ version: at.version, settled_at_ms: at.settled_at_ms })
          .where('user_id', '=', at.user_id)
          .where('version', '=', at.builds_on),
      { mustChange: true },
    ),
    putDay: statementOf<ListenDaysTable>((at) => {
      const sums = {
        listens: at.listens,
        heard_ms: at.heard_ms,
        plays: at.plays,
        skips: at.skips,
        hours_json: at.hours_json,
        most_json: at.most_json,
        reaches_json: at.reaches_json,
        reached_from_json: at.reached_from_json,
        things_json: at.things_json,
      };
      return db
        .insertInto('listen_days')
        .values({ user_id: at.user_id, local_day: at.local_day, is_hidden: at.is_hidden, ...sums })
        .onConflict((conflict) => conflict.columns(['user_id', 'local_day', 'is_hidden']).doUpdateSet(sums));
    }),
    dropDay: statementOf<Pick<ListenDaysTable, 'user_id' | 'local_day' | 'is_hidden'>>((at) =>
      db
        .deleteFrom('listen_days')
        .where('user_id', '=', at.user_id)
        .where('local_day', '=', at.local_day)
        .where('is_hidden', '=', at.is_hidden),
    ),
    addRollups: new Map(ROWS.map((rows) => [rows, addRollups(rows)])),
    setFirstDay: { open: setFirst('first_day'), own: setFirst('own_first_day') },
    dropRollups: statementOf<ThingOf>((at) =>
      db
        .deleteFrom('listen_rollups')
        .where((eb) => eb.and(thing(at)))
        .where('plays', '=', 0)
        .where('private_plays', '=', 0),
    ),
    settle: statementOf<{ [K in 'user_id' | 'local_day']: StaleDaysTable[K] } & { marks: number }>((at) =>
      db
        .deleteFrom('stale_days')
        .where('user_id', '=', at.user_id)
        .where('local_day', '=', at.local_day)
        .where('marks', '=', at.marks),
    ),
    dropAllDays: statementOf<{ user_id: string }>((at) =>
      db.deleteFrom('listen_days').where('user_id', '=', at.user_id),
    ),
    dropAllRollups: statementOf<{ user_id: string }>((at) =>
      db.deleteFrom('listen_rollups').where('user_id', '=', at.user_id),
    ),
  };
}

const compiled = new WeakMap<Kysely<Schema>, ReturnType<typeof compile>>();

/** The statements of this file for a database. */
export function statsStatements(db: Kysely<Schema>) {
  const known = compiled.get(db);
  if (known !== undefined) return known;
  const made = compile(db);
  compiled.set(db, made);
  return made;
}

/** Adds to sums, as few statements as there are sizes for. */
export function addRollupsStatements(db: Kysely<Schema>, rows: readonly Rollup[]): UnitStatement[] {
  const { addRollups } = statsStatements(db);
  const statements: UnitStatement[] = [];
  for (let at = 0; at < rows.length;) {
    const size = ROWS.find((one) => one <= rows.length - at) ?? 1;
    const input: Record<string, unknown> = {};
    for (const [i, row] of rows.slice(at, at + size).entries()) {
      for (const column of ROLLUP_COLUMNS) input[`${column}${i}`] = row[column];
    }
    const make = addRollups.get(size);
    if (make !== undefined) statements.push(make(input));
    at += size;
  }
  return statements;
}
