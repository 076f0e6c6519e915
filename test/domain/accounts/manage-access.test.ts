/** A person's own sessions, devices and API tokens: whose they are is asked in the statement that changes them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { devicesOf, forgetDevice, nameDevice, seeDevice } from '#domain/accounts/devices.ts';
import { apiTokensOf, revokeAllApiTokens, revokeApiToken } from '#domain/accounts/manage-api-tokens.ts';
import { endAllSessions, endOneSession, nameSession, sessionsOf } from '#domain/accounts/manage-sessions.ts';
import { SESSION_LIFE, createSession, sweepExpired, useSession } from '#domain/accounts/sessions.ts';
import { standingsOf } from '#domain/accounts/standing.ts';
import { useApiToken } from '#domain/accounts/use-api-token.ts';
import { hashSecret } from '#domain/hash-secret.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import type { Actor } from '#domain/context.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const NOT_FOUND = { code: 'not_found' };
const PAGE = { limit: 50 };

describe.each(DIALECTS)('managing access on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  let ana: Actor;
  let ben: Actor;
  let people = 0;
  beforeAll(async () => {
    database = await dialect.open();
    ctx = testCtx(database);
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    [ana, ben] = [await person(ctx, `ana${++people}`), await person(ctx, `ben${people}`)];
    ctx.happened.length = 0;
  });

  const now = () => Math.floor(ctx.clock.nowMs() / 1000);
  async function signIn(who: Actor, more: { provider_sid?: string } = {}): Promise<Actor> {
    const { session_id } = await createSession(ctx, {
      user_id: who.user_id,
      secret_hash: ctx.ids.id(),
      provider_sid: null,
      realm_role: null,
      device: 'Mozilla/5.0 (X11; Linux) Firefox/140.0',
      auth_time: now(),
      replaces_secret_hash: null,
      ...more,
    });
    return { ...who, credential: { kind: 'session', session_id, auth_time: now() } };
  }
  const idOf = ({ credential }: Actor) => (credential.kind === 'session' ? credential.session_id : '');
  const token = (who: Actor, issued_at = now(), sid: string | null = null): Actor => ({
    ...who,
    credential: { kind: 'token', sid, issued_at, expires_at: now() + 3600, auth_time: null },
  });
  const all = () => database.db.selectFrom('user_sessions').selectAll().orderBy('id').execute();
  const audits = async (who: Actor) =>
    (
      await database.db
        .selectFrom('audit_events')
        .select(['action', 'actor_id'])
        .where('target_id', '=', who.user_id)
        .orderBy('at')
        .orderBy('action')
        .execute()
    ).map(({ action, actor_id }) => [action, actor_id === who.user_id]);

  describe('sessions', () => {
    test('[ID98] the list is one’s own, the latest used first, in pages without gap or double, and tells no secret', async () => {
      const mine: string[] = [];
      for (let i = 0; i < 5; i++) {
        // Two in the same second, so that the order needs more than the time.
        if (i % 2 === 0) ctx.clock.advance(60_000);
        mine.push(idOf(await signIn(ana)));
      }
      await signIn(ben);
      const over = idOf(await signIn(ana));
      await database.write((trx) =>
        trx.updateTable('user_sessions').set({ expires_at: now() }).where('id', '=', over).execute(),
      );
      const seen: string[] = [];
      const times: number[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await sessionsOf(ctx, ana, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
        seen.push(...page.items.map((item) => item.id));
        times.push(...page.items.map((item) => item.last_used_at));
        expect(JSON.stringify(page.items)).not.toMatch(/secret|hash|encrypted|provider_sid/);
        if (page.next_cursor === null) break;
        cursor = page.next_cursor;
      }
      expect([...seen].sort()).toEqual([...mine].sort());
      expect(times).toEqual([...times].sort((a, b) => b - a));
    });

    test('[ID98] a session is named and ended by its owner alone: to others it is not there, and nothing changes', async () => {
      const mine = await signIn(ana, { provider_sid: 'p1' });
      const theirs = await signIn(ben);
      const before = await all();
      for (const id of [idOf(theirs), ctx.ids.id(), '', '%']) {
        await expect(nameSession(ctx, mine, { id, device_name: 'Mine' })).rejects.toMatchObject(NOT_FOUND);
        await expect(endOneSession(ctx, mine, { id })).rejects.toMatchObject(NOT_FOUND);
      }
      expect(await all()).toEqual(before);
      expect(ctx.happened).toEqual([]);
      expect(await audits(ana)).toEqual([]);

      expect(await nameSession(ctx, mine, { id: idOf(mine), device_name: 'Kitchen' })).toMatchObject({
        device_name: 'Kitchen',
      });
      await endOneSession(ctx, mine, { id: idOf(mine) });
      expect((await all()).map((row) => row.id)).not.toContain(idOf(mine));
      expect(ctx.happened).toEqual([
        {
          name: 'access.ended',
          payload: {
            user_id: ana.user_id,
            which: { kind: 'session', session_id: idOf(mine) },
            reason: 'signed_out',
          },
        },
      ]);
      expect(await audits(ana)).toEqual([['session.ended', true]]);
      await expect(endOneSession(ctx, mine, { id: idOf(mine) })).rejects.toMatchObject(NOT_FOUND);
      expect(await standingsOf(ctx, [mine, theirs])).toEqual([null, theirs]);
    });

    test('[ID98] signing out everywhere ends sessions and access tokens issued until now, and spares what it is to', async () => {
      const [here, there] = [await signIn(ana), await signIn(ana)];
      const other = await signIn(ben);
      const issued = token(ana);
      const made = await createApiToken(ctx, ana.user_id, { name: 'x', scopes: ['read'] });
      const api: Actor = {
        ...ana,
        credential: { kind: 'api_token', token_id: made.id, scopes: ['read'], expires_at: null },
      };
      const benToken = token(ben);
      const asked = [here, there, issued, api, other, benToken];
      expect(await standingsOf(ctx, asked)).toEqual(asked);

      await endAllSessions(ctx, here, { keep_current: true });
      expect(await standingsOf(ctx, asked)).toEqual([here, null, null, api, other, benToken]);
      expect(ctx.happened.at(-1)).toEqual({
        name: 'access.ended',
        payload: {
          user_id: ana.user_id,
          which: { kind: 'sign_ins', except_session_id: idOf(here) },
          reason: 'signed_out',
        },
      });
      ctx.clock.advance(1_000);
      const later = token(ana);
      expect(await standingsOf(ctx, [later])).toEqual([later]);
      await endAllSessions(ctx, later, { keep_current: true });
      // A token is no session to be spared.
      expect(await standingsOf(ctx, [...asked, later])).toEqual([null, null, null, api, other, benToken, null]);
      expect(await audits(ana)).toEqual([
        ['api_token.created', true],
        ['sessions.ended', true],
        ['sessions.ended', true],
      ]);
    });

    test('[ID98] a revocation outlasts the tokens it is for, those that live for a year too', async () => {
      const issued_at = now();
      await endAllSessions(ctx, await signIn(ana), { keep_current: false });
      ctx.clock.advance(365 * 24 * 3600 * 1000);
      await sweepExpired(ctx);
      expect(await standingsOf(ctx, [token(ana, issued_at)])).toEqual([null]);
    });

    test('[ID98] two who end the same session at once: one did', async () => {
      const mine = await signIn(ana);
      const both = await Promise.allSettled([1, 2].map(() => endOneSession(ctx, mine, { id: idOf(mine) })));
      expect(both.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(ctx.happened).toHaveLength(1);
    });

    test('[ID98] a session in use goes on, one that is over does not come back by being used', async () => {
      const secret_hash = hashSecret('one');
      await createSession(ctx, {
        user_id: ana.user_id,
        secret_hash,
        provider_sid: null,
        realm_role: null,
        device: '',
        auth_time: now(),
        replaces_secret_hash: null,
      });
      ctx.clock.advance(SESSION_LIFE * 1000);
      expect(await useSession(ctx, secret_hash)).toBeNull();
      expect((await sessionsOf(ctx, ana, PAGE)).items).toEqual([]);
    });
  });

  describe('devices', () => {
    const seen = async (who: Actor) => (await devicesOf(ctx, who, PAGE)).items;

    test('[ID99] a device is known by the id its program gave, apart for each person', async () => {
      await seeDevice(ctx, ana, { device_id: 'phone', name: 'Phone' });
      await seeDevice(ctx, ana, { device_id: 'phone', name: 'Phone' });
      await seeDevice(ctx, ben, { device_id: 'phone', name: 'Ben’s' });
      ctx.clock.advance(60_000);
      await seeDevice(ctx, ana, { device_id: 'desk', name: 'Desk' });
      expect((await seen(ana)).map(({ name }) => name)).toEqual(['Desk', 'Phone']);
      expect((await seen(ben)).map(({ name }) => name)).toEqual(['Ben’s']);
    });

    test('[ID99] the program’s name follows it until the person gives another, which stays', async () => {
      await seeDevice(ctx, ana, { device_id: 'phone', name: 'Old' });
      await seeDevice(ctx, ana, { device_id: 'phone', name: 'New' });
      const [device] = await seen(ana);
      expect(device?.name).toBe('New');
      await nameDevice(ctx, ana, { id: device?.id ?? '', name: 'My own' });
      ctx.clock.advance(600_000);
      await seeDevice(ctx, ana, { device_id: 'phone', name: 'Newer' });
      expect(await seen(ana)).toMatchObject([{ name: 'My own', last_seen_at: now() }]);
    });

    test('[ID99] another’s device is not there: no name, no end, no change', async () => {
      await seeDevice(ctx, ben, { device_id: 'phone', name: 'Phone' });
      const before = await seen(ben);
      for (const id of [before[0]?.id ?? '', ctx.ids.id()]) {
        await expect(nameDevice(ctx, ana, { id, name: 'Mine' })).rejects.toMatchObject(NOT_FOUND);
        await expect(forgetDevice(ctx, ana, { id })).rejects.toMatchObject(NOT_FOUND);
      }
      expect(await seen(ben)).toEqual(before);
      expect(ctx.happened).toEqual([]);
      await forgetDevice(ctx, ben, { id: before[0]?.id ?? '' });
      expect(await seen(ben)).toEqual([]);
      expect(ctx.happened).toEqual([
        { name: 'device.forgotten', payload: { user_id: ben.user_id, device_id: 'phone' } },
      ]);
      expect(await audits(ben)).toEqual([['device.forgotten', true]]);
    });

    test('[ID99] fifty are kept: the one seen longest ago makes room', async () => {
      for (let i = 0; i < 53; i++) {
        ctx.clock.advance(1_000);
        await seeDevice(ctx, ana, { device_id: `d${i}`, name: `Device ${i}` });
      }
      const page = await devicesOf(ctx, ana, { limit: 200 });
      expect(page.items.map(({ name }) => name)).toEqual(Array.from({ length: 50 }, (_, i) => `Device ${52 - i}`));
      const [first, rest] = [await devicesOf(ctx, ana, { limit: 30 }), page.items.slice(30)];
      const second = await devicesOf(ctx, ana, { limit: 30, cursor: first.next_cursor ?? '' });
      expect(second).toEqual({ items: rest, next_cursor: null });
    });
  });

  describe('API tokens', () => {
    const make = (who: Actor, more: object = {}) =>
      createApiToken(ctx, who.user_id, { name: 'x', scopes: ['read'], ...more });

    test('[ID100] a token stands for its person with its scopes until it ends', async () => {
      const made = await make(ana, { scopes: ['write', 'read'], expires_in: 60 });
      expect(await useApiToken(ctx, hashSecret(made.token))).toMatchObject({
        user_id: ana.user_id,
        role: 'user',
        credential: { kind: 'api_token', token_id: made.id, scopes: ['write', 'read'] },
      });
      ctx.clock.advance(59_000);
      expect(await useApiToken(ctx, hashSecret(made.token))).not.toBeNull();
      ctx.clock.advance(1_000);
      expect(await useApiToken(ctx, hashSecret(made.token))).toBeNull();
    });

    test('[ID100] its last use is noted every few minutes; the list shows it and never the token or its hash', async () => {
      const made = await make(ana);
      const lastUse = async () => (await apiTokensOf(ctx, ana, PAGE)).items[0]?.last_used_at;
      expect(await lastUse()).toBeNull();
      await useApiToken(ctx, hashSecret(made.token));
      const first = now();
      ctx.clock.advance(200_000);
      await useApiToken(ctx, hashSecret(made.token));
      expect(await lastUse()).toBe(first);
      ctx.clock.advance(100_000);
      await useApiToken(ctx, hashSecret(made.token));
      expect(await lastUse()).toBe(first + 300);
      const shown = JSON.stringify(await apiTokensOf(ctx, ana, PAGE));
      expect(shown).not.toContain(hashSecret(made.token));
      expect(shown).not.toContain(made.token.slice(4));
    });

    test('[ID100] the role is what the person is now, and at a provider what it said last', async () => {
      const made = await make(ana);
      const roleNow = async () => (await useApiToken(ctx, hashSecret(made.token)))?.role;
      const set = (change: { role?: 'user' | 'guest' | 'admin'; provider_role?: 'user' | 'guest' | 'admin' | null }) =>
        database.write((trx) => trx.updateTable('users').set(change).where('id', '=', ana.user_id).execute());
      await set({ role: 'guest' });
      expect(await roleNow()).toBe('guest');
      await set({ role: 'admin', provider_role: 'user' });
      expect(await roleNow()).toBe('user');
      const before = await useApiToken(ctx, hashSecret(made.token));
      await set({ provider_role: 'guest' });
      expect(await standingsOf(ctx, [before as Actor])).toMatchObject([{ role: 'guest', provider_role: 'guest' }]);
      await set({ role: 'user', provider_role: null });
      expect(await standingsOf(ctx, [before as Actor])).toMatchObject([{ role: 'user', provider_role: null }]);
    });

    test('[ID100] another’s token is not there; revoked is revoked, one or all, told and written down', async () => {
      const [mine, also, theirs] = [await make(ana), await make(ana), await make(ben)];
      const before = await database.db.selectFrom('api_tokens').selectAll().orderBy('id').execute();
      await expect(revokeApiToken(ctx, ana, { id: theirs.id })).rejects.toMatchObject(NOT_FOUND);
      await expect(revokeApiToken(ctx, ana, { id: ctx.ids.id() })).rejects.toMatchObject(NOT_FOUND);
      expect(await database.db.selectFrom('api_tokens').selectAll().orderBy('id').execute()).toEqual(before);
      expect(ctx.happened).toEqual([]);
      await revokeApiToken(ctx, ana, { id: mine.id });
      expect(await useApiToken(ctx, hashSecret(mine.token))).toBeNull();
      expect(await useApiToken(ctx, hashSecret(also.token))).not.toBeNull();
      await revokeAllApiTokens(ctx, ana);
      await revokeAllApiTokens(ctx, ana);
      expect(await useApiToken(ctx, hashSecret(also.token))).toBeNull();
      expect(await useApiToken(ctx, hashSecret(theirs.token))).not.toBeNull();
      expect(ctx.happened.map((event) => event.payload)).toEqual(
        [mine, also].map(({ id }) => ({
          user_id: ana.user_id,
          which: { kind: 'api_token', token_id: id },
          reason: 'revoked',
        })),
      );
      expect((await audits(ana)).filter(([action]) => action === 'api_token.revoked')).toHaveLength(2);
    });

    test('[ID100] a scope nobody knows any more is none', async () => {
      const made = await make(ana);
      await database.write((trx) =>
        trx.updateTable('api_tokens').set({ scopes: 'read everything admin ' }).where('id', '=', made.id).execute(),
      );
      expect((await useApiToken(ctx, hashSecret(made.token)))?.credential).toMatchObject({ scopes: ['read'] });
    });

    test('[ID100] a disabled person’s token says so', async () => {
      const made = await make(ana);
      await database.write((trx) =>
        trx.updateTable('users').set({ is_active: 0 }).where('id', '=', ana.user_id).execute(),
      );
      expect(await useApiToken(ctx, hashSecret(made.token))).toMatchObject({ is_active: false });
    });
  });
});
