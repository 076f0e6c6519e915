/** Programs that a test run starts for itself: installed where they can be, in throw-away folders, ended with what they started. */
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { ended } from '../run-vitest.ts';
import type { ChildProcess } from 'node:child_process';
import type { AddressInfo } from 'node:net';

/** Milliseconds a service may take to answer; Keycloak on a busy machine takes two minutes and more. */
const START_MS = 300_000;
const STOP_MS = 20_000;

export const isRoot = process.getuid?.() === 0;

export interface Service {
  name: string;
  child: ChildProcess;
  log: string;
  stop: NodeJS.Signals;
}
const running: Service[] = [];
const folders: string[] = [];

/** A folder that `stopAll` removes. */
export function makeFolder(name: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), `stepheybot-${name}-`));
  folders.push(folder);
  return folder;
}

/** Starts a program in a process group of its own, so that what it starts ends with it. */
export function start(
  name: string,
  command: string,
  args: string[],
  more: { log: string; env?: Record<string, string>; owner?: Owner | null; stop?: NodeJS.Signals },
): Service {
  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: homedir(), LANG: 'C.UTF-8', ...more.env },
    ...(more.owner ? { uid: more.owner.uid, gid: more.owner.gid } : {}),
  });
  writeFileSync(more.log, '');
  const log = createWriteStream(more.log, { flags: 'a' });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const service = { name, child, log: more.log, stop: more.stop ?? 'SIGTERM' };
  running.push(service);
  return service;
}

/** Ends what was started, and removes every folder. */
export async function stopAll(): Promise<void> {
  await Promise.all(
    running.splice(0).map(async ({ child, stop }) => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const gone = ended(child);
      const { pid } = child;
      const kill = (signal: NodeJS.Signals) => {
        try {
          process.kill(-pid, signal);
        } catch (error) {
          // It ended between the look and the signal.
          if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
        }
      };
      kill(stop);
      const patience = setTimeout(() => kill('SIGKILL'), STOP_MS);
      await gone;
      clearTimeout(patience);
    }),
  );
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Asks until it is there. @throws when the service ends, or takes too long, with the end of its log */
export async function ready(service: Service, isThere: () => Promise<boolean>): Promise<void> {
  const began = performance.now();
  const tail = () => readFileSync(service.log, 'utf8').split('\n').slice(-25).join('\n');
  while (!(await isThere())) {
    if (service.child.exitCode !== null) throw new Error(`${service.name} ended while starting:\n${tail()}`);
    if (performance.now() - began > START_MS) throw new Error(`${service.name} did not get ready:\n${tail()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  process.stdout.write(`${service.name} is ready after ${Math.round(performance.now() - began)} ms\n`);
}

/** A port of the loopback address that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether somebody answers on a port of the loopback address. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** @throws when a program fails, with what it said */
export function run(command: string, args: string[], more: { owner?: Owner | null; cwd?: string } = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    ...(more.cwd === undefined ? {} : { cwd: more.cwd }),
    ...(more.owner ? { uid: more.owner.uid, gid: more.owner.gid } : {}),
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
  return stdout;
}

let hasUpdated = false;
/** Debian's packages, where we may install them. @throws saying what to install by hand */
export function install(what: string, ...packages: string[]): void {
  if (!isRoot || !existsSync('/usr/bin/apt-get')) {
    throw new Error(
      `test:services needs ${what}: install it with your package manager (Debian: ${packages.join(' ')})`,
    );
  }
  process.stdout.write(`No ${what} found: installing ${packages.join(' ')}.\n`);
  if (!hasUpdated) run('apt-get', ['update', '-qq']);
  hasUpdated = true;
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages]);
}

/** Where a program is, or null. */
export function onPath(command: string): string | null {
  const found = (process.env.PATH ?? '').split(':').map((dir) => path.join(dir, command));
  return found.find((file) => existsSync(file)) ?? null;
}

/** A program, installed when it is missing. */
export function need(command: string, ...packages: string[]): string {
  const found = onPath(command);
  if (found !== null) return found;
  install(command, ...packages);
  const installed = onPath(command);
  if (installed === null) throw new Error(`${packages.join(' ')} brought no ${command}`);
  return installed;
}

export interface Owner {
  uid: number;
  gid: number;
}
