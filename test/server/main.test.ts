import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import Database from 'better-sqlite3';
import { gatewayClient, openPlaylist, restClient } from '../support/clients.ts';
import { startIssuer } from '../support/issuer.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import type { ScanState } from '#contract/library.ts';
import type { Playlist } from '#contract/playlists.ts';
import type { AddressInfo } from 'node:net';
import type { Folders } from '../support/server.ts';

const MAIN = path.resolve(import.meta.dirname, '../../src/server/main.ts');

let folders: Folders;
beforeEach(() => {
  folders = makeFolders();
});
afterEach(() => folders.remove());

/** Runs the program until it ends. */
async function runMain(env: Record<string, string>): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH ?? '', PORT: '0', DATA_DIR: folders.dataDir, MUSIC_DIR: folders.musicDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { code, stdout, stderr };
}

/** One line on stderr that names the setting, nothing that only a programmer could read, exit 1. */
async function expectOneLine(env: Record<string, string>, ...says: (string | RegExp)[]): Promise<string> {
  const { code, stdout, stderr } = await runMain(env);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  for (const words of says) expect(stderr).toMatch(words);
  expect(stdout).not.toContain('listening on');
  expect(code).toBe(1);
  return stderr;
}

describe('settings', () => {
  test.for([
    ['PORT', 'abc'],
    ['PORT', '70000'],
    ['PORT', '-1'],
    ['LOG_LEVEL', 'loud'],
    ['PUBLIC_URL', 'nope'],
    ['PUBLIC_URL', 'ftp://music.example.org'],
    ['PUBLIC_URL', 'https://music.example.org/music'],
    ['DATABASE_URL', 'mysql://127.0.0.1/music'],
    ['DATABASE_URL', 'postgres://127.0.0.1:1/music'],
    ['REDIS_URL', 'http://127.0.0.1'],
    ['REDIS_URL', 'redis://'],
    ['OIDC_INSECURE', 'maybe'],
    ['OIDC_ISSUER', 'nope'],
    ['TRUST_PROXY', 'banana'],
    ['HOST', '192.0.2.1'],
    ['HOST', 'no-such-host.invalid'],
  ] as const)('[OP1] %s=%s is one line that names it, and exit 1', async ([name, value]) => {
    await expectOneLine({ [name]: value }, name);
  });

  test('[OP1] an issuer on plain http is refused unless the network is said to be ours', async () => {
    const issuer = { OIDC_ISSUER: 'http://id.example.org', OIDC_CLIENT_SECRET: 'secret' };
    await expectOneLine(issuer, 'OIDC_ISSUER', 'OIDC_INSECURE=1');
    await expectOneLine({ OIDC_ISSUER: 'https://id.example.org' }, 'OIDC_CLIENT_SECRET');
  });

  test('[OP1] a password in a setting is not repeated', async () => {
    const line = await expectOneLine({ DATABASE_URL: 'mysql://music:hunter22@127.0.0.1/music' }, 'DATABASE_URL');
    expect(line).not.toContain('hunter22');
  });

  test('[OP1] a busy port is named', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await expectOneLine({ PORT: String(port) }, 'PORT', String(port), 'in use');
    await new Promise((resolve) => other.close(resolve));
  });

  test('[OP1] a DATA_DIR that cannot be a folder is named', async () => {
    const file = path.join(folders.dataDir, '..', 'file');
    writeFileSync(file, '');
    await expectOneLine({ DATA_DIR: file }, 'DATA_DIR');
    await expectOneLine({ DATA_DIR: path.join(file, 'data') }, 'DATA_DIR');
  });

  test('[OP1] a file that is no database is named', async () => {
    mkdirSync(folders.dataDir, { recursive: true });
    writeFileSync(path.join(folders.dataDir, 'stepheybot.db'), 'x'.repeat(8192));
    await expectOneLine({}, 'DATA_DIR', 'database');
  });

  test('[OP2] a database of a newer version is left as it is', async () => {
    const program = await spawnServer(folders);
    expect(await program.stop()).toBe(0);
    const file = path.join(folders.dataDir, 'stepheybot.db');
    const db = new Database(file);
    db.prepare('insert into kysely_migration (name, timestamp) values (?, ?)').run('9999_from_the_future', '');
    const tables = () => db.prepare('select name, sql from sqlite_schema order by name').all();
    const before = tables();
    await expectOneLine({}, 'newer version', '9999_from_the_future');
    expect(tables()).toEqual(before);
    db.close();
  });
});

describe('start and stop', () => {
  test('[OP3] without a MUSIC_DIR it starts anyway, and the library says how to set it', async () => {
    const issuer = await startIssuer();
    const program = await spawnServer(folders, { issuer });
    const admin = restClient(
      program.url,
      await issuer.issueAccessToken({ sub: 'boss', username: 'boss', roles: ['admin'] }),
    );
    await expect.poll(async () => (await admin.get<ScanState>('/library/scan')).state).not.toBe('running');
    const { hint } = await admin.get<ScanState>('/library/scan');
    expect(hint).toContain('MUSIC_DIR');
    expect(hint).toContain(folders.musicDir);
    expect(await program.stop()).toBe(0);
    await issuer.close();
  });

  test('[OP4] SIGTERM tells every socket, keeps what was acknowledged, and ends with 0 within ten seconds', async () => {
    const issuer = await startIssuer();
    const program = await spawnServer(folders, { issuer });
    const token = await issuer.issueAccessToken({ sub: 'ana', username: 'ana', roles: ['user'] });
    const ana = restClient(program.url, token);
    const playlist = await ana.post<Playlist>('/playlists', { name: 'Kept' });
    const gateway = await gatewayClient(program.url, token);
    const open = openPlaylist(program.url, playlist.id, { token });
    await open.until((doc) => doc.getMap('meta').get('name') === 'Kept', 'the first sync');
    // 1012 is not final to the stock client: it comes back by itself, so its `closed` never fires.
    const closed = new Promise<number | undefined>((resolve) =>
      open.provider.on('connection-close', (event) => resolve(event?.code)),
    );
    const disconnected = new Promise<string>((resolve) => gateway.socket.once('disconnect', resolve));

    const startedMs = performance.now();
    const exit = program.stop();
    expect(await gateway.next('session:ended')).toEqual({ reason: 'restart' });
    expect(await closed).toBe(1012);
    await disconnected;
    expect(await exit).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    open.close();
    gateway.close();

    const again = await spawnServer(folders, { issuer });
    expect((await restClient(again.url, token).get<Playlist>(`/playlists/${playlist.id}`)).name).toBe('Kept');
    expect(await again.stop()).toBe(0);
    await issuer.close();
  });

  test('[OP4] SIGTERM as soon as it listens drains too', async () => {
    const program = await spawnServer(folders);
    expect(await program.stop()).toBe(0);
  });

  test('[OP4] a request whose body never comes does not hold up SIGTERM', async () => {
    const program = await spawnServer(folders);
    const { port, hostname, host } = new URL(program.url);
    const idle = connect(Number(port), hostname);
    idle.on('error', () => idle.destroy());
    const ended = new Promise((resolve) => idle.once('close', resolve));
    await new Promise((resolve) => idle.once('connect', resolve));
    idle.write(
      `POST /setup HTTP/1.1\r\nhost: ${host}\r\norigin: ${program.url}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\n`,
    );
    expect(await program.stop()).toBe(0);
    await ended;
  });
});
