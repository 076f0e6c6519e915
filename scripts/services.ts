/**
 * `npm run test:services`: starts a PostgreSQL, a Redis and a Keycloak of its own on free ports, in throw-away folders, runs
 * the integration suite against them, and stops what it started. What the machine lacks is installed where it can be.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { ROOT, conclude, runScript, runVitest } from './run-vitest.ts';
import {
  freePort,
  install,
  isListening,
  isRoot,
  makeFolder,
  need,
  onPath,
  ready,
  run,
  start,
  stopAll,
} from './services/programs.ts';
import type { Owner } from './services/programs.ts';

const KEYCLOAK_VERSION = '26.4.5';
/** Java versions that Keycloak 26 runs on. */
const JAVA_VERSIONS = [21, 17, 25];

const secret = () => randomBytes(24).toString('base64url');

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
