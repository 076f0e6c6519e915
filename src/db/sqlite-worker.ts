/**
 * The one writing connection of a SQLite database, in a thread of its own so that a slow or locked disk stalls no socket.
 * It does what it is told, in order: the grouping of transactions is decided by sqlite-writer.ts.
 */
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { openSqlite } from './sqlite-open.ts';

/** A step of a group: `begin … savepoint, query*, release|rollback … commit`. */
export type WriterStep =
  | { op: 'begin' | 'savepoint' | 'release' | 'rollback' | 'commit' | 'close' }
  | { op: 'query'; sql: string; parameters: readonly unknown[] };
export type WriterAnswer =
  { id: number; rows: unknown[]; changes: number } | { id: number; error: { message: string; code: string } };

if (parentPort === null) throw new Error('sqlite-worker.ts runs as a worker thread only');
const port = parentPort;
const { file } = workerData as { file: string };
const { db, prepare } = openSqlite(file, { readonly: false });
const begin = db.prepare('begin immediate');
const commit = db.prepare('commit');
const savepoint = db.prepare('savepoint step');
const release = db.prepare('release step');
const undo = db.prepare('rollback to step');

/** Why the open group can no longer be committed; every further step of it fails with the same error. */
let broken: Error | null = null;

/** Structured cloning turns a Buffer into a plain Uint8Array, which the driver would not bind as bytes. */
function toBindable(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

function run(step: WriterStep): { rows: unknown[]; changes: number } {
  const nothing = { rows: [], changes: 0 };
  if (step.op === 'close') {
    db.close();
    return nothing;
  }
  if (broken !== null) {
    const error = broken;
    if (step.op === 'rollback') return nothing;
    if (step.op === 'commit') {
      broken = null;
      if (db.inTransaction) db.exec('rollback');
    }
    throw error;
  }
  switch (step.op) {
    case 'begin':
      begin.run();
      return nothing;
    case 'savepoint':
      savepoint.run();
      return nothing;
    case 'release':
      release.run();
      return nothing;
    case 'rollback':
      undo.run();
      release.run();
      return nothing;
    case 'commit':
      try {
        commit.run();
      } catch (error) {
        if (db.inTransaction) db.exec('rollback');
        throw error;
      }
      return nothing;
    case 'query': {
      const statement = prepare(step.sql);
      const parameters = step.parameters.map(toBindable);
      if (statement.reader) return { rows: statement.all(parameters), changes: 0 };
      return { rows: [], changes: statement.run(parameters).changes };
    }
  }
}

port.on('message', ({ id, step }: { id: number; step: WriterStep }) => {
  try {
    port.postMessage({ id, ...run(step) } satisfies WriterAnswer);
  } catch (error) {
    // A failed begin, or an error after which SQLite has rolled everything back (full disk, I/O), ends the whole group:
    // later steps must not run outside a transaction.
    const endsGroup = step.op === 'query' ? !db.inTransaction : step.op !== 'commit' && step.op !== 'close';
    if (error instanceof Error && endsGroup) broken ??= error;
    const code = error instanceof Database.SqliteError ? error.code : '';
    port.postMessage({
      id,
      error: { message: error instanceof Error ? error.message : String(error), code },
    } satisfies WriterAnswer);
  }
  if (step.op === 'close') port.close();
});
