import { cancelJob as cancelEndpoint, getJob, listJobRows, listJobs } from '#contract/jobs.ts';
import { cancelJob } from '#domain/jobs/cancel-job.ts';
import { job, jobRows, jobs } from '#domain/jobs/jobs.queries.ts';
import { on } from '../mount.ts';
import type { Route } from '../mount.ts';

export const jobsRoutes: Route[] = [
  on(listJobs, jobs),
  on(getJob, job),
  on(listJobRows, jobRows),
  on(cancelEndpoint, cancelJob),
];
