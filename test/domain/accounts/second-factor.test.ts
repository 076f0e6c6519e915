import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changePassword } from '#domain/accounts/change-password.ts';
import { checkPassword } from '#domain/accounts/check-password.ts';
import { createLocalAccount } from '#domain/accounts/create-local-account.ts';
import { ensureUser } from '#domain/accounts/ensure-user.ts';
import {
  awaitSecondFactor,
  checkSecondFactor,
  findPendingSecondFactor,
} from '#domain/accounts/pending-second-factor.ts';
import {
  beginSecondFactor,
  confirmSecondFactor,
  endSecondFactor,
  readSecondFactor,
  renewRecoveryCodes,
} from '#domain/accounts/second-factor.ts';
import { sweepExpired } from '#domain/accounts/sessions.ts';
import { createLoginBackoff } from '#server/identity/login-backoff.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { testCtx } from '../../support/ctx.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const current_password = 'correct horse battery';
const WRONG = { current_password: 'not the password' };

describe.each(DIALECTS)('a second factor on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let people = 0;
  beforeAll(async () => {
    database = await dialect.open();
    ctx = testCtx(database);
  });
  afterAll(() => database.close());

  async function someone(): Promise<{ actor: Actor; account_id: string; username: string }> {
    const username = `person${++people}`;
    const { user_id } = await createLocalAccount(ctx, { username, password: current_password, role: 'user' });
    const { subject } = await database.db
      .selectFrom('users')
      .select('subject')
      .where('id', '=', user_id)
      .executeTakeFirstOrThrow();
    const credential = { kind: 'session' as const, session_id: user_id, auth_time: 0 };
    return {
      actor: { user_id, username, role: 'user', provider_role: null, credential },
      account_id: subject,
      username,
    };
  }
  const codeOf = (secret: string) =>
    new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: ctx.clock.nowMs() });
  const nextStep = () => ctx.clock.advance(30_000);
  const guesses = () => createLoginBackoff();
  const actsOn = async (user_id: string) =>
    (await database.db.selectFrom('audit_events').select('action').where('target_id', '=', user_id).execute())
      .map(({ action }) => action)
      .filter((action) => action !== 'user.created');

  /** Somebody whose second factor is on, and what they keep of it. */
  async function protectedPerson() {
    const person = await someone();
    const { secret } = await beginSecondFactor(ctx, person.actor, { current_password }, guesses());
    const { recovery_codes } = await confirmSecondFactor(ctx, person.actor, { code: codeOf(secret) });
    nextStep();
    return { ...person, secret, recovery_codes };
  }
  /** A sign-in of theirs whose password was right. */
  async function pending(account_id: string): Promise<string> {
    const interaction_uid = ctx.ids.id();
    await awaitSecondFactor(ctx, { interaction_uid, account_id });
    return interaction_uid;
  }

  test('[ID80] it counts once a code was confirmed; until then the password is enough', async () => {
    const { actor, username } = await someone();
    expect(await readSecondFactor(ctx, actor)).toEqual({
      is_available: true,
      is_enabled: false,
      enabled_at: null,
      recovery_codes_left: 0,
    });
    const begun = await beginSecondFactor(ctx, actor, { current_password }, guesses());
    expect(begun.uri).toContain(`secret=${begun.secret}`);
    expect(begun.qr_svg).toMatch(/^<svg [^>]*viewBox/);
    expect(begun.qr_svg).not.toMatch(/<script|style=|href/);
    const right = { username, password: current_password };
    expect(await checkPassword(ctx, right)).toMatchObject({ outcome: 'right', has_second_factor: false });
    await expect(confirmSecondFactor(ctx, actor, { code: '12 34' })).rejects.toMatchObject({ code: 'invalid' });
    expect(await actsOn(actor.user_id)).toEqual([]);

    const { recovery_codes } = await confirmSecondFactor(ctx, actor, { code: codeOf(begun.secret) });
    expect(new Set(recovery_codes).size).toBe(10);
    expect(await checkPassword(ctx, right)).toMatchObject({ outcome: 'right', has_second_factor: true });
    expect(await readSecondFactor(ctx, actor)).toMatchObject({
      is_enabled: true,
      enabled_at: Math.floor(ctx.clock.nowMs() / 1000),
      recovery_codes_left: 10,
    });
    expect(await actsOn(actor.user_id)).toEqual(['second_factor.enabled']);
    const again = { code: codeOf(begun.secret) };
    await expect(confirmSecondFactor(ctx, actor, again)).rejects.toMatchObject({ code: 'conflict' });
    await expect(beginSecondFactor(ctx, actor, { current_password }, guesses())).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(endSecondFactor(ctx, actor, WRONG, guesses())).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('[ID80] a wrong password begins, renews and ends nothing, and is slowed as at sign-in', async () => {
    const { actor } = await protectedPerson();
    const other = await someone();
    const before = await database.db.selectFrom('recovery_codes').selectAll().orderBy('code_hash').execute();
    const one = guesses();
    await expect(beginSecondFactor(ctx, other.actor, WRONG, one)).rejects.toMatchObject({
      code: 'forbidden',
      errors: [{ path: 'current_password' }],
    });
    for (const act of [renewRecoveryCodes, endSecondFactor, renewRecoveryCodes, endSecondFactor, endSecondFactor]) {
      await expect(act(ctx, actor, WRONG, one)).rejects.toMatchObject({ code: 'forbidden' });
    }
    await expect(endSecondFactor(ctx, actor, { current_password }, one)).rejects.toMatchObject({ code: 'too_many' });
    expect(await database.db.selectFrom('recovery_codes').selectAll().orderBy('code_hash').execute()).toEqual(before);
    expect(await readSecondFactor(ctx, actor)).toMatchObject({ is_enabled: true });
    expect((await readSecondFactor(ctx, other.actor)).is_enabled).toBe(false);
  });

  test('[ID80] nothing to confirm, nothing to renew', async () => {
    const { actor } = await someone();
    await expect(confirmSecondFactor(ctx, actor, { code: '123456' })).rejects.toMatchObject({ code: 'conflict' });
    await expect(renewRecoveryCodes(ctx, actor, { current_password }, guesses())).rejects.toMatchObject({
      code: 'conflict',
    });
    await endSecondFactor(ctx, actor, { current_password }, guesses());
    expect(await actsOn(actor.user_id)).toEqual([]);
  });

  test('[ID80] a secret begun anew takes the place of the first', async () => {
    const { actor } = await someone();
    const first = await beginSecondFactor(ctx, actor, { current_password }, guesses());
    const second = await beginSecondFactor(ctx, actor, { current_password }, guesses());
    await expect(confirmSecondFactor(ctx, actor, { code: codeOf(first.secret) })).rejects.toMatchObject({
      code: 'invalid',
    });
    await confirmSecondFactor(ctx, actor, { code: codeOf(second.secret) });
  });

  test('[G1] the secret and the recovery codes are nowhere in the database as they are', async () => {
    const { secret, recovery_codes } = await protectedPerson();
    const stored = JSON.stringify([
      await database.db.selectFrom('local_accounts').selectAll().execute(),
      await database.db.selectFrom('recovery_codes').selectAll().execute(),
      await database.db.selectFrom('audit_events').selectAll().execute(),
    ]);
    expect(stored).not.toContain(secret);
    for (const code of recovery_codes) {
      expect(stored).not.toContain(code);
      expect(stored).not.toContain(code.replaceAll('-', ''));
    }
  });

  test('[G1] secrets swapped between two rows open neither account, and one changed byte opens nothing', async () => {
    const a = await protectedPerson();
    const b = await protectedPerson();
    const sealedOf = async (id: string) =>
      (
        await database.db
          .selectFrom('local_accounts')
          .select('totp_secret_encrypted')
          .where('id', '=', id)
          .executeTakeFirstOrThrow()
      ).totp_secret_encrypted ?? '';
    const put = (id: string, totp_secret_encrypted: string) =>
      database.write((trx) =>
        trx.updateTable('local_accounts').set({ totp_secret_encrypted }).where('id', '=', id).execute(),
      );
    const sealed = [await sealedOf(a.account_id), await sealedOf(b.account_id)] as const;
    const typed = codeOf(b.secret);
    const bytes = Buffer.from(sealed[0].split('.')[2] ?? '', 'base64url');
    bytes[3] = (bytes[3] ?? 0) ^ 1;
    const flipped = [...sealed[0].split('.').slice(0, 2), bytes.toString('base64url')].join('.');
    for (const bad of [sealed[1], flipped, `gone.${sealed[0].split('.').slice(1).join('.')}`]) {
      await put(a.account_id, bad);
      const interaction_uid = await pending(a.account_id);
      expect(await findPendingSecondFactor(ctx, interaction_uid)).toMatchObject({ is_readable: false });
      for (const code of [typed, codeOf(a.secret)]) {
        expect(await checkSecondFactor(ctx, { interaction_uid, typed: code })).toEqual({ outcome: 'unreadable' });
      }
    }
    // A recovery code still opens, and the account can be read again once its secret is back.
    const interaction_uid = await pending(a.account_id);
    expect(await checkSecondFactor(ctx, { interaction_uid, typed: a.recovery_codes[0] ?? '' })).toMatchObject({
      outcome: 'right',
      by: 'recovery_code',
    });
    await put(a.account_id, sealed[0]);
    expect(
      await checkSecondFactor(ctx, { interaction_uid: await pending(a.account_id), typed: codeOf(a.secret) }),
    ).toMatchObject({ outcome: 'right' });
  });

  test('[ID82] a code opens once, in the sign-in it was typed in, and never again', async () => {
    const { account_id, secret } = await protectedPerson();
    const typed = codeOf(secret);
    const interaction_uid = await pending(account_id);
    expect(await checkSecondFactor(ctx, { interaction_uid: ctx.ids.id(), typed })).toEqual({ outcome: 'over' });
    expect(await checkSecondFactor(ctx, { interaction_uid, typed })).toEqual({
      outcome: 'right',
      account_id,
      by: 'totp',
    });
    expect(await checkSecondFactor(ctx, { interaction_uid, typed })).toEqual({ outcome: 'over' });
    expect(await checkSecondFactor(ctx, { interaction_uid: await pending(account_id), typed })).toEqual({
      outcome: 'wrong',
    });
    nextStep();
    // Still within the window, but its step was taken.
    expect(await checkSecondFactor(ctx, { interaction_uid: await pending(account_id), typed })).toEqual({
      outcome: 'wrong',
    });
    expect(
      await checkSecondFactor(ctx, { interaction_uid: await pending(account_id), typed: codeOf(secret) }),
    ).toMatchObject({
      outcome: 'right',
    });
  });

  test('[ID82] the code that turned it on lets nobody in', async () => {
    const { actor, account_id } = await someone();
    const { secret } = await beginSecondFactor(ctx, actor, { current_password }, guesses());
    const typed = codeOf(secret);
    await confirmSecondFactor(ctx, actor, { code: typed });
    expect(await checkSecondFactor(ctx, { interaction_uid: await pending(account_id), typed })).toEqual({
      outcome: 'wrong',
    });
  });

  test('[ID82] of ten sign-ins at once with one code, one gets in; the same for a recovery code', async () => {
    const { account_id, secret, recovery_codes } = await protectedPerson();
    for (const typed of [codeOf(secret), recovery_codes[3] ?? '']) {
      const uids = await Promise.all(Array.from({ length: 10 }, () => pending(account_id)));
      const outcomes = await Promise.all(
        uids.map((interaction_uid) => checkSecondFactor(ctx, { interaction_uid, typed })),
      );
      expect(outcomes.filter(({ outcome }) => outcome === 'right')).toHaveLength(1);
    }
  });

  test('[ID82] five codes may be tried after a password, also all at once, and five minutes wait for them', async () => {
    const { account_id, secret } = await protectedPerson();
    const interaction_uid = await pending(account_id);
    const wrong = Array.from({ length: 20 }, (_, i) => String(100_000 + i)).filter((typed) => typed !== codeOf(secret));
    const outcomes = await Promise.all(wrong.map((typed) => checkSecondFactor(ctx, { interaction_uid, typed })));
    expect(outcomes.filter(({ outcome }) => outcome === 'wrong')).toHaveLength(5);
    expect(await checkSecondFactor(ctx, { interaction_uid, typed: codeOf(secret) })).toEqual({ outcome: 'over' });
    expect(await findPendingSecondFactor(ctx, interaction_uid)).toBeNull();

    const late = await pending(account_id);
    ctx.clock.advance(301_000);
    expect(await checkSecondFactor(ctx, { interaction_uid: late, typed: codeOf(secret) })).toEqual({ outcome: 'over' });
    ctx.clock.advance(60_000);
    await sweepExpired(ctx);
    const rows = await database.db.selectFrom('pending_second_factors').select('interaction_uid').execute();
    expect(rows.map((row) => row.interaction_uid)).not.toContain(late);
  });

  test('[ID81] a recovery code opens once, in any spelling, and its use is written down', async () => {
    const { actor, account_id, recovery_codes } = await protectedPerson();
    const other = await protectedPerson();
    const [code = ''] = recovery_codes;
    const typed = code.toUpperCase().replaceAll('-', ' ');
    expect(await checkSecondFactor(ctx, { interaction_uid: await pending(other.account_id), typed })).toEqual({
      outcome: 'wrong',
    });
    expect(await checkSecondFactor(ctx, { interaction_uid: await pending(account_id), typed })).toEqual({
      outcome: 'right',
      account_id,
      by: 'recovery_code',
    });
    expect(await checkSecondFactor(ctx, { interaction_uid: await pending(account_id), typed: code })).toEqual({
      outcome: 'wrong',
    });
    expect((await readSecondFactor(ctx, actor)).recovery_codes_left).toBe(9);
    const act = await database.db
      .selectFrom('audit_events')
      .selectAll()
      .where('action', '=', 'recovery_code.used')
      .where('target_id', '=', actor.user_id)
      .executeTakeFirstOrThrow();
    expect(act).toMatchObject({ actor_id: actor.user_id, details_json: '{"left":9}' });

    const fresh = await renewRecoveryCodes(ctx, actor, { current_password }, guesses());
    expect((await readSecondFactor(ctx, actor)).recovery_codes_left).toBe(10);
    const old = recovery_codes[1] ?? '';
    expect(await checkSecondFactor(ctx, { interaction_uid: await pending(account_id), typed: old })).toEqual({
      outcome: 'wrong',
    });
    expect(
      await checkSecondFactor(ctx, {
        interaction_uid: await pending(account_id),
        typed: fresh.recovery_codes[0] ?? '',
      }),
    ).toMatchObject({ outcome: 'right' });
    expect(await actsOn(actor.user_id)).toEqual([
      'second_factor.enabled',
      'recovery_code.used',
      'recovery_codes.renewed',
      'recovery_code.used',
    ]);
  });

  test('[ID80] turned off it asks for nothing more, in sign-ins under way neither, and leaves nothing behind', async () => {
    const { actor, account_id, username, secret } = await protectedPerson();
    const interaction_uid = await pending(account_id);
    await endSecondFactor(ctx, actor, { current_password }, guesses());
    expect(await checkSecondFactor(ctx, { interaction_uid, typed: codeOf(secret) })).toEqual({ outcome: 'over' });
    expect(await checkPassword(ctx, { username, password: current_password })).toMatchObject({
      has_second_factor: false,
    });
    expect(await readSecondFactor(ctx, actor)).toMatchObject({ is_enabled: false, recovery_codes_left: 0 });
    expect(await actsOn(actor.user_id)).toEqual(['second_factor.enabled', 'second_factor.disabled']);
    const begun = await beginSecondFactor(ctx, actor, { current_password }, guesses());
    expect(begun.secret).not.toBe(secret);
  });

  test('[ID82] a password changed between password and code asks for the new one', async () => {
    const { actor, account_id, secret } = await protectedPerson();
    const interaction_uid = await pending(account_id);
    await changePassword(ctx, actor, { current_password, new_password: 'another horse battery' }, guesses());
    expect(await checkSecondFactor(ctx, { interaction_uid, typed: codeOf(secret) })).toEqual({ outcome: 'over' });
  });

  test('[ID80] somebody of an outside provider has none here, and is told where it is', async () => {
    const user = await ensureUser(ctx, { issuer: 'https://login.example.org', subject: 'x', is_sign_in: true });
    const { actor: local } = await someone();
    const actor: Actor = { ...local, user_id: user.id, username: user.username };
    expect(await readSecondFactor(ctx, actor)).toEqual({
      is_available: false,
      is_enabled: false,
      enabled_at: null,
      recovery_codes_left: 0,
    });
    const refused = { code: 'unprocessable', message: expect.stringContaining('outside service') };
    await expect(beginSecondFactor(ctx, actor, { current_password }, guesses())).rejects.toMatchObject(refused);
    await expect(confirmSecondFactor(ctx, actor, { code: '123456' })).rejects.toMatchObject(refused);
    await expect(renewRecoveryCodes(ctx, actor, { current_password }, guesses())).rejects.toMatchObject(refused);
    await expect(endSecondFactor(ctx, actor, { current_password }, guesses())).rejects.toMatchObject(refused);
  });
});
