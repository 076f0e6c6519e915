import { notFound } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { changeJob, deleteJob, findJob, OPEN_STATES } from './jobs.repository.ts';
import type { Actor, Ctx } from '../context.ts';
import type { CancelInput } from './jobs.queries.ts';

/**
 * [JB1-4] Ends one of my jobs: nothing of it is written once this returns, and what it has done stays. One that is over is taken
 * off the list, with its rows.
 * @throws DomainError not_found
 */
export async function cancelJob(ctx: Ctx, actor: Actor, { id }: CancelInput): Promise<void> {
  const { user_id } = actor;
  await inTransaction(ctx, async (tx) => {
    const isEnded = await changeJob(
      tx.trx,
      { id, user_id, states: OPEN_STATES },
      { state: 'cancelled', finished_at: epochSeconds(tx.clock), lease: null, lease_ends_at_ms: null },
    );
    const row = await findJob(tx.trx, id);
    if (row?.user_id !== user_id) throw notFound('job');
    if (isEnded) {
      const { kind, done, total, state } = row;
      tx.publish({ name: 'job.cancelled', payload: { job_id: id } });
      tx.publish({ name: 'job.progressed', payload: { user_id, job_id: id, kind, done, total, state } });
    } else {
      await deleteJob(tx.trx, { id, user_id });
    }
  });
}
