import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { activePeople, findUserByUsername, liveSessions, usersByIds } from '#domain/accounts/accounts.queries.ts';
import { checkPassword } from '#domain/accounts/check-password.ts';
import { createLocalAccount } from '#domain/accounts/create-local-account.ts';
import { ensureUser } from '#domain/accounts/ensure-user.ts';
import { createFirstAccount, isFirstAccountOffered, offerFirstAccount } from '#domain/accounts/first-account.ts';
import { beginLoginAttempt, takeLoginAttempt } from '#domain/accounts/login-attempts.ts';
import { consumeOidcRecord, getOidcRecord, putOidcRecord, removeOidcRecords } from '#domain/accounts/oidc-records.ts';
import { readPreferences, updatePreferences } from '#domain/accounts/preferences.ts';
import { SESSION_LIFE, createSession, endSession, sweepExpired, useSession } from '#domain/accounts/sessions.ts';
import { readMe, readProfile, updateProfile } from '#domain/accounts/update-profile.ts';
import { DEFAULT_PREFERENCES } from '#contract/accounts.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { person, testCtx } from '../../support/ctx.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const ISSUER = 'https://login.example.org/realms/one';
const PASSWORD = 'correct horse battery';

describe.each(DIALECTS)('accounts on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  beforeAll(async () => {
    database = await dialect.open();
    ctx = testCtx(database);
  });
  afterAll(() => database.close());

  const seen = (subject: string, more: object = {}) => ({ issuer: ISSUER, subject, is_sign_in: true, ...more });
  const session = (user_id: string, secret_hash: string, more: object = {}) => ({
    user_id,
    secret_hash,
    provider_sid: null,
    realm_role: null,
    device: 'test',
    auth_time: 1,
    replaces_secret_hash: null,
    ...more,
  });

  describe('ensureUser', () => {
    test('[ID10] first sight of a subject makes the person, seen by friends, listening to oneself', async () => {
      const user = await ensureUser(ctx, seen('s1', { username: 'mia', email: 'mia@example.org', name: 'Mia M' }));
      expect(user).toMatchObject({ username: 'mia', email: 'mia@example.org', display_name: 'Mia M', role: 'user' });
      const profile = await database.db
        .selectFrom('user_profiles')
        .selectAll()
        .where('user_id', '=', user.id)
        .executeTakeFirst();
      expect(profile).toMatchObject({ privacy_level: 1, share_listening_history: 0, share_playlists: 1 });
      expect((await ensureUser(ctx, seen('s1', { username: 'mia' }))).id).toBe(user.id);
    });

    test('[ID11] an equal username and e-mail never hand over an account, whatever their case', async () => {
      const admin = await person(ctx, 'boss', { role: 'admin' });
      const clash = await ensureUser(ctx, seen('s2', { username: 'BOSS', email: 'boss@example.org' }));
      const third = await ensureUser(ctx, seen('s3', { username: 'Boss' }));
      expect(clash).toMatchObject({ username: 'BOSS-2', role: 'user' });
      expect(third.username).toBe('Boss-3');
      expect(new Set([admin.user_id, clash.id, third.id]).size).toBe(3);
      const row = await database.db
        .selectFrom('users')
        .selectAll()
        .where('id', '=', admin.user_id)
        .executeTakeFirstOrThrow();
      expect(row).toMatchObject({ username: 'boss', role: 'admin', issuer: 'local' });
    });

    test('[ID11] the same subject of another issuer is another person', async () => {
      const here = await ensureUser(ctx, seen('same'));
      const there = await ensureUser(ctx, { ...seen('same'), issuer: 'https://other.example.org' });
      expect(there.id).not.toBe(here.id);
    });

    test('[ID12] a subject that changes its name and e-mail keeps its account and username', async () => {
      const before = await ensureUser(ctx, seen('s4', { username: 'noa', email: 'old@example.org', name: 'Noa' }));
      const after = await ensureUser(ctx, seen('s4', { username: 'noelle', email: 'new@example.org', name: 'Noelle' }));
      expect(after).toMatchObject({ id: before.id, username: 'noa', email: 'new@example.org', display_name: 'Noa' });
      // A token in passing changes nothing.
      const token = await ensureUser(ctx, { ...seen('s4', { email: 'token@example.org' }), is_sign_in: false });
      expect(token.email).toBe('new@example.org');
    });

    test('[ID10] many first sights of one subject at once make one person', async () => {
      const users = await Promise.all(
        Array.from({ length: 8 }, () => ensureUser(ctx, seen('s5', { username: 'kim' }))),
      );
      expect(new Set(users.map((user) => user.id)).size).toBe(1);
    });

    test('[ID13] a disabled person is refused', async () => {
      const user = await ensureUser(ctx, seen('s6'));
      await database.write((trx) => trx.updateTable('users').set({ is_active: 0 }).where('id', '=', user.id).execute());
      await expect(ensureUser(ctx, seen('s6'))).rejects.toMatchObject({ code: 'account_disabled' });
      expect((await activePeople(ctx.db, new Set([user.id]))).size).toBe(0);
    });

    test('[ID14] last_active moves at most every five minutes', async () => {
      const user = await ensureUser(ctx, seen('s7'));
      ctx.clock.advance(299_000);
      expect((await ensureUser(ctx, seen('s7'))).last_active).toBe(user.last_active);
      ctx.clock.advance(1000);
      expect((await ensureUser(ctx, seen('s7'))).last_active).toBe(user.last_active + 300);
    });
  });

  describe('local accounts', () => {
    test('[ID15] an account is made with its person, and its password opens it in any case of the name', async () => {
      const made = await createLocalAccount(ctx, {
        username: 'Lou',
        password: PASSWORD,
        display_name: ' Lou L ',
        role: 'user',
      });
      expect(await findUserByUsername(ctx.db, 'LOU')).toEqual({
        id: made.user_id,
        username: 'Lou',
        display_name: 'Lou L',
        avatar_url: null,
      });
      const right = await checkPassword(ctx, { username: 'lOU', password: PASSWORD });
      expect(right.outcome).toBe('right');
      expect(await checkPassword(ctx, { username: 'Lou', password: `${PASSWORD}!` })).toEqual({ outcome: 'wrong' });
      expect(await checkPassword(ctx, { username: 'nobody-here', password: PASSWORD })).toEqual({ outcome: 'wrong' });
      const subject = right.outcome === 'right' ? right.account_id : '';
      const user = await ensureUser(ctx, { issuer: 'local', subject, is_sign_in: true, local_role: 'admin' });
      expect(user).toMatchObject({ id: made.user_id, role: 'admin' });
    });

    test('[ID15] the stored hash is an argon2id PHC string of its own salt', async () => {
      await createLocalAccount(ctx, { username: 'twin-a', password: PASSWORD, role: 'user' });
      await createLocalAccount(ctx, { username: 'twin-b', password: PASSWORD, role: 'user' });
      const rows = await database.db
        .selectFrom('local_accounts')
        .select('password_hash')
        .where('username', 'like', 'twin-%')
        .execute();
      expect(rows).toHaveLength(2);
      for (const row of rows)
        expect(row.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
      expect(rows[0]?.password_hash).not.toBe(rows[1]?.password_hash);
    });

    test.each([
      [{ username: 'a' }, 'invalid', 'username'],
      [{ username: 'support' }, 'invalid', 'username'],
      [{ username: 'pаyal' }, 'invalid', 'username'],
      [{ password: 'short' }, 'invalid', 'password'],
      [{ display_name: 'two\nlines' }, 'invalid', 'display_name'],
      [{ username: 'LOU' }, 'username_taken', 'username'],
    ])('[ID15] %j is refused as %s', async (wrong, code, path) => {
      const input = { username: 'fine', password: PASSWORD, role: 'user' as const, ...wrong };
      await expect(createLocalAccount(ctx, input)).rejects.toMatchObject({ code, errors: [{ path }] });
    });
  });

  describe('the first account', () => {
    test('[ID16] the link makes one administrator, once; a bad form does not use it up', async () => {
      expect(await offerFirstAccount(ctx, 'old-hash')).toBe(true);
      expect(await offerFirstAccount(ctx, 'link-hash')).toBe(true);
      expect(await isFirstAccountOffered(ctx, 'old-hash')).toBe(false);
      const input = { username: 'admin', password: PASSWORD };
      await expect(createFirstAccount(ctx, 'link-hash', { ...input, password: 'x' })).rejects.toMatchObject({
        code: 'invalid',
      });
      await expect(createFirstAccount(ctx, 'guessed', input)).rejects.toMatchObject({ code: 'not_found' });
      const outcomes = await Promise.allSettled([
        createFirstAccount(ctx, 'link-hash', input),
        createFirstAccount(ctx, 'link-hash', { ...input, username: 'second' }),
      ]);
      expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
      await expect(createFirstAccount(ctx, 'link-hash', input)).rejects.toMatchObject({ code: 'not_found' });
      expect(await offerFirstAccount(ctx, 'again')).toBe(false);
    });
  });

  describe('sessions', () => {
    test('[ID17] a session lives thirty days after its last use, and ends with an event', async () => {
      const ana = await person(ctx, 'session-ana');
      const { session_id } = await createSession(ctx, session(ana.user_id, 'h1'));
      expect(await useSession(ctx, 'h1')).toMatchObject({
        user_id: ana.user_id,
        role: 'user',
        is_active: true,
        credential: { session_id },
      });
      ctx.clock.advance((SESSION_LIFE - 10) * 1000);
      expect(await useSession(ctx, 'h1')).not.toBeNull();
      ctx.clock.advance((SESSION_LIFE - 10) * 1000);
      expect(await useSession(ctx, 'h1')).not.toBeNull();
      ctx.clock.advance((SESSION_LIFE + 1) * 1000);
      expect(await useSession(ctx, 'h1')).toBeNull();
      await sweepExpired(ctx);
      expect(ctx.happened.at(-1)).toEqual({
        name: 'access.ended',
        payload: { user_id: ana.user_id, which: { kind: 'session', session_id }, reason: 'expired' },
      });
    });

    test('[ID17] a new sign-in ends the session that browser had; ending tells once', async () => {
      const ben = await person(ctx, 'session-ben');
      const first = await createSession(ctx, session(ben.user_id, 'h2'));
      const second = await createSession(ctx, session(ben.user_id, 'h3', { replaces_secret_hash: 'h2' }));
      expect(await useSession(ctx, 'h2')).toBeNull();
      expect(ctx.happened.at(-1)).toMatchObject({
        name: 'access.ended',
        payload: { which: { kind: 'session', session_id: first.session_id }, reason: 'signed_out' },
      });
      const before = ctx.happened.length;
      await endSession(ctx, second.session_id);
      await endSession(ctx, second.session_id);
      expect(ctx.happened.length).toBe(before + 1);
      expect((await liveSessions(ctx.db, new Set([second.session_id]), 0)).size).toBe(0);
    });

    test('[ID23] the realm role of a sign-in wins over the stored one', async () => {
      const cai = await person(ctx, 'session-cai', { role: 'user' });
      await createSession(ctx, session(cai.user_id, 'h4', { realm_role: 'admin' }));
      await createSession(ctx, session(cai.user_id, 'h5'));
      expect((await useSession(ctx, 'h4'))?.role).toBe('admin');
      expect((await useSession(ctx, 'h5'))?.role).toBe('user');
    });
  });

  test('[ID18] a sign-in under way can be taken once, by its own browser, in time', async () => {
    const attempt = (state_hash: string) =>
      beginLoginAttempt(ctx, { state_hash, browser_hash: 'b', nonce: 'n', code_verifier: 'v', return_to: '/' });
    await attempt('a1');
    expect(await takeLoginAttempt(ctx, { state_hash: 'a1', browser_hash: 'other' })).toBeNull();
    const taken = await Promise.all(
      [1, 2, 3].map(() => takeLoginAttempt(ctx, { state_hash: 'a1', browser_hash: 'b' })),
    );
    expect(taken.filter((one) => one !== null)).toHaveLength(1);
    await attempt('a2');
    ctx.clock.advance(600_000);
    expect(await takeLoginAttempt(ctx, { state_hash: 'a2', browser_hash: 'b' })).toBeNull();
    ctx.clock.advance(61_000);
    await sweepExpired(ctx);
    expect(await database.db.selectFrom('login_attempts').selectAll().execute()).toEqual([]);
  });

  test('[ID19] records of the embedded provider are replaced, consumed once, withdrawn by grant, and run out', async () => {
    await putOidcRecord(ctx, 'AuthorizationCode', 'c1', { grantId: 'g', uid: 'u', n: 1 }, 60);
    await putOidcRecord(ctx, 'AuthorizationCode', 'c1', { grantId: 'g', uid: 'u', n: 2 }, 60);
    expect(await getOidcRecord(ctx, 'AuthorizationCode', 'uid', 'u')).toEqual({ grantId: 'g', uid: 'u', n: 2 });
    expect(await getOidcRecord(ctx, 'Session', 'id', 'c1')).toBeUndefined();
    const consumed = await Promise.all([1, 2, 3].map(() => consumeOidcRecord(ctx, 'AuthorizationCode', 'c1')));
    expect(consumed.filter(Boolean)).toHaveLength(1);
    expect(await getOidcRecord(ctx, 'AuthorizationCode', 'id', 'c1')).toHaveProperty('consumed');
    await removeOidcRecords(ctx, 'AuthorizationCode', { grant_id: 'g' });
    expect(await getOidcRecord(ctx, 'AuthorizationCode', 'id', 'c1')).toBeUndefined();
    await putOidcRecord(ctx, 'Interaction', 'i1', {}, 60);
    ctx.clock.advance(60_000);
    expect(await getOidcRecord(ctx, 'Interaction', 'id', 'i1')).toBeUndefined();
  });

  describe('profile and preferences', () => {
    test('[ID25] a change touches the named fields only, and tells that visibility may have changed', async () => {
      const dia = await person(ctx, 'dia');
      await updateProfile(ctx, dia, { bio: 'loves fugues', website: 'https://dia.example', privacy_level: 2 });
      const after = await updateProfile(ctx, dia, {
        share_listening_history: true,
        display_name: 'Dia D',
        website: '',
      });
      expect(after).toEqual({
        display_name: 'Dia D',
        bio: 'loves fugues',
        avatar_url: null,
        location: null,
        website: null,
        privacy_level: 2,
        share_listening_history: true,
        share_playlists: true,
      });
      expect(await readProfile(ctx, dia)).toEqual(after);
      expect(ctx.happened.at(-1)).toEqual({ name: 'profile.changed', payload: { user_id: dia.user_id } });
      expect(await readMe(ctx, { ...dia, role: 'admin' })).toMatchObject({
        id: dia.user_id,
        display_name: 'Dia D',
        roles: ['admin'],
      });
    });

    test('[ID24] preferences merge, also when two changes come at once', async () => {
      const eli = await person(ctx, 'eli');
      expect(await readPreferences(ctx, eli)).toEqual(DEFAULT_PREFERENCES);
      await Promise.all([
        updatePreferences(ctx, eli, { theme: 'dark' }),
        updatePreferences(ctx, eli, { language: 'de' }),
      ]);
      expect(await readPreferences(ctx, eli)).toEqual({ ...DEFAULT_PREFERENCES, theme: 'dark', language: 'de' });
    });

    test('[ID25] names are found for many ids at once', async () => {
      const fay = await person(ctx, 'fay');
      const found = await usersByIds(ctx.db, [fay.user_id, fay.user_id, 'nobody']);
      expect([...found]).toEqual([
        [fay.user_id, { id: fay.user_id, username: 'fay', display_name: 'fay', avatar_url: null }],
      ]);
      expect(await usersByIds(ctx.db, [])).toEqual(new Map());
    });
  });
});
