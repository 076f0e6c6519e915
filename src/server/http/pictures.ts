/** Pictures that people send: read as a body or a form, made harmless, and served inert. */
import express from 'express';
import { DomainError } from '#domain/errors.ts';
import { matchesEtag } from '../media/byte-range.ts';
import { frameCount, imageKind } from '../media/image-kind.ts';
import { setCommonHeaders } from './media.ts';
import type { OtherDoor } from '#contract/endpoint.ts';
import type { Request, Response } from 'express';
import type { ImageProcess } from '../media/image-process.ts';

export const PICTURE_LIMIT_BYTES = 2_000_000;
/** An animation is shown by its first frame; one of more is made to keep a decoder busy. */
const MAX_FRAMES = 500;
/** Pictures that may wait for the decoder before the next is asked to come again. */
const MAX_WAITING = 20;

const tooLarge = () =>
  new DomainError('too_large', `A picture may have at most ${PICTURE_LIMIT_BYTES / 1_000_000} MB.`);
const badFile = (message: string) =>
  new DomainError('invalid', `file: ${message}`, { errors: [{ path: 'file', message }] });

const readRaw = express.raw({ limit: PICTURE_LIMIT_BYTES, type: () => true, inflate: false });

async function readBody(req: Request, res: Response): Promise<Buffer> {
  await new Promise<void>((resolve, reject) =>
    readRaw(req, res, (error?: unknown) => (error === undefined ? resolve() : reject(error as Error))),
  );
  if (!Buffer.isBuffer(req.body) || req.body.length === 0) throw badFile('the body is empty');
  return req.body;
}

/** The one file of a form (RFC 7578), which is in the field `file`. */
async function readForm(req: Request): Promise<Buffer> {
  // Loaded by the first form: an idle server does without it.
  const { Busboy } = await import('@fastify/busboy');
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      req.unpipe();
      req.resume();
      reject(new DomainError('malformed', 'The form could not be read.', { cause }));
    };
    let form: InstanceType<typeof Busboy>;
    try {
      form = new Busboy({
        headers: req.headers as { 'content-type': string },
        limits: { files: 1, fields: 1, parts: 2, fieldSize: 1_000, fileSize: PICTURE_LIMIT_BYTES, headerPairs: 20 },
      });
    } catch (error) {
      return fail(error);
    }
    let file: Buffer | null = null;
    let problem: DomainError | null = null;
    form.on('file', (field, stream) => {
      if (field !== 'file') problem ??= badFile('the picture must be in the field named file');
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => void (problem === null && chunks.push(chunk)));
      stream.on('limit', () => (problem ??= tooLarge()));
      stream.on('end', () => (file = Buffer.concat(chunks)));
    });
    form.on('field', () => (problem ??= badFile('the form must hold one file and nothing else')));
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      form.on(limit, () => (problem ??= badFile('the form must hold one file and nothing else')));
    }
    form.on('error', fail);
    form.on('finish', () => {
      if (problem !== null) reject(problem);
      else if (file === null || file.length === 0) reject(badFile('the file is missing or empty'));
      else resolve(file);
    });
    // Nobody hears the answer any more, but what was read must not be kept waiting for the rest.
    req.on('close', () => void (req.readableEnded || fail(new Error('the upload was broken off'))));
    req.pipe(form);
  });
}

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
  res: Response,
): Promise<Uint8Array> {
  const type = (req.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type === undefined || !types.includes(type)) {
    throw new DomainError('unsupported_type', `Send ${types.join(', ')}.`);
  }
  const bytes = type === 'multipart/form-data' ? await readForm(req) : await readBody(req, res);
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
