import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DomainError } from '#domain/errors.ts';
import { disableUser } from '#domain/accounts/disable-user.ts';
import { setRole } from '#domain/accounts/set-role.ts';
import { signIn } from '#server/demo/visitor.ts';
import { io } from 'socket.io-client';
import { person, testCtx } from '../support/ctx.ts';
import { DIALECTS } from '../support/dialects.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import type { Folders } from '../support/server.ts';

const CLI = path.resolve(import.meta.dirname, '../../src/server/cli.ts');
const PASSWORD = 'correct horse battery';

let folders: Folders;
beforeEach(() => {
  folders = makeFolders();
});
afterEach(() => folders.remove());

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a verb as a program of its own, with something on stdin that is no terminal. */
async function admin(
  words: string[],
  { stdin = '', env = {} }: { stdin?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...words], {
    env: { PATH: process.env.PATH ?? '', DATA_DIR: folders.dataDir, MUSIC_DIR: folders.musicDir, ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  // A verb that reads nothing may be gone before this is written.
  child.stdin.on('error', () => child.stdin.destroy());
  child.stdin.end(stdin);
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { code, stdout, stderr };
}

const makeUser = (name: string, ...more: string[]) =>
  admin(['user', 'create', name, '--password-stdin', ...more], { stdin: `${PASSWORD}\n` });

describe('the command line', () => {
  test.for([
    [[], 'a verb is missing'],
    [['dance'], '"dance"'],
    [['user'], 'user what?'],
    [['user', 'dance'], '"user dance"'],
    [['user', 'create'], 'NAME is missing'],
    [['user', 'create', 'ana', 'ben'], '"ben"'],
    [['user', 'create', 'ana', '--loud'], '--loud'],
    [['user', 'create', 'ana', '--role', 'boss'], '"boss"'],
    [['user', 'create', 'ana', '--email', 'nowhere'], '"nowhere"'],
    [['user', 'role', 'ana'], 'ROLE is missing'],
    [['user', 'role', 'ana', 'boss'], '"boss"'],
    [['user', 'disable'], 'NAME is missing'],
    [['scan', 'fast'], '"fast"'],
    [['migrate', '--down'], '--down'],
  ] as const)('[OP6] %j makes no sense: usage on stderr, exit 2', async ([words, says]) => {
    const { code, stdout, stderr } = await admin([...words]);
    expect(stderr.split('\n')[0]).toContain(says);
    expect(stderr).toContain('Usage: npm run admin');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('[OP6] help is on stdout, and names every verb', async () => {
    const { code, stdout } = await admin(['help']);
    expect(code).toBe(0);
    for (const verb of ['user create', 'user disable', 'user role', 'scan', 'migrate']) expect(stdout).toContain(verb);
  });

  test('[OP6] what cannot be done is one line, exit 1', async () => {
    expect((await makeUser('Ana')).code).toBe(0);
    const taken = await makeUser('ANA');
    expect(taken).toMatchObject({ code: 1, stdout: '' });
    expect(taken.stderr).toMatch(/^The username “ANA” is taken, or looks like one that is\.\n$/);
    const weak = await admin(['user', 'create', 'ben', '--password-stdin'], { stdin: 'short\n' });
    expect(weak).toMatchObject({ code: 1, stderr: 'The password must have at least 8 characters.\n' });
    const nobody = await admin(['user', 'role', 'nobody', 'admin']);
    expect(nobody).toMatchObject({ code: 1, stderr: 'There is nobody called “nobody”.\n' });
    const setting = await admin(['migrate'], { env: { LOG_LEVEL: 'loud' } });
    expect(setting.code).toBe(1);
    expect(setting.stderr).toMatch(/^LOG_LEVEL .*\n$/);
    const outside = { OIDC_ISSUER: 'https://id.example.org', OIDC_CLIENT_SECRET: 'secret' };
    const elsewhere = await admin(['user', 'create', 'cat'], { env: outside });
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stderr).toContain('OIDC_ISSUER');
  });

  test('[OP7] nobody to ask: a strong password is made up and shown once', async () => {
    const { code, stdout } = await admin([
      'user',
      'create',
      'ana',
      '--role',
      'admin',
      '--display-name',
      'Ana Ås',
      '--email',
      'ana@example.org',
    ]);
    expect(code).toBe(0);
    const password = /^Password, shown this once: (\S{20,})$/m.exec(stdout)?.[1] ?? '';
    const program = await spawnServer(folders);
    expect(program.setupLink).toBeNull();
    const ana = await signIn(program.url, { username: 'ana', password, user_id: '' });
    const me = await fetch(`${program.url}/api/v1/auth/profile`, { headers: ana.headers });
    expect(await me.json()).toMatchObject({
      username: 'ana',
      display_name: 'Ana Ås',
      email: 'ana@example.org',
      roles: ['admin'],
    });
    expect(program.output()).not.toContain(password);
    await program.kill();
  });

  test('[OP8] scan reads the library beside what is known, and says what it found', async () => {
    const missing = await admin(['scan']);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('MUSIC_DIR');
    mkdirSync(folders.musicDir, { recursive: true });
    makeLibrary(folders.musicDir, {
      'a.flac': { title: 'A', seconds: 0.2 },
      'b.wav': { title: 'B', seconds: 0.2, frequency: 300 },
    });
    writeFileSync(path.join(folders.musicDir, 'broken.mp3'), '');
    const first = await admin(['scan']);
    expect(first.stdout).toBe('2 added, 0 updated, 0 moved, 0 unchanged, 0 missing, 1 with problems.\n');
    expect(first.stderr).toContain('broken.mp3');
    expect(first.code).toBe(0);
    const second = await admin(['scan']);
    expect(second.stdout).toBe('0 added, 0 updated, 0 moved, 2 unchanged, 0 missing, 1 with problems.\n');
  });

  test('[OP8] migrate makes the database, and twice is once', async () => {
    const first = await admin(['migrate']);
    expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Applied 0001_accounts, /) });
    expect(await admin(['migrate'])).toMatchObject({ code: 0, stdout: 'The database is up to date.\n' });
  });
});

describe('beside a running server', () => {
  test('[OP5] a new person can sign in at once, a new role counts from the next request, a disabled one is out', async () => {
    const program = await spawnServer(folders);
    expect((await makeUser('boss', '--role', 'admin')).code).toBe(0);
    expect((await makeUser('ana')).code).toBe(0);
    const ana = await signIn(program.url, { username: 'ana', password: PASSWORD, user_id: '' });
    const call = (address: string) => fetch(`${program.url}/api/v1${address}`, { headers: ana.headers });
    expect(await (await call('/auth/profile')).json()).toMatchObject({ roles: ['user'] });
    expect(await admin(['user', 'role', 'ana', 'admin'])).toMatchObject({ code: 0, stdout: 'ana is admin now.\n' });
    expect(await (await call('/auth/profile')).json()).toMatchObject({ roles: ['admin'] });
    // The embedded provider tells roles at sign-in too: it must not bring the old one back.
    const again = await signIn(program.url, { username: 'ana', password: PASSWORD, user_id: '' });
    const me = await fetch(`${program.url}/api/v1/auth/profile`, { headers: again.headers });
    expect(await me.json()).toMatchObject({ roles: ['admin'] });

    const socket = io(program.url, { transports: ['websocket'], extraHeaders: again.headers, reconnection: false });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    const told = new Promise<unknown>((resolve) => socket.once('session:ended', resolve));
    const gone = new Promise<unknown>((resolve) => socket.once('disconnect', resolve));
    expect((await admin(['user', 'disable', 'ana'])).code).toBe(0);
    expect((await call('/auth/profile')).status).toBe(401);
    expect(await told).toEqual({ reason: 'disabled' });
    await gone;
    await expect(signIn(program.url, { username: 'ana', password: PASSWORD, user_id: '' })).rejects.toThrow('403');
    expect(await admin(['user', 'disable', 'ana'])).toMatchObject({ code: 0, stdout: 'ana was disabled already.\n' });
    await program.kill();
  });
});

describe.each(DIALECTS)('roles and locks on $name', (dialect) => {
  test('[OP9] the last administrator stays one', async () => {
    const database = await dialect.open();
    const ctx = testCtx(database);
    await person(ctx, 'boss', { role: 'admin' });
    await person(ctx, 'ana');
    const refused = expect.objectContaining({ code: 'conflict' });
    await expect(setRole(ctx, { username: 'boss', role: 'user' })).rejects.toEqual(refused);
    await expect(disableUser(ctx, { username: 'boss' })).rejects.toEqual(refused);
    await setRole(ctx, { username: 'ana', role: 'admin' });
    // A disabled administrator runs nothing, so it is not one that stays.
    await disableUser(ctx, { username: 'ana' });
    await expect(setRole(ctx, { username: 'boss', role: 'guest' })).rejects.toEqual(refused);
    await expect(setRole(ctx, { username: 'nobody', role: 'user' })).rejects.toBeInstanceOf(DomainError);
    await database.close();
  });

  test('[OP9] of two administrators who demote each other at once, one stays', async () => {
    const database = await dialect.open();
    const ctx = testCtx(database);
    await person(ctx, 'boss', { role: 'admin' });
    await person(ctx, 'chief', { role: 'admin' });
    const both = await Promise.allSettled(
      ['boss', 'chief'].map((username) => setRole(ctx, { username, role: 'user' })),
    );
    expect(both.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
    await database.close();
  });

  test('[OP9] a lock takes sessions and sockets with it', async () => {
    const database = await dialect.open();
    const ctx = testCtx(database);
    await person(ctx, 'boss', { role: 'admin' });
    const ana = await person(ctx, 'ana');
    const row = {
      id: ctx.ids.id(),
      secret_hash: 'x',
      user_id: ana.user_id,
      provider_sid: 'sid',
      realm_role: null,
      device: '',
      created_at: 1,
      last_used_at: 1,
      expires_at: 1e10,
      auth_time: 1,
    };
    await ctx.write((trx) => trx.insertInto('user_sessions').values(row).execute());
    expect(await disableUser(ctx, { username: 'ANA' })).toEqual({
      user_id: ana.user_id,
      username: 'ana',
      was_active: true,
    });
    expect(await ctx.db.selectFrom('user_sessions').selectAll().execute()).toEqual([]);
    expect(ctx.happened).toEqual([
      {
        name: 'access.ended',
        payload: { user_id: ana.user_id, which: { kind: 'everything' }, reason: 'disabled' },
      },
    ]);
    await database.close();
  });
});
