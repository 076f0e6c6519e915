import { parentPort, workerData } from 'node:worker_threads';
import { DomainError } from '../../errors.ts';
import { readPlaylistFiles } from './read-files.ts';
import type { NamedFile } from './read-files.ts';
import type { ReadPlaylist } from './read-entry.ts';

/** What the worker found, or why the file is none. */
export type ReadAnswer = { lists: ReadPlaylist[] } | { refusal: string };

try {
  parentPort?.postMessage({ lists: await readPlaylistFiles(workerData as NamedFile) } satisfies ReadAnswer);
} catch (error) {
  if (!(error instanceof DomainError)) throw error;
  parentPort?.postMessage({ refusal: error.message } satisfies ReadAnswer);
}
