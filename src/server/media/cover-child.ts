/**
 * Decodes pictures in a process of its own, so that a hostile or huge one costs the server neither its memory nor its life.
 * Takes `{ id, from, to, size }`, writes a webp at `to`, answers `{ id, error }`.
 */
import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import type { ResizeAnswer, ResizeJob } from './cover-resizer.ts';

/** A picture of more pixels takes over 100 MB to decode. */
const MAX_PIXELS = 24e6;

// Nothing but the three kinds that covers are stored as is ever decoded, whatever a file claims to be.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: ['VipsForeignLoadJpegFile', 'VipsForeignLoadPngFile', 'VipsForeignLoadWebpFile'] });
sharp.cache(false);
sharp.concurrency(1);

async function resize({ from, to, size }: ResizeJob): Promise<void> {
  // `pages: 1`: of an animation only the first frame. Re-encoding leaves metadata and appended bytes behind.
  const webp = await sharp(from, { limitInputPixels: MAX_PIXELS, pages: 1, failOn: 'error' })
    .autoOrient()
    .resize({ width: size, height: size, fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 82 })
    .timeout({ seconds: 8 })
    .toBuffer();
  const temporary = `${to}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, webp, { mode: 0o600 });
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

let turn = Promise.resolve();
process.on('message', (job: ResizeJob) => {
  turn = turn.then(async () => {
    let error: string | null = null;
    try {
      await resize(job);
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown);
    }
    process.send?.({ id: job.id, error } satisfies ResizeAnswer);
  });
});
// The server decides when we end; Ctrl-C in a terminal reaches us too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(0));
