import { sql } from 'kysely';
import { statementOf } from '#db/unit.ts';
import { pieces } from './recordings.repository.ts';
import { markAgain } from './stale-days.ts';
import type { Schema } from '../database.ts';
import type { ListenAliasesTable, ListeningSessionsTable } from './listens.table.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Insertable, Kysely, Transaction } from 'kysely';

type Trx = Transaction<Schema>;

/** Which sessions of a person these external keys are, their own or by another name. */
export async function sessionsByKey(trx: Trx, user_id: string, keys: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const some of pieces(keys)) {
    const own = await trx
      .selectFrom('listening_sessions')
      .select(['external_key', 'id'])
      .where('user_id', '=', user_id)
      .where('external_key', 'in', some)
      .execute();
    for (const { external_key, id } of own) if (external_key !== null) found.set(external_key, id);
    const others = await trx
      .selectFrom('listen_aliases')
      .select(['external_key', 'session_id'])
      .where('user_id', '=', user_id)
      .where('external_key', 'in', some)
      .execute();
    for (const { external_key, session_id } of others) found.set(external_key, session_id);
  }
  return found;
}

/** A session with what tells whether a told listen is it. */
export type NearbySession = Pick<
  ListeningSessionsTable,
  'id' | 'started_at' | 'track_id' | 'external_key' | 'counted' | 'state' | 'reported_at_ms' | 'client_info_json'
> & { match_key: string | null; track_duration: number | null };

/** A person's sessions of any of this music that began between two moments (epoch seconds, both included). */
export async function sessionsNear(
  trx: Trx,
  user_id: string,
  music: { track_ids: readonly string[]; match_keys: readonly string[] },
  [from, to]: readonly [number, number],
): Promise<NearbySession[]> {
  const found = new Map<string, NearbySession>();
  const select = () =>
    trx
      .selectFrom('listening_sessions as s')
      .leftJoin('tracks', 'tracks.id', 's.track_id')
      .leftJoin('recordings', 'recordings.id', 's.recording_id')
      .select(['s.id', 's.started_at', 's.track_id', 's.external_key', 's.counted', 's.state', 's.reported_at_ms'])
      .select(['s.client_info_json', 'recordings.match_key', 'tracks.duration as track_duration'])
      .where('s.user_id', '=', user_id)
      .where('s.started_at', '>=', from)
      .where('s.started_at', '<=', to);
  for (const some of pieces(music.track_ids)) {
    for (const row of await select().where('s.track_id', 'in', some).execute()) found.set(row.id, row);
  }
  for (const some of pieces(music.match_keys)) {
    for (const row of await select().where('recordings.match_key', 'in', some).execute()) found.set(row.id, row);
  }
  return [...found.values()];
}

/** Which of these sessions are already known by another name: to this import, or to a program that submits. */
export async function takenSessions(trx: Trx, ids: readonly string[], job_id: string | null): Promise<Set<string>> {
  const taken = new Set<string>();
  for (const some of pieces(ids)) {
    const rows = await trx
      .selectFrom('listen_aliases')
      .select('session_id')
      .where('session_id', 'in', some)
      .where('job_id', job_id === null ? 'is' : '=', job_id)
      .execute();
    for (const { session_id } of rows) taken.add(session_id);
  }
  return taken;
}

export async function insertAliases(trx: Trx, aliases: readonly ListenAliasesTable[]): Promise<void> {
  for (const some of pieces(aliases)) {
    await trx
      .insertInto('listen_aliases')
      .values(some)
      .onConflict((conflict) =>
        conflict
          .columns(['user_id', 'external_key'])
          .doUpdateSet((eb) => ({ session_id: eb.ref('excluded.session_id'), job_id: eb.ref('excluded.job_id') })),
      )
      .execute();
  }
}

/** Rows built into one statement: building it holds up the event loop. */
const INSERTED_AT_ONCE = 50;

export async function insertWholeListens(
  trx: Trx,
  sessions: readonly Insertable<ListeningSessionsTable>[],
): Promise<void> {
  for (const some of pieces(sessions, INSERTED_AT_ONCE)) {
    await trx.insertInto('listening_sessions').values(some).execute();
  }
}

/** The session of a person by when it began and which it is. */
export async function findWhole(trx: Trx, user_id: string, started_at: number) {
  return trx
    .selectFrom('listening_sessions')
    .select(['id', 'track_id', 'recording_id', 'local_day'])
    .where('user_id', '=', user_id)
    .where('started_at', '=', started_at)
    .execute();
}

export async function deleteSession(trx: Trx, user_id: string, id: string): Promise<void> {
  await trx.deleteFrom('listening_sessions').where('user_id', '=', user_id).where('id', '=', id).execute();
}

/** A session of our own player that comes to count. */
interface OwnPlay {
  session_id: string;
  user_id: string;
}

const compiled = new WeakMap<Kysely<Schema>, readonly ((own: OwnPlay) => UnitStatement)[]>();

/**
 * [LBZ1-10] Makes the listen that another program told before of the same play this session, as `findSame` does when it is told
 * after: the nearest within the track's length, unless one was told already. Its names become the session's, and the listen goes.
 * In the unit that makes the session count, after the person was locked, so that whatever is told meanwhile finds it.
 */
export function takeOverStatements(db: Kysely<Schema>, own: OwnPlay): UnitStatement[] {
  let made = compiled.get(db);
  if (made === undefined) {
    /** Listens that are known by another session's name. */
    const replaced = (at: OwnPlay) =>
      db
        .selectFrom('listening_sessions as told')
        .innerJoin('listen_aliases as alias', (join) =>
          join.onRef('alias.user_id', '=', 'told.user_id').onRef('alias.external_key', '=', 'told.external_key'),
        )
        .where('told.user_id', '=', at.user_id)
        .where('alias.session_id', '=', at.session_id)
        .where('told.id', '!=', at.session_id);
    made = [
      statementOf<OwnPlay>((at) =>
        db
          .insertInto('listen_aliases')
          .columns(['user_id', 'external_key', 'session_id'])
          .expression(
            (eb) =>
              eb
                .selectFrom('listening_sessions as own')
                .innerJoin('tracks', 'tracks.id', 'own.track_id')
                .innerJoin('listening_sessions as told', (join) =>
                  join.onRef('told.user_id', '=', 'own.user_id').onRef('told.track_id', '=', 'own.track_id'),
                )
                .select(['told.user_id', 'told.external_key', 'own.id'])
                .where('own.id', '=', at.session_id)
                .where('own.user_id', '=', at.user_id)
                .where('told.external_key', 'is not', null)
                .where('told.counted', '=', 1)
                .where((w) => w(w('told.started_at', '-', w.ref('own.started_at')), '<', w.ref('tracks.duration')))
                .where((w) => w(w('own.started_at', '-', w.ref('told.started_at')), '<', w.ref('tracks.duration')))
                .where((w) =>
                  w.not(
                    w.exists(
                      w
                        .selectFrom('listen_aliases as before')
                        .select('before.session_id')
                        .whereRef('before.session_id', '=', 'own.id')
                        .where('before.job_id', 'is', null),
                    ),
                  ),
                )
                .orderBy(sql`abs(told.started_at - own.started_at)`)
                .orderBy('told.id')
                .limit(1) as never,
          )
          .onConflict((conflict) => conflict.doNothing()),
      ),
      statementOf<OwnPlay>((at) =>
        db
          .updateTable('listen_aliases')
          .set({ session_id: at.session_id })
          .where('session_id', 'in', replaced(at).select('told.id')),
      ),
      statementOf<OwnPlay>((at) =>
        db
          .insertInto('stale_days')
          .columns(['user_id', 'local_day'])
          .expression(replaced(at).select(['told.user_id', 'told.local_day']).distinct())
          .onConflict(markAgain),
      ),
      statementOf<OwnPlay>((at) =>
        db.deleteFrom('listening_sessions').where('id', 'in', replaced(at).select('told.id')),
      ),
    ];
    compiled.set(db, made);
  }
  return made.map((statement) => statement(own));
}
