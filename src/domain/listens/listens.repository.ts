import { statementOf } from '#db/unit.ts';
import type { Schema } from '../database.ts';
import type { ListeningSessionsTable, RecordingsTable } from './listens.table.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Kysely, Selectable } from 'kysely';

/** A session with what its rules need of the track. */
export type SessionRow = Selectable<ListeningSessionsTable> & { track_duration: number | null };

function selectSession(db: Kysely<Schema>, user_id: string) {
  return db
    .selectFrom('listening_sessions')
    .leftJoin('tracks', 'tracks.id', 'listening_sessions.track_id')
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

/** What reports change of their session; it is refused when the session is not where `builds_on_revision` left it. */
type Progress = Pick<
  Selectable<ListeningSessionsTable>,
  | 'id'
  | 'user_id'
  | 'last_seq'
  | 'revision'
  | 'position_ms'
  | 'reported_at_ms'
  | 'state'
  | 'rate'
  | 'spans_json'
  | 'wall_json'
  | 'reports_json'
  | 'duration_played'
  | 'completed'
  | 'skipped'
  | 'ended_at'
> & { builds_on_revision: number };

type Verdict = Pick<ListeningSessionsTable, 'id' | 'user_id' | 'counted'>;

const statements = new WeakMap<
  Kysely<Schema>,
  {
    progress: (input: Progress) => UnitStatement;
    count: (input: Verdict) => UnitStatement;
    insert: (input: NewSession) => UnitStatement;
  }
>();

/** The statements of this file's units, compiled once a database. */
function statementsOf(db: Kysely<Schema>) {
  const known = statements.get(db);
  if (known !== undefined) return known;
  const made = {
    progress: statementOf<Progress>(
      (at) =>
        db
          .updateTable('listening_sessions')
          .set({
            last_seq: at.last_seq,
            revision: at.revision,
            position_ms: at.position_ms,
            reported_at_ms: at.reported_at_ms,
            state: at.state,
            rate: at.rate,
            spans_json: at.spans_json,
            wall_json: at.wall_json,
            reports_json: at.reports_json,
            duration_played: at.duration_played,
            completed: at.completed,
            skipped: at.skipped,
            ended_at: at.ended_at,
          })
          .where('id', '=', at.id)
          .where('user_id', '=', at.user_id)
          .where('revision', '=', at.builds_on_revision),
      { mustChange: true },
    ),
    // Apart, because `counted` is in an index: naming it in every report would have the index written every time.
    count: statementOf<Verdict>((at) =>
      db
        .updateTable('listening_sessions')
        .set({ counted: at.counted })
        .where('id', '=', at.id)
        .where('user_id', '=', at.user_id),
    ),
    insert: statementOf<NewSession>(
      (at) =>
        db
          .insertInto('listening_sessions')
          .values({
            id: at.id,
            user_id: at.user_id,
            track_id: at.track_id,
            client_session_id: at.client_session_id,
            started_at: at.started_at,
            ended_at: at.ended_at,
            duration_played: at.duration_played,
            completed: at.completed,
            counted: at.counted,
            skipped: at.skipped,
            is_hidden: at.is_hidden,
            time_zone: at.time_zone,
            utc_offset_s: at.utc_offset_s,
            local_day: at.local_day,
            inserted_at: at.inserted_at,
            source: at.source,
            client_info_json: at.client_info_json,
            last_seq: at.last_seq,
            position_ms: at.position_ms,
            reported_at_ms: at.reported_at_ms,
            state: at.state,
            rate: at.rate,
            spans_json: at.spans_json,
          })
          .onConflict((conflict) => conflict.columns(['user_id', 'client_session_id']).doNothing()),
      { mustChange: true },
    ),
  };
  statements.set(db, made);
  return made;
}

/** Moves a session on, from the report it builds on. */
export function progressStatement(db: Kysely<Schema>, progress: Progress): UnitStatement {
  return statementsOf(db).progress(progress);
}

/** Makes a session a listen, or no longer one. */
export function countStatement(db: Kysely<Schema>, verdict: Verdict): UnitStatement {
  return statementsOf(db).count(verdict);
}

/** Opens a session, unless the same client session is there already. */
export function insertStatement(db: Kysely<Schema>, session: NewSession): UnitStatement {
  return statementsOf(db).insert(session);
}

/** What is known of a session as it begins. */
type NewSession = Omit<
  Selectable<ListeningSessionsTable>,
  'recording_id' | 'external_key' | 'scrobbled_listenbrainz' | 'revision' | 'wall_json' | 'reports_json'
>;

/** What was heard that is not in the library. */
export async function recordingsByIds(
  db: Kysely<Schema>,
  ids: readonly string[],
): Promise<Map<string, RecordingsTable>> {
  if (ids.length === 0) return new Map();
  const rows = await db.selectFrom('recordings').selectAll().where('id', 'in', ids).execute();
  return new Map(rows.map((row) => [row.id, row]));
}
