/** What the operator's verbs share: words in, words out, and the server's context without its doors. */
import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createPlaybacks } from '#domain/listens/playbacks.ts';
import { createEventBus } from '#domain/events.ts';
import { newIds } from '../ids.ts';
import { openSecretBox } from '../secrets.ts';
import type { Ctx } from '#domain/context.ts';
import type { Log } from '#domain/ports.ts';
import type { Config } from '../config.ts';

/** Does one verb with the words after it. `settings` is asked only once those make sense. @returns the exit code */
export type Verb = (args: string[], settings: () => Config) => Promise<number>;

/** The command line makes no sense; the usage tells what would. */
export class UsageError extends Error {}
/** What was asked for cannot be done; the message is the one line to print. */
export class RefusedError extends Error {}
/** Somebody pressed Ctrl-C at a question. */
export class InterruptedError extends Error {}

export const say = (line: string): void => void process.stdout.write(`${line}\n`);
export const complain = (line: string): void => void process.stderr.write(`${line}\n`);

/** Words for a person at a terminal, where the server writes JSON lines. */
const terminalLog: Log = {
  debug() {},
  info() {},
  warn: (message) => complain(`Warning: ${message}`),
  error: (message, _fields, cause) => complain(`${message}${cause instanceof Error ? `: ${cause.message}` : ''}`),
};

/** The server with all its parts takes a second to load: what only tells the usage does without. */
export const loadServer = () => import('../create-server.ts');

/** Runs `work` on the configured database, migrated, as the server would open it. */
export async function withCtx<T>(config: Config, work: (ctx: Ctx) => Promise<T>): Promise<T> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const { openConfiguredDatabase } = await loadServer();
  const database = await openConfiguredDatabase(config, terminalLog);
  const ctx: Ctx = {
    db: database.db,
    write: (fn) => database.write(fn),
    writeUnit: (unit, after) => database.writeUnit(unit, after),
    turnToWrite: () => database.turnToWrite(),
    dialect: database.dialect,
    clock: { nowMs: () => Date.now() },
    ids: newIds,
    log: terminalLog,
    events: createEventBus((error, name) => terminalLog.error(name, {}, error)),
    files: { musicDirs: config.musicDirs, dataDir: config.dataDir },
    secrets: openSecretBox(config),
    playbacks: createPlaybacks(),
    playlistDocs: {
      transact: () => Promise.reject(new RefusedError('Playlists are edited through a running server only.')),
    },
  };
  try {
    return await work(ctx);
  } finally {
    await database.close();
  }
}

/** Takes exactly these words. @throws UsageError */
export function words<const N extends string>(given: readonly string[], ...names: N[]): Record<N, string> {
  if (given.length < names.length) throw new UsageError(`${names[given.length]} is missing`);
  if (given.length > names.length) throw new UsageError(`"${given[names.length]}" is one word too many`);
  return Object.fromEntries(names.map((name, i) => [name, given[i] ?? ''])) as Record<N, string>;
}

/** As `words`, from a command line without options. */
export function onlyWords<const N extends string>(args: string[], ...names: N[]): Record<N, string> {
  return words(parseArgs({ args, allowPositionals: true, options: {} }).positionals, ...names);
}
