import type { Schema } from '../database.ts';
import type { ListeningSessionsTable } from './listens.table.ts';
import type { Insertable, Kysely, Selectable, Transaction } from 'kysely';

/** A session with what its rules need of the track. */
export type SessionRow = Selectable<ListeningSessionsTable> & { track_duration: number | null };

function selectSession(db: Kysely<Schema>, user_id: string) {
  return db
    .selectFrom('listening_sessions')
    .innerJoin('tracks', 'tracks.id', 'listening_sessions.track_id')
    .selectAll('listening_sessions')
    .select('tracks.duration as track_duration')
    .where('listening_sessions.user_id', '=', user_id);
}

/** One of the person's sessions, by our id or by the client's own. */
export async function findSession(
  db: Kysely<Schema>,
  user_id: string,
  session_id: string,
): Promise<SessionRow | undefined> {
  return (
    (await selectSession(db, user_id).where('listening_sessions.id', '=', session_id).executeTakeFirst()) ??
    (await findByClientSession(db, user_id, session_id))
  );
}

export function findByClientSession(
  db: Kysely<Schema>,
  user_id: string,
  client_session_id: string,
): Promise<SessionRow | undefined> {
  return selectSession(db, user_id).where('client_session_id', '=', client_session_id).executeTakeFirst();
}

/** @returns false when the same client session was there before. */
export async function insertSession(
  trx: Transaction<Schema>,
  session: Insertable<ListeningSessionsTable>,
): Promise<boolean> {
  const inserted = await trx
    .insertInto('listening_sessions')
    .values(session)
    .onConflict((conflict) => conflict.columns(['user_id', 'client_session_id']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

export async function updateSession(
  trx: Transaction<Schema>,
  session: Pick<ListeningSessionsTable, 'id' | 'user_id'>,
  changes: Partial<Insertable<ListeningSessionsTable>>,
): Promise<void> {
  await trx
    .updateTable('listening_sessions')
    .set(changes)
    .where('id', '=', session.id)
    .where('user_id', '=', session.user_id)
    .execute();
}
