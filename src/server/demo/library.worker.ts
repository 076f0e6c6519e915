import { workerData } from 'node:worker_threads';
import { writeAlbums } from './library.ts';

const { folder, nth, of } = workerData as { folder: string; nth: number; of: number };
await writeAlbums(folder, nth, of);
