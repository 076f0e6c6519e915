import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/** Kept this long without work: opening a library view asks for dozens of covers, then for none. */
const IDLE_MS = 15_000;
/** Loading the decoder takes a third of a second, and longer on a busy machine. */
const START_TIMEOUT_MS = 15_000;
/** One picture; the child gives up by itself before. */
const JOB_TIMEOUT_MS = { cover: 15_000, avatar: 4_000 } as const;

/** A picture on disk, made into a webp at `to` whose longer side has `size` pixels. */
export interface CoverJob {
  kind: 'cover';
  from: string;
  to: string;
  size: number;
}
/** A picture somebody sent, made into a square webp of `size` pixels, cut to its middle. */
export interface AvatarJob {
  kind: 'avatar';
  bytes: Uint8Array;
  size: number;
}
export type ImageJob = CoverJob | AvatarJob;
export type ImageAnswer =
  | { is: 'ready' }
  /** `webp` is null for a cover, which is on disk. */
  | { is: 'done'; webp: Uint8Array | null }
  | { is: 'failed'; reason: string };
export type ImageResult = Exclude<ImageAnswer, { is: 'ready' }>;

/** The process that decodes pictures. */
export interface ImageProcess {
  /** How many jobs wait or run. */
  readonly length: number;
  /** Does a job after those before it; a picture that cannot be decoded, or takes too long, is `failed`. Never rejects. */
  run(job: ImageJob): Promise<ImageResult>;
  close(): void;
}

interface Waiting {
  job: ImageJob;
  finish(result: ImageResult): void;
}

/**
 * Starts its child process when there is a first job, and ends it when there has been nothing to do. One job at a time is with the
 * child: whatever becomes of it, the others go on with the next child.
 */
export function createImageProcess(): ImageProcess {
  let child: ChildProcess | null = null;
  let isReady = false;
  let isClosed = false;
  let running: Waiting | null = null;
  let timer: NodeJS.Timeout | undefined;
  const line: Waiting[] = [];

  function end(): void {
    clearTimeout(timer);
    const ended = child;
    child = null;
    isReady = false;
    ended?.kill('SIGKILL');
  }

  function settle(result: ImageResult): void {
    const settled = running;
    running = null;
    settled?.finish(result);
    next();
  }

  /** The picture at hand is given up together with the child that holds it. */
  function giveUp(reason: string): void {
    end();
    settle({ is: 'failed', reason });
  }

  function start(): void {
    // No settings are handed on: the child needs none, and they hold secrets.
    const started = fork(new URL('./image-child.ts', import.meta.url), {
      execArgv: [],
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    });
    child = started;
    started.on('message', (answer: ImageAnswer) => {
      if (child !== started) return;
      if (answer.is !== 'ready') return settle(answer);
      isReady = true;
      hand();
    });
    const lost = () => {
      if (child === started) giveUp('the picture ended the process that decoded it');
    };
    started.on('exit', lost);
    started.on('error', lost);
    // A server that wants to end does not wait for it.
    started.unref();
    started.channel?.unref();
    timer = setTimeout(() => giveUp('the decoder did not start'), START_TIMEOUT_MS);
  }

  function hand(): void {
    clearTimeout(timer);
    if (running === null || child === null) return;
    timer = setTimeout(() => giveUp('took too long'), JOB_TIMEOUT_MS[running.job.kind]);
    child.send(running.job, (error) => {
      if (error !== null) giveUp(error.message);
    });
  }

  function next(): void {
    clearTimeout(timer);
    running = line.shift() ?? null;
    if (running === null) {
      if (child !== null) timer = setTimeout(end, IDLE_MS).unref();
    } else if (child === null) start();
    else if (isReady) hand();
  }

  return {
    get length() {
      return line.length + (running === null ? 0 : 1);
    },
    run(job) {
      if (isClosed) return Promise.resolve({ is: 'failed', reason: 'closed' });
      return new Promise((finish) => {
        line.push({ job, finish });
        if (running === null) next();
      });
    },
    close() {
      isClosed = true;
      end();
      const open = [...(running === null ? [] : [running]), ...line.splice(0)];
      running = null;
      for (const { finish } of open) finish({ is: 'failed', reason: 'closed' });
    },
  };
}
