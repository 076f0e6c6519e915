import { fork } from 'node:child_process';
import type { AnalysisJob, AnalysisResult } from './analyse-file.ts';
import type { AnalysisAnswer } from './features.child.ts';
import type { ChildProcess } from 'node:child_process';

/** Nothing heard from a file for so long (ms): it is broken in a way the decoder does not notice. */
const SILENCE_TIMEOUT_MS = 30_000;
/** No file is worth more (ms): a day of music takes about ten minutes. */
const FILE_TIMEOUT_MS = 30 * 60_000;
/** Samples lie outside of it; what a file unpacks into must not take the machine's memory. */
const CHILD_HEAP_MB = 256;

/** A result that says more of the machine than of the file is not written down: the file is tried again after the next scan. */
export type SoundResult = AnalysisResult | { problem: string; isPassing: true };

/**
 * Analyses files in a child process at low priority, one at a time: a file that crashes or hangs its decoder costs that process and
 * is a problem of that file alone, and the memory goes back to the system when it ends.
 */
export interface SoundReader {
  /** One at a time. */
  read(job: AnalysisJob): Promise<SoundResult>;
  close(): void;
}

/** Makes a reader; its process starts with the first file. */
export function startSoundReader({
  silenceMs = SILENCE_TIMEOUT_MS,
  fileMs = FILE_TIMEOUT_MS,
  child: script = new URL('./features.child.ts', import.meta.url),
} = {}): SoundReader {
  let child: ChildProcess | null = null;
  let settle: ((result: SoundResult) => void) | null = null;
  let timers: NodeJS.Timeout[] = [];

  function end(result: SoundResult): void {
    for (const timer of timers) clearTimeout(timer);
    timers = [];
    const waiting = settle;
    settle = null;
    waiting?.(result);
  }

  /** The process is given up; the next file gets a new one. */
  function drop(result: SoundResult): void {
    child?.removeAllListeners();
    child?.on('error', () => undefined);
    child?.kill('SIGKILL');
    child = null;
    end(result);
  }

  function start(): ChildProcess {
    // No settings are handed on: the child needs none, and they hold secrets.
    const started = fork(script, {
      execArgv: [`--max-old-space-size=${CHILD_HEAP_MB}`],
      env: {},
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    started.on('message', (answer: AnalysisAnswer) => {
      if ('isAlive' in answer) timers[0]?.refresh();
      else if ('result' in answer) end(answer.result);
      else end({ problem: 'cannot be opened', isPassing: true });
    });
    started.on('exit', (_code, signal) =>
      // SIGKILL comes from outside: from a system short of memory, or from somebody who ends everything.
      drop(signal === 'SIGKILL' ? { problem: 'was broken off', isPassing: true } : { problem: 'crashed its decoder' }),
    );
    started.on('error', () => drop({ problem: 'could not be handed to a decoder', isPassing: true }));
    return started;
  }

  return {
    read: (job) =>
      new Promise((resolve) => {
        settle = resolve;
        child ??= start();
        const giveUp = () => drop({ problem: 'takes too long to decode' });
        timers = [setTimeout(giveUp, silenceMs), setTimeout(giveUp, fileMs)];
        child.send(job, (error) => {
          if (error !== null) drop({ problem: 'could not be handed to a decoder', isPassing: true });
        });
      }),
    close: () => drop({ problem: 'was broken off', isPassing: true }),
  };
}
