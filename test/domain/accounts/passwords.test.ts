import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findUserByUsername } from '#domain/accounts/accounts.queries.ts';
import { normalizeUsername, usernameProblem, usernameSkeleton } from '#domain/accounts/accounts.rules.ts';
import { acceptInvite, findOpenInvite } from '#domain/accounts/accept-invite.ts';
import { changePassword } from '#domain/accounts/change-password.ts';
import { checkPassword } from '#domain/accounts/check-password.ts';
import { createLocalAccount } from '#domain/accounts/create-local-account.ts';
import { disableUser } from '#domain/accounts/disable-user.ts';
import { ensureUser } from '#domain/accounts/ensure-user.ts';
import { putOidcRecord } from '#domain/accounts/oidc-records.ts';
import { createPasswordReset, resetPassword, usernameOfReset } from '#domain/accounts/password-reset.ts';
import { createSession } from '#domain/accounts/sessions.ts';
import { hashSecret } from '#domain/hash-secret.ts';
import { createLoginBackoff } from '#server/identity/login-backoff.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { LOOKALIKES } from '../../support/lookalikes.ts';
import type { Role } from '#contract/accounts.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const PASSWORD = 'correct horse battery';
const NEW = 'another horse battery';

describe.each(DIALECTS)('passwords and invitations on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let people = 0;
  beforeAll(async () => {
    database = await dialect.open();
    ctx = testCtx(database);
  });
  afterAll(() => database.close());

  const guesses = () => createLoginBackoff();
  const opens = async (username: string, password: string) =>
    (await checkPassword(ctx, { username, password })).outcome === 'right';
  const sessionsOf = async (user_id: string) =>
    (await database.db.selectFrom('user_sessions').select('id').where('user_id', '=', user_id).execute()).map(
      ({ id }) => id,
    );
  const recordIds = async () =>
    (await database.db.selectFrom('oidc_records').select('id').orderBy('id').execute()).map(({ id }) => id);
  const actsOn = (user_id: string) =>
    database.db
      .selectFrom('audit_events')
      .select(['action', 'actor_id'])
      .where('target_id', '=', user_id)
      .where('action', '!=', 'user.created')
      .execute();

  async function someone(role: Role = 'user') {
    const username = `person${++people}`;
    const { user_id } = await createLocalAccount(ctx, { username, password: PASSWORD, role });
    const { subject } = await database.db
      .selectFrom('users')
      .select('subject')
      .where('id', '=', user_id)
      .executeTakeFirstOrThrow();
    /** Signs a browser in: our session, and the provider's behind it with a code and a sign-in under way. */
    const browser = async (): Promise<Actor> => {
      const uid = ctx.ids.id();
      const { session_id } = await createSession(ctx, {
        user_id,
        secret_hash: ctx.ids.secret(),
        provider_sid: uid,
        realm_role: null,
        device: 'test',
        auth_time: 0,
        replaces_secret_hash: null,
      });
      await putOidcRecord(ctx, 'Session', `session-${uid}`, { uid, accountId: subject, loginTs: 1 }, 1000);
      await putOidcRecord(ctx, 'AuthorizationCode', `code-${uid}`, { accountId: subject, sessionUid: uid }, 60);
      await putOidcRecord(ctx, 'Interaction', `login-${uid}`, { result: { login: { accountId: subject } } }, 3600);
      const credential = { kind: 'session' as const, session_id, auth_time: 0 };
      return { user_id, username, role, provider_role: null, credential };
    };
    return { user_id, username, account_id: subject, browser };
  }
  const uidOf = async (actor: Actor) =>
    actor.credential.kind === 'session'
      ? (
          await database.db
            .selectFrom('user_sessions')
            .select('provider_sid')
            .where('id', '=', actor.credential.session_id)
            .executeTakeFirstOrThrow()
        ).provider_sid
      : null;

  describe('changing a password', () => {
    test('[ID70] the new one opens, the old one does not, and everything but this session has ended', async () => {
      const { browser, user_id, username } = await someone();
      const stranger = await someone();
      const theirs = await stranger.browser();
      const here = await browser();
      await browser();
      await browser();
      const kept = [`session-${await uidOf(here)}`];
      expect(await recordIds()).toHaveLength(12);
      ctx.happened.length = 0;

      await changePassword(ctx, here, { current_password: PASSWORD, new_password: NEW }, guesses());
      expect([await opens(username, PASSWORD), await opens(username, NEW)]).toEqual([false, true]);
      const session_id = here.credential.kind === 'session' ? here.credential.session_id : '';
      expect(await sessionsOf(user_id)).toEqual([session_id]);
      const uid = await uidOf(theirs);
      expect(await recordIds()).toEqual([`code-${uid}`, `login-${uid}`, ...kept, `session-${uid}`].sort());
      expect(ctx.happened).toEqual([
        {
          name: 'access.ended',
          payload: { user_id, which: { kind: 'sign_ins', except_session_id: session_id }, reason: 'revoked' },
        },
      ]);
      const revoked = await database.db
        .selectFrom('token_revocations')
        .selectAll()
        .where('value', '=', user_id)
        .executeTakeFirstOrThrow();
      expect(revoked).toMatchObject({ kind: 'user', not_before: Math.floor(ctx.clock.nowMs() / 1000) + 1 });
      expect(await actsOn(user_id)).toEqual([{ action: 'password.changed', actor_id: user_id }]);
      expect(await sessionsOf(stranger.user_id)).toHaveLength(1);
    });

    test('[ID70] the same, a short or a wrong one changes nothing, and guessing is slowed', async () => {
      const { browser, username, user_id } = await someone();
      const [here, there] = [await browser(), await browser()];
      const one = guesses();
      const change = (actor: Actor, current_password: string, new_password: string) =>
        changePassword(ctx, actor, { current_password, new_password }, one);
      for (const bad of [PASSWORD, 'short', 'x'.repeat(201)]) {
        await expect(change(here, PASSWORD, bad)).rejects.toMatchObject({
          code: 'invalid',
          errors: [{ path: 'new_password' }],
        });
      }
      for (let i = 0; i < 5; i++) {
        await expect(change(here, 'guess', NEW)).rejects.toMatchObject({
          code: 'forbidden',
          errors: [{ path: 'current_password' }],
        });
      }
      await expect(change(here, PASSWORD, NEW)).rejects.toMatchObject({ code: 'too_many', retryAfter: 5 });
      expect(await opens(username, PASSWORD)).toBe(true);
      expect(await sessionsOf(user_id)).toHaveLength(2);
      expect(await actsOn(user_id)).toEqual([]);
      // Whoever guesses in one session does not hold up another.
      await change(there, PASSWORD, NEW);
      expect(await opens(username, NEW)).toBe(true);
    });

    test('[ID70] of two changes at once one counts, and the other is told', async () => {
      const { browser, username } = await someone();
      const [here, there] = [await browser(), await browser()];
      const outcomes = await Promise.allSettled([
        changePassword(ctx, here, { current_password: PASSWORD, new_password: `${NEW} 1` }, guesses()),
        changePassword(ctx, there, { current_password: PASSWORD, new_password: `${NEW} 2` }, guesses()),
      ]);
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
      const right = [await opens(username, `${NEW} 1`), await opens(username, `${NEW} 2`)];
      expect(right.filter(Boolean)).toHaveLength(1);
    });

    test('[ID70] with an access token everything ends, its own session too', async () => {
      const { browser, user_id } = await someone();
      const here = await browser();
      const credential = { kind: 'token' as const, sid: 's', issued_at: 1, expires_at: 9e9, auth_time: 1 };
      await changePassword(ctx, { ...here, credential }, { current_password: PASSWORD, new_password: NEW }, guesses());
      expect(await sessionsOf(user_id)).toEqual([]);
    });

    test('[ID70] somebody of an outside provider is told where', async () => {
      const user = await ensureUser(ctx, { issuer: 'https://login.example.org', subject: 'p', is_sign_in: true });
      const actor = { ...(await (await someone()).browser()), user_id: user.id };
      await expect(
        changePassword(ctx, actor, { current_password: PASSWORD, new_password: NEW }, guesses()),
      ).rejects.toMatchObject({ code: 'unprocessable', message: expect.stringContaining('at that service') });
    });
  });

  describe('a link that resets a password', () => {
    test('[ID72] it sets a new password once, ends every sign-in, and is kept as a hash', async () => {
      const admin = await (await someone('admin')).browser();
      const { browser, user_id, username } = await someone();
      await browser();
      const { token, expires_at } = await createPasswordReset(ctx, admin, { user_id });
      expect(token).toMatch(/^[\w-]{43}$/);
      expect(expires_at).toBe(Math.floor(ctx.clock.nowMs() / 1000) + 24 * 3600);
      expect(JSON.stringify(await database.db.selectFrom('one_time_links').selectAll().execute())).not.toContain(token);
      expect(await usernameOfReset(ctx, token)).toBe(username);
      // Until it is used, nothing has changed.
      expect([await opens(username, PASSWORD), (await sessionsOf(user_id)).length]).toEqual([true, 1]);

      await expect(resetPassword(ctx, token, 'short')).rejects.toMatchObject({
        code: 'invalid',
        errors: [{ path: 'password' }],
      });
      ctx.happened.length = 0;
      expect(await resetPassword(ctx, token, NEW)).toEqual({ username });
      expect([await opens(username, PASSWORD), await opens(username, NEW)]).toEqual([false, true]);
      expect(await sessionsOf(user_id)).toEqual([]);
      expect(ctx.happened).toMatchObject([
        { payload: { user_id, which: { kind: 'sign_ins', except_session_id: null }, reason: 'revoked' } },
      ]);
      await expect(resetPassword(ctx, token, `${NEW}!`)).rejects.toMatchObject({ code: 'not_found' });
      expect(await opens(username, NEW)).toBe(true);
      expect(await actsOn(user_id)).toEqual([
        { action: 'password_reset.created', actor_id: admin.user_id },
        { action: 'password.reset', actor_id: user_id },
      ]);
    });

    test('[ID72] a newer one of the same person replaces it, one of another does not; a day later it is over', async () => {
      const [a, b] = [await someone(), await someone()];
      const first = await createPasswordReset(ctx, null, a);
      const second = await createPasswordReset(ctx, null, a);
      const other = await createPasswordReset(ctx, null, b);
      expect(await usernameOfReset(ctx, first.token)).toBeNull();
      expect(await usernameOfReset(ctx, second.token)).toBe(a.username);
      expect(await usernameOfReset(ctx, other.token)).toBe(b.username);
      expect(await usernameOfReset(ctx, second.token.toLowerCase())).toBeNull();
      await expect(resetPassword(ctx, first.token, NEW)).rejects.toMatchObject({ code: 'not_found' });
      ctx.clock.advance(24 * 3600_000);
      await expect(resetPassword(ctx, second.token, NEW)).rejects.toMatchObject({ code: 'not_found' });
      expect(await opens(a.username, PASSWORD)).toBe(true);
    });

    test('[ID72] two uses at once: one counts', async () => {
      const { user_id, username } = await someone();
      const { token } = await createPasswordReset(ctx, null, { user_id });
      const outcomes = await Promise.allSettled([
        resetPassword(ctx, token, `${NEW} 1`),
        resetPassword(ctx, token, `${NEW} 2`),
      ]);
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const right = [await opens(username, `${NEW} 1`), await opens(username, `${NEW} 2`)];
      expect(right.filter(Boolean)).toHaveLength(1);
    });

    test('[ID72] changing the password voids the link, and a disabled account is not opened by one', async () => {
      const { user_id, username, browser } = await someone();
      const { token } = await createPasswordReset(ctx, null, { user_id });
      await changePassword(ctx, await browser(), { current_password: PASSWORD, new_password: NEW }, guesses());
      expect(await usernameOfReset(ctx, token)).toBeNull();

      const again = await createPasswordReset(ctx, null, { user_id });
      await disableUser(ctx, { username });
      expect(await usernameOfReset(ctx, again.token)).toBeNull();
      await expect(resetPassword(ctx, again.token, PASSWORD)).rejects.toMatchObject({ code: 'not_found' });
      await expect(createPasswordReset(ctx, null, { user_id })).rejects.toMatchObject({ code: 'conflict' });
      await expect(createPasswordReset(ctx, null, { user_id: ctx.ids.id() })).rejects.toMatchObject({
        code: 'not_found',
      });
      const outside = await ensureUser(ctx, { issuer: 'https://login.example.org', subject: 'r', is_sign_in: true });
      await expect(createPasswordReset(ctx, null, { user_id: outside.id })).rejects.toMatchObject({
        code: 'unprocessable',
      });
    });

    test('[ID72] a first-run link resets nothing', async () => {
      const { account_id, username } = await someone();
      const token = ctx.ids.secret();
      await database.write((trx) =>
        trx
          .insertInto('one_time_links')
          .values({ hash: hashSecret(token), purpose: 'setup', created_at: 0, expires_at: 9e9, account_id })
          .execute(),
      );
      await expect(resetPassword(ctx, token, NEW)).rejects.toMatchObject({ code: 'not_found' });
      expect(await opens(username, PASSWORD)).toBe(true);
    });
  });

  describe('an invitation', () => {
    async function invite(
      more: { role?: Role; created_by?: string | null; expires_in?: number } = {},
    ): Promise<string> {
      const code = ctx.ids.secret();
      const now = Math.floor(ctx.clock.nowMs() / 1000);
      await database.write((trx) =>
        trx
          .insertInto('account_invites')
          .values({
            id: ctx.ids.id(),
            code_hash: hashSecret(code),
            role: more.role ?? 'user',
            note: null,
            created_by: more.created_by ?? null,
            created_at: now,
            expires_at: now + (more.expires_in ?? 3600),
            used_at: null,
            used_by: null,
          })
          .execute(),
      );
      return code;
    }
    const form = (more: object = {}) => ({
      username: `guest${++people}`,
      display_name: 'G',
      password: PASSWORD,
      ...more,
    });
    const inviteOf = (code: string) =>
      database.db
        .selectFrom('account_invites')
        .selectAll()
        .where('code_hash', '=', hashSecret(code))
        .executeTakeFirstOrThrow();

    test.each(['admin', 'user', 'guest'] as const)(
      '[ID75] it makes one account with its role (%s), once',
      async (role) => {
        const admin = await someone('admin');
        const code = await invite({ role, created_by: admin.user_id });
        expect(await findOpenInvite(ctx, code)).toEqual({ role, invited_by: admin.username });
        const mine = form();
        const { user_id } = await acceptInvite(ctx, code, mine);
        const user = await database.db
          .selectFrom('users')
          .selectAll()
          .where('id', '=', user_id)
          .executeTakeFirstOrThrow();
        expect(user).toMatchObject({ username: mine.username, display_name: 'G', role, issuer: 'local' });
        expect(await opens(mine.username, PASSWORD)).toBe(true);
        expect(await inviteOf(code)).toMatchObject({ used_by: user_id, used_at: Math.floor(ctx.clock.nowMs() / 1000) });
        expect(await actsOn(user_id)).toEqual([{ action: 'invite.accepted', actor_id: user_id }]);
        await expect(acceptInvite(ctx, code, form())).rejects.toMatchObject({ code: 'not_found' });
        expect(await findOpenInvite(ctx, code)).toBeNull();
      },
    );

    test('[ID75] ten at once with one invitation make one account', async () => {
      const code = await invite();
      const count = async () =>
        Number(
          (
            await database.db
              .selectFrom('users')
              .select((eb) => eb.fn.countAll().as('n'))
              .executeTakeFirstOrThrow()
          ).n,
        );
      const before = await count();
      const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => acceptInvite(ctx, code, form())));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'not_found' });
      }
      expect(await count()).toBe(before + 1);
    });

    test('[ID75] a refused form leaves it open, and nothing half-made', async () => {
      const code = await invite();
      const { username } = await someone();
      for (const [bad, problem] of [
        [form({ username: username.toUpperCase() }), 'username_taken'],
        [form({ username: 'a' }), 'invalid'],
        [form({ username: 'admin' }), 'invalid'],
        [form({ username: 'system' }), 'invalid'],
        [form({ password: 'short' }), 'invalid'],
        [form({ display_name: 'two\nlines' }), 'invalid'],
      ] as const) {
        await expect(acceptInvite(ctx, code, bad)).rejects.toMatchObject({ code: problem });
        expect(await inviteOf(code)).toMatchObject({ used_at: null, used_by: null });
      }
      await acceptInvite(ctx, code, form());
    });

    test('[F6] of fifty pairs that look alike, the second is refused as taken or as a spelling, and makes nobody', async () => {
      const code = await invite();
      for (const [name, lookalike] of LOOKALIKES) {
        // The first of a pair may itself look like one that is there.
        if (!(await findUserByUsername(ctx.db, name))) await person(ctx, name);
        await database.write((trx) =>
          trx
            .updateTable('users')
            .set({ username_skeleton: usernameSkeleton(name) })
            .where('username', '=', name)
            .execute(),
        );
        const before = await database.db.selectFrom('users').select('id').execute();
        const refused = await acceptInvite(ctx, code, form({ username: lookalike })).then(
          () => ({ code: 'made', errors: [] }),
          (error: unknown) => error as { code: string; errors: { path: string }[] },
        );
        expect([lookalike, refused.code], lookalike).toEqual([
          lookalike,
          usernameProblem(normalizeUsername(lookalike)) === null ? 'username_taken' : 'invalid',
        ]);
        expect(refused.errors.map(({ path }) => path)).toEqual(['username']);
        expect(await database.db.selectFrom('users').select('id').execute()).toHaveLength(before.length);
      }
      expect(await findOpenInvite(ctx, code)).not.toBeNull();
    });

    test('[ID75] an administrator may be called admin', async () => {
      const { username } = await acceptInvite(ctx, await invite({ role: 'admin' }), form({ username: 'admin' }));
      expect(username).toBe('admin');
    });

    test('[ID75] it is over when it ran out, was withdrawn, or its maker is no administrator any more', async () => {
      const [maker, other] = [await someone('admin'), await someone('admin')];
      const late = await invite({ expires_in: 60 });
      const withdrawn = await invite();
      const [ofDemoted, ofDisabled] = [
        await invite({ role: 'admin', created_by: maker.user_id }),
        await invite({ role: 'admin', created_by: other.user_id }),
      ];
      await database.write((trx) =>
        trx.deleteFrom('account_invites').where('code_hash', '=', hashSecret(withdrawn)).execute(),
      );
      await database.write((trx) =>
        trx.updateTable('users').set({ role: 'user' }).where('id', '=', maker.user_id).execute(),
      );
      await disableUser(ctx, { username: other.username });
      ctx.clock.advance(60_000);
      for (const code of [late, withdrawn, ofDemoted, ofDisabled, ctx.ids.secret(), '']) {
        expect(await findOpenInvite(ctx, code)).toBeNull();
        await expect(acceptInvite(ctx, code, form())).rejects.toMatchObject({ code: 'not_found' });
      }
      const good = await invite();
      expect(await findOpenInvite(ctx, good.toUpperCase())).toBeNull();
      expect(await findOpenInvite(ctx, good)).toEqual({ role: 'user', invited_by: null });
    });
  });
});
