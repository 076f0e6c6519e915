/**
 * The one writing connection of a SQLite database, in a thread of its own so that a slow or locked disk stalls no socket.
 * It does what it is told, in order: the grouping of transactions is decided by sqlite-writer.ts.
 */
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { openSqlite } from './sqlite-open.ts';

/** A step of a group: `begin … savepoint, query*, release|rollback … commit`. */
export type WriterStep =
  | { op: 'savepoint' | 'release' | 'rollback' | 'commit' | 'close' }
  /** Waits for another program's lock until then (ms of the epoch). */
  | { op: 'begin'; untilMs: number }
  | { op: 'query'; sql: string; parameters: readonly unknown[] }
  /** A group of its own, from `begin` to `commit`: units whose statements are all known. */
  | { op: 'units'; group: string; bytes: readonly Uint8Array[]; untilMs: number };
/** Sent as JSON, with bytes beside it: structured cloning of many small arrays takes ten times as long. */
export interface WriterGroup {
  sqls: readonly string[];
  units: readonly WriterUnit[];
}
/** Among the parameters of a group: which of its bytes. */
export interface BytesAt {
  bytes: number;
}
/** A unit's statements, one after another: which of `sqls`, its parameters, and how many rows it must change. */
export type WriterUnit = readonly (number | readonly unknown[])[];
/** Of one unit: whether it was taken, or the error that undid it alone. */
export type WriterOutcome = boolean | { message: string; code: string };
export type WriterAnswer =
  | { id: number; rows: unknown[]; changes: number }
  /** `null`: every unit was taken. */
  | { id: number; outcomes: WriterOutcome[] | null }
  | { id: number; error: { message: string; code: string } };

if (parentPort === null) throw new Error('sqlite-worker.ts runs as a worker thread only');
const port = parentPort;
const { file } = workerData as { file: string };
const { db, prepare } = openSqlite(file, { readonly: false });
// Waited for below, by what has been asked for longest.
db.pragma('busy_timeout = 0');
const beginImmediate = db.prepare('begin immediate');
const commit = db.prepare('commit');
const rollback = db.prepare('rollback');
const savepoint = db.prepare('savepoint step');
const release = db.prepare('release step');
const undo = db.prepare('rollback to step');

/** Why the open group can no longer be committed; every further step of it fails with the same error. */
let broken: Error | null = null;

/** Structured cloning turns a Buffer into a plain Uint8Array, which the driver would not bind as bytes. */
function toBindable(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

function describe(error: unknown): { message: string; code: string } {
  const code = error instanceof Database.SqliteError ? error.code : '';
  return { message: error instanceof Error ? error.message : String(error), code };
}

function changesOf(sql: string, parameters: readonly unknown[], bytes: readonly Uint8Array[]): number {
  const statement = prepare(sql);
  const bound = parameters.map((value) =>
    typeof value === 'object' && value !== null ? toBindable(bytes[(value as BytesAt).bytes]) : value,
  );
  return statement.reader ? statement.all(bound).length : statement.run(bound).changes;
}

interface ReceivedGroup extends WriterGroup {
  bytes: readonly Uint8Array[];
}

/** A unit failed after it had changed something, which cannot be undone alone. */
class HalfDone extends Error {}

/**
 * A savepoint has SQLite keep a copy of each page that is touched within, which costs more than what is written; a unit that fails
 * is rare, and most fail at their first statement. So units run without, and only when one fails later is the group begun again with.
 * @throws HalfDone without a savepoint; Error when the whole group is lost; any other failure of one unit is its outcome
 */
function runUnit({ sqls, bytes }: ReceivedGroup, unit: WriterUnit, hasSavepoint: boolean): WriterOutcome {
  // One statement is whole or not at all by itself.
  const isSaved = hasSavepoint && unit.length > 3;
  if (isSaved) savepoint.run();
  let outcome: WriterOutcome = true;
  let changed = 0;
  try {
    for (let i = 0; i < unit.length && outcome === true; i += 3) {
      const changes = changesOf(sqls[unit[i] as number] ?? '', unit[i + 1] as readonly unknown[], bytes);
      changed += changes;
      if (changes < (unit[i + 2] as number)) outcome = false;
    }
  } catch (error) {
    // A full disk or an I/O error has undone everything, not this unit alone.
    if (!db.inTransaction) throw error;
    outcome = describe(error);
  }
  if (isSaved) {
    if (outcome !== true) undo.run();
    release.run();
  } else if (outcome !== true && changed > 0) throw new HalfDone();
  return outcome;
}

/** Begins a group, waiting for whoever holds the database until `untilMs`. @throws SqliteError SQLITE_BUSY */
function begin(untilMs: number): void {
  try {
    beginImmediate.run();
  } catch (error) {
    const leftMs = untilMs - Date.now();
    if (!isBusy(error) || leftMs <= 0) throw error;
    db.pragma(`busy_timeout = ${Math.ceil(leftMs)}`);
    try {
      beginImmediate.run();
    } finally {
      db.pragma('busy_timeout = 0');
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
}

function runUnits(group: ReceivedGroup, untilMs: number): WriterOutcome[] | null {
  begin(untilMs);
  try {
    const outcomes = runAll(group);
    commit.run();
    return outcomes.every((outcome) => outcome === true) ? null : outcomes;
  } catch (error) {
    if (db.inTransaction) db.exec('rollback');
    throw error;
  }
}

function runAll(group: ReceivedGroup): WriterOutcome[] {
  try {
    return group.units.map((unit) => runUnit(group, unit, false));
  } catch (error) {
    if (!(error instanceof HalfDone)) throw error;
    rollback.run();
    beginImmediate.run();
    return group.units.map((unit) => runUnit(group, unit, true));
  }
}

function run(step: Exclude<WriterStep, { op: 'units' }>): { rows: unknown[]; changes: number } {
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
      begin(step.untilMs);
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
    if (step.op === 'units') {
      const group = JSON.parse(step.group) as WriterGroup;
      port.postMessage({
        id,
        outcomes: runUnits({ ...group, bytes: step.bytes }, step.untilMs),
      } satisfies WriterAnswer);
      return;
    }
    port.postMessage({ id, ...run(step) } satisfies WriterAnswer);
  } catch (error) {
    // A failed begin, or an error after which SQLite has rolled everything back (full disk, I/O), ends the whole group:
    // later steps must not run outside a transaction.
    const endsGroup =
      step.op === 'query' ? !db.inTransaction : step.op !== 'commit' && step.op !== 'close' && step.op !== 'units';
    if (error instanceof Error && endsGroup) broken ??= error;
    port.postMessage({ id, error: describe(error) } satisfies WriterAnswer);
  }
  if (step.op === 'close') port.close();
});
