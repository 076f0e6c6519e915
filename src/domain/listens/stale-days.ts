import { statementOf } from '#db/unit.ts';
import type { Schema } from '../database.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Kysely, OnConflictBuilder, Transaction } from 'kysely';

interface StaleDay {
  user_id: string;
  local_day: number;
}

/** A second mark is counted, so that whoever settles the day meanwhile does not take it for the first. */
export const markAgain = (conflict: OnConflictBuilder<Schema, 'stale_days'>) =>
  conflict.columns(['user_id', 'local_day']).doUpdateSet((eb) => ({ marks: eb('stale_days.marks', '+', 1) }));

const compiled = new WeakMap<Kysely<Schema>, (day: StaleDay) => UnitStatement>();

/**
 * [ST2] Says that a day's rollups are to be made anew before they are read: part of every unit that begins a session, or changes
 * one that may be settled. A session under way needs it once, as its day stays stale until the session is over.
 */
export function staleDayStatement(db: Kysely<Schema>, day: StaleDay): UnitStatement {
  let make = compiled.get(db);
  if (make === undefined) {
    make = statementOf<StaleDay>((at) =>
      db.insertInto('stale_days').values({ user_id: at.user_id, local_day: at.local_day }).onConflict(markAgain),
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
      .onConflict(markAgain)
      .execute();
  }
}

/** As `markStaleDays`, for all days on which anybody heard one of these tracks: their artist, album or genres are others now. */
export async function markDaysOfTracks(trx: Transaction<Schema>, track_ids: readonly string[]): Promise<void> {
  // A retag of a whole library comes in pieces of a few hundred files.
  for (let i = 0; i < track_ids.length; i += 500) {
    await trx
      .insertInto('stale_days')
      .columns(['user_id', 'local_day'])
      .expression((eb) =>
        eb
          .selectFrom('listening_sessions')
          .select(['user_id', 'local_day'])
          .distinct()
          .where('track_id', 'in', track_ids.slice(i, i + 500)),
      )
      .onConflict(markAgain)
      .execute();
  }
}

/** A statement that marks all days on which a person heard anything. */
export function markAllDaysStatement(db: Kysely<Schema>, user_id: string): UnitStatement {
  return db
    .insertInto('stale_days')
    .columns(['user_id', 'local_day'])
    .expression((eb) =>
      eb.selectFrom('listening_sessions').select(['user_id', 'local_day']).distinct().where('user_id', '=', user_id),
    )
    .onConflict(markAgain)
    .compile();
}
