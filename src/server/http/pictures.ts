/** Pictures that people send: read as a body or a form, made harmless, and served inert. */
import { DomainError } from '#domain/errors.ts';
import { matchesEtag } from '../media/byte-range.ts';
import { frameCount, imageKind } from '../media/image-kind.ts';
import { setCommonHeaders } from './media.ts';
import { readUpload } from './upload.ts';
import type { OtherDoor } from '#contract/endpoint.ts';
import type { Request, Response } from 'express';
import type { ImageProcess } from '../media/image-process.ts';

export const PICTURE_LIMIT_BYTES = 2_000_000;
/** An animation is shown by its first frame; one of more is made to keep a decoder busy. */
const MAX_FRAMES = 500;
/** Pictures that may wait for the decoder before the next is asked to come again. */
const MAX_WAITING = 20;

/** What somebody sent, as a harmless square of `size` pixels. */
async function toSquare(images: ImageProcess, bytes: Buffer, size: number): Promise<Uint8Array> {
  if (imageKind(bytes) === null) {
    throw new DomainError('unsupported_type', 'This is none of PNG, JPEG and WebP, whatever it is called.');
  }
  if (frameCount(bytes) > MAX_FRAMES) {
    throw new DomainError('unprocessable', `This animation has more than ${MAX_FRAMES} frames.`);
  }
  if (images.length >= MAX_WAITING) {
    throw new DomainError('unavailable', 'Too many pictures are waiting. Try again in a moment.', { retryAfter: 5 });
  }
  const result = await images.run({ kind: 'avatar', bytes, size });
  if (result.is === 'done' && result.webp !== null) return result.webp;
  throw new DomainError(
    'unprocessable',
    'This picture cannot be read: it is broken, or has more than 24 million pixels.',
  );
}

/**
 * The picture of a call, as the body or as the file of a form, as a webp of `size` by `size` pixels.
 * @throws DomainError malformed, invalid, too_large, unsupported_type, unprocessable, unavailable
 */
export async function readPicture(
  { body: types = [] }: Pick<OtherDoor, 'body'>,
  images: ImageProcess,
  size: number,
  req: Request,
): Promise<Uint8Array> {
  const type = (req.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type === undefined || !types.includes(type)) {
    throw new DomainError('unsupported_type', `Send ${types.join(', ')}.`);
  }
  const { bytes } = await readUpload(req, { limitBytes: PICTURE_LIMIT_BYTES, fields: 0 });
  return toSquare(images, bytes, size);
}

/** Sends a webp, or that the caller has it already. `caching` says how long it may be kept by whom asked. */
export function sendPicture(
  req: Request,
  res: Response,
  { id, webp }: { id: string; webp: Buffer },
  caching: string,
): void {
  const etag = `"${id}"`;
  setCommonHeaders(res);
  res.set({ etag, 'cache-control': `private, ${caching}` });
  if (matchesEtag(req.get('if-none-match') ?? '', etag)) {
    res.status(304).end();
    return;
  }
  res.type('image/webp').set('content-length', String(webp.length));
  res.end(req.method === 'HEAD' ? undefined : webp);
}
