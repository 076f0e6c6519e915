import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLocalAccount } from '#domain/accounts/create-local-account.ts';
import { disableUser, enableUser } from '#domain/accounts/disable-user.ts';
import { ensureUser } from '#domain/accounts/ensure-user.ts';
import { putOidcRecord } from '#domain/accounts/oidc-records.ts';
import { createPasswordReset } from '#domain/accounts/password-reset.ts';
import { removeSecondFactor } from '#domain/accounts/remove-second-factor.ts';
import { createSession, sweepExpired } from '#domain/accounts/sessions.ts';
import { setRole } from '#domain/accounts/set-role.ts';
import { listAudit } from '#domain/admin/audit.queries.ts';
import { changeUser } from '#domain/admin/change-user.ts';
import { createInvite, listInvites, revokeInvite } from '#domain/admin/invites.ts';
import { listUsers } from '#domain/admin/users.queries.ts';
import { hashSecret } from '#domain/hash-secret.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import type { Role } from '#contract/accounts.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const refused = (code: string) => expect.objectContaining({ code });

/** Puts a local account into the database without the cost of a password, and answers as its person. */
async function localPerson(ctx: TestCtx, username: string, role: Role = 'user'): Promise<Actor> {
  const actor = await person(ctx, username, { role });
  await ctx.write((trx) =>
    trx
      .insertInto('local_accounts')
      .values({
        id: actor.user_id,
        username,
        username_key: username,
        password_hash: '',
        role,
        is_active: 1,
        created_at: 1,
      })
      .execute(),
  );
  return actor;
}

describe.each(DIALECTS)('administration on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let boss: Actor;
  beforeEach(async () => {
    database = await dialect.open();
    ctx = testCtx(database);
    boss = await localPerson(ctx, 'boss', 'admin');
  });
  afterEach(() => database.close());

  const acts = async () => {
    const rows = await ctx.db.selectFrom('audit_events').selectAll().execute();
    return rows.map(({ action, actor_id, target_id, details_json }) => ({
      action,
      actor_id,
      target_id,
      details: JSON.parse(details_json) as unknown,
    }));
  };
  test('[OP24] an act is kept for two years, and gone after', async () => {
    await changeUser(ctx, boss, { id: (await localPerson(ctx, 'ben')).user_id, role: 'guest' });
    const kept = (await acts()).length;
    expect(kept).toBeGreaterThan(0);
    ctx.clock.advance(2 * 365 * 86_400_000);
    await sweepExpired(ctx);
    expect(await acts()).toHaveLength(kept);
    ctx.clock.advance(1_000);
    await sweepExpired(ctx);
    expect(await acts()).toEqual([]);
  });

  const account = (user_id: string) =>
    ctx.db.selectFrom('local_accounts').selectAll().where('id', '=', user_id).executeTakeFirstOrThrow();
  const session = (user_id: string, provider_sid: string | null = null) =>
    createSession(ctx, {
      user_id,
      secret_hash: ctx.ids.id(),
      provider_sid,
      realm_role: null,
      device: '',
      auth_time: 1,
      replaces_secret_hash: null,
    });

  test('[AD3] a role is stored at both places, published and written down; the same again is nothing', async () => {
    const ana = await localPerson(ctx, 'ana');
    const changed = await changeUser(ctx, boss, { id: ana.user_id, role: 'guest' });
    expect(changed).toMatchObject({ id: ana.user_id, role: 'guest', provider_role: null, is_active: true });
    expect((await account(ana.user_id)).role).toBe('guest');
    const happened = [{ name: 'role.changed', payload: { user_id: ana.user_id, role: 'guest' } }];
    expect(ctx.happened).toEqual(happened);
    await changeUser(ctx, boss, { id: ana.user_id, role: 'guest', is_active: true });
    await changeUser(ctx, boss, { id: ana.user_id });
    expect(ctx.happened).toEqual(happened);
    expect(await acts()).toEqual([
      {
        action: 'user.role_changed',
        actor_id: boss.user_id,
        target_id: ana.user_id,
        details: { from: 'user', to: 'guest' },
      },
    ]);
    await expect(changeUser(ctx, boss, { id: ctx.ids.id(), role: 'user' })).rejects.toEqual(refused('not_found'));
  });

  test('[AD3] the embedded provider’s copy is brought back in step even when the role is what it was', async () => {
    const ana = await localPerson(ctx, 'ana');
    await ctx.write((trx) =>
      trx.updateTable('local_accounts').set({ role: 'admin' }).where('id', '=', ana.user_id).execute(),
    );
    await changeUser(ctx, boss, { id: ana.user_id, role: 'user' });
    expect((await account(ana.user_id)).role).toBe('user');
  });

  test('[AD4] who is locked out leaves nothing that wakes up when they are let in again', async () => {
    const [ana, ben] = [await localPerson(ctx, 'ana'), await localPerson(ctx, 'ben')];
    const now = Math.floor(ctx.clock.nowMs() / 1000);
    await session(ana.user_id, 'uid-a');
    await session(ben.user_id, 'uid-b');
    for (const { user_id } of [ana, ben]) {
      const records: [string, string, Record<string, unknown>][] = [
        ['Session', 'a browser without a session of ours', { accountId: user_id, uid: 'other' }],
        ['Grant', 'what it was allowed', { accountId: user_id }],
        ['Interaction', 'a sign-in under way', { result: { login: { accountId: user_id } } }],
      ];
      for (const [model, id, payload] of records) await putOidcRecord(ctx, model, `${id} ${user_id}`, payload, 600);
    }
    await createPasswordReset(ctx, boss, { user_id: ana.user_id });
    ctx.happened.length = 0;

    const changed = await changeUser(ctx, boss, { id: ana.user_id, is_active: false });
    expect(changed).toMatchObject({ is_active: false, session_count: 0, role: 'user' });
    expect(ctx.happened).toEqual([
      { name: 'access.ended', payload: { user_id: ana.user_id, which: { kind: 'everything' }, reason: 'disabled' } },
    ]);
    expect((await account(ana.user_id)).is_active).toBe(0);
    const left = await ctx.db.selectFrom('user_sessions').select('user_id').execute();
    expect(left).toEqual([{ user_id: ben.user_id }]);
    const records = await ctx.db.selectFrom('oidc_records').select('id').execute();
    expect(records.every(({ id }) => id.endsWith(ben.user_id))).toBe(true);
    expect(records).toHaveLength(3);
    expect(await ctx.db.selectFrom('one_time_links').selectAll().execute()).toEqual([]);
    expect(await ctx.db.selectFrom('token_revocations').select(['kind', 'value', 'not_before']).execute()).toEqual([
      { kind: 'user', value: ana.user_id, not_before: now + 1 },
    ]);

    await changeUser(ctx, boss, { id: ana.user_id, is_active: false });
    expect(await changeUser(ctx, boss, { id: ana.user_id, is_active: true })).toMatchObject({
      is_active: true,
      session_count: 0,
    });
    expect((await account(ana.user_id)).is_active).toBe(1);
    expect((await acts()).map(({ action, actor_id }) => [action, actor_id])).toEqual(
      expect.arrayContaining([
        ['user.disabled', boss.user_id],
        ['user.enabled', boss.user_id],
      ]),
    );
    expect((await acts()).filter(({ action }) => action === 'user.disabled')).toHaveLength(1);
  });

  test('[AD4] the operator at the command line does the same, in nobody’s name', async () => {
    await localPerson(ctx, 'ana');
    await disableUser(ctx, { username: 'ANA' });
    await enableUser(ctx, { username: 'ana' });
    await setRole(ctx, { username: 'ana', role: 'admin' });
    const done = (await acts()).map(({ action, actor_id }) => ({ action, actor_id }));
    expect(done).toHaveLength(3);
    for (const action of ['user.disabled', 'user.enabled', 'user.role_changed']) {
      expect(done).toContainEqual({ action, actor_id: null });
    }
    await expect(enableUser(ctx, { username: 'nobody' })).rejects.toEqual(refused('not_found'));
  });

  test('[AD6] the last administrator stays, whatever is asked and by whomever', async () => {
    const ana = await localPerson(ctx, 'ana');
    for (const change of [
      { role: 'user' },
      { role: 'guest' },
      { is_active: false },
      { role: 'admin', is_active: false },
      { role: 'user', is_active: true },
    ] as const) {
      await expect(changeUser(ctx, boss, { id: boss.user_id, ...change })).rejects.toEqual(refused('conflict'));
    }
    expect(ctx.happened).toEqual([]);
    expect(await acts()).toEqual([]);
    // A disabled administrator runs nothing, so it is not one that stays.
    await changeUser(ctx, boss, { id: ana.user_id, role: 'admin', is_active: false });
    await expect(changeUser(ctx, boss, { id: boss.user_id, role: 'user' })).rejects.toEqual(refused('conflict'));
    await changeUser(ctx, boss, { id: ana.user_id, is_active: true });
    // One may step down when another is left.
    expect(await changeUser(ctx, boss, { id: boss.user_id, role: 'user' })).toMatchObject({ role: 'user' });
    await expect(changeUser(ctx, ana, { id: ana.user_id, is_active: false })).rejects.toEqual(refused('conflict'));
  });

  test('[AD6] of administrators who remove each other at once, one stays: every mix of role and lock', async () => {
    const ways = [{ role: 'user' }, { is_active: false }] as const;
    for (const first of ways) {
      for (const second of ways) {
        const [a, b] = [await localPerson(ctx, ctx.ids.id(), 'admin'), await localPerson(ctx, ctx.ids.id(), 'admin')];
        await changeUser(ctx, a, { id: boss.user_id, role: 'user' });
        const both = await Promise.allSettled([
          changeUser(ctx, a, { id: b.user_id, ...first }),
          changeUser(ctx, b, { id: a.user_id, ...second }),
        ]);
        expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        expect(both.find((one) => one.status === 'rejected')?.reason).toEqual(refused('conflict'));
        const left = await listUsers(ctx, { limit: 50, role: 'admin', is_active: true });
        expect(left.items).toHaveLength(1);
        await setRole(ctx, { username: 'boss', role: 'admin' });
        for (const { user_id } of [a, b]) await changeUser(ctx, boss, { id: user_id, role: 'user' });
      }
    }
  });

  test('[AD6] what an outside provider said last counts: its administrators are some, and those it demoted are none', async () => {
    const outside = (username: string, provider_role: Role | null) =>
      ensureUser(ctx, { issuer: 'https://id.example', subject: username, username, is_sign_in: true, provider_role });
    const theirs = await outside('theirs', 'admin');
    await changeUser(ctx, boss, { id: boss.user_id, role: 'user' });
    await expect(changeUser(ctx, boss, { id: theirs.id, is_active: false })).rejects.toEqual(refused('conflict'));
    await setRole(ctx, { username: 'boss', role: 'admin' });
    const demoted = await outside('demoted', 'user');
    await changeUser(ctx, boss, { id: demoted.id, role: 'admin' });
    await changeUser(ctx, boss, { id: theirs.id, is_active: false });
    await expect(changeUser(ctx, boss, { id: boss.user_id, role: 'user' })).rejects.toEqual(refused('conflict'));
    // The reply tells both: the stored role changed, the other wins.
    expect(await changeUser(ctx, boss, { id: demoted.id, role: 'guest' })).toMatchObject({
      role: 'guest',
      provider_role: 'user',
      source: 'provider',
    });
  });

  test('[AD5] a lost second factor is taken off with its recovery codes, once', async () => {
    const ana = await localPerson(ctx, 'ana');
    await ctx.write(async (trx) => {
      await trx
        .updateTable('local_accounts')
        .set({ totp_secret_encrypted: 'sealed', totp_confirmed_at: 5, totp_last_step: 7 })
        .where('id', '=', ana.user_id)
        .execute();
      await trx
        .insertInto('recovery_codes')
        .values(['a', 'b'].map((code_hash) => ({ account_id: ana.user_id, code_hash })))
        .execute();
    });
    const [before] = (await listUsers(ctx, { limit: 1, q: 'ana' })).items;
    expect(before).toMatchObject({ has_second_factor: true });
    expect(await removeSecondFactor(ctx, boss.user_id, ana.user_id)).toBe(true);
    expect(await removeSecondFactor(ctx, boss.user_id, ana.user_id)).toBe(false);
    expect(await account(ana.user_id)).toMatchObject({
      totp_secret_encrypted: null,
      totp_confirmed_at: null,
      totp_last_step: null,
    });
    expect(await ctx.db.selectFrom('recovery_codes').selectAll().execute()).toEqual([]);
    expect((await listUsers(ctx, { limit: 1, q: 'ana' })).items[0]).toMatchObject({ has_second_factor: false });
    expect(await acts()).toEqual([
      { action: 'second_factor.removed', actor_id: boss.user_id, target_id: ana.user_id, details: {} },
    ]);
    const theirs = await ensureUser(ctx, {
      issuer: 'https://id.example',
      subject: 's',
      username: 'x1',
      is_sign_in: true,
    });
    await expect(removeSecondFactor(ctx, boss.user_id, theirs.id)).rejects.toEqual(refused('unprocessable'));
    await expect(removeSecondFactor(ctx, boss.user_id, ctx.ids.id())).rejects.toEqual(refused('not_found'));
  });

  test('[AD7] an invitation is kept as a hash, open until it is used or over', async () => {
    const invite = (note?: string) =>
      createInvite(ctx, boss, { role: 'guest', expires_in: 3600, note }, { hasLocalAccounts: true });
    const now = Math.floor(ctx.clock.nowMs() / 1000);
    const { code, ...shown } = await invite('for the kitchen');
    expect(code).toMatch(/^[\w-]{43}$/);
    expect(shown).toMatchObject({
      role: 'guest',
      note: 'for the kitchen',
      created_by: { id: boss.user_id, username: 'boss' },
      created_at: now,
      expires_at: now + 3600,
      used_at: null,
      used_by: null,
      state: 'open',
    });
    const row = await ctx.db.selectFrom('account_invites').selectAll().executeTakeFirstOrThrow();
    expect(row.code_hash).toBe(hashSecret(code));
    expect(JSON.stringify([row, await acts()])).not.toContain(code);

    const ana = await person(ctx, 'ana');
    ctx.clock.advance(1000);
    const second = await invite('');
    expect(second.note).toBeNull();
    await ctx.write((trx) =>
      trx
        .updateTable('account_invites')
        .set({ used_at: now, used_by: ana.user_id })
        .where('id', '=', second.id)
        .execute(),
    );
    ctx.clock.advance(3_599_000);
    const { items } = await listInvites(ctx, { limit: 50 });
    expect(items.map(({ id, state, used_by }) => [id, state, used_by?.username])).toEqual([
      [second.id, 'used', 'ana'],
      [shown.id, 'expired', undefined],
    ]);
    await expect(
      createInvite(ctx, boss, { role: 'user', expires_in: 3600 }, { hasLocalAccounts: false }),
    ).rejects.toEqual(refused('unprocessable'));
    expect((await listInvites(ctx, { limit: 50 })).items).toHaveLength(2);
  });

  test('[AD8] a revoked invitation is gone, once, and it is written down what it was', async () => {
    const { id } = await createInvite(ctx, boss, { role: 'admin', expires_in: 3600 }, { hasLocalAccounts: true });
    await revokeInvite(ctx, boss, { id });
    await expect(revokeInvite(ctx, boss, { id })).rejects.toEqual(refused('not_found'));
    expect(await ctx.db.selectFrom('account_invites').selectAll().execute()).toEqual([]);
    const done = await acts();
    expect(done.map(({ action }) => action).sort()).toEqual(['invite.created', 'invite.revoked']);
    expect(done.find(({ action }) => action === 'invite.revoked')).toEqual({
      action: 'invite.revoked',
      actor_id: boss.user_id,
      target_id: null,
      details: { invite_id: id, role: 'admin', was_used: false },
    });
  });

  test('[AD9] who came by whatever way is written down as made', async () => {
    const made = await createLocalAccount(ctx, { username: 'carla', password: 'correct horse', role: 'user' });
    const seen = { issuer: 'https://id.example', subject: 's', username: 'dora', is_sign_in: true };
    const theirs = await ensureUser(ctx, seen);
    await ensureUser(ctx, seen);
    expect(await acts()).toHaveLength(2);
    expect(await acts()).toEqual(
      expect.arrayContaining([
        { action: 'user.created', actor_id: null, target_id: made.user_id, details: { role: 'user', source: 'local' } },
        { action: 'user.created', actor_id: null, target_id: theirs.id, details: { role: 'user', source: 'provider' } },
      ]),
    );
  });
});

describe.each(DIALECTS)('lists for administrators on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let boss: Actor;
  const COUNT = 60;
  const name = (i: number) => `p${String(i).padStart(3, '0')}`;
  beforeAll(async () => {
    database = await dialect.open();
    ctx = testCtx(database);
    boss = await person(ctx, 'boss', { role: 'admin' });
    for (let i = 0; i < COUNT; i++) await person(ctx, name(i), { role: i % 10 === 0 ? 'guest' : 'user' });
    await ctx.write(async (trx) => {
      await trx.updateTable('users').set({ display_name: 'Ölaf 100%' }).where('username', '=', name(7)).execute();
      await trx.updateTable('users').set({ is_active: 0 }).where('username', '=', name(8)).execute();
    });
  });
  afterAll(() => database.close());

  async function all<T>(list: (cursor?: string) => Promise<{ items: T[]; next_cursor: string | null }>): Promise<T[]> {
    const found: T[] = [];
    let cursor: string | undefined;
    do {
      const { items, next_cursor } = await list(cursor);
      found.push(...items);
      cursor = next_cursor ?? undefined;
    } while (cursor !== undefined);
    return found;
  }

  test('[AD2] everybody once, by username, however the pages are cut and whoever comes in between', async () => {
    const expected = ['boss', ...Array.from({ length: COUNT }, (_, i) => name(i))];
    for (const limit of [1, 7, 61, 200]) {
      const people = await all((cursor) => listUsers(ctx, { limit, cursor }));
      expect(people.map(({ username }) => username)).toEqual(expected);
    }
    const first = await listUsers(ctx, { limit: 30 });
    const late = await person(ctx, 'aaa');
    const rest = await all((cursor) => listUsers(ctx, { limit: 30, cursor: cursor ?? first.next_cursor ?? '' }));
    expect([...first.items, ...rest].map(({ username }) => username)).toEqual(expected);
    await ctx.write((trx) => trx.deleteFrom('users').where('id', '=', late.user_id).execute());
  });

  test('[AD2] filters by the beginning of a name, by role and by lock', async () => {
    const find = async (query: Partial<Parameters<typeof listUsers>[1]>) =>
      (await listUsers(ctx, { limit: 200, ...query })).items.map(({ username }) => username);
    expect(await find({ q: 'P00' })).toHaveLength(10);
    expect(await find({ q: '00' })).toEqual([]);
    expect(await find({ q: 'öl' })).toEqual([name(7)]);
    for (const q of ['%', '_', '\\', 'p%']) expect([q, await find({ q })]).toEqual([q, []]);
    expect(await find({ role: 'admin' })).toEqual(['boss']);
    expect(await find({ role: 'guest' })).toHaveLength(6);
    expect(await find({ is_active: false })).toEqual([name(8)]);
    expect(await find({ is_active: true, q: 'p00' })).toHaveLength(9);
    expect(await find({ q: '' })).toHaveLength(COUNT + 1);
  });

  test('[AD2] sessions are counted while they live', async () => {
    const { user_id } = await person(ctx, 'zoe');
    const of = async () => (await listUsers(ctx, { limit: 1, q: 'zoe' })).items[0]?.session_count;
    expect(await of()).toBe(0);
    for (let i = 0; i < 2; i++) {
      await createSession(ctx, {
        user_id,
        secret_hash: ctx.ids.id(),
        provider_sid: null,
        realm_role: null,
        device: '',
        auth_time: 1,
        replaces_secret_hash: null,
      });
    }
    expect(await of()).toBe(2);
    const then = ctx.clock.nowMs();
    ctx.clock.advance(31 * 24 * 3600 * 1000);
    expect(await of()).toBe(0);
    ctx.clock.set(then);
  });

  test('[AD9] the audit log is paged without a gap or a double, and filtered by act and by person', async () => {
    const [ana, ben] = [await person(ctx, 'x-ana'), await person(ctx, 'x-ben')];
    for (let i = 0; i < 12; i++) {
      // Several in one second, and then the next.
      if (i % 5 === 0) ctx.clock.advance(1000);
      await changeUser(ctx, boss, { id: i % 2 === 0 ? ana.user_id : ben.user_id, role: i % 4 < 2 ? 'guest' : 'user' });
    }
    const total = await listAudit(ctx, { limit: 200 });
    expect(total.items.length).toBeGreaterThanOrEqual(12);
    expect(total.items.map(({ at }) => at)).toEqual(total.items.map(({ at }) => at).sort((a, b) => b - a));
    for (const limit of [1, 5]) {
      expect(await all((cursor) => listAudit(ctx, { limit, cursor }))).toEqual(total.items);
    }
    const ofAna = await listAudit(ctx, { limit: 200, user_id: ana.user_id });
    expect(ofAna.items).toHaveLength(6);
    expect(ofAna.items[0]).toMatchObject({
      action: 'user.role_changed',
      actor: { username: 'boss' },
      target: { username: 'x-ana' },
    });
    expect((await listAudit(ctx, { limit: 200, user_id: boss.user_id })).items).toHaveLength(12);
    expect((await listAudit(ctx, { limit: 200, action: 'user.disabled' })).items).toEqual([]);
    // Who is gone leaves the act behind.
    await ctx.write((trx) => trx.deleteFrom('users').where('id', '=', ben.user_id).execute());
    const after = await listAudit(ctx, { limit: 200 });
    expect(after.items.map(({ id }) => id)).toEqual(total.items.map(({ id }) => id));
    expect(after.items.filter(({ target }) => target === null)).toHaveLength(6);
    for (const cursor of ['x', 'W10', Buffer.from('["a","b"]').toString('base64url')]) {
      await expect(listAudit(ctx, { limit: 5, cursor })).rejects.toEqual(refused('malformed'));
      await expect(listUsers(ctx, { limit: 5, cursor })).rejects.toEqual(refused('malformed'));
    }
  });
});
