/** The queue of jobs, in the database: what a runner does with it. */
import { lockPerson } from '../accounts/lock-person.ts';
import { DomainError } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { changeJob, countOpenJobs, deleteJobsBefore, findDueJob, insertJob, insertJobRows } from './jobs.repository.ts';

import type { JobKind } from '#contract/jobs.ts';
import type { Ctx, TxCtx } from '../context.ts';
import type { JobRowsTable, JobsTable } from './jobs.table.ts';

/** A runner says at least this often (ms) that it is alive; after `LEASE_MS` without a word another takes its job. */
export const HEARTBEAT_MS = 3_000;
export const LEASE_MS = 10_000;
/** A job that ended this often by accident without getting on is given up. */
const ATTEMPTS_MAX = 5;
/** Pauses (ms) before a job whose database or disk was away is tried again: doubling, at most. */
const RETRY_MS = 5_000;
const RETRY_MAX_MS = 300_000;
/** Finished jobs and their rows are kept for (seconds). */
const KEPT_FOR = 30 * 86_400;

export type JobRow = Omit<JobRowsTable, 'id' | 'job_id'>;

/** A job in somebody's hands. */
export interface Claimed {
  job: JobsTable;
  lease: string;
}

/** What a step of a job leaves, all of it in the transaction of the step itself. */
export interface Checkpoint {
  done: number;
  total: number | null;
  report_json: string;
  rows: readonly JobRow[];
}

/** The job is not this runner's any more: cancelled, or taken by another. Nothing of the step that met it stays. */
export class LostJobError extends Error {
  override readonly name = 'LostJobError';
}

/**
 * Puts a job into the queue; one of a kind at a time for a person.
 * @throws DomainError conflict, not_found
 */
export async function enqueueJob(
  ctx: Ctx,
  job: Pick<JobsTable, 'id' | 'user_id' | 'kind' | 'title' | 'payload_json' | 'total'>,
): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    await lockPerson(tx, job.user_id);
    if ((await countOpenJobs(tx.trx, job.user_id, job.kind)) > 0) throw alreadyOpen();
    await insertJob(tx.trx, {
      ...job,
      state: 'queued',
      report_json: null,
      done: 0,
      problem: null,
      attempts: 0,
      due_at_ms: tx.clock.nowMs(),
      lease: null,
      lease_ends_at_ms: null,
      created_at: epochSeconds(tx.clock),
      started_at: null,
      finished_at: null,
    });
    tx.publish({ name: 'job.queued', payload: { job_id: job.id } });
  });
}

/** A look before a large upload; `enqueueJob` has the last word. @throws DomainError conflict */
export async function requireNoOpenJob(ctx: Ctx, user_id: string, kind: JobKind): Promise<void> {
  if ((await countOpenJobs(ctx.db, user_id, kind)) > 0) throw alreadyOpen();
}

const alreadyOpen = () =>
  new DomainError('conflict', 'An import of yours is under way. Wait until it is over, or cancel it.');

/** Takes the next job there is, for as long as `renewLease` is called. @returns null when there is none, or another was quicker */
export async function claimJob(ctx: Ctx): Promise<Claimed | null> {
  const nowMs = ctx.clock.nowMs();
  const due = await findDueJob(ctx.db, nowMs);
  if (due === undefined) return null;
  const lease = ctx.ids.id();
  return inTransaction(ctx, async (tx) => {
    const attempts = due.state === 'running' ? due.attempts + 1 : due.attempts;
    const started_at = due.started_at ?? epochSeconds(ctx.clock);
    const claim = { state: 'running' as const, lease, lease_ends_at_ms: nowMs + LEASE_MS, attempts, started_at };
    const which = due.lease === null ? {} : { lease: due.lease };
    if (!(await changeJob(tx.trx, { id: due.id, states: [due.state], ...which }, claim))) return null;
    return { job: { ...due, ...claim }, lease };
  });
}

/** Whether a claimed job has failed too often to be tried once more. */
export function isHopeless({ job }: Claimed): boolean {
  return job.attempts >= ATTEMPTS_MAX;
}

/** Says that the runner is alive. @returns false when the job is not its own any more */
export function renewLease(ctx: Ctx, { job, lease }: Claimed): Promise<boolean> {
  return inTransaction(ctx, ({ trx }) =>
    changeJob(trx, { id: job.id, states: ['running'], lease }, { lease_ends_at_ms: ctx.clock.nowMs() + LEASE_MS }),
  );
}

/** Writes how far a job is, in the transaction of the step that got it there. @throws LostJobError */
export async function writeCheckpoint(
  { trx, clock, ids }: TxCtx,
  { job, lease }: Claimed,
  { rows, ...progress }: Checkpoint,
): Promise<void> {
  const isMine = await changeJob(
    trx,
    { id: job.id, states: ['running'], lease },
    { ...progress, attempts: 0, lease_ends_at_ms: clock.nowMs() + LEASE_MS },
  );
  if (!isMine) throw new LostJobError('the job is not this runner’s any more');
  await insertJobRows(
    trx,
    rows.map((row) => ({ ...row, id: ids.id(), job_id: job.id })),
  );
}

const LET_GO = { lease: null, lease_ends_at_ms: null };

/** Puts a claimed job back where it was, to go on from its last checkpoint. */
export async function parkJob(ctx: Ctx, { job, lease }: Claimed): Promise<void> {
  await inTransaction(ctx, ({ trx }) =>
    changeJob(trx, { id: job.id, states: ['running'], lease }, { state: 'queued', ...LET_GO }),
  );
}

/** As `parkJob`, to be tried again after a pause, as the database or disk was away. */
export async function postponeJob(ctx: Ctx, { job, lease }: Claimed): Promise<void> {
  const pauseMs = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** job.attempts);
  await inTransaction(ctx, ({ trx }) =>
    changeJob(
      trx,
      { id: job.id, states: ['running'], lease },
      { state: 'queued', ...LET_GO, attempts: job.attempts + 1, due_at_ms: ctx.clock.nowMs() + pauseMs },
    ),
  );
}

/** Ends a claimed job; `problem` null: it is done. Its owner is told. */
export async function finishJob(ctx: Ctx, { job, lease }: Claimed, problem: string | null): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    const state = problem === null ? 'done' : 'failed';
    const change = { state, problem, finished_at: epochSeconds(tx.clock), ...LET_GO } as const;
    if (!(await changeJob(tx.trx, { id: job.id, states: ['running'], lease }, change))) return;
    const { done, total } = await tx.trx
      .selectFrom('jobs')
      .select(['done', 'total'])
      .where('id', '=', job.id)
      .executeTakeFirstOrThrow();
    const { user_id, kind } = job;
    tx.publish({ name: 'job.progressed', payload: { user_id, job_id: job.id, kind, done, total, state } });
  });
}

/** Forgets jobs that ended long ago. */
export async function forgetOldJobs(ctx: Ctx): Promise<void> {
  await inTransaction(ctx, ({ trx }) => deleteJobsBefore(trx, epochSeconds(ctx.clock) - KEPT_FOR));
}
