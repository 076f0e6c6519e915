import { Worker } from 'node:worker_threads';
import { unreadable } from './read-entry.ts';
import type { NamedFile } from './read-files.ts';
import type { ReadPlaylist } from './read-entry.ts';
import type { ReadAnswer } from './read-files.worker.ts';

/** A file that takes longer, or more memory, was made to. */
const TIMEOUT_MS = 60_000;
const HEAP_MB = 512;

/**
 * Reads an uploaded file beside the main thread, so that a large or hostile one holds up nobody.
 * @throws DomainError unprocessable
 */
export async function readPlaylistsApart(file: NamedFile): Promise<ReadPlaylist[]> {
  const worker = new Worker(new URL('./read-files.worker.ts', import.meta.url), {
    workerData: file,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  const { promise, resolve, reject } = Promise.withResolvers<ReadAnswer>();
  const timer = setTimeout(() => reject(unreadable('This file takes too long to read.')), TIMEOUT_MS);
  worker.once('message', resolve);
  worker.once('error', (error: NodeJS.ErrnoException) =>
    reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? unreadable('This file is too much to read.') : error),
  );
  worker.once('exit', () => reject(unreadable('This file could not be read.')));
  try {
    const answer = await promise;
    if ('refusal' in answer) throw unreadable(answer.refusal);
    return answer.lists;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
