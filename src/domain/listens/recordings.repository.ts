import { searchText } from '../library/library.rules.ts';
import { markStaleDays } from './stale-days.ts';
import type { Schema } from '../database.ts';
import type { RecordingsTable } from './listens.table.ts';
import type { Kysely, Transaction } from 'kysely';

type Trx = Transaction<Schema>;
/** Values in one statement: SQLite takes 32,766. */
const AT_ONCE = 500;

export function pieces<T>(list: readonly T[], size = AT_ONCE): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

export type NewRecording = Omit<RecordingsTable, 'search_text'>;

/** Writes down what was heard, unless it is known. */
export async function insertRecordings(trx: Trx, recordings: readonly NewRecording[]): Promise<void> {
  for (const some of pieces(recordings, 100)) {
    await trx
      .insertInto('recordings')
      .values(some.map((one) => ({ ...one, search_text: searchText(one.title, one.artist, one.album) })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Which of these recordings are known, and as which track. */
export async function knownRecordings(
  db: Kysely<Schema>,
  ids: readonly string[],
): Promise<Map<string, Pick<RecordingsTable, 'id' | 'track_id'>>> {
  const found = new Map<string, Pick<RecordingsTable, 'id' | 'track_id'>>();
  for (const some of pieces(ids)) {
    const rows = await db.selectFrom('recordings').select(['id', 'track_id']).where('id', 'in', some).execute();
    for (const row of rows) found.set(row.id, row);
  }
  return found;
}

/** Recordings no track is known for, by id, after one. */
export function unmatchedRecordings(db: Kysely<Schema>, after: string, limit: number): Promise<RecordingsTable[]> {
  return db
    .selectFrom('recordings')
    .selectAll()
    .where('track_id', 'is', null)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** Says which track a recording is: for all its listens, past ones too, whose days are to be counted anew. */
export async function writeMatch(trx: Trx, recording_id: string, track_id: string): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('recordings')
    .set({ track_id })
    .where('id', '=', recording_id)
    .where('track_id', 'is', null)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return;
  const changed = await trx
    .updateTable('listening_sessions')
    .set((eb) => ({ track_id, revision: eb('revision', '+', 1) }))
    .where('recording_id', '=', recording_id)
    .where('track_id', 'is', null)
    .returning(['user_id', 'local_day'])
    .execute();
  for (const [user_id, rows] of Map.groupBy(changed, (row) => row.user_id)) {
    await markStaleDays(
      trx,
      user_id,
      rows.map((row) => row.local_day),
    );
  }
}
