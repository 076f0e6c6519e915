/**
 * Decodes pictures in a process of its own, so that a hostile or huge one costs the server neither its memory nor its life.
 * Says `ready` once, then takes one `ImageJob` at a time and answers each.
 */
import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import type { AvatarJob, CoverJob, ImageAnswer, ImageJob } from './image-process.ts';
import type { Sharp } from 'sharp';

/** A picture of more pixels takes over 100 MB to decode. */
const MAX_PIXELS = 24e6;
/** Seconds of work on one picture. An avatar has somebody waiting for it; covers may be much larger. */
const AVATAR_SECONDS = 2;
const COVER_SECONDS = 8;

// Nothing but these three kinds is ever decoded, whatever a picture claims to be.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp'].flatMap((kind) => [`VipsForeignLoad${kind}File`, `VipsForeignLoad${kind}Buffer`]),
});
sharp.cache(false);
sharp.concurrency(1);

/** `pages: 1`: of an animation only the first frame. Re-encoding leaves metadata and appended bytes behind. */
function open(picture: string | Uint8Array): Sharp {
  return sharp(picture, { limitInputPixels: MAX_PIXELS, pages: 1, failOn: 'error' }).autoOrient();
}

async function makeCover({ from, to, size }: CoverJob): Promise<null> {
  const webp = await open(from)
    .resize({ width: size, height: size, fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 82 })
    .timeout({ seconds: COVER_SECONDS })
    .toBuffer();
  const temporary = `${to}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, webp, { mode: 0o600 });
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return null;
}

function makeAvatar({ bytes, size }: AvatarJob): Promise<Uint8Array> {
  return open(bytes)
    .resize({ width: size, height: size, fit: 'cover' })
    .webp({ quality: 85 })
    .timeout({ seconds: AVATAR_SECONDS })
    .toBuffer();
}

const answer = (message: ImageAnswer) => process.send?.(message);

process.on('message', (job: ImageJob) => {
  (job.kind === 'cover' ? makeCover(job) : makeAvatar(job)).then(
    (webp) => answer({ is: 'done', webp }),
    (error: unknown) => answer({ is: 'failed', reason: error instanceof Error ? error.message : String(error) }),
  );
});
// The server decides when we end; Ctrl-C in a terminal reaches us too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(0));
answer({ is: 'ready' });
