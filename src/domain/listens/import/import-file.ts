import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Ctx } from '../../context.ts';

/** A file that belongs to no job is somebody's upload for this long (ms); after it the server that took it has died. */
const UPLOAD_MS = 3_600_000;

const folderOf = ({ files }: Pick<Ctx, 'files'>) => path.join(files.dataDir, 'imports');

/** Where the file of a job lies until it is over. */
export function importFile(ctx: Pick<Ctx, 'files'>, job_id: string): string {
  return path.join(folderOf(ctx), job_id);
}

export async function makeImportFolder(ctx: Pick<Ctx, 'files'>): Promise<void> {
  await mkdir(folderOf(ctx), { recursive: true, mode: 0o700 });
}

export async function removeImportFile(ctx: Pick<Ctx, 'files'>, job_id: string): Promise<void> {
  await rm(importFile(ctx, job_id), { force: true });
}

/** Removes files whose job is over, or never came to be. */
export async function sweepImportFiles(ctx: Pick<Ctx, 'files' | 'clock'>, open: ReadonlySet<string>): Promise<void> {
  await makeImportFolder(ctx);
  for (const name of await readdir(folderOf(ctx))) {
    if (open.has(name)) continue;
    const file = path.join(folderOf(ctx), name);
    const info = await stat(file).catch((error: NodeJS.ErrnoException) => {
      // Its own job, or another server, has removed it meanwhile.
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (info !== null && ctx.clock.nowMs() - info.mtimeMs > UPLOAD_MS) await rm(file, { force: true });
  }
}
