import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { coverFile } from '#domain/library/covers.ts';
import type { ChildProcess } from 'node:child_process';

/** Kept this long without work: opening a library view asks for dozens of covers, then for none. */
const IDLE_MS = 15_000;
/** One picture; the child gives up by itself before. */
const JOB_TIMEOUT_MS = 15_000;
/** Pictures that cannot be decoded are remembered, so that each costs one try. */
const BROKEN_KEPT = 5_000;

export interface ResizeJob {
  id: number;
  from: string;
  to: string;
  size: number;
}
export interface ResizeAnswer {
  id: number;
  error: string | null;
}

/** Makes covers at the sizes they are shown in, once each. */
export interface CoverResizer {
  /** The file of a cover at `size`, made if need be; null when the picture is gone or cannot be decoded. */
  resized(hash: string, size: number): Promise<string | null>;
  close(): void;
}

/** A resizer that starts its child process when a size is first asked for, and ends it when there is nothing to do. */
export function createCoverResizer(
  dataDir: string,
  log: { warn(message: string, fields: Record<string, string>): void },
): CoverResizer {
  let child: ChildProcess | null = null;
  let idleTimer: NodeJS.Timeout | undefined;
  let lastId = 0;
  const jobs = new Map<number, { finish(error: string | null): void; timer: NodeJS.Timeout }>();
  const running = new Map<string, Promise<string | null>>();
  const broken = new Set<string>();

  function end(reason: string): void {
    clearTimeout(idleTimer);
    const ended = child;
    child = null;
    for (const job of jobs.values()) job.finish(reason);
    ended?.kill('SIGKILL');
  }

  function start(): ChildProcess {
    // No settings are handed on: the child needs none, and they hold secrets.
    const started = fork(new URL('./cover-child.ts', import.meta.url), {
      execArgv: [],
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    started.on('message', ({ id, error }: ResizeAnswer) => jobs.get(id)?.finish(error));
    const lost = () => {
      if (child === started) end('the resizer stopped');
    };
    started.on('exit', lost);
    started.on('error', lost);
    // A server that wants to end does not wait for it.
    started.unref();
    started.channel?.unref();
    return started;
  }

  function run(from: string, to: string, size: number): Promise<string | null> {
    clearTimeout(idleTimer);
    const worker = (child ??= start());
    const id = ++lastId;
    return new Promise((resolve) => {
      // Jobs wait for each other in the child, so the time allowed grows with the line.
      const timer = setTimeout(() => end('took too long'), JOB_TIMEOUT_MS * (1 + jobs.size / 8));
      const finish = (error: string | null) => {
        clearTimeout(timer);
        if (!jobs.delete(id)) return;
        if (jobs.size === 0) idleTimer = setTimeout(() => end('idle'), IDLE_MS).unref();
        resolve(error);
      };
      jobs.set(id, { finish, timer });
      worker.send({ id, from, to, size } satisfies ResizeJob, (error) => {
        if (error !== null) finish(error.message);
      });
    });
  }

  async function make(hash: string, size: number): Promise<string | null> {
    const to = coverFile(dataDir, hash, size);
    if (existsSync(to)) return to;
    const from = coverFile(dataDir, hash);
    if (!existsSync(from) || broken.has(hash)) return null;
    const error = await run(from, to, size);
    if (error === null) return to;
    log.warn('a cover cannot be shown', { cover: hash, reason: error.slice(0, 200) });
    if (broken.size < BROKEN_KEPT) broken.add(hash);
    return null;
  }

  return {
    resized(hash, size) {
      const key = `${hash}.${size}`;
      const making = running.get(key) ?? make(hash, size).finally(() => running.delete(key));
      running.set(key, making);
      return making;
    },
    close: () => end('closed'),
  };
}
