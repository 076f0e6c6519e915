import type { ImportReason, JobKind, JobState } from '#contract/jobs.ts';

/** Work that takes longer than a call, for one person. */
export interface JobsTable {
  id: string;
  user_id: string;
  kind: JobKind;
  state: JobState;
  /** What it works on, as its owner named it. */
  title: string;
  /** What to do, in the shape of its kind. */
  payload_json: string;
  /** What it has done so far, in the shape of its kind: enough to go on from. */
  report_json: string | null;
  done: number;
  total: number | null;
  problem: string | null;
  /** How often it ended by accident since it last got on. */
  attempts: number;
  /** Not before this. */
  due_at_ms: number;
  /** Whoever runs it now, and until when that is believed without a word of it. */
  lease: string | null;
  lease_ends_at_ms: number | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
}

/** A row of the file an import has something to say of. */
export interface JobRowsTable {
  id: string;
  job_id: string;
  /** In the order of the file. */
  seq: number;
  place: string;
  reason: ImportReason;
  text: string;
}

export interface JobsTables {
  jobs: JobsTable;
  job_rows: JobRowsTable;
}
