import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { logoutByProvider } from '#domain/accounts/backchannel-logout.ts';
import { ensureUser } from '#domain/accounts/ensure-user.ts';
import {
  claimRenewal,
  dueSessions,
  endUnrenewedSession,
  openProviderTokens,
  postponeRenewal,
  sealProviderTokens,
  storeRenewal,
} from '#domain/accounts/provider-sessions.ts';
import { createSession, sweepExpired, useSession } from '#domain/accounts/sessions.ts';
import { epochSeconds } from '#domain/ports.ts';
import { openSecretBox } from '#server/secrets.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { testCtx } from '../../support/ctx.ts';
import type { Renewal } from '#domain/accounts/provider-sessions.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const ISSUER = 'https://login.example.org/realms/one';

describe.each(DIALECTS)('sessions of an outside provider on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  beforeAll(async () => {
    database = await dialect.open();
  });
  afterAll(() => database.close());
  beforeEach(() => {
    ctx = testCtx(database);
  });

  let people = 0;
  /** A person of the provider, with a session that is due at once. */
  async function signedIn(more: { sid?: string; subject?: string; issuer?: string } = {}) {
    const n = ++people;
    const subject = more.subject ?? `subject-${n}`;
    const user = await ensureUser(ctx, {
      issuer: more.issuer ?? ISSUER,
      subject,
      username: `person-${n}`,
      email: `${n}@example.org`,
      is_sign_in: true,
    });
    const secret_hash = `hash-${n}`;
    const { session_id } = await createSession(ctx, {
      user_id: user.id,
      secret_hash,
      provider_sid: more.sid ?? `sid-${n}`,
      realm_role: 'admin',
      device: 'test',
      auth_time: 1,
      replaces_secret_hash: null,
      ...sealProviderTokens(ctx.secrets, user.id, { refresh_token: `refresh-${n}`, id_token: `id-token-${n}` }),
      refresh_due_at: epochSeconds(ctx.clock),
    });
    return {
      user_id: user.id,
      session_id,
      secret_hash,
      subject,
      refresh_token: `refresh-${n}`,
      id_token: `id-token-${n}`,
    };
  }
  const row = (session_id: string) =>
    database.db.selectFrom('user_sessions').selectAll().where('id', '=', session_id).executeTakeFirst();
  const renewal = (more: Partial<Renewal> = {}): Renewal => ({
    refresh_token: 'next-refresh',
    id_token: null,
    refresh_due_at: epochSeconds(ctx.clock) + 300,
    realm_role: 'admin',
    email: undefined,
    ...more,
  });
  const claimed = async (session_id: string) => {
    const claim = await claimRenewal(ctx, session_id);
    if (claim === null) throw new Error('not due');
    return claim;
  };

  describe('their tokens', () => {
    test('[ID53] are stored sealed, and open for their person alone', async () => {
      const ana = await signedIn();
      const ben = await signedIn();
      const stored = await row(ana.session_id);
      expect(JSON.stringify(stored)).not.toMatch(/refresh-\d|id-token-\d/);
      expect(await openProviderTokens(ctx, ana)).toEqual({ refresh_token: ana.refresh_token, id_token: ana.id_token });
      await expect(openProviderTokens(ctx, { session_id: ana.session_id, user_id: ben.user_id })).rejects.toThrow();
    });

    test('[ID53] of a key that is not here are as none, and of one changed byte an error', async () => {
      const ana = await signedIn();
      const secrets = openSecretBox({ secretKeys: `other:${randomBytes(32).toString('base64')}`, dataDir: '' });
      expect(await openProviderTokens({ ...ctx, secrets }, ana)).toEqual({ refresh_token: null, id_token: null });
      const sealed = (await row(ana.session_id))?.refresh_token_encrypted ?? '';
      const at = sealed.lastIndexOf('.') + 1;
      const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
      await ctx.write((trx) =>
        trx
          .updateTable('user_sessions')
          .set({ refresh_token_encrypted: changed })
          .where('id', '=', ana.session_id)
          .execute(),
      );
      await expect(openProviderTokens(ctx, ana)).rejects.toThrow();
    });
  });

  describe('renewal', () => {
    test('[ID56] of twenty takers at once one has it, until it is given back or half a minute has passed', async () => {
      const ana = await signedIn();
      const takers = await Promise.all(Array.from({ length: 20 }, () => claimRenewal(ctx, ana.session_id)));
      const [claim, ...others] = takers.filter((one) => one !== null);
      expect(others).toEqual([]);
      expect(claim).toMatchObject({ user_id: ana.user_id, subject: ana.subject, role: 'user', realm_role: 'admin' });
      ctx.clock.advance(29_000);
      expect(await claimRenewal(ctx, ana.session_id)).toBeNull();
      ctx.clock.advance(1_000);
      expect(await claimRenewal(ctx, ana.session_id)).not.toBeNull();
    });

    test('[ID56] nobody takes one that is not due, has no provider behind it, or is over', async () => {
      const ana = await signedIn();
      const set = (change: object) =>
        ctx.write((trx) => trx.updateTable('user_sessions').set(change).where('id', '=', ana.session_id).execute());
      const now = epochSeconds(ctx.clock);
      for (const change of [
        { refresh_due_at: now + 1 },
        { refresh_due_at: null },
        { refresh_due_at: now, expires_at: now },
      ]) {
        await set(change);
        expect(await claimRenewal(ctx, ana.session_id)).toBeNull();
      }
      expect(await claimRenewal(ctx, 'nobody')).toBeNull();
    });

    test('[ID56] those that are due are found among many', async () => {
      const ana = await signedIn();
      const ben = await signedIn();
      await ctx.write((trx) =>
        trx.updateTable('user_sessions').set({ refresh_due_at: null }).where('id', '=', ben.session_id).execute(),
      );
      const many = Array.from({ length: 1200 }, (_, i) => `none-${i}`);
      expect(await dueSessions(ctx, [...many, ben.session_id, ana.session_id])).toEqual([ana.session_id]);
      expect(await dueSessions(ctx, [])).toEqual([]);
    });

    test('[ID57] takes over the new token, the role and the e-mail, and tells of the role alone', async () => {
      const ana = await signedIn();
      ctx.happened.length = 0;
      const due = epochSeconds(ctx.clock) + 300;
      await storeRenewal(
        ctx,
        await claimed(ana.session_id),
        renewal({ realm_role: 'guest', email: 'new@example.org' }),
      );
      expect(await openProviderTokens(ctx, ana)).toEqual({ refresh_token: 'next-refresh', id_token: ana.id_token });
      expect(await row(ana.session_id)).toMatchObject({ realm_role: 'guest', refresh_due_at: due });
      expect(ctx.happened).toEqual([
        {
          name: 'session.role_changed',
          payload: { user_id: ana.user_id, session_id: ana.session_id, role: 'guest', provider_role: 'guest' },
        },
      ]);
      const user = await database.db.selectFrom('users').selectAll().where('id', '=', ana.user_id).executeTakeFirst();
      expect(user).toMatchObject({ email: 'new@example.org', role: 'user' });
      expect(await useSession(ctx, ana.secret_hash)).toMatchObject({ role: 'guest' });
    });

    test('[ID57] a role the provider no longer names gives way to the stored one; one nobody can tell stays', async () => {
      const ana = await signedIn();
      await storeRenewal(ctx, await claimed(ana.session_id), renewal({ realm_role: undefined, refresh_due_at: 0 }));
      expect(await row(ana.session_id)).toMatchObject({ realm_role: 'admin' });
      ctx.happened.length = 0;
      await storeRenewal(ctx, await claimed(ana.session_id), renewal({ realm_role: null }));
      expect(ctx.happened).toMatchObject([
        { name: 'session.role_changed', payload: { role: 'user', provider_role: null } },
      ]);
    });

    test('[ID57] a token the provider did not replace stays', async () => {
      const ana = await signedIn();
      await storeRenewal(ctx, await claimed(ana.session_id), renewal({ refresh_token: null, id_token: 'next-id' }));
      expect(await openProviderTokens(ctx, ana)).toEqual({ refresh_token: ana.refresh_token, id_token: 'next-id' });
    });

    test('[ID56] an answer that comes when the claim has passed on, or the session is over, changes nothing', async () => {
      const ana = await signedIn();
      const late = await claimed(ana.session_id);
      ctx.clock.advance(30_000);
      const next = await claimed(ana.session_id);
      ctx.happened.length = 0;
      await storeRenewal(ctx, late, renewal({ realm_role: 'guest', email: 'late@example.org' }));
      expect(await row(ana.session_id)).toMatchObject({ realm_role: 'admin', refresh_due_at: next.claimed_until });
      expect((await openProviderTokens(ctx, ana)).refresh_token).toBe(ana.refresh_token);
      await endUnrenewedSession(ctx, next);
      ctx.happened.length = 0;
      await storeRenewal(ctx, next, renewal({ realm_role: 'guest', email: 'late@example.org' }));
      expect(await row(ana.session_id)).toBeUndefined();
      expect(ctx.happened).toEqual([]);
      const user = await database.db
        .selectFrom('users')
        .select('email')
        .where('id', '=', ana.user_id)
        .executeTakeFirst();
      expect(user?.email).not.toBe('late@example.org');
    });

    test('[ID58] a claim given back is due again when it says', async () => {
      const ana = await signedIn();
      await postponeRenewal(ctx, await claimed(ana.session_id), epochSeconds(ctx.clock) + 60);
      expect(await claimRenewal(ctx, ana.session_id)).toBeNull();
      ctx.clock.advance(60_000);
      expect(await claimRenewal(ctx, ana.session_id)).not.toBeNull();
    });

    test('[ID57] a session the provider renews no more ends once, is told of and written down', async () => {
      const ana = await signedIn();
      const claim = await claimed(ana.session_id);
      ctx.happened.length = 0;
      await endUnrenewedSession(ctx, claim);
      await endUnrenewedSession(ctx, claim);
      expect(await useSession(ctx, ana.secret_hash)).toBeNull();
      expect(ctx.happened).toEqual([
        {
          name: 'access.ended',
          payload: {
            user_id: ana.user_id,
            which: { kind: 'session', session_id: ana.session_id },
            reason: 'expired',
          },
        },
      ]);
      const audit = await database.db
        .selectFrom('audit_events')
        .select(['action', 'actor_id'])
        .where('target_id', '=', ana.user_id)
        .where('action', '!=', 'user.created')
        .execute();
      expect(audit).toEqual([{ action: 'session.ended', actor_id: null }]);
    });
  });

  describe('a logout at the provider', () => {
    let tokens = 0;
    const logout = (more: { sid?: string | null; subject?: string | null; token_hash?: string; issuer?: string }) => {
      const now = epochSeconds(ctx.clock);
      return logoutByProvider(ctx, {
        issuer: ISSUER,
        token_hash: `logout-${dialect.name}-${++tokens}`,
        issued_at: now,
        expires_at: now + 120,
        sid: null,
        subject: null,
        ...more,
      });
    };
    const revocations = (value: string) =>
      database.db
        .selectFrom('token_revocations')
        .select(['kind', 'not_before', 'expires_at'])
        .where('value', '=', value)
        .execute();

    test('[ID55] of one sid ends the sessions of that sid and no other, and its access tokens', async () => {
      const ana = await signedIn({ sid: 'shared' });
      const again = await signedIn({ sid: 'another', subject: ana.subject });
      ctx.happened.length = 0;
      expect(await logout({ sid: 'shared', subject: ana.subject })).toEqual({ ended: 1 });
      expect(await useSession(ctx, ana.secret_hash)).toBeNull();
      expect(await useSession(ctx, again.secret_hash)).not.toBeNull();
      expect(ctx.happened.map(({ payload }) => payload)).toEqual([
        { user_id: ana.user_id, which: { kind: 'session', session_id: ana.session_id }, reason: 'signed_out' },
        { user_id: ana.user_id, which: { kind: 'provider_session', sid: 'shared' }, reason: 'signed_out' },
      ]);
      const now = epochSeconds(ctx.clock);
      expect(await revocations('shared')).toEqual([
        { kind: 'sid', not_before: now + 1, expires_at: now + 400 * 86_400 },
      ]);
      expect(await revocations(ana.user_id)).toEqual([]);
      const audit = await database.db
        .selectFrom('audit_events')
        .select(['action', 'actor_id', 'details_json'])
        .where('target_id', '=', ana.user_id)
        .where('action', '!=', 'user.created')
        .execute();
      expect(audit).toEqual([
        { action: 'backchannel_logout', actor_id: null, details_json: '{"of":"session","sessions":1}' },
      ]);
    });

    test('[ID55] without a sid ends every session of the person, and access tokens up to now', async () => {
      const ana = await signedIn();
      const again = await signedIn({ subject: ana.subject });
      const ben = await signedIn();
      ctx.happened.length = 0;
      expect(await logout({ subject: ana.subject })).toEqual({ ended: 2 });
      for (const one of [ana, again]) expect(await useSession(ctx, one.secret_hash)).toBeNull();
      expect(await useSession(ctx, ben.secret_hash)).not.toBeNull();
      expect(ctx.happened.at(-1)?.payload).toEqual({
        user_id: ana.user_id,
        which: { kind: 'sign_ins', except_session_id: null },
        reason: 'signed_out',
      });
      const now = epochSeconds(ctx.clock);
      expect(await revocations(ana.user_id)).toEqual([
        { kind: 'user', not_before: now + 1, expires_at: now + 400 * 86_400 },
      ]);
    });

    test('[ID55] by a provider whose clock is ahead reaches as far; an older one afterwards takes nothing back', async () => {
      const ana = await signedIn();
      const now = epochSeconds(ctx.clock);
      await logoutByProvider(ctx, {
        issuer: ISSUER,
        token_hash: `ahead-${dialect.name}`,
        issued_at: now + 40,
        expires_at: now + 160,
        sid: null,
        subject: ana.subject,
      });
      await logout({ subject: ana.subject });
      expect(await revocations(ana.user_id)).toMatchObject([{ not_before: now + 41 }]);
    });

    test('[ID55] of a sid without a subject ends its sessions; of one nobody knows it ends nothing', async () => {
      const ana = await signedIn({ sid: 'known' });
      expect(await logout({ sid: 'known' })).toEqual({ ended: 1 });
      expect(await useSession(ctx, ana.secret_hash)).toBeNull();
      ctx.happened.length = 0;
      expect(await logout({ sid: 'unknown' })).toEqual({ ended: 0 });
      expect(await logout({ subject: 'unknown' })).toEqual({ ended: 0 });
      expect(ctx.happened).toEqual([]);
    });

    test('[ID55] reaches neither another issuer’s people nor another subject with that sid', async () => {
      const there = await signedIn({ sid: 'same', issuer: 'https://other.example.org' });
      const ana = await signedIn({ sid: 'same' });
      const ben = await signedIn({ sid: 'same' });
      expect(await logout({ sid: 'same', subject: ana.subject })).toEqual({ ended: 1 });
      for (const one of [there, ben]) expect(await useSession(ctx, one.secret_hash)).not.toBeNull();
      expect(await logout({ sid: 'same' })).toEqual({ ended: 1 });
      expect(await useSession(ctx, there.secret_hash)).not.toBeNull();
    });

    test('[ID54] counts once, also of two at once, and the second changes nothing', async () => {
      const ana = await signedIn();
      const results = await Promise.allSettled(
        Array.from({ length: 5 }, () => logout({ subject: ana.subject, token_hash: `twice-${dialect.name}` })),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const later = await signedIn({ subject: ana.subject });
      await expect(logout({ subject: ana.subject, token_hash: `twice-${dialect.name}` })).rejects.toMatchObject({
        code: 'malformed',
      });
      expect(await useSession(ctx, later.secret_hash)).not.toBeNull();
    });

    test('[ID54] is remembered for as long as its token could be sent again, and then swept', async () => {
      const ana = await signedIn();
      await logout({ sid: 'swept', subject: ana.subject, token_hash: `swept-${dialect.name}` });
      const remembered = () =>
        database.db.selectFrom('oidc_records').select('id').where('id', '=', `swept-${dialect.name}`).execute();
      ctx.clock.advance(125_000);
      await sweepExpired(ctx);
      expect(await remembered()).toHaveLength(1);
      ctx.clock.advance(120_000);
      await sweepExpired(ctx);
      expect(await remembered()).toEqual([]);
      expect(await revocations('swept')).toHaveLength(1);
      ctx.clock.advance(400 * 86_400_000);
      await sweepExpired(ctx);
      expect(await revocations('swept')).toEqual([]);
    });
  });
});
