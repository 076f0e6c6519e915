import { ImportReport } from '#contract/jobs.ts';
import { notFound } from '../errors.ts';
import { cutPage, readCursor } from '../page.ts';
import { findJob, OPEN_STATES } from './jobs.repository.ts';
import type { Job, cancelJob, getJob, listJobRows, listJobs } from '#contract/jobs.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type { JobsTable } from './jobs.table.ts';

function presentJob(row: JobsTable): Job {
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    done: row.done,
    total: row.total,
    created_at: row.created_at,
    started_at: row.started_at,
    finished_at: row.finished_at,
    title: row.title,
    problem: row.problem,
    report: row.report_json === null ? null : ImportReport.parse(JSON.parse(row.report_json)),
  };
}

/** My jobs, newest first. */
export async function jobs(
  ctx: Ctx,
  actor: Actor,
  { limit, cursor }: Input<typeof listJobs>,
): Promise<Reply<typeof listJobs>> {
  const after = readCursor<[number, string]>(cursor);
  let query = ctx.db
    .selectFrom('jobs')
    .selectAll()
    .where('user_id', '=', actor.user_id)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (after !== null) {
    const [created_at, id] = after;
    query = query.where((eb) =>
      eb.or([eb('created_at', '<', created_at), eb.and([eb('created_at', '=', created_at), eb('id', '<', id)])]),
    );
  }
  const { rows, next_cursor } = cutPage(await query.execute(), limit, (row) => [row.created_at, row.id]);
  return { items: rows.map(presentJob), next_cursor };
}

async function ownJob(ctx: Ctx, actor: Actor, id: string): Promise<JobsTable> {
  const row = await findJob(ctx.db, id);
  if (row?.user_id !== actor.user_id) throw notFound('job');
  return row;
}

/** How one of my jobs stands. @throws DomainError not_found */
export async function job(ctx: Ctx, actor: Actor, { id }: Input<typeof getJob>): Promise<Reply<typeof getJob>> {
  return presentJob(await ownJob(ctx, actor, id));
}

/** What is to be said of rows of one of my imports, in the order of the file. @throws DomainError not_found */
export async function jobRows(
  ctx: Ctx,
  actor: Actor,
  { id, limit, cursor, reason }: Input<typeof listJobRows>,
): Promise<Reply<typeof listJobRows>> {
  await ownJob(ctx, actor, id);
  const after = readCursor<[number]>(cursor, ['number']);
  let query = ctx.db
    .selectFrom('job_rows')
    .selectAll()
    .where('job_id', '=', id)
    .orderBy('seq')
    .limit(limit + 1);
  if (reason !== undefined) query = query.where('reason', '=', reason);
  if (after !== null) query = query.where('seq', '>', after[0]);
  const { rows, next_cursor } = cutPage(await query.execute(), limit, (row) => [row.seq]);
  return {
    items: rows.map(({ id: row_id, place, reason: why, text }) => ({ id: row_id, place, reason: why, text })),
    next_cursor,
  };
}

export type CancelInput = Input<typeof cancelJob>;

/** Ids of the jobs that are not over: what lies in DATA_DIR/imports for another is forgotten. */
export async function openJobIds(ctx: Pick<Ctx, 'db'>): Promise<Set<string>> {
  const rows = await ctx.db.selectFrom('jobs').select('id').where('state', 'in', OPEN_STATES).execute();
  return new Set(rows.map((row) => row.id));
}
