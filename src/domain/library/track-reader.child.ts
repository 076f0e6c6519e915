/** Reads music files in a process of its own, one after another, as track-reader.ts asks. */
import { readTrack } from './read-track.ts';
import type { ReadJob, ReadResult } from './read-track.ts';

export type ReadAnswer = { result: ReadResult } | { failure: string };

let turn = Promise.resolve();
process.on('message', (job: ReadJob) => {
  turn = turn.then(async () => {
    let answer: ReadAnswer;
    try {
      answer = { result: await readTrack(job) };
    } catch (error) {
      answer = { failure: error instanceof Error ? error.message : String(error) };
    }
    process.send?.(answer);
  });
});
// The server decides when we end: Ctrl-C in a terminal reaches us too, and its file would look broken.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(0));
