import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { IMPORT_LIMIT_BYTES } from '#contract/jobs.ts';
import { DomainError } from '#domain/errors.ts';
import { cleanTag } from '#domain/library/library.rules.ts';
import { importFile, makeImportFolder } from '#domain/listens/import/import-file.ts';
import { requireNoImport, startImport } from '#domain/listens/start-import.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Request, Response } from 'express';
import type { Readable } from 'node:stream';

const tooLarge = () => new DomainError('too_large', `A file may have at most ${IMPORT_LIMIT_BYTES / 1_000_000} MB.`);
const badFile = (message: string) =>
  new DomainError('invalid', `file: ${message}`, { errors: [{ path: 'file', message }] });
const brokenOff = () => new DomainError('malformed', 'The upload was broken off.');
const UNTITLED = 'Import';

/** Refuses more than is taken, while it comes. */
function upToLimit(): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      done(size > IMPORT_LIMIT_BYTES ? tooLarge() : null, chunk);
    },
  });
}

/** On disk, complete and synced, when this resolves; readable by this server alone. */
async function store(source: Readable, file: string): Promise<void> {
  try {
    await pipeline(source, upToLimit(), createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true }));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new DomainError('disk_full', 'The server has no room left for this file.', { cause: error });
    }
    throw error;
  }
}

/** Stores the body as it is. What comes after a refusal is read and forgotten, so that the answer can be read. */
async function storeBody(req: Request, file: string): Promise<void> {
  const body = new PassThrough();
  req.on('close', () => void (req.readableEnded || body.destroy(brokenOff())));
  req.pipe(body);
  try {
    await store(body, file);
  } catch (error) {
    req.unpipe(body);
    req.resume();
    throw error;
  }
}

/** Stores the one file of a form (RFC 7578), which is in the field `file`. @returns what it is called */
async function storeForm(req: Request, file: string): Promise<string> {
  // Loaded by the first form: an idle server does without it.
  const { Busboy } = await import('@fastify/busboy');
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      req.unpipe();
      req.resume();
      reject(
        error instanceof DomainError
          ? error
          : new DomainError('malformed', 'The form could not be read.', { cause: error }),
      );
    };
    let form: InstanceType<typeof Busboy>;
    try {
      form = new Busboy({
        headers: req.headers as { 'content-type': string },
        limits: { files: 1, fields: 1, parts: 2, fieldSize: 1_000, fileSize: IMPORT_LIMIT_BYTES + 1, headerPairs: 20 },
      });
    } catch (error) {
      return fail(error);
    }
    let stored: Promise<void> | null = null;
    let title = UNTITLED;
    const alone = () => fail(badFile('the form must hold one file and nothing else'));
    form.on('file', (field, stream, name) => {
      if (field !== 'file') {
        stream.resume();
        return fail(badFile('the file must be in the field named file'));
      }
      title = cleanTag(name?.split(/[/\\]/).at(-1), 200) ?? UNTITLED;
      stored = store(stream, file);
      stored.catch(fail);
    });
    form.on('field', alone);
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) form.on(limit, alone);
    form.on('error', fail);
    form.on('finish', () => {
      if (stored === null) fail(badFile('the file is missing'));
      else stored.then(() => resolve(title), fail);
    });
    req.on('close', () => void (req.readableEnded || fail(brokenOff())));
    req.pipe(form);
  });
}

/** [IM1-1] Takes a file to import, as the body or as the file of a form, and answers with the job that reads it. */
export function takeImport(ctx: Ctx): (req: Request, res: Response, actor: Actor) => Promise<void> {
  return async (req, res, actor) => {
    const type = (req.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
    const isForm = type === 'multipart/form-data';
    // Forms that carry no file; whatever else a file is called, what it is its content says.
    if (type === 'application/x-www-form-urlencoded') {
      throw new DomainError('unsupported_type', 'Send the file as the body, or as the file of a multipart form.');
    }
    if (Number(req.headers['content-length'] ?? 0) > IMPORT_LIMIT_BYTES + (isForm ? 10_000 : 0)) throw tooLarge();
    await requireNoImport(ctx, actor);
    const job_id = ctx.ids.id();
    const file = importFile(ctx, job_id);
    const coming = `${file}.part`;
    await makeImportFolder(ctx);
    try {
      const title = isForm ? await storeForm(req, coming) : await storeBody(req, coming).then(() => UNTITLED);
      const { size } = await stat(coming);
      if (size === 0) throw badFile('the file is empty');
      await rename(coming, file);
      res.set('cache-control', 'private, no-store');
      res.status(202).json(await startImport(ctx, actor, { job_id, title, size_bytes: size }));
    } catch (error) {
      // Nothing of a refused or broken upload stays.
      await Promise.all([rm(coming, { force: true }), rm(file, { force: true })]);
      throw error;
    }
  };
}
