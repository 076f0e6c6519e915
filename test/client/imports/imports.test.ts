import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JobProgress, shareOf } from '../../../client/src/features/imports/job.svelte.ts';
import { allRows, csvOf } from '../../../client/src/features/imports/rows-csv.ts';
import { gateway } from '../../../client/src/lib/gateway.svelte.ts';
import { fakeServer, refusal } from '../support/fake-server.ts';
import type { Job, JobState } from '#contract/jobs.ts';
import type { FakeServer } from '../support/fake-server.ts';

const jobOf = (state: JobState, done = 0, total: number | null = 100): Job => ({
  id: 'job',
  kind: 'listen_import',
  state,
  done,
  total,
  created_at: 1,
  started_at: 1,
  finished_at: null,
  title: 'lastfm.csv',
  problem: null,
  report: null,
});

describe('an import', () => {
  let server: FakeServer;
  let progress: JobProgress;
  let close: () => void;
  let tell: (state: JobState, done: number, job_id?: string) => void;
  let now: Job;
  const settle = () => vi.advanceTimersByTimeAsync(0);
  const reads = () => server.calls.filter(({ method }) => method === 'GET').length;

  beforeEach(async () => {
    vi.useFakeTimers();
    server = fakeServer();
    now = jobOf('running', 10);
    server.on('GET', '/jobs/job', () => ({ body: now }));
    vi.spyOn(gateway, 'on').mockImplementation((_name, handler) => {
      tell = (state, done, job_id = 'job') =>
        (handler as (payload: unknown) => void)({ job_id, kind: 'listen_import', done, total: 100, state });
      return () => undefined;
    });
    vi.spyOn(gateway, 'onLive').mockReturnValue(() => undefined);
    progress = new JobProgress();
    close = progress.open('job');
    await settle();
  });
  afterEach(() => {
    close();
    vi.restoreAllMocks();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('moves with every word of its own, and with no word of another', () => {
    tell('running', 40);
    expect(progress.job).toMatchObject({ state: 'running', done: 40 });
    tell('running', 90, 'another');
    expect(progress.job?.done).toBe(40);
  });

  it('ends with the report, and is asked for no more', async () => {
    now = jobOf('done', 100);
    tell('done', 100);
    await settle();
    expect(progress.job?.state).toBe('done');
    const before = reads();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reads()).toBe(before);
    tell('running', 50);
    expect(progress.job?.state).toBe('done');
  });

  it('is read again by itself, so that a lost word is no standstill', async () => {
    now = jobOf('done', 100);
    await vi.advanceTimersByTimeAsync(2_500);
    expect(progress.job?.state).toBe('done');
  });

  it('keeps what is known over a failure, and goes on', async () => {
    server.on('GET', '/jobs/job', () => refusal(503, 'unavailable'));
    await vi.advanceTimersByTimeAsync(2_500);
    expect(progress.job?.done).toBe(10);
    expect(progress.problem?.code).toBe('unavailable');
    server.on('GET', '/jobs/job', () => ({ body: jobOf('running', 60) }));
    await vi.advanceTimersByTimeAsync(2_500);
    expect(progress.job?.done).toBe(60);
    expect(progress.problem).toBeNull();
  });

  it('that is not there is not asked for again', async () => {
    close();
    server.on('GET', '/jobs/other', () => refusal(404, 'not_found'));
    close = progress.open('other');
    await settle();
    const before = reads();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(progress.problem?.status).toBe(404);
    expect(reads()).toBe(before);
  });

  it('is cancelled, or says why it was not', async () => {
    server.on('DELETE', '/jobs/job', () => refusal(503, 'unavailable'));
    expect((await progress.cancel())?.code).toBe('unavailable');
    server.on('DELETE', '/jobs/job', () => ({ status: 204 }));
    now = jobOf('cancelled', 40);
    expect(await progress.cancel()).toBeNull();
    expect(progress.job?.state).toBe('cancelled');
  });

  it.each([
    ['running', 50, 100, 0.5],
    ['running', 150, 100, 1],
    ['running', 5, null, null],
    ['queued', 0, 0, null],
    ['done', 0, null, 1],
  ] as const)('%s at %s of %s is %s of the way', (state, done, total, share) => {
    expect(shareOf({ state, done, total })).toBe(share);
  });
});

describe('the rows of an import as CSV', () => {
  it('are quoted where they must be, and are no formulas', () => {
    expect(
      csvOf(
        ['a', 'b'],
        [
          ['x,y', 'say "hi"'],
          ['=1+1', 'line\nbreak'],
        ],
      ),
    ).toBe('a,b\r\n"x,y","say ""hi"""\r\n\'=1+1,"line\nbreak"\r\n');
  });

  it('are all of them, page after page', async () => {
    const row = (id: string) => ({ id, place: id, reason: 'duplicate', text: id });
    const server = fakeServer();
    server.on('GET', '/jobs/j/rows', ({ path }) => ({
      body: path.includes('cursor=2')
        ? { items: [row('b')], next_cursor: null }
        : { items: [row('a')], next_cursor: '2' },
    }));
    const rows = await allRows('j', 'duplicate', new AbortController().signal);
    expect(rows.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(server.calls[0]?.path).toContain('reason=duplicate');
    vi.unstubAllGlobals();
  });
});
