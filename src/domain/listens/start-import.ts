import { enqueueJob, requireNoOpenJob } from '../jobs/queue.ts';
import type { Actor, Ctx } from '../context.ts';

/** A look before a file is taken. @throws DomainError conflict, while an import of this person is under way */
export function requireNoImport(ctx: Ctx, actor: Actor): Promise<void> {
  return requireNoOpenJob(ctx, actor.user_id, 'listen_import');
}

/**
 * Begins to read a file that lies where `importFile` says; `title` is what its owner called it.
 * @throws DomainError conflict, unavailable, disk_full
 */
export async function startImport(
  ctx: Ctx,
  { user_id }: Actor,
  { job_id, title, size_bytes }: { job_id: string; title: string; size_bytes: number },
): Promise<{ job_id: string }> {
  await enqueueJob(ctx, {
    id: job_id,
    user_id,
    kind: 'listen_import',
    title,
    payload_json: JSON.stringify({ size_bytes }),
    total: null,
  });
  return { job_id };
}
