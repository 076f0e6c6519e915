import { z } from 'zod';
import { defineEndpoint } from './endpoint.ts';
import { defineNotice } from './event.ts';
import { EpochSeconds, Id, Nothing, PageQuery, page } from './primitives.ts';

export const JobState = z.enum(['queued', 'running', 'done', 'failed', 'cancelled']);
export type JobState = z.infer<typeof JobState>;
export const JobKind = z.enum(['listen_import']);
export type JobKind = z.infer<typeof JobKind>;

export const ImportFormat = z.enum(['listenbrainz', 'lastfm', 'spotify']);
/**
 * Why a row of an import did not become a listen, or what else is to be said of one that did. `unmatched` rows are listens of
 * music that is not in the library.
 */
export const ImportReason = z.enum([
  'duplicate',
  'unmatched',
  'unreadable',
  'no_title',
  'no_artist',
  'no_time',
  'too_old',
  'in_future',
  'too_short',
  'podcast',
  'too_long_text',
]);
export type ImportReason = z.infer<typeof ImportReason>;
/** What an import has done so far. */
export const ImportReport = z.object({
  format: ImportFormat.nullable(),
  /** Rows read. */
  read: z.int(),
  imported: z.int(),
  /** Of the imported: found in the library. */
  matched: z.int(),
  /** Rows by reason; `unmatched` ones are among the imported. */
  reasons: z.partialRecord(ImportReason, z.int()),
  first_listen_at: EpochSeconds.nullable(),
  last_listen_at: EpochSeconds.nullable(),
});
export type ImportReport = z.infer<typeof ImportReport>;

export const Job = z.object({
  id: Id,
  kind: JobKind,
  state: JobState,
  done: z.number(),
  /** Null while it is not known; in the unit of `done`. */
  total: z.number().nullable(),
  created_at: EpochSeconds,
  started_at: EpochSeconds.nullable(),
  finished_at: EpochSeconds.nullable(),
  /** What it works on, as its owner named it. */
  title: z.string(),
  /** Why it failed, in words. */
  problem: z.string().nullable(),
  report: ImportReport.nullable(),
});
export type Job = z.infer<typeof Job>;
/** A row of the file something is to be said of. */
export const JobRow = z.object({
  id: Id,
  /** Where in the file: `name:line`, or the number of the entry. */
  place: z.string(),
  reason: ImportReason,
  /** What the row says, shortened. */
  text: z.string(),
});
export type JobRow = z.infer<typeof JobRow>;

/** [IM1-1] Files of at most so many bytes are taken. */
export const IMPORT_LIMIT_BYTES = 64_000_000;
/** `POST /listen/import` answers 202 with the job that reads the file. */
export const ImportStarted = z.object({ job_id: Id });

const JobParams = z.strictObject({ id: Id });

export const listJobs = defineEndpoint({
  name: 'jobs.list',
  method: 'GET',
  path: '/jobs',
  access: 'guest',
  summary: 'My long-running work, newest first',
  query: PageQuery,
  reply: page(Job),
});
export const getJob = defineEndpoint({
  name: 'jobs.get',
  method: 'GET',
  path: '/jobs/{id}',
  access: 'guest',
  summary: 'How one of my jobs stands, and its report',
  params: JobParams,
  reply: Job,
});
export const listJobRows = defineEndpoint({
  name: 'jobs.rows',
  method: 'GET',
  path: '/jobs/{id}/rows',
  access: 'guest',
  summary: 'The rows of an import that something is to be said of, and why',
  params: JobParams,
  query: PageQuery.extend({ reason: ImportReason.optional() }),
  reply: page(JobRow),
});
export const cancelJob = defineEndpoint({
  name: 'jobs.cancel',
  method: 'DELETE',
  path: '/jobs/{id}',
  access: 'user',
  summary: 'Cancel one of my jobs, or take a finished one off the list; what it has done stays',
  params: JobParams,
  status: 204,
  reply: Nothing,
});

/** How a job of mine stands, at most four a second and always at its end. */
export const jobProgress = defineNotice({
  name: 'job:progress',
  payload: z.object({
    job_id: Id,
    kind: JobKind,
    done: z.number(),
    total: z.number().nullable(),
    state: JobState,
  }),
  volatile: false,
});
