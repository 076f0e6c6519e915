import { statementOf } from '#db/unit.ts';
import type { Schema } from '../database.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Kysely, Transaction } from 'kysely';

interface StaleDay {
  user_id: string;
  local_day: number;
}

const compiled = new WeakMap<Kysely<Schema>, (day: StaleDay) => UnitStatement>();

/**
 * [ST2] Says that a day's rollups are to be made anew before they are read: part of every unit that begins a session, or changes
 * one that may be settled. A session under way needs it once, as its day stays stale until the session is over.
 */
export function staleDayStatement(db: Kysely<Schema>, day: StaleDay): UnitStatement {
  let make = compiled.get(db);
  if (make === undefined) {
    make = statementOf<StaleDay>((at) =>
      db
        .insertInto('stale_days')
        .values({ user_id: at.user_id, local_day: at.local_day })
        .onConflict((conflict) => conflict.doNothing()),
    );
    compiled.set(db, make);
  }
  return make(day);
}

/** As `staleDayStatement`, for many days at once, inside a transaction. */
export async function markStaleDays(trx: Transaction<Schema>, user_id: string, days: Iterable<number>): Promise<void> {
  const rows = [...new Set(days)].map((local_day) => ({ user_id, local_day }));
  // Two values a row, and SQLite takes 32,766 in a statement.
  for (let i = 0; i < rows.length; i += 1000) {
    await trx
      .insertInto('stale_days')
      .values(rows.slice(i, i + 1000))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
