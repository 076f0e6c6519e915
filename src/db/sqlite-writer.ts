import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { WRITER_PATIENCE_MS } from './sqlite-open.ts';
import type { BytesAt, WriterAnswer, WriterGroup, WriterOutcome, WriterStep } from './sqlite-worker.ts';
import type { Unit, UnitOutcome, UnitStatement } from './unit.ts';
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, Transaction } from 'kysely';

/** A group is committed when nobody waits, or it holds this many transactions, or it is this old. */
const GROUP_MAX = 256;
const GROUP_MAX_AGE_MS = 20;
/** While another program holds the database: how often (ms) those in line are looked through for who has waited long enough. */
const HELD_LOOK_MS = 100;

interface Group {
  done: Promise<void>;
  settle(error: Error | null): void;
  count: number;
  openedAtMs: number;
}

type StepAnswer = { rows: unknown[]; changes: number };

interface PendingUnit {
  unit: Unit;
  statements: readonly UnitStatement[];
  /** Until when (ms of the epoch) it waits for whoever holds the database. */
  untilMs: number;
  resolve(outcome: UnitOutcome): void;
  reject(error: Error): void;
}

interface PendingTurn {
  take(): void;
  reject(error: Error): void;
  untilMs: number;
}

/** The writing side of a SQLite database: transactions run one after another, and are committed in groups. */
export interface SqliteWriter<S> {
  /** Runs `fn` in a transaction; resolves once the group it went into is on disk, rejects if that failed. */
  write<T>(fn: (trx: Transaction<S>) => Promise<T>): Promise<T>;
  /** One unit of work in one message; those that come while others are on their way to the disk go together. */
  writeUnit(unit: Unit): Promise<UnitOutcome>;
  /** Resolves when a unit handed in now would not wait for those before it, unless another program holds the database. */
  turnToWrite(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the worker that holds the only writing connection to `file`. */
export function startSqliteWriter<S>(file: string): SqliteWriter<S> {
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
    workerData: { file },
    // It holds no more than a statement's rows at a time.
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
  const waiting = new Map<number, { resolve(answer: StepAnswer): void; reject(error: Error): void }>();
  let lastId = 0;
  let dead: Error | null = null;

  worker.on('message', (answer: WriterAnswer) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (asked === undefined) return;
    if ('error' in answer) asked.reject(toError(answer.error));
    else asked.resolve('outcomes' in answer ? { rows: answer.outcomes ?? [], changes: 0 } : answer);
  });
  const fail = (error: Error) => {
    dead = error;
    for (const asked of waiting.values()) asked.reject(error);
    waiting.clear();
  };
  worker.on('error', fail);
  worker.on('exit', () => fail(Object.assign(new Error('the database writer has ended'), { code: 'SQLITE_CANTOPEN' })));

  function tell(step: WriterStep): Promise<StepAnswer> {
    if (dead !== null) return Promise.reject(dead);
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, step });
    });
  }
  /** For steps whose failure shows at a later step of the same group. */
  function tellAhead(step: WriterStep): void {
    tell(step).catch((error: unknown) => {
      // The worker marks the group as broken, so the next awaited step, at the latest the commit, rejects with it too.
      if (!(error instanceof Error)) throw error;
    });
  }

  let group: Group | null = null;
  let isBusy = false;
  let turns: PendingTurn[] = [];
  /** Until when (ms of the epoch) whose turn it is waits for whoever else holds the database. */
  let turnUntilMs = 0;

  let units: PendingUnit[] = [];
  let areUnitsOnTheirWay = false;
  /** Who waits for the units before theirs. */
  let freed: (() => void)[] = [];

  function free(): void {
    const waiters = freed;
    freed = [];
    for (const waiter of waiters) waiter();
  }

  /** Looks, while another program holds the database, for who is in line behind others that wait for it. */
  let looking: NodeJS.Timeout | null = null;

  function isHeldBy(error: unknown): error is Error {
    return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
  }

  function refuseLate(error: Error): void {
    const nowMs = Date.now();
    const isLate = ({ untilMs }: { untilMs: number }) => untilMs <= nowMs;
    const late = [...turns.filter(isLate), ...units.filter(isLate)];
    if (late.length === 0) return;
    turns = turns.filter((turn) => !isLate(turn));
    units = units.filter((unit) => !isLate(unit));
    for (const one of late) one.reject(error);
  }

  /** Learns from how a group began whether the database is held by somebody else. */
  function watch(began: Promise<unknown>): void {
    const isFree = () => {
      if (looking !== null) clearInterval(looking);
      looking = null;
    };
    began.then(isFree, (error: unknown) => {
      // Any other failure shows at a later step of the group, at the latest at its commit.
      if (!isHeldBy(error)) return isFree();
      refuseLate(error);
      looking ??= setInterval(() => refuseLate(error), HELD_LOOK_MS).unref();
      // Their patience counts from when they are in line.
      free();
    });
  }

  function openGroup(): Group {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch((error: unknown) => {
      // Each transaction of the group awaits `done` itself; a group whose transactions all rolled back has no reader.
      if (!(error instanceof Error)) throw error;
    });
    watch(tell({ op: 'begin', untilMs: turnUntilMs }));
    return {
      done: promise,
      settle: (e) => (e === null ? resolve() : reject(e)),
      count: 0,
      openedAtMs: performance.now(),
    };
  }

  function commitGroup(): void {
    const closing = group;
    group = null;
    if (closing === null) return;
    tell({ op: 'commit' }).then(
      () => closing.settle(null),
      (error: unknown) => closing.settle(error instanceof Error ? error : new Error(String(error))),
    );
  }

  const connection: DatabaseConnection = {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const { rows, changes } = await tell({ op: 'query', sql: query.sql, parameters: query.parameters });
      return { rows: rows as R[], numAffectedRows: BigInt(changes) };
    },

    async *streamQuery() {
      throw new Error('the writing connection does not stream');
    },
  };

  async function end(): Promise<void> {
    await tell({ op: 'close' });
    dead = Object.assign(new Error('the database is closed'), { code: 'SQLITE_MISUSE' });
    await worker.terminate();
  }

  /** @throws Error when the database is held by another program and it is later than `untilMs` (of the epoch) */
  async function takeTurn(untilMs: number): Promise<void> {
    if (isBusy) await new Promise<void>((take, reject) => turns.push({ take, reject, untilMs }));
    isBusy = true;
    turnUntilMs = untilMs;
  }

  const driver: Driver = {
    async init() {},
    async acquireConnection() {
      // From when it was asked for: with many in line, one after another would wait as long as the first again.
      await takeTurn(Date.now() + WRITER_PATIENCE_MS);
      return connection;
    },
    async beginTransaction() {
      group ??= openGroup();
      tellAhead({ op: 'savepoint' });
    },
    async commitTransaction() {
      // Not awaited: should it fail, the worker fails the group, and with it the commit this transaction waits for.
      tellAhead({ op: 'release' });
      if (group !== null) group.count++;
    },
    async rollbackTransaction() {
      await tell({ op: 'rollback' });
    },
    async releaseConnection() {
      const next = turns.shift();
      const isFull =
        group !== null && (group.count >= GROUP_MAX || performance.now() - group.openedAtMs > GROUP_MAX_AGE_MS);
      if (next === undefined || isFull) commitGroup();
      if (next === undefined) isBusy = false;
      else next.take();
    },
    destroy: end,
  };

  /** Sends what has come together, once the units before it are on disk: the slower the disk, the larger the groups. */
  async function sendUnits(): Promise<void> {
    areUnitsOnTheirWay = true;
    try {
      while (units.length > 0) {
        // What has arrived by now is handled first, and goes with it: a message to the worker costs as much as ten units.
        await turnOfTheLoop();
        // Its own turn: in the middle of a transaction it would be undone with it.
        await takeTurn(Infinity);
        commitGroup();
        const waitingUnits = units;
        units = [];
        const sending = waitingUnits.filter(isKnown);
        if (sending.length === 0) {
          await driver.releaseConnection(connection);
          return;
        }
        const answer = tell(toStep(sending));
        watch(answer);
        await driver.releaseConnection(connection);
        await settle(sending, answer);
        free();
      }
    } finally {
      areUnitsOnTheirWay = false;
      free();
    }
  }

  async function settle(sent: readonly PendingUnit[], answer: Promise<StepAnswer>): Promise<void> {
    try {
      const outcomes = (await answer).rows as WriterOutcome[];
      for (const [i, unit] of sent.entries()) {
        // None at all: every one was taken.
        const outcome = outcomes.length === 0 ? true : (outcomes[i] ?? false);
        if (typeof outcome === 'boolean') unit.resolve(outcome);
        else unit.reject(toError(outcome));
      }
    } catch (error) {
      // Nothing was begun: who has not waited long enough goes on waiting, before those who came since.
      const nowMs = Date.now();
      const waiting = new Set(isHeldBy(error) ? sent.filter((unit) => unit.untilMs > nowMs) : []);
      units.unshift(...waiting);
      for (const unit of sent) {
        if (!waiting.has(unit)) unit.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  const kysely = new Kysely<S>({
    dialect: {
      // Kysely would line them up itself, and the driver never see more than one: no group of several, and nobody's turn to refuse.
      createAdapter: () => Object.defineProperty(new SqliteAdapter(), 'supportsMultipleConnections', { value: true }),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });

  return {
    async write(fn) {
      let joined: Group | null = null;
      let hasOthers = false;
      try {
        const result = await kysely.transaction().execute((trx) => {
          // Groups close only between transactions, so the one open now is the one this transaction belongs to.
          joined = group;
          hasOthers = group !== null && group.count > 0;
          return fn(trx);
        });
        await (joined as Group | null)?.done;
        return result;
      } catch (error) {
        // What it saw of them may be why it failed: nobody is told so before that is on disk, or when it never gets there.
        if (hasOthers) await (joined as Group | null)?.done;
        throw error;
      }
    },
    writeUnit(unit) {
      return new Promise((resolve, reject) => {
        units.push({
          unit,
          statements: typeof unit === 'function' ? [] : unit,
          untilMs: Date.now() + WRITER_PATIENCE_MS,
          resolve,
          reject,
        });
        if (!areUnitsOnTheirWay) void sendUnits();
      });
    },
    turnToWrite() {
      if (!areUnitsOnTheirWay || looking !== null || dead !== null) return Promise.resolve();
      return new Promise((resolve) => freed.push(resolve));
    },
    async close() {
      await kysely.destroy();
      // Kysely leaves alone a driver it never used, and the worker with it.
      if (dead === null) await end();
    },
  };
}

function toError({ message, code }: { message: string; code: string }): Error {
  return Object.assign(new Error(message), { code });
}

/** Asks a unit for its statements, now that its turn has come; one that cannot say is refused, and holds up no other. */
function isKnown(pending: PendingUnit): boolean {
  const { unit } = pending;
  if (typeof unit !== 'function') return true;
  try {
    pending.statements = unit();
    // Asked once: a unit that has to wait for its turn again stays what it was.
    pending.unit = pending.statements;
    return true;
  } catch (error) {
    pending.reject(error instanceof Error ? error : new Error(String(error)));
    return false;
  }
}

/** Each text of SQL once, however many units use it: taking it over to the worker costs more than running it. */
function toStep(pending: readonly PendingUnit[]): WriterStep {
  const numbers = new Map<string, number>();
  const bytes: Uint8Array[] = [];
  const toJson = (value: unknown): unknown => {
    if (!(value instanceof Uint8Array)) return value;
    // Of a view its whole buffer would be copied.
    bytes.push(value.byteLength === value.buffer.byteLength ? value : value.slice());
    return { bytes: bytes.length - 1 } satisfies BytesAt;
  };
  const units = pending.map(({ statements }) => {
    const steps: (number | readonly unknown[])[] = [];
    for (const { sql, parameters, mustChange = false } of statements) {
      const number = numbers.get(sql) ?? numbers.size;
      numbers.set(sql, number);
      const hasBytes = parameters.some((parameter) => parameter instanceof Uint8Array);
      steps.push(number, hasBytes ? parameters.map(toJson) : parameters, Number(mustChange));
    }
    return steps;
  });
  const group: WriterGroup = { sqls: [...numbers.keys()], units };
  // Those in line are in the order they came.
  const untilMs = pending[0]?.untilMs ?? 0;
  return { op: 'units', group: JSON.stringify(group), bytes, untilMs };
}
