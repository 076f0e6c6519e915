import type { JobRowsTable, JobsTable } from './jobs.table.ts';
import type { Schema } from '../database.ts';
import type { Kysely, Transaction, Updateable } from 'kysely';

type Trx = Transaction<Schema>;
/** States in which there is still something to do. */
export const OPEN_STATES = ['queued', 'running'] as const;

export async function insertJob(trx: Trx, job: JobsTable): Promise<void> {
  await trx.insertInto('jobs').values(job).execute();
}

export async function countOpenJobs(db: Kysely<Schema>, user_id: string, kind: JobsTable['kind']): Promise<number> {
  const { count } = await db
    .selectFrom('jobs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('user_id', '=', user_id)
    .where('kind', '=', kind)
    .where('state', 'in', OPEN_STATES)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export function findJob(db: Kysely<Schema>, id: string): Promise<JobsTable | undefined> {
  return db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Changes a job that is in one of these states (and, if named, leased so). @returns whether it was */
export async function changeJob(
  trx: Trx,
  which: { id: string; user_id?: string; states: readonly JobsTable['state'][]; lease?: string },
  change: Updateable<JobsTable>,
): Promise<boolean> {
  let query = trx.updateTable('jobs').set(change).where('id', '=', which.id).where('state', 'in', which.states);
  if (which.user_id !== undefined) query = query.where('user_id', '=', which.user_id);
  if (which.lease !== undefined) query = query.where('lease', '=', which.lease);
  const { numUpdatedRows } = await query.executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** The job that has been due for longest: one that waits, or one whose runner was not heard of in time. */
export function findDueJob(db: Kysely<Schema>, nowMs: number): Promise<JobsTable | undefined> {
  return db
    .selectFrom('jobs')
    .selectAll()
    .where((eb) =>
      eb.or([
        eb.and([eb('state', '=', 'queued'), eb('due_at_ms', '<=', nowMs)]),
        eb.and([eb('state', '=', 'running'), eb('lease_ends_at_ms', '<=', nowMs)]),
      ]),
    )
    .orderBy('due_at_ms')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
}

export async function insertJobRows(trx: Trx, rows: readonly JobRowsTable[]): Promise<void> {
  // Six values a row, and SQLite takes 32,766 in a statement.
  for (let i = 0; i < rows.length; i += 500) {
    await trx
      .insertInto('job_rows')
      .values(rows.slice(i, i + 500))
      .execute();
  }
}

export async function deleteJob(trx: Trx, which: { id: string; user_id: string }): Promise<void> {
  await trx.deleteFrom('jobs').where('id', '=', which.id).where('user_id', '=', which.user_id).execute();
}

export async function deleteJobsBefore(trx: Trx, finished_before: number): Promise<void> {
  await trx
    .deleteFrom('jobs')
    .where('finished_at', '<', finished_before)
    .where('state', 'not in', OPEN_STATES)
    .execute();
}
