/** Analyses music files in a process of its own, one after another, as sound-reader.ts asks. */
import { constants, setPriority } from 'node:os';
import { analyseFile } from './analyse-file.ts';
import type { AnalysisJob, AnalysisResult } from './analyse-file.ts';

/** `isAlive` comes while a file is being worked on. */
export type AnalysisAnswer = { result: AnalysisResult } | { isAlive: true } | { failure: string };

/** How often (ms) it is said that a file is still being worked on. */
const TICK_MS = 1_000;

try {
  // Whoever listens comes first. Not everywhere may a process do that.
  setPriority(constants.priority.PRIORITY_LOW);
} catch {
  // Then it runs as others do.
}

const send = (answer: AnalysisAnswer) => process.send?.(answer);
let turn = Promise.resolve();
process.on('message', (job: AnalysisJob) => {
  turn = turn.then(async () => {
    let tickedMs = performance.now();
    const tick = () => {
      if (performance.now() - tickedMs < TICK_MS) return;
      tickedMs = performance.now();
      send({ isAlive: true });
    };
    try {
      send({ result: await analyseFile(job, tick) });
    } catch (error) {
      send({ failure: error instanceof Error ? error.message : String(error) });
    }
  });
});
// The server decides when we end: Ctrl-C in a terminal reaches us too, and its file would look broken.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(0));
