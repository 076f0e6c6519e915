/** Files that people send: the body of a call, or the one file of a form. */
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DomainError } from '#domain/errors.ts';
import type { Request } from 'express';
import type { Readable } from 'node:stream';

/** A file somebody sent, whole. */
interface Upload {
  /** As its sender calls it; '' when it was not said. */
  name: string;
  bytes: Buffer;
}

export interface UploadLimits {
  limitBytes: number;
  /** Fields a form may have beside the file; they are not read. */
  fields: number;
}

/** What is made of a file while it comes: it is refused, or breaks off, by an error of what is read. */
type Take<T> = (file: AsyncIterable<Buffer>, name: string) => Promise<T>;

/** Bytes a form may be longer than its file. */
const FORM_BYTES = 10_000;

const badFile = (message: string) =>
  new DomainError('invalid', `file: ${message}`, { errors: [{ path: 'file', message }] });
const brokenOff = () => new DomainError('malformed', 'The upload was broken off.');
const unreadable = (cause: unknown) => new DomainError('malformed', 'The form could not be read.', { cause });
const tooLarge = (limitBytes: number) =>
  new DomainError('too_large', `A file may have at most ${Math.floor(limitBytes / 1_000_000)} MB.`);

/** The file of a call, in memory. @throws DomainError malformed, invalid, too_large, unsupported_type */
export function readUpload(req: Request, limits: UploadLimits): Promise<Upload> {
  return receiveUpload(req, limits, async (file, name) => {
    const chunks: Buffer[] = [];
    for await (const chunk of file) chunks.push(chunk);
    return { name, bytes: Buffer.concat(chunks) };
  });
}

/**
 * Gives the file of a call to `take` as it comes: the field `file` of a form (RFC 7578), else the body itself. What comes after a
 * refusal is read and forgotten, so that the answer can be read.
 * @throws DomainError malformed, invalid, too_large, unsupported_type, and what `take` throws
 */
export async function receiveUpload<T>(req: Request, limits: UploadLimits, take: Take<T>): Promise<T> {
  const isForm = Boolean(req.is('multipart/form-data'));
  const declared = Number(req.headers['content-length'] ?? 0);
  if (declared > limits.limitBytes + (isForm ? FORM_BYTES : 0)) throw tooLarge(limits.limitBytes);
  if (req.headers['content-encoding'] !== undefined) {
    throw new DomainError('unsupported_type', 'Send the file without a Content-Encoding.');
  }
  return isForm ? receiveForm(req, limits, take) : receiveBody(req, limits, take);
}

/** Reads to the end of what is sent, and no further than the limit. */
function taken<T>(source: Readable, limitBytes: number, name: string, take: Take<T>): Promise<T> {
  let size = 0;
  const upToLimit = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      done(size > limitBytes ? tooLarge(limitBytes) : null, chunk);
    },
    flush: (done) => done(size === 0 ? badFile('the file is missing or empty') : null),
  });
  // Not one pipeline: an error of the disk must not look like one of the form.
  source.on('error', (error) => upToLimit.destroy(error instanceof DomainError ? error : unreadable(error)));
  source.pipe(upToLimit);
  return pipeline(upToLimit, (file: AsyncIterable<Buffer>) => take(file, name));
}

async function receiveBody<T>(req: Request, { limitBytes }: UploadLimits, take: Take<T>): Promise<T> {
  const body = new PassThrough();
  req.on('close', () => void (req.readableEnded || body.destroy(brokenOff())));
  req.pipe(body);
  try {
    return await taken(body, limitBytes, typeof req.query.name === 'string' ? req.query.name : '', take);
  } catch (error) {
    req.unpipe(body);
    req.resume();
    throw error;
  }
}

async function openForm(req: Request, { limitBytes, fields }: UploadLimits) {
  // Loaded by the first form: an idle server does without it.
  const { Busboy } = await import('@fastify/busboy');
  try {
    return new Busboy({
      headers: req.headers as { 'content-type': string },
      // One byte more than is taken, so that it is seen to be too many.
      limits: { files: 1, fields, parts: fields + 1, fieldSize: 1_000, fileSize: limitBytes + 1, headerPairs: 20 },
    });
  } catch (error) {
    // No boundary, for one.
    throw unreadable(error);
  }
}

async function receiveForm<T>(req: Request, limits: UploadLimits, take: Take<T>): Promise<T> {
  const form = await openForm(req, limits);
  let file: Readable | null = null;
  let result: Promise<T> | null = null;
  try {
    await new Promise<void>((resolve, reject) => {
      form.on('file', (field, stream, name) => {
        file = stream;
        if (field !== 'file') {
          stream.resume();
          return reject(badFile('the file must be in the field named file'));
        }
        result = taken(stream, limits.limitBytes, name ?? '', take);
        result.catch(reject);
      });
      for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
        form.on(limit, () => reject(badFile('the form must hold one file and nothing else')));
      }
      form.on('error', (error) => reject(unreadable(error)));
      form.on('finish', resolve);
      req.on('close', () => void (req.readableEnded || reject(brokenOff())));
      req.pipe(form);
    });
    if (result === null) throw badFile('the file is missing or empty');
    return await (result as Promise<T>);
  } catch (error) {
    req.unpipe(form);
    req.resume();
    // Nobody waits for what is not to come: what was made of the file so far is closed before it is taken away.
    (file as Readable | null)?.destroy(brokenOff());
    await Promise.allSettled([result]);
    throw error;
  }
}
