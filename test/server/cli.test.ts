import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSqliteDatabase } from '#db/open.ts';
import { StatsQuery } from '#contract/stats.ts';
import { DomainError } from '#domain/errors.ts';
import { disableUser } from '#domain/accounts/disable-user.ts';
import { setRole } from '#domain/accounts/set-role.ts';
import { startListen } from '#domain/listens/start-listen.ts';
import { myStats } from '#domain/stats/stats.queries.ts';
import { signIn } from '#server/demo/visitor.ts';
import { openSecretBox } from '#server/secrets.ts';
import { io } from 'socket.io-client';
import { person, testCtx } from '../support/ctx.ts';
import { DIALECTS } from '../support/dialects.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { putTracks } from '../support/room.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import type { Actor } from '#domain/context.ts';
import type { Schema } from '#domain/database.ts';
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
    [['rebuild-stats', 'ana', 'ben'], '"ben"'],
    [['user', 'role', 'ana', 'boss'], '"boss"'],
    [['user', 'disable'], 'NAME is missing'],
    [['user', 'enable', 'ana', 'ben'], '"ben"'],
    [['user', 'reset'], 'NAME is missing'],
    [['user', 'remove-second-factor'], 'NAME is missing'],
    [['user', 'constructor', 'ana'], '"user constructor"'],
    [['toString'], '"toString"'],
    [['token'], 'token what?'],
    [['token', 'create', '--name', 'x', '--scope', 'read'], 'NAME is missing'],
    [['token', 'create', 'ana', '--name', 'x'], '--scope is missing'],
    [['token', 'create', 'ana', '--scope', 'read'], '--name is missing'],
    [['token', 'create', 'ana', '--name', ' ', '--scope', 'read'], '--name is one line'],
    [['token', 'create', 'ana', '--name', 'x', '--scope', 'admin'], '"admin"'],
    [['token', 'create', 'ana', '--name', 'x', '--scope', 'read', '--expires-in-days', '0'], '"0"'],
    [['token', 'create', 'ana', '--name', 'x', '--scope', 'read', '--expires-in-days', '1e3'], '"1e3"'],
    [['rotate-keys', 'now'], '"now"'],
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
    for (const verb of [
      'user create',
      'user disable',
      'user enable',
      'user role',
      'user reset',
      'user remove-second-factor',
      'token create',
      'scan',
      'rebuild-stats',
      'rotate-keys',
      'migrate',
    ]) {
      expect(stdout).toContain(verb);
    }
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

  test('[ST9] rebuild-stats sums a person’s days anew, or everybody’s, and says how many', async () => {
    await makeUser('ana');
    const database = openSqliteDatabase<Schema>(path.join(folders.dataDir, 'stepheybot.db'));
    try {
      const ctx = testCtx({ ...database, file: null });
      const { id } = await database.db.selectFrom('users').select('id').executeTakeFirstOrThrow();
      const [track_id] = await putTracks(ctx, 1);
      const actor: Actor = {
        user_id: id,
        username: 'ana',
        role: 'user',
        provider_role: null,
        credential: { kind: 'session', session_id: id, auth_time: 0 },
      };
      await startListen(ctx, actor, { track_id, source: 'api', position_ms: 0 });
      const before = await myStats(ctx, actor, StatsQuery.parse({}));
      expect(before.totals.plays).toBe(1);
      await ctx.write((trx) => trx.deleteFrom('listen_days').execute());
      for (const words of [['rebuild-stats', 'Ana'], ['rebuild-stats']]) {
        expect(await admin(words)).toEqual({ code: 0, stdout: '1 day of 1 person summed anew.\n', stderr: '' });
      }
      expect((await myStats(ctx, actor, StatsQuery.parse({}))).totals).toEqual(before.totals);
      expect((await admin(['rebuild-stats', 'nobody'])).stderr).toContain('There is nobody called “nobody”.');
    } finally {
      await database.close();
    }
  });

  test('[OP8] migrate makes the database, and twice is once', async () => {
    const first = await admin(['migrate']);
    expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Applied 0001_accounts, /) });
    expect(await admin(['migrate'])).toMatchObject({ code: 0, stdout: 'The database is up to date.\n' });
  });
});

describe('beside a running server', () => {
  test('[AD13] a reset link leads to this server’s page, and a token works at once, and each is shown once', async () => {
    const program = await spawnServer(folders);
    const env = { PUBLIC_URL: program.url };
    expect((await makeUser('boss', '--role', 'admin')).code).toBe(0);
    const link = await admin(['user', 'reset', 'BOSS'], { env });
    expect(link).toMatchObject({ code: 0, stderr: '' });
    const [, address = '', token = ''] = /^(http\S+\/reset)\?token=([\w-]{43})$/m.exec(link.stdout) ?? [];
    expect(address).toBe(`${program.url}/reset`);

    const made = await admin(['token', 'create', 'boss', '--name', 'cron', '--scope', 'read,listen:write'], { env });
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sbm_[\w-]{43}\n$/) });
    expect(made.stderr).toContain('“cron” of boss (read, listen:write)');
    const headers = { authorization: `Bearer ${made.stdout.trim()}` };
    const call = (path: string, method = 'GET') => fetch(`${program.url}/api/v1${path}`, { method, headers });
    expect(await (await call('/auth/profile')).json()).toMatchObject({ username: 'boss' });
    expect((await call('/admin/users')).status).toBe(403);
    expect((await call('/user/avatar', 'DELETE')).status).toBe(403);
    expect((await call('/auth/profile')).status).toBe(200);

    const nobody = await admin(['token', 'create', 'nobody', '--name', 'x', '--scope', 'read'], { env });
    expect(nobody).toMatchObject({ code: 1, stdout: '', stderr: 'There is nobody called “nobody”.\n' });
    const nowhere = await admin(['user', 'reset', 'boss'], { env: { PORT: '0' } });
    expect(nowhere).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('PUBLIC_URL') });
    expect(await admin(['user', 'remove-second-factor', 'boss'])).toMatchObject({
      code: 0,
      stdout: 'boss had no second factor.\n',
    });
    for (const secret of [token, made.stdout.trim()]) expect(program.output()).not.toContain(secret);
    expect(await program.stop()).toBe(0);
  });

  test('[AD12] a server whose key is lost starts, what it sealed is locked, and the key put back opens it', async () => {
    expect((await makeUser('ana')).code).toBe(0);
    const file = path.join(folders.dataDir, 'secret-keys');
    const place = { table: 'local_accounts', column: 'totp_secret_encrypted' };
    const database = openSqliteDatabase<Schema>(path.join(folders.dataDir, 'stepheybot.db'));
    const { id } = await database.db.selectFrom('local_accounts').select('id').executeTakeFirstOrThrow();
    const box = () => openSecretBox({ secretKeys: null, dataDir: folders.dataDir });
    const sealed = box().seal('JBSWY3DPEHPK3PXP', { user_id: id, ...place });
    const store = { totp_secret_encrypted: sealed, totp_confirmed_at: 1 };
    await database.write((trx) => trx.updateTable('local_accounts').set(store).execute());
    renameSync(file, `${file}.kept`);

    const program = await spawnServer(folders);
    expect((await fetch(`${program.url}/readyz`)).status).toBe(200);
    const locked = await admin(['rotate-keys']);
    expect(locked).toMatchObject({ code: 1, stderr: expect.stringContaining('Put the missing keys back') });
    expect(locked.stdout).toContain('0 sealed anew, 1 of a key that is not here, 0 that do not open, 0 left.');
    writeFileSync(file, `${readFileSync(file, 'utf8').trim()},${readFileSync(`${file}.kept`, 'utf8')}`);
    const back = await admin(['rotate-keys', '--resume']);
    expect(back.stdout).toContain('1 sealed anew, 0 of a key that is not here, 0 that do not open, 0 left.');
    const row = await database.db.selectFrom('local_accounts').select('totp_secret_encrypted').executeTakeFirst();
    expect(row?.totp_secret_encrypted).not.toBe(sealed);
    expect(box().open(row?.totp_secret_encrypted ?? '', { user_id: id, ...place })).toBe('JBSWY3DPEHPK3PXP');
    expect(await program.stop()).toBe(0);
    await database.close();
  });

  test('[AD13] rotate-keys works beside it; keys of the operator are left to them', async () => {
    const program = await spawnServer(folders);
    const first = await admin(['rotate-keys']);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^A new key, k\w+, seals from now on\.\n0 sealed anew, 0 of a key that is not here, /);
    const again = await admin(['rotate-keys', '--resume']);
    expect(again.stdout).toContain(`The key ${/k\w{8,}/.exec(first.stdout)?.[0]} seals.`);
    const SECRET_KEYS = `mine:${Buffer.alloc(32, 7).toString('base64')}`;
    const theirs = await admin(['rotate-keys'], { env: { SECRET_KEYS } });
    expect(theirs).toMatchObject({ code: 0 });
    expect(theirs.stdout).toContain('The key mine seals: it is the first of SECRET_KEYS.');
    expect(await program.stop()).toBe(0);
  });

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

    expect(await admin(['user', 'enable', 'ana'])).toMatchObject({ code: 0, stdout: 'ana may sign in again.\n' });
    expect(await admin(['user', 'enable', 'ana'])).toMatchObject({ code: 0, stdout: 'ana was not disabled.\n' });
    expect((await call('/auth/profile')).status).toBe(401);
    const back = await signIn(program.url, { username: 'ana', password: PASSWORD, user_id: '' });
    expect((await fetch(`${program.url}/api/v1/auth/profile`, { headers: back.headers })).status).toBe(200);
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
