import { DomainError } from '#domain/errors.ts';
import type { Request } from 'express';

/** A file somebody sent, whole. */
export interface Upload {
  /** As its sender calls it; '' when it was not said. */
  name: string;
  bytes: Buffer;
}

export const badFile = (message: string) =>
  new DomainError('invalid', `file: ${message}`, { errors: [{ path: 'file', message }] });

const tooLarge = (limitBytes: number) =>
  new DomainError('too_large', `A file may have at most ${Math.floor(limitBytes / 1_000_000)} MB.`);

/**
 * The file of a call: the field `file` of a form (RFC 7578), else the body itself.
 * @throws DomainError malformed, invalid, too_large
 */
export async function readUpload(req: Request, limitBytes: number): Promise<Upload> {
  const declared = Number(req.headers['content-length'] ?? 0);
  // Some room for the form around it.
  if (declared > limitBytes + 10_000) throw tooLarge(limitBytes);
  const upload = req.is('multipart/form-data') ? await readForm(req, limitBytes) : await readBody(req, limitBytes);
  if (upload.bytes.length === 0) throw badFile('the file is missing or empty');
  return upload;
}

async function readBody(req: Request, limitBytes: number): Promise<Upload> {
  if (req.headers['content-encoding'] !== undefined) {
    throw new DomainError('unsupported_type', 'Send the file without a Content-Encoding.');
  }
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of req as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limitBytes) throw tooLarge(limitBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError('malformed', 'The upload was broken off.', { cause: error });
  }
  const name = typeof req.query.name === 'string' ? req.query.name : '';
  return { name, bytes: Buffer.concat(chunks) };
}

async function readForm(req: Request, limitBytes: number): Promise<Upload> {
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
        limits: { files: 1, fields: 5, parts: 6, fieldSize: 1_000, fileSize: limitBytes, headerPairs: 20 },
      });
    } catch (error) {
      return fail(error);
    }
    let upload: Upload | null = null;
    let problem: DomainError | null = null;
    form.on('file', (field, stream, name) => {
      if (field !== 'file') problem ??= badFile('the file must be in the field named file');
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => void (problem === null && chunks.push(chunk)));
      stream.on('limit', () => (problem ??= tooLarge(limitBytes)));
      stream.on('end', () => (upload = { name: name ?? '', bytes: Buffer.concat(chunks) }));
    });
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      form.on(limit, () => (problem ??= badFile('the form must hold one file')));
    }
    form.on('error', fail);
    form.on('finish', () => {
      if (problem !== null) reject(problem);
      else if (upload === null) reject(badFile('the file is missing or empty'));
      else resolve(upload);
    });
    // Nobody hears the answer any more, but what was read must not be kept waiting for the rest.
    req.on('close', () => void (req.readableEnded || fail(new Error('the upload was broken off'))));
    req.pipe(form);
  });
}
