/** Real servers for tests: in this process on a free port, or as a program of its own that can be killed. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readConfig } from '#server/config.ts';
import { createServer } from '#server/create-server.ts';
import { createLog } from '#server/log.ts';
import { AMPLE } from './ample.ts';
import type { Clock } from '#domain/ports.ts';
import type { RunningServer, ServerOptions } from '#server/create-server.ts';
import type { TestDatabase } from './dialects.ts';
import type { TestIssuer } from './issuer.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

export interface Folders {
  dataDir: string;
  musicDir: string;
  remove(): void;
}

/** Fresh folders for a server's data and music. */
export function makeFolders(): Folders {
  const folder = mkdtempSync(path.join(tmpdir(), 'stepheybot-server-'));
  return {
    dataDir: path.join(folder, 'data'),
    musicDir: path.join(folder, 'music'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The environment of a server in these folders. */
export function serverSettings(folders: Folders, issuer: TestIssuer | null): Record<string, string> {
  return {
    PORT: '0',
    DATA_DIR: folders.dataDir,
    MUSIC_DIR: folders.musicDir,
    LOG_LEVEL: 'error',
    ...(issuer === null
      ? {}
      : {
          OIDC_ISSUER: issuer.url,
          OIDC_CLIENT_ID: issuer.clientId,
          OIDC_CLIENT_SECRET: issuer.clientSecret,
          OIDC_AUDIENCE: issuer.audience,
        }),
  };
}

export interface StartOptions extends Pick<
  ServerOptions,
  'limits' | 'packets' | 'clientDir' | 'log' | 'offlineDelayMs'
> {
  issuer?: TestIssuer | null;
  database?: TestDatabase;
  clock?: Clock;
  env?: Record<string, string>;
}

/** A server in this process; unless `limits` or `packets` say otherwise, with ample ones. */
export async function startServer(
  folders: Folders,
  {
    issuer = null,
    database,
    clock,
    env = {},
    log = createLog('error'),
    limits = AMPLE.limits,
    packets = AMPLE.packets,
    ...more
  }: Partial<StartOptions> = {},
): Promise<RunningServer> {
  return createServer({
    config: readConfig({ ...serverSettings(folders, issuer), ...env }),
    log,
    limits,
    packets,
    ...more,
    ...(database === undefined ? {} : { database }),
    ...(clock === undefined ? {} : { clock }),
  });
}

export interface Program {
  url: string;
  pid: number;
  /** The first line that offers to make the first account, if it was printed. */
  setupLink: string | null;
  output(): string;
  /** Ends it like a power cut. */
  kill(): Promise<void>;
  /** @returns its exit code after SIGTERM */
  stop(): Promise<number | null>;
}

/** The server as a program of its own, as `npm start` runs it. */
export async function spawnServer(
  folders: Folders,
  { issuer = null, env = {} }: { issuer?: TestIssuer | null; env?: Record<string, string> } = {},
): Promise<Program> {
  const child = spawn(process.execPath, [path.join(ROOT, 'src/server/main.ts')], {
    env: { PATH: process.env.PATH ?? '', ...serverSettings(folders, issuer), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      const listening = /listening on (http\S+)/.exec(output);
      // The line after it, about the first account, comes in the same turn or not at all.
      if (listening?.[1] !== undefined) setImmediate(resolve, listening[1]);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
  });
  return {
    url,
    pid: child.pid ?? 0,
    get setupLink() {
      return /one time only: (http\S+)/.exec(output)?.[1] ?? null;
    },
    output: () => output,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
