/**
 * Bringing listens along: rows a second, and whether the memory of an import grows with its file. Each import is a program of its
 * own; what is read of its memory is after a full collection, so that what merely waits to be collected is not counted.
 */
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { migrateSqliteFile } from '#db/migrate.ts';
import { openSqliteDatabase } from '#db/open.ts';
import { job } from '#domain/jobs/jobs.queries.ts';
import { importFile, makeImportFolder } from '#domain/listens/import/import-file.ts';
import { listenImports } from '#domain/listens/listens.jobs.ts';
import { startImport } from '#domain/listens/start-import.ts';
import { MIGRATIONS_DIR } from '#server/create-server.ts';
import { createJobRunner } from '#server/jobs/runner.ts';
import { person, testCtx } from '../test/support/ctx.ts';
import { BEGIN, lbLines, madeListens } from '../test/support/exports.ts';
import { answerParent, startMeasured } from './support/child.ts';
import type { Schema } from '#domain/database.ts';

const ROWS_WRITTEN = 1_000;
const [FEW, MANY] = [25_000, 200_000];

interface Hello {
  seconds: number;
  imported: number;
  /** Most bytes that were held at once, beyond those before the import. */
  heldBytes: number;
}

async function serve(rows: number): Promise<void> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'bench-import-'));
  const file = path.join(dataDir, 'stepheybot.db');
  await mkdir(path.join(dataDir, 'music'));
  await migrateSqliteFile(file, MIGRATIONS_DIR);
  const database = openSqliteDatabase<Schema>(file);
  const ctx = testCtx({ ...database, file }, { dataDir });
  const ana = await person(ctx, 'ana');
  const job_id = ctx.ids.id();
  await makeImportFolder(ctx);
  const pieces = Array.from({ length: rows / ROWS_WRITTEN }, (_, i) => BEGIN + i * ROWS_WRITTEN * 240);
  const lines = Readable.from(pieces).map((from: number) => lbLines(madeListens(ROWS_WRITTEN, { songs: 3_000, from })));
  await pipeline(lines, createWriteStream(importFile(ctx, job_id)));

  const held = () => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  // What was used to write the file is given back a little later.
  held();
  await setTimeout(500);
  const before = held();
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, held())), 500);
  const startedMs = performance.now();
  const runner = createJobRunner(ctx, { listen_import: listenImports(ctx) });
  await startImport(ctx, ana, { job_id, title: 'my past', size_bytes: (await stat(importFile(ctx, job_id))).size });
  await runner.whenIdle();
  const seconds = (performance.now() - startedMs) / 1000;
  clearInterval(timer);
  const { state, report } = await job(ctx, ana, { id: job_id });
  if (state !== 'done' || report === null) throw new Error(`the import is ${state}`);
  await database.close();
  rmSync(dataDir, { recursive: true, force: true });
  answerParent({ seconds, imported: report.imported, heldBytes: most - before } satisfies Hello);
}

async function compare(): Promise<void> {
  const figures = [];
  for (const rows of [FEW, MANY]) {
    const child = await startMeasured<Hello>(import.meta.filename, String(rows), {}, ['--expose-gc']);
    const { seconds, imported, heldBytes } = child.hello;
    const cpuMicros = await child.cpuMicros();
    await child.kill();
    if (imported !== rows) throw new Error(`${imported} of ${rows} rows were imported`);
    figures.push({ rows, perSecond: rows / seconds, micros: cpuMicros / rows, heldMb: heldBytes / 2 ** 20 });
  }
  const [few, many] = figures;
  if (few === undefined || many === undefined) throw new Error('nothing was measured');
  const rounded = (n: number) => Math.round(n * 100) / 100;
  for (const figure of [
    { name: `import: ${MANY} rows`, value: Math.round(many.perSecond), unit: '/s' },
    { name: 'import: processor time a row', value: rounded(many.micros), unit: 'µs' },
    { name: `import: held beyond what was before, ${FEW} rows`, value: rounded(few.heldMb), unit: 'MiB' },
    {
      name: `import: held beyond what was before, ${MANY} rows`,
      value: rounded(many.heldMb),
      unit: 'MiB',
      // Eight times the rows, and no more than what the collector leaves to chance.
      must: rounded(few.heldMb + 16),
      direction: 'max',
    },
  ]) {
    console.log(JSON.stringify(figure));
  }
}

const mode = process.argv[2];
await (mode === undefined ? compare() : serve(Number(mode)));
