import path from 'node:path';
import { analyseFile } from '#domain/library/features/analyse-file.ts';
import type { SoundReader, SoundResult } from '#domain/library/features/sound-reader.ts';

/** A reader in this process that tells what it was asked for. */
export interface TestReader extends SoundReader {
  /** Names of files, in order. */
  asked: string[];
  /** What to say of a file instead of reading it. */
  answers: Map<string, SoundResult>;
  /** The file after so many is not answered before the reader is closed. */
  stopAfter: number;
  /** Resolves once that file is asked for. */
  isWaiting: Promise<void>;
}

export function createSoundReader(): TestReader {
  let reached = () => {};
  let giveUp: (result: SoundResult) => void = () => {};
  const reader: TestReader = {
    asked: [],
    answers: new Map(),
    stopAfter: Infinity,
    isWaiting: new Promise((resolve) => (reached = resolve)),
    async read(job) {
      const name = path.basename(job.file);
      if (reader.asked.length >= reader.stopAfter) {
        reached();
        return new Promise((resolve) => (giveUp = resolve));
      }
      reader.asked.push(name);
      return reader.answers.get(name) ?? analyseFile(job);
    },
    close: () => giveUp({ problem: 'was broken off', isPassing: true }),
  };
  return reader;
}
