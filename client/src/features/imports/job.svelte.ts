import { api } from '../../lib/api.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { asProblem } from '../../lib/problem.ts';
import type { Job, JobState } from '#contract/jobs.ts';
import type { ApiProblem } from '../../lib/problem.ts';

/** How often the counts are read while a job runs: the notices tell of its progress alone. */
const READ_MS = 2_000;

export function isOver(state: JobState): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

/** How far a job is, 0 to 1; null while that is not known. */
export function shareOf({ state, done, total }: Pick<Job, 'state' | 'done' | 'total'>): number | null {
  if (state === 'done') return 1;
  return total === null || total <= 0 ? null : Math.min(1, done / total);
}

/** One job of mine as it goes on; survives closed tabs, because the server does the work. */
export class JobProgress {
  #job = $state.raw<Job | null>(null);
  #problem = $state.raw<ApiProblem | null>(null);
  #id = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = true;

  get job(): Job | null {
    return this.#job;
  }
  /** Why it could not be read. */
  get problem(): ApiProblem | null {
    return this.#problem;
  }

  /** Follows a job. @returns the way to stop. */
  open(id: string): () => void {
    this.#id = id;
    this.#isClosed = false;
    this.#job = null;
    const offs = [
      gateway.on('job:progress', ({ job_id, done, total, state }) => {
        if (job_id !== id || this.#job === null) return;
        // The end comes with a report, which is read; a late word after it changes nothing.
        if (isOver(this.#job.state)) return;
        if (isOver(state)) void this.read();
        else this.#job = { ...this.#job, done, total, state };
      }),
      gateway.onLive(() => void this.read()),
    ];
    if (gateway.state !== 'live') void this.read();
    return () => {
      this.#isClosed = true;
      clearTimeout(this.#timer);
      for (const off of offs) off();
    };
  }

  /** Reads how it stands, and again in a while until it is over. */
  async read(): Promise<void> {
    clearTimeout(this.#timer);
    const id = this.#id;
    try {
      const job = await api.get<Job>(`/jobs/${id}`);
      if (id !== this.#id || this.#isClosed) return;
      this.#job = job;
      this.#problem = null;
    } catch (error) {
      if (id !== this.#id || this.#isClosed) return;
      this.#problem = asProblem(error);
      if (!this.#problem.retryable) return;
    }
    if (this.#job === null || !isOver(this.#job.state)) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.read(), READ_MS);
    }
  }

  /** Ends it. @returns why that was refused, or null. */
  async cancel(): Promise<ApiProblem | null> {
    try {
      await api.del(`/jobs/${this.#id}`);
    } catch (error) {
      return asProblem(error);
    }
    await this.read();
    return null;
  }
}
