import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { ImportReport } from '#contract/jobs.ts';
import { DomainError } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { subjectOf } from './edit-told-listens.ts';
import { writeFeedback } from './feedback.repository.ts';
import { importFile, removeImportFile, sweepImportFiles } from './import/import-file.ts';
import { openExport } from './import/read-export.ts';
import { rowText } from './import/rows.rules.ts';
import { prepareListens } from './record-listens.ts';
import type { ImportReason } from '#contract/jobs.ts';
import type { Ctx } from '../context.ts';
import type { JobKindHandler, JobRun } from '../jobs/job-run.ts';
import type { JobRow } from '../jobs/queue.ts';
import type { Subject } from './feedback.repository.ts';
import type { Format, Play } from './import/rows.rules.ts';
import type { PlacedRow } from './import/read-export.ts';
import type { WholeListen } from './record-listens.ts';

/** [IM1-9] Rows of one transaction: few enough that other writers get their turn within milliseconds. */
const ROWS_AT_ONCE = 500;
/** Rows kept of each reason; all are counted. */
const ROWS_KEPT = 5_000;
/** Loves and hates of a file that wait for the listen they name. */
const FEEDBACK_MAX = 100_000;
const SERVICE: Record<Format, string> = { listenbrainz: 'ListenBrainz', lastfm: 'Last.fm', spotify: 'Spotify' };

/** What is kept of an import under way: its report, and where it goes on. */
const ImportState = ImportReport.extend({
  /** Rows of the file that are done. */
  cursor: z.int(),
  /** Rows something was said of. */
  noted: z.int(),
});
type ImportState = z.infer<typeof ImportState>;

const FRESH: ImportState = {
  format: null,
  read: 0,
  imported: 0,
  matched: 0,
  reasons: {},
  first_listen_at: null,
  last_listen_at: null,
  cursor: 0,
  noted: 0,
};

type FeedbackOf = Map<string, { score: 1 | -1; created_at: number }>;

/** [IM1] Reads a file of listens somebody brought along, and goes on where it was after whatever stopped it. */
export function listenImports(ctx: Ctx): JobKindHandler {
  return {
    run: (run) => runImport(ctx, run),
    clean: (job_id) => removeImportFile(ctx, job_id),
    sweep: (open) => sweepImportFiles(ctx, open),
  };
}

async function runImport(ctx: Ctx, run: JobRun): Promise<void> {
  const { job, signal } = run;
  let state = job.report_json === null ? FRESH : ImportState.parse(JSON.parse(job.report_json));
  // The same moment each time it is begun, so that each row is judged the same.
  const file = await openFile(ctx, job.id, job.created_at, signal);
  const feedback: FeedbackOf = new Map();
  try {
    let rows: PlacedRow[] = [];
    let index = 0;
    for await (const placed of file.rows) {
      const { row } = placed;
      if (row.is === 'feedback' && row.msid !== null && feedback.size < FEEDBACK_MAX) feedback.set(row.msid, row);
      if (++index <= state.cursor) continue;
      rows.push(placed);
      if (rows.length < ROWS_AT_ONCE) continue;
      state = await importRows(ctx, run, { state, rows, feedback, done: placed.done, total: file.total });
      rows = [];
      if (signal.aborted) return;
      await setImmediate();
    }
    if (signal.aborted) return;
    await importRows(ctx, run, { state, rows, feedback, done: file.total, total: file.total });
  } finally {
    file.close();
  }
}

async function openFile(ctx: Ctx, job_id: string, now: number, signal: AbortSignal) {
  try {
    return await openExport(importFile(ctx, job_id), now, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new DomainError('unprocessable', 'The file is not on the server any more. Bring it again.', { cause: error });
  }
}

/** One step: what some rows say is written whole, with how far the job is, or not at all. */
async function importRows(
  ctx: Ctx,
  run: JobRun,
  {
    state,
    rows,
    feedback,
    done,
    total,
  }: { state: ImportState; rows: readonly PlacedRow[]; feedback: FeedbackOf; done: number; total: number },
): Promise<ImportState> {
  const { user_id, id: job_id } = run.job;
  const plays = rows.flatMap(({ row }) => (row.is === 'play' ? [row] : []));
  const listens = plays.map(({ play, format }) => toListen(play, format, job_id));
  const record = await prepareListens(ctx, user_id, listens, { source: 'import', job_id });
  const named: { subject: Subject; score: 1 | -1; created_at: number }[] = [];
  for (const { row } of rows) {
    if (row.is !== 'feedback' || row.mbid === null) continue;
    const subject = await subjectOf(ctx, row.mbid, null);
    if (subject !== null) named.push({ subject, ...row });
  }

  const next: ImportState = { ...state, reasons: { ...state.reasons }, cursor: state.cursor + rows.length };
  const notes: JobRow[] = [];
  const note = (place: string, reason: ImportReason, text: string) => {
    const count = (next.reasons[reason] ?? 0) + 1;
    next.reasons[reason] = count;
    if (count <= ROWS_KEPT) notes.push({ seq: next.noted++, place, reason, text });
  };
  await inTransaction(ctx, async (tx) => {
    const recorded = (await record(tx)).values();
    for (const { place, row } of rows) {
      next.format ??= row.format;
      if (row.is === 'feedback') continue;
      next.read++;
      if (row.is === 'bad') {
        note(place, row.reason, row.text);
        continue;
      }
      const { play } = row;
      const text = rowText(play.artist, play.title);
      const outcome = recorded.next().value!;
      const loved = play.msid === null ? undefined : feedback.get(play.msid);
      if (loved !== undefined) {
        const { track, recording_id } = outcome;
        named.push({
          subject: { track_id: track?.id ?? null, recording_id, recording_mbid: play.recording_mbid },
          ...loved,
        });
      }
      if (outcome.is === 'known') note(place, 'duplicate', text);
      else if (!outcome.counted) note(place, 'too_short', text);
      else {
        next.imported++;
        next.first_listen_at = Math.min(next.first_listen_at ?? Infinity, play.listened_at);
        next.last_listen_at = Math.max(next.last_listen_at ?? 0, play.listened_at);
        if (outcome.track === null) note(place, 'unmatched', text);
        else next.matched++;
      }
    }
    for (const { subject, score, created_at } of named) {
      const since = created_at > 0 ? Math.min(created_at, epochSeconds(tx.clock)) : epochSeconds(tx.clock);
      await writeFeedback(tx, user_id, subject, { score, created_at: since });
    }
    await run.checkpoint(tx, { done, total, report_json: JSON.stringify(next), rows: notes });
  });
  await run.progressed({ done, total });
  return next;
}

function toListen({ msid: _msid, ...play }: Play, format: Format, job_id: string): WholeListen {
  return { ...play, told_by: { name: SERVICE[format], precision_s: play.precision_s, job_id } };
}
