import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { IMPORT_LIMIT_BYTES } from '#contract/jobs.ts';
import { DomainError } from '#domain/errors.ts';
import { cleanTag } from '#domain/library/library.rules.ts';
import { importFile, makeImportFolder } from '#domain/listens/import/import-file.ts';
import { requireNoImport, startImport } from '#domain/listens/start-import.ts';
import { receiveUpload } from './upload.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { Request, Response } from 'express';

const UNTITLED = 'Import';

/** On disk, complete and synced, when this resolves; readable by this server alone. */
async function store(source: AsyncIterable<Buffer>, file: string): Promise<void> {
  try {
    await pipeline(source, createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true }));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new DomainError('disk_full', 'The server has no room left for this file.', { cause: error });
    }
    throw error;
  }
}

/** [IM1-1] Takes a file to import, as the body or as the file of a form, and answers with the job that reads it. */
export function takeImport(ctx: Ctx): (req: Request, res: Response, actor: Actor) => Promise<void> {
  return async (req, res, actor) => {
    const type = (req.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
    // Forms that carry no file; whatever else a file is called, what it is its content says.
    if (type === 'application/x-www-form-urlencoded') {
      throw new DomainError('unsupported_type', 'Send the file as the body, or as the file of a multipart form.');
    }
    await requireNoImport(ctx, actor);
    const job_id = ctx.ids.id();
    const file = importFile(ctx, job_id);
    const coming = `${file}.part`;
    await makeImportFolder(ctx);
    try {
      const title = await receiveUpload(req, { limitBytes: IMPORT_LIMIT_BYTES, fields: 0 }, async (source, name) => {
        await store(source, coming);
        return cleanTag(name.split(/[/\\]/).at(-1), 200) ?? UNTITLED;
      });
      const { size } = await stat(coming);
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
