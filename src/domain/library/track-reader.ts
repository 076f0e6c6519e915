import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { ReadJob, ReadResult } from './read-track.ts';
import type { ReadAnswer } from './track-reader.child.ts';
import type { ChildProcess } from 'node:child_process';

/** More processes than this only make one disk seek more. */
const MAX_CHILDREN = 4;
/** One process for so many files: starting one costs as much as reading a hundred. */
const FILES_PER_CHILD = 150;
/** Sent ahead to each process, so that it never waits for us. */
const AHEAD = 8;
/** A file that takes longer is broken in a way the parser does not notice. */
const FILE_TIMEOUT_MS = 30_000;
/** A file that unpacks into gigabytes must not take the machine's memory. */
const CHILD_HEAP_MB = 256;

/**
 * Reads music files in child processes, which live as long as this does: what parsing took of memory goes back to the system
 * (threads leave some 100 MB behind), and a file that crashes its reader is a problem of that file alone.
 */
export interface TrackReader {
  /** How many files may be asked for at once with profit. */
  capacity: number;
  read(job: ReadJob): Promise<ReadResult>;
  close(): void;
}

interface Asked {
  job: ReadJob;
  resolve(result: ReadResult): void;
  reject(error: Error): void;
}

interface Reader {
  child: ChildProcess;
  /** In the order sent; the first is the one being read. */
  asked: Asked[];
  timer: NodeJS.Timeout | undefined;
}

/** Starts reader processes for about `fileCount` files. */
export function startTrackReader(fileCount: number, { timeoutMs = FILE_TIMEOUT_MS } = {}): TrackReader {
  const count = Math.max(1, Math.min(MAX_CHILDREN, availableParallelism(), Math.ceil(fileCount / FILES_PER_CHILD)));
  const readers = new Set<Reader>();
  const waiting: Asked[] = [];
  let isClosed = false;

  function watch(reader: Reader): void {
    clearTimeout(reader.timer);
    const giveUp = () => drop(reader, { problem: 'takes too long to read', isPassing: true });
    reader.timer = reader.asked.length === 0 ? undefined : setTimeout(giveUp, timeoutMs);
  }

  /** Ends a reader; the file it was at is to blame, the others go to another one. */
  function drop(reader: Reader, result: ReadResult): void {
    if (!readers.delete(reader)) return;
    clearTimeout(reader.timer);
    const [culprit, ...others] = reader.asked.splice(0);
    waiting.unshift(...others);
    culprit?.resolve(result);
    reader.child.kill('SIGKILL');
    feed();
  }

  function start(): Reader {
    // No settings are handed on: the child needs none, and they hold secrets.
    const child = fork(new URL('./track-reader.child.ts', import.meta.url), {
      execArgv: [`--max-old-space-size=${CHILD_HEAP_MB}`],
      env: {},
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const reader: Reader = { child, asked: [], timer: undefined };
    child.on('message', (answer: ReadAnswer) => {
      const done = reader.asked.shift();
      watch(reader);
      if ('failure' in answer) done?.reject(new Error(answer.failure));
      else done?.resolve(answer.result);
      feed();
    });
    child.on('exit', (_code, signal) =>
      // SIGKILL comes from outside: from us, or from a system short of memory.
      drop(reader, { problem: 'crashed its reader', isPassing: signal === 'SIGKILL' }),
    );
    child.on('error', () => drop(reader, { problem: 'could not be handed to a reader', isPassing: true }));
    readers.add(reader);
    return reader;
  }

  function feed(): void {
    while (!isClosed && waiting.length > 0) {
      let idlest = [...readers].sort((a, b) => a.asked.length - b.asked.length)[0];
      if (idlest === undefined || (idlest.asked.length > 0 && readers.size < count)) idlest = start();
      if (idlest.asked.length >= AHEAD) return;
      const next = waiting.shift();
      if (next === undefined) return;
      idlest.asked.push(next);
      if (idlest.asked.length === 1) watch(idlest);
      const reader = idlest;
      reader.child.send(next.job, (error) => {
        if (error !== null) drop(reader, { problem: 'could not be handed to a reader', isPassing: true });
      });
    }
  }

  return {
    capacity: count * AHEAD,
    read: (job) =>
      new Promise((resolve, reject) => {
        if (isClosed) return void reject(new Error('the reader was closed'));
        waiting.push({ job, resolve, reject });
        feed();
      }),
    close() {
      isClosed = true;
      const left = waiting.splice(0);
      for (const reader of readers) {
        clearTimeout(reader.timer);
        left.push(...reader.asked.splice(0));
        reader.child.kill('SIGKILL');
      }
      readers.clear();
      for (const asked of left) asked.reject(new Error('the reader was closed'));
    },
  };
}
