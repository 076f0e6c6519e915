import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { API_TOKENS_MAX, createApiToken } from '#domain/accounts/api-tokens.ts';
import { hashSecret } from '#domain/hash-secret.ts';
import { person, testCtx } from '../../support/ctx.ts';
import { DIALECTS } from '../../support/dialects.ts';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

describe.each(DIALECTS)('personal API tokens on $name', (dialect) => {
  let database: TestDatabase;
  let ctx: TestCtx;
  beforeAll(async () => {
    database = await dialect.open();
    ctx = testCtx(database);
  });
  afterAll(() => database.close());

  test('[AD1] a token is shown once and kept as a hash; who made it for whom is written down', async () => {
    const ana = await person(ctx, 'ana');
    const now = Math.floor(ctx.clock.nowMs() / 1000);
    const made = await createApiToken(
      ctx,
      ana.user_id,
      { name: 'phone', scopes: ['read', 'listen:write', 'read'], expires_in: 60 },
      null,
    );
    expect(made.token).toMatch(/^sbm_[A-Za-z0-9_-]{43}$/);
    expect(made).toMatchObject({ name: 'phone', scopes: ['read', 'listen:write'], expires_at: now + 60 });
    const rows = await ctx.db.selectFrom('api_tokens').selectAll().execute();
    expect(rows).toEqual([
      {
        id: made.id,
        user_id: ana.user_id,
        name: 'phone',
        token_hash: hashSecret(made.token),
        scopes: 'read listen:write',
        created_at: now,
        last_used_at: null,
        expires_at: now + 60,
      },
    ]);
    const [event, ...more] = await ctx.db.selectFrom('audit_events').selectAll().execute();
    expect(more).toEqual([]);
    expect(event).toMatchObject({ action: 'api_token.created', actor_id: null, target_id: ana.user_id });
    expect(event?.details_json).not.toContain(made.token.slice(4, 20));
  });

  test('[AD1] nobody has more than fifty, not even by asking for two at once', async () => {
    const ben = await person(ctx, 'ben');
    const one = () => createApiToken(ctx, ben.user_id, { name: 'loop', scopes: ['read'] });
    for (let i = 1; i < API_TOKENS_MAX; i++) await one();
    const both = await Promise.allSettled([one(), one()]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(one()).rejects.toMatchObject({ code: 'conflict' });
    const left = await ctx.db.selectFrom('api_tokens').select('id').where('user_id', '=', ben.user_id).execute();
    expect(left).toHaveLength(API_TOKENS_MAX);
    await expect(createApiToken(ctx, ctx.ids.id(), { name: 'x', scopes: ['read'] })).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});
