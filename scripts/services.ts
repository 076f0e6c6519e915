/**
 * `npm run test:services`: starts a PostgreSQL, a Redis and a Keycloak of its own on free ports, in a throw-away folder,
 * runs the integration suite against them, and stops what it started. What the machine lacks is installed where it can be.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  copyFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT, conclude, ended, runScript, runVitest } from './run-vitest.ts';
import type { ChildProcess } from 'node:child_process';
import type { AddressInfo } from 'node:net';

const KEYCLOAK_VERSION = '26.4.5';
/** Java versions that Keycloak 26 runs on. */
const JAVA_VERSIONS = [21, 17, 25];
/** Milliseconds a service may take to answer; Keycloak's first start on a slow machine takes a minute. */
const START_MS = 180_000;
const STOP_MS = 20_000;

const isRoot = process.getuid?.() === 0;
const secret = () => randomBytes(24).toString('base64url');

interface Service {
  name: string;
  child: ChildProcess;
  log: string;
  stop: NodeJS.Signals;
}
const running: Service[] = [];
const folders: string[] = [];

function makeFolder(name: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), `stepheybot-${name}-`));
  folders.push(folder);
  return folder;
}

/** Starts a program in a process group of its own, so that what it starts ends with it. */
function start(
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

async function stopAll(): Promise<void> {
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
async function ready(service: Service, isThere: () => Promise<boolean>): Promise<void> {
  const began = performance.now();
  const tail = () => readFileSync(service.log, 'utf8').split('\n').slice(-25).join('\n');
  while (!(await isThere())) {
    if (service.child.exitCode !== null) throw new Error(`${service.name} ended while starting:\n${tail()}`);
    if (performance.now() - began > START_MS) throw new Error(`${service.name} did not get ready:\n${tail()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  process.stdout.write(`${service.name} is ready after ${Math.round(performance.now() - began)} ms\n`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function isListening(port: number): Promise<boolean> {
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
function run(command: string, args: string[], more: { owner?: Owner | null; cwd?: string } = {}): string {
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
function install(what: string, ...packages: string[]): void {
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

function onPath(command: string): string | null {
  const found = (process.env.PATH ?? '').split(':').map((dir) => path.join(dir, command));
  return found.find((file) => existsSync(file)) ?? null;
}

/** A program, installed when it is missing. */
function need(command: string, ...packages: string[]): string {
  const found = onPath(command);
  if (found !== null) return found;
  install(command, ...packages);
  const installed = onPath(command);
  if (installed === null) throw new Error(`${packages.join(' ')} brought no ${command}`);
  return installed;
}

interface Owner {
  uid: number;
  gid: number;
}

/** PostgreSQL refuses to run as root: then as its own user. */
function postgresOwner(): Owner | null {
  if (!isRoot) return null;
  return { uid: Number(run('id', ['-u', 'postgres'])), gid: Number(run('id', ['-g', 'postgres'])) };
}

/** The folder of the newest PostgreSQL's programs; Debian keeps them off the path. */
function postgresBin(): string | null {
  const home = '/usr/lib/postgresql';
  const versions = existsSync(home) ? readdirSync(home).sort((a, b) => Number(b) - Number(a)) : [];
  const debian = versions.map((version) => path.join(home, version, 'bin'));
  const initdb = onPath('initdb');
  return (
    [...debian, ...(initdb === null ? [] : [path.dirname(initdb)])].find((dir) => existsSync(`${dir}/initdb`)) ?? null
  );
}

async function startPostgres(): Promise<string> {
  if (postgresBin() === null) install('PostgreSQL', 'postgresql');
  const bin = postgresBin();
  if (bin === null) throw new Error('the package postgresql brought no initdb');
  const owner = postgresOwner();
  const folder = makeFolder('postgres');
  const password = secret();
  const passwordFile = path.join(folder, 'password');
  writeFileSync(passwordFile, `${password}\n`);
  if (owner !== null) for (const one of [folder, passwordFile]) chownSync(one, owner.uid, owner.gid);
  const data = path.join(folder, 'data');
  run(
    `${bin}/initdb`,
    [
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'scram-sha-256',
      '--pwfile',
      passwordFile,
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
      '-N',
    ],
    { owner, cwd: folder },
  );
  const port = await freePort();
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: '200', fsync: 'off' };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const log = path.join(makeFolder('log'), 'postgres.log');
  // SIGINT is PostgreSQL's fast shutdown: it ends connections and leaves.
  const service = start('PostgreSQL', `${bin}/postgres`, ['-D', data, '-p', String(port), ...args], {
    log,
    owner,
    stop: 'SIGINT',
  });
  await ready(service, async () => readFileSync(log, 'utf8').includes('ready to accept connections'));
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
}

async function startRedis(): Promise<string> {
  const redis = need('redis-server', 'redis-server');
  const folder = makeFolder('redis');
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const service = start('Redis', redis, args, { log: path.join(folder, 'redis.log') });
  await ready(service, () => isListening(port));
  return `redis://127.0.0.1:${port}`;
}

/** JAVA_HOME of an installed Java that Keycloak runs on. */
function findJava(): string | null {
  const home = '/usr/lib/jvm';
  const places = existsSync(home) ? readdirSync(home).map((name) => path.join(home, name)) : [];
  const byVersion = new Map<number, string>();
  for (const place of [...places, process.env.JAVA_HOME ?? '']) {
    const java = path.join(place, 'bin/java');
    if (place === '' || !existsSync(java)) continue;
    const { stderr } = spawnSync(java, ['-version'], { encoding: 'utf8' });
    byVersion.set(Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0), place);
  }
  return JAVA_VERSIONS.map((version) => byVersion.get(version)).find((place) => place !== undefined) ?? null;
}

/** Keycloak's distribution, from the local Maven repository or, once, from Maven Central. */
function keycloakZip(): string {
  const artifact = `org.keycloak:keycloak-quarkus-dist:${KEYCLOAK_VERSION}:zip`;
  const name = `keycloak-quarkus-dist-${KEYCLOAK_VERSION}.zip`;
  const zip = path.join(homedir(), '.m2/repository/org/keycloak/keycloak-quarkus-dist', KEYCLOAK_VERSION, name);
  if (existsSync(zip)) return zip;
  process.stdout.write(`Fetching ${artifact}.\n`);
  run(need('mvn', 'maven'), ['-q', 'dependency:get', `-Dartifact=${artifact}`, '-Dtransitive=false']);
  if (!existsSync(zip)) throw new Error(`Maven did not bring ${zip}`);
  return zip;
}

async function startKeycloak(): Promise<Record<string, string>> {
  if (findJava() === null) install('Java 17, 21 or 25', 'openjdk-17-jre-headless');
  const java = findJava();
  if (java === null) throw new Error('no Java that Keycloak runs on could be installed');
  const folder = makeFolder('keycloak');
  run(need('unzip', 'unzip'), ['-q', keycloakZip(), '-d', folder]);
  const home = path.join(folder, `keycloak-${KEYCLOAK_VERSION}`);
  mkdirSync(path.join(home, 'data/import'), { recursive: true });
  copyFileSync(
    path.join(ROOT, 'deploy/keycloak/stepheybot-realm.json'),
    path.join(home, 'data/import/stepheybot-realm.json'),
  );
  const [port, management, app] = [await freePort(), await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const appUrl = `http://127.0.0.1:${app}`;
  const [adminPassword, clientSecret] = [secret(), secret()];
  const args = ['start-dev', '--db=dev-mem', '--import-realm', '--http-host=127.0.0.1', `--http-port=${port}`];
  const service = start(
    'Keycloak',
    path.join(home, 'bin/kc.sh'),
    [...args, `--hostname=${url}`, `--http-management-port=${management}`],
    {
      log: path.join(folder, 'keycloak.log'),
      env: {
        JAVA_HOME: java,
        JAVA_OPTS_KC_HEAP: '-Xms64m -Xmx768m',
        KC_BOOTSTRAP_ADMIN_USERNAME: 'admin',
        KC_BOOTSTRAP_ADMIN_PASSWORD: adminPassword,
        // What the realm file leaves open.
        OIDC_CLIENT_SECRET: clientSecret,
        PUBLIC_URL: appUrl,
        BACKCHANNEL_URL: appUrl,
      },
    },
  );
  const realm = `${url}/realms/stepheybot`;
  await ready(service, async () => {
    if (!(await isListening(port))) return false;
    const answer = await fetch(`${realm}/.well-known/openid-configuration`).catch(() => null);
    return answer?.status === 200;
  });
  return {
    TEST_OIDC_ISSUER: realm,
    TEST_OIDC_CLIENT_SECRET: clientSecret,
    TEST_KEYCLOAK_ADMIN_PASSWORD: adminPassword,
    TEST_APP_URL: appUrl,
  };
}

async function main(): Promise<number> {
  const only = process.argv.slice(2);
  // Signing in leads back to the client, so it must be there.
  const built = await runScript('build');
  const [TEST_DATABASE_URL, TEST_REDIS_URL, keycloak] = await Promise.all([
    startPostgres(),
    startRedis(),
    startKeycloak(),
  ]);
  const env = { TEST_DATABASE_URL, TEST_REDIS_URL, ...keycloak };
  return conclude([built, await runVitest({ config: 'vitest.services.config.ts', only, env })]);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stopAll().finally(() => process.exit(1)));
}
let status = 1;
try {
  status = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
} finally {
  await stopAll();
}
process.exit(status);
