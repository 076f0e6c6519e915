import type { JobKind } from '#contract/jobs.ts';
import type { TxCtx } from '../context.ts';
import type { Checkpoint } from './queue.ts';
import type { JobsTable } from './jobs.table.ts';

/** A job as its own code sees it. */
export interface JobRun {
  job: JobsTable;
  /** Aborted when it is to stop: cancelled, or the server ends. Nothing needs undoing, a checkpoint is enough. */
  signal: AbortSignal;
  /** Part of the transaction of each step. @throws LostJobError */
  checkpoint(tx: TxCtx, at: Checkpoint): Promise<void>;
  /** After each step: tells the owner, at most so often. */
  progressed(at: Pick<Checkpoint, 'done' | 'total'>): Promise<void>;
}

/** What each kind of job does. A DomainError ends it with its words, `unavailable` and `disk_full` after more tries. */
export interface JobKindHandler {
  run(run: JobRun): Promise<void>;
  /** Once it is over, however it ended. */
  clean(job_id: string): Promise<void>;
  /** At the start: forgets what belongs to none of these. */
  sweep(open: ReadonlySet<string>): Promise<void>;
}
export type JobHandlers = Readonly<Record<JobKind, JobKindHandler>>;
