import {
  claimJob,
  finishJob,
  forgetOldJobs,
  HEARTBEAT_MS,
  isHopeless,
  LostJobError,
  parkJob,
  postponeJob,
  renewLease,
  writeCheckpoint,
} from '#domain/jobs/queue.ts';
import { openJobIds } from '#domain/jobs/jobs.queries.ts';
import { DomainError } from '#domain/errors.ts';
import { toStorageError } from '#domain/unit-of-work.ts';
import type { Ctx } from '#domain/context.ts';
import type { JobHandlers } from '#domain/jobs/job-run.ts';
import type { Claimed } from '#domain/jobs/queue.ts';

/** How often (ms) the queue is looked at for what no event told of: a retry that is due, a job whose runner died. */
const LOOK_EVERY_MS = 2_000;
/** An owner's clients hear of progress at most so often (ms): four times a second. */
const NOTICE_EVERY_MS = 250;
/** How often (ms) what is over for long is forgotten. */
const FORGET_EVERY_MS = 3_600_000;

const BROKE = 'The server made a mistake with this. What was done until then stays; try the rest again.';
const GAVE_UP = 'This was begun several times and broke off each time. What was done until then stays.';

/** The one runner of this process: one job at a time. */
export interface JobRunner {
  start(): void;
  /** Resolves when nothing is under way and nothing waits that is due. */
  whenIdle(): Promise<void>;
  /** Parks what is under way at its last checkpoint; resolves once that is on disk. */
  stop(): Promise<void>;
}

export function createJobRunner(ctx: Ctx, handlers: JobHandlers): JobRunner {
  let current: { job_id: string; abort: AbortController } | null = null;
  let working: Promise<void> | null = null;
  let isStopping = false;
  let isAskedAgain = false;
  let timers: NodeJS.Timeout[] = [];

  async function runOne(claimed: Claimed): Promise<void> {
    const { job } = claimed;
    const handler = handlers[job.kind];
    const abort = new AbortController();
    current = { job_id: job.id, abort };
    if (isStopping) abort.abort();
    const heartbeat = setInterval(() => {
      renewLease(ctx, claimed).then(
        (isMine) => void (isMine || abort.abort()),
        (error: unknown) => ctx.log.warn('a job could not say that it is alive', { kind: errorName(error) }),
      );
    }, HEARTBEAT_MS);
    let noticedAtMs = 0;
    try {
      if (isHopeless(claimed)) throw new DomainError('unprocessable', GAVE_UP);
      await handler.run({
        job,
        signal: abort.signal,
        checkpoint: (tx, at) => writeCheckpoint(tx, claimed, at),
        async progressed({ done, total }) {
          const nowMs = ctx.clock.nowMs();
          if (nowMs - noticedAtMs < NOTICE_EVERY_MS || abort.signal.aborted) return;
          noticedAtMs = nowMs;
          const { user_id, kind } = job;
          const payload = { user_id, job_id: job.id, kind, done, total, state: 'running' as const };
          await ctx.events.publish({ name: 'job.progressed', payload });
        },
      });
      if (abort.signal.aborted) await parkJob(ctx, claimed);
      else await end(claimed, null);
    } catch (thrown) {
      await failed(claimed, toStorageError(ctx, thrown), abort.signal);
    } finally {
      clearInterval(heartbeat);
      current = null;
    }
    // A job that was cancelled under way leaves what it worked on too.
    if (!(await openJobIds(ctx)).has(job.id)) await handler.clean(job.id);
  }

  async function failed(claimed: Claimed, error: unknown, signal: AbortSignal): Promise<void> {
    if (error instanceof LostJobError) return;
    if (error instanceof DomainError && (error.code === 'unavailable' || error.code === 'disk_full')) {
      ctx.log.warn('a job waits for the database or disk', { job_id: claimed.job.id, code: error.code });
      return postponeJob(ctx, claimed);
    }
    if (signal.aborted) return parkJob(ctx, claimed);
    if (error instanceof DomainError) return end(claimed, error.message);
    ctx.log.error('a job failed', { job_id: claimed.job.id, kind: claimed.job.kind }, error);
    return end(claimed, BROKE);
  }

  function end(claimed: Claimed, problem: string | null): Promise<void> {
    ctx.log.info('a job ended', { job_id: claimed.job.id, kind: claimed.job.kind, is_done: problem === null });
    return finishJob(ctx, claimed, problem);
  }

  async function work(): Promise<void> {
    do {
      isAskedAgain = false;
      for (;;) {
        if (isStopping) return;
        const claimed = await claimJob(ctx);
        if (claimed === null) break;
        await runOne(claimed);
      }
    } while (isAskedAgain);
  }

  function look(): void {
    if (isStopping) return;
    if (working !== null) {
      isAskedAgain = true;
      return;
    }
    working = work()
      .catch((error: unknown) => ctx.log.warn('the queue of jobs could not be read', { kind: errorName(error) }))
      .finally(() => (working = null));
  }

  async function tidy(): Promise<void> {
    try {
      await forgetOldJobs(ctx);
      const open = await openJobIds(ctx);
      for (const handler of Object.values(handlers)) await handler.sweep(open);
    } catch (error) {
      ctx.log.warn('old jobs could not be tidied away', { kind: errorName(error) });
    }
  }

  ctx.events.on('job.queued', look);
  ctx.events.on('job.cancelled', async ({ job_id }) => {
    if (current?.job_id === job_id) current.abort.abort();
    // One that waited is cleaned by nobody else.
    else for (const handler of Object.values(handlers)) await handler.clean(job_id);
  });

  return {
    start() {
      void tidy().then(look);
      timers = [setInterval(look, LOOK_EVERY_MS), setInterval(() => void tidy(), FORGET_EVERY_MS)];
      for (const timer of timers) timer.unref();
    },
    async whenIdle() {
      look();
      while (working !== null) await working;
    },
    async stop() {
      isStopping = true;
      for (const timer of timers) clearInterval(timer);
      current?.abort.abort();
      await working;
    },
  };
}

function errorName(error: unknown): string {
  return error instanceof Error ? error.name : '';
}
