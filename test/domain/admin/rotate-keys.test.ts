import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { countOlderSecrets, rotateKeys } from '#domain/admin/rotate-keys.ts';
import { SEALED_COLUMNS, sealedPlace } from '#domain/admin/sealed-columns.ts';
import { openSecretBox } from '#server/secrets.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { makeFolders } from '../../support/server.ts';
import type { Ctx } from '#domain/context.ts';
import type { SecretBox } from '#domain/ports.ts';
import type { TestDatabase } from '../../support/dialects.ts';
import type { Folders } from '../../support/server.ts';

const REFRESH = { table: 'user_sessions', column: 'refresh_token_encrypted' };
const instantly = { isResumed: false, settle: async () => {} };

describe.each(DIALECTS)('a change of keys on $name', (dialect) => {
  let database: TestDatabase;
  let folders: Folders;
  let ctx: Ctx;
  beforeEach(async () => {
    database = await dialect.open();
    folders = makeFolders();
    ctx = { ...testCtx(database), secrets: openSecretBox({ secretKeys: null, dataDir: folders.dataDir }) };
  });
  afterEach(async () => {
    await database.close();
    folders.remove();
  });

  async function session(user_id: string, text: string, secrets: SecretBox = ctx.secrets): Promise<string> {
    const id = ctx.ids.id();
    const row = {
      id,
      secret_hash: id,
      user_id,
      device: '',
      created_at: 1,
      last_used_at: 1,
      expires_at: 1e10,
      auth_time: 1,
      refresh_token_encrypted: secrets.seal(text, { user_id, ...REFRESH }),
    };
    await ctx.write((trx) => trx.insertInto('user_sessions').values(row).execute());
    return id;
  }
  async function sealedOf(id: string): Promise<string> {
    const row = await ctx.db
      .selectFrom('user_sessions')
      .select('refresh_token_encrypted')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return row.refresh_token_encrypted ?? '';
  }
  const store = (id: string, refresh_token_encrypted: string) =>
    ctx.write((trx) =>
      trx.updateTable('user_sessions').set({ refresh_token_encrypted }).where('id', '=', id).execute(),
    );

  test('[AD12] every column that holds something sealed is known to it', async () => {
    const tables = await ctx.db.introspection.getTables();
    const found = tables.flatMap(({ name, columns }) =>
      columns.filter((column) => column.name.endsWith('_encrypted')).map((column) => `${name}.${column.name}`),
    );
    expect(SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`).sort()).toEqual(found.sort());
    for (const { table, owner, kind = owner } of SEALED_COLUMNS) {
      const columns = tables.find(({ name }) => name === table)?.columns.map(({ name }) => name);
      expect(columns).toEqual(expect.arrayContaining(['id', owner, kind]));
    }
  });

  test('[AD12] one row of each column is sealed anew and opens at its place; again changes nothing', async () => {
    const ana = await person(ctx, 'ana');
    await ctx.write(async (trx) => {
      const seal = (table: string, column: string, row: { owner: string; kind?: string }) => {
        const one = SEALED_COLUMNS.find((sealed) => sealed.table === table && sealed.column === column);
        if (one === undefined) throw new Error(`${table}.${column} is not listed`);
        return ctx.secrets.seal(`${table}.${column}`, sealedPlace(one, row));
      };
      const owner = ana.user_id;
      await trx
        .insertInto('local_accounts')
        .values({
          id: owner,
          username: 'ana',
          username_key: 'ana',
          password_hash: '',
          role: 'user',
          created_at: 1,
          is_active: 1,
          totp_secret_encrypted: seal('local_accounts', 'totp_secret_encrypted', { owner }),
        })
        .execute();
      await trx
        .insertInto('user_sessions')
        .values({
          id: 's',
          secret_hash: 's',
          user_id: owner,
          device: '',
          created_at: 1,
          last_used_at: 1,
          expires_at: 1e10,
          auth_time: 1,
          refresh_token_encrypted: seal('user_sessions', 'refresh_token_encrypted', { owner }),
          id_token_encrypted: seal('user_sessions', 'id_token_encrypted', { owner }),
        })
        .execute();
      await trx
        .insertInto('user_integrations')
        .values({
          id: 'i',
          user_id: owner,
          service_name: 'listenbrainz',
          enabled: 1,
          sync_settings_json: '{}',
          created_at: 1,
          api_token_encrypted: seal('user_integrations', 'api_token_encrypted', { owner, kind: 'listenbrainz' }),
          refresh_token_encrypted: seal('user_integrations', 'refresh_token_encrypted', {
            owner,
            kind: 'listenbrainz',
          }),
        })
        .execute();
    });
    const before = ctx.secrets.keyId;
    const report = await rotateKeys(ctx, instantly);
    expect(report).toEqual({
      key_id: ctx.secrets.keyId,
      has_new_key: true,
      resealed: SEALED_COLUMNS.length,
      locked: 0,
      broken: 0,
      left: 0,
    });
    expect(ctx.secrets.keyId).not.toBe(before);
    expect(await countOlderSecrets(ctx, ctx.secrets.keyId)).toBe(0);
    for (const one of SEALED_COLUMNS) {
      const [row] = (await ctx.db
        .selectFrom(one.table as 'user_sessions')
        .selectAll()
        .execute()) as never[];
      const cells = row as unknown as Record<string, string>;
      const place = sealedPlace(one, { owner: cells[one.owner]!, kind: cells[one.kind ?? ''] });
      expect(ctx.secrets.open(cells[one.column]!, place)).toBe(`${one.table}.${one.column}`);
    }
    expect(await rotateKeys(ctx, { ...instantly, isResumed: true })).toMatchObject({ resealed: 0, has_new_key: false });
    const acts = await ctx.db.selectFrom('audit_events').selectAll().orderBy('at').execute();
    expect(acts.map(({ action, actor_id }) => ({ action, actor_id }))).toEqual([
      { action: 'keys.rotated', actor_id: null },
      { action: 'keys.rotated', actor_id: null },
    ]);
  });

  test('[AD10] two rows that were swapped do not open, are reported, and stay', async () => {
    const [ana, ben] = [await person(ctx, 'ana'), await person(ctx, 'ben')];
    const [a, b] = [await session(ana.user_id, 'of ana'), await session(ben.user_id, 'of ben')];
    const [sealedA, sealedB] = [await sealedOf(a), await sealedOf(b)];
    await store(a, sealedB);
    await store(b, sealedA);
    expect(() => ctx.secrets.open(sealedB, { user_id: ana.user_id, ...REFRESH })).toThrow('belongs elsewhere');
    const c = await session(ana.user_id, 'whole');
    expect(await rotateKeys(ctx, instantly)).toMatchObject({ resealed: 1, broken: 2, locked: 0, left: 0 });
    expect([await sealedOf(a), await sealedOf(b)]).toEqual([sealedB, sealedA]);
    expect(ctx.secrets.open(await sealedOf(c), { user_id: ana.user_id, ...REFRESH })).toBe('whole');
  });

  test('[AD12] rows whose key is not here are reported and stay; with SECRET_KEYS the first key takes over', async () => {
    const ana = await person(ctx, 'ana');
    const [old, next] = ['old', 'next'].map((id) => `${id}:${randomBytes(32).toString('base64')}`);
    const outside = (secretKeys: string) => openSecretBox({ secretKeys, dataDir: folders.dataDir });
    const a = await session(ana.user_id, 'a', outside(old!));
    const sealed = await sealedOf(a);
    const without = { ...ctx, secrets: outside(next!) };
    expect(await rotateKeys(without, instantly)).toEqual({
      key_id: 'next',
      has_new_key: false,
      resealed: 0,
      locked: 1,
      broken: 0,
      left: 0,
    });
    expect(await sealedOf(a)).toBe(sealed);
    const both = { ...ctx, secrets: outside(`${next},${old}`) };
    expect(await rotateKeys(both, instantly)).toMatchObject({ key_id: 'next', resealed: 1, locked: 0 });
    expect(without.secrets.open(await sealedOf(a), { user_id: ana.user_id, ...REFRESH })).toBe('a');
  });

  test('[AD12] broken off at any place it can be resumed', async () => {
    const ana = await person(ctx, 'ana');
    const ids: string[] = [];
    for (let i = 0; i < 120; i++) ids.push(await session(ana.user_id, `text ${i}`));
    let writes = 0;
    const crashing: Ctx = {
      ...ctx,
      write: (fn) => (++writes === 2 ? Promise.reject(new Error('power cut')) : ctx.write(fn)),
    };
    await expect(rotateKeys(crashing, instantly)).rejects.toThrow('power cut');
    expect(await countOlderSecrets(ctx, ctx.secrets.keyId)).toBe(70);
    expect(await rotateKeys(ctx, { ...instantly, isResumed: true })).toMatchObject({ resealed: 70, left: 0 });
    for (const [i, id] of ids.entries()) {
      expect(ctx.secrets.open(await sealedOf(id), { user_id: ana.user_id, ...REFRESH })).toBe(`text ${i}`);
    }
  });

  test('[AD12] with traffic: nothing fails to open, nothing newer is lost, nothing of the old key is left', async () => {
    const ana = await person(ctx, 'ana');
    const place = { user_id: ana.user_id, ...REFRESH };
    const ids: string[] = [];
    for (let i = 0; i < 60; i++) ids.push(await session(ana.user_id, '0'));
    const oldKey = ctx.secrets.keyId;
    // The server beside it: another box on the same file, that reads a secret and writes the next, as a refresh does.
    const beside = openSecretBox({ secretKeys: null, dataDir: folders.dataDir });
    const written = new Map(ids.map((id) => [id, 0]));
    let isOver = false;
    let rounds = 0;
    let failures = 0;
    const hands = [0, 1, 2].map(async (hand) => {
      while (!isOver) {
        for (let i = hand; i < ids.length && !isOver; i += 3) {
          const id = ids[i]!;
          try {
            const n = Number(beside.open(await sealedOf(id), place));
            if (n !== written.get(id)) failures++;
            const sealed = beside.seal(String(n + 1), place);
            await store(id, sealed);
            written.set(id, n + 1);
          } catch {
            failures++;
          }
          rounds++;
          // A database in this process answers without ever letting others have a turn.
          await new Promise(setImmediate);
        }
      }
    });
    const until = async (count: number) => {
      while (rounds < count) await new Promise(setImmediate);
    };
    await until(100);
    const report = await rotateKeys(ctx, { isResumed: false, settle: () => until(rounds + 200) });
    await until(rounds + 100);
    isOver = true;
    await Promise.all(hands);
    console.log(`${dialect.name}: ${rounds} reads and writes during the change, ${report.resealed} rows sealed by it`);
    expect({ failures, left: report.left, older: await countOlderSecrets(ctx, ctx.secrets.keyId) }).toEqual({
      failures: 0,
      left: 0,
      older: 0,
    });
    expect(ctx.secrets.keyId).not.toBe(oldKey);
    for (const id of ids) expect(beside.open(await sealedOf(id), place)).toBe(String(written.get(id)));
  });
});
