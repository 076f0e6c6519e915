/** The operator's verbs: `npm run admin -- help`. They work beside a running server, on the same database. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { Role } from '#contract/accounts.ts';
import { migrate, migrateSqliteFile } from '#db/migrate.ts';
import { openPostgresKysely } from '#db/open.ts';
import { createLocalAccount } from '#domain/accounts/create-local-account.ts';
import { disableUser } from '#domain/accounts/disable-user.ts';
import { setRole } from '#domain/accounts/set-role.ts';
import { createEventBus } from '#domain/events.ts';
import { createPlaybacks } from '#domain/listens/playbacks.ts';
import { createScanner } from '#domain/library/scanner.ts';
import { readConfig } from './config.ts';
import { explain } from './explain.ts';
import { newIds } from './ids.ts';
import { openSecretBox } from './secrets.ts';
import type { Ctx } from '#domain/context.ts';
import type { Log } from '#domain/ports.ts';
import type { ScanState } from '#contract/library.ts';
import type { Config } from './config.ts';

const USAGE = `Usage: npm run admin -- <verb>

  user create NAME [--role admin|user|guest] [--display-name TEXT] [--email ADDRESS] [--password-stdin]
                         make an account of this server; asks for the password, or makes one up and
                         prints it when nobody can be asked
  user disable NAME      lock a person out; what they made stays
  user role NAME ROLE    make a person admin, user or guest
  scan                   read the music in MUSIC_DIR
  migrate                bring the database to this version
  help                   this page

The settings are the server's own: DATA_DIR, MUSIC_DIR, DATABASE_URL, OIDC_ISSUER.
`;

/** How often a scan says how far it is. */
const PROGRESS_EVERY_MS = 200;

/** The command line makes no sense; the usage tells what would. */
class UsageError extends Error {}
/** What was asked for cannot be done; the message is the one line to print. */
class RefusedError extends Error {}
/** Somebody pressed Ctrl-C at a question. */
class InterruptedError extends Error {}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);

/** Words for a person at a terminal, where the server writes JSON lines. */
const terminalLog: Log = {
  debug() {},
  info() {},
  warn: (message) => complain(`Warning: ${message}`),
  error: (message, _fields, cause) => complain(`${message}${cause instanceof Error ? `: ${cause.message}` : ''}`),
};

/** The server with all its parts takes a second to load: what only tells the usage does without. */
const loadServer = () => import('./create-server.ts');

/** Runs `work` on the configured database, migrated, as the server would open it. */
async function withCtx<T>(config: Config, work: (ctx: Ctx) => Promise<T>): Promise<T> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const { openConfiguredDatabase } = await loadServer();
  const database = await openConfiguredDatabase(config, terminalLog);
  const ctx: Ctx = {
    db: database.db,
    write: (fn) => database.write(fn),
    writeUnit: (statements) => database.writeUnit(statements),
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

/** Asks without showing what is typed. @throws InterruptedError */
async function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  try {
    return await new Promise<string>((resolve, reject) => {
      const stop = () => reject(new InterruptedError());
      lines.once('SIGINT', stop);
      lines.once('close', stop);
      lines.question('').then(resolve, reject);
    });
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  // A shell's echo ends with a line break that nobody means.
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** The new account's password; `isMadeUp` when it has to be told. */
async function obtainPassword(fromStdin: boolean): Promise<{ password: string; isMadeUp: boolean }> {
  if (fromStdin) return { password: await readStdin(), isMadeUp: false };
  if (!process.stdin.isTTY) return { password: randomBytes(15).toString('base64url'), isMadeUp: true };
  const password = await askHidden('Password: ');
  if ((await askHidden('The same again: ')) !== password) throw new RefusedError('The two passwords differ.');
  return { password, isMadeUp: false };
}

function parseRole(value: string): Role {
  const role = Role.safeParse(value);
  if (!role.success) throw new UsageError(`ROLE is admin, user or guest, not "${value}"`);
  return role.data;
}

/** Takes exactly these words from the command line. */
function words<const N extends string>(given: readonly string[], ...names: N[]): Record<N, string> {
  if (given.length < names.length) throw new UsageError(`${names[given.length]} is missing`);
  if (given.length > names.length) throw new UsageError(`"${given[names.length]}" is one word too many`);
  return Object.fromEntries(names.map((name, i) => [name, given[i] ?? ''])) as Record<N, string>;
}

async function createUser(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      role: { type: 'string', default: 'user' },
      'display-name': { type: 'string' },
      email: { type: 'string' },
      'password-stdin': { type: 'boolean', default: false },
    },
  });
  const { NAME } = words(positionals, 'NAME');
  const role = parseRole(values.role);
  if (values.email !== undefined && !z.email().safeParse(values.email).success) {
    throw new UsageError(`--email "${values.email}" is not an e-mail address`);
  }
  const config = readConfig(process.env);
  if (config.oidcIssuer !== null) {
    throw new RefusedError('Accounts of this server are made at its OpenID provider (OIDC_ISSUER).');
  }
  const { password, isMadeUp } = await obtainPassword(values['password-stdin']);
  const { username } = await withCtx(config, (ctx) =>
    createLocalAccount(ctx, {
      username: NAME,
      role,
      password,
      display_name: values['display-name'],
      email: values.email,
    }),
  );
  say(`Made ${username} (${role}).`);
  if (isMadeUp) say(`Password, shown this once: ${password}`);
  return 0;
}

async function disable(args: string[]): Promise<number> {
  const { NAME } = words(parseArgs({ args, allowPositionals: true, options: {} }).positionals, 'NAME');
  const { username, was_active } = await withCtx(readConfig(process.env), (ctx) =>
    disableUser(ctx, { username: NAME }),
  );
  say(was_active ? `${username} is disabled and signed out everywhere.` : `${username} was disabled already.`);
  return 0;
}

async function changeRole(args: string[]): Promise<number> {
  const { NAME, ROLE } = words(parseArgs({ args, allowPositionals: true, options: {} }).positionals, 'NAME', 'ROLE');
  const role = parseRole(ROLE);
  const changed = await withCtx(readConfig(process.env), (ctx) => setRole(ctx, { username: NAME, role }));
  say(changed.previous === role ? `${changed.username} was ${role} already.` : `${changed.username} is ${role} now.`);
  if (!changed.is_local) say('A role that the OpenID provider names at sign-in wins over this one.');
  return 0;
}

/** How a running scan stands, in one line. */
function progressLine({ done, total, problem_count }: ScanState): string {
  const of = total === null ? 'Looking for files …' : `Reading the library: ${done} of ${total}`;
  return problem_count === 0 ? of : `${of}, ${problem_count} with problems`;
}

async function scan(args: string[]): Promise<number> {
  words(parseArgs({ args, allowPositionals: true, options: {} }).positionals);
  return withCtx(readConfig(process.env), async (ctx) => {
    const scanner = createScanner(ctx);
    const admin = { role: 'admin' } as const;
    let isInterrupted = false;
    process.once('SIGINT', () => {
      isInterrupted = true;
      void scanner.stop();
    });
    scanner.start();
    const finished = scanner.whenIdle().then(() => true);
    let shown = '';
    // A terminal gets one line that is written over; a file gets a line when there is something new.
    const show = (line: string, isLast = false) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}${isLast ? '\n' : ''}`);
      else if (isLast || shown === '') complain(line);
      shown = line;
    };
    while (!(await Promise.race([finished, setTimeout(PROGRESS_EVERY_MS, false)])))
      show(progressLine(scanner.state(admin)));
    const state = scanner.state(admin);
    show(progressLine(state), true);
    for (const { track_path, reason } of state.problems) complain(`  ${track_path}: ${reason}`);
    const unlisted = state.problem_count - state.problems.length;
    if (unlisted > 0) complain(`  and ${unlisted} more`);
    if (isInterrupted) throw new InterruptedError();
    say(
      `${state.added} added, ${state.updated} updated, ${state.moved} moved, ${state.unchanged} unchanged, ` +
        `${state.missing} missing, ${state.problem_count} with problems.`,
    );
    if (state.hint !== null) complain(state.hint);
    return state.state === 'failed' ? 1 : 0;
  });
}

async function runMigrations(args: string[]): Promise<number> {
  words(parseArgs({ args, allowPositionals: true, options: {} }).positionals);
  const config = readConfig(process.env);
  const { MIGRATIONS_DIR } = await loadServer();
  let ran: string[];
  if (config.databaseUrl === null) {
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
    ran = await migrateSqliteFile(path.join(config.dataDir, 'stepheybot.db'), MIGRATIONS_DIR);
  } else {
    const db = await openPostgresKysely<unknown>(config.databaseUrl, (error) => complain(`Warning: ${error.message}`));
    try {
      ran = await migrate(db, MIGRATIONS_DIR);
    } finally {
      await db.destroy();
    }
  }
  say(ran.length === 0 ? 'The database is up to date.' : `Applied ${ran.join(', ')}.`);
  return 0;
}

/** Does what the command line says. @returns the exit code */
async function run([verb, ...rest]: string[]): Promise<number> {
  switch (verb) {
    case 'user': {
      const [what, ...args] = rest;
      if (what === 'create') return createUser(args);
      if (what === 'disable') return disable(args);
      if (what === 'role') return changeRole(args);
      throw new UsageError(what === undefined ? 'user what?' : `there is no "user ${what}"`);
    }
    case 'scan':
      return scan(rest);
    case 'migrate':
      return runMigrations(rest);
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(USAGE);
      return 0;
    default:
      throw new UsageError(verb === undefined ? 'a verb is missing' : `there is no "${verb}"`);
  }
}

/** Tells what went wrong. @returns the exit code: 2 for the command line, 130 for Ctrl-C, 1 for the rest */
function fail(error: unknown): number {
  const isBadFlag = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
  if (error instanceof UsageError || isBadFlag) {
    complain(`${error.message}\n\n${USAGE.trimEnd()}`);
    return 2;
  }
  if (error instanceof InterruptedError) return 130;
  const line = error instanceof RefusedError ? error.message : explain(error);
  complain(line ?? (error instanceof Error ? String(error.stack) : String(error)));
  return 1;
}

// Nothing that is left open, such as a terminal or a connection, keeps the command from ending.
process.exit(await run(process.argv.slice(2)).catch(fail));
