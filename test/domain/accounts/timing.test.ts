import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { checkPassword } from '#domain/accounts/check-password.ts';
import { createLocalAccount } from '#domain/accounts/create-local-account.ts';
import { warmUpPasswordHash } from '#domain/accounts/password-hash.ts';
import { DIALECTS } from '../../support/dialects.ts';
import { testCtx } from '../../support/ctx.ts';
import type * as Crypto from 'node:crypto';
import type { TestCtx } from '../../support/ctx.ts';
import type { TestDatabase } from '../../support/dialects.ts';

/** What was hashed so far, with which cost; the hashing itself is the real one. */
const hashed = vi.hoisted(() => [] as { memory: number; passes: number; parallelism: number }[]);
vi.mock('node:crypto', async (importOriginal) => {
  const crypto = await importOriginal<typeof Crypto>();
  const argon2: typeof Crypto.argon2 = (algorithm, parameters, callback) => {
    const { memory, passes, parallelism } = parameters;
    hashed.push({ memory, passes, parallelism });
    return crypto.argon2(algorithm, parameters, callback);
  };
  return { ...crypto, argon2 };
});

const PASSWORD = 'correct horse battery';

describe('a name that is known and one that is not', () => {
  let database: TestDatabase;
  let ctx: TestCtx;
  beforeAll(async () => {
    const [sqlite] = DIALECTS;
    if (sqlite === undefined) throw new Error('no dialect');
    database = await sqlite.open();
    ctx = testCtx(database);
    for (const username of ['known', 'locked', 'protected']) {
      await createLocalAccount(ctx, { username, password: PASSWORD, role: 'user' });
    }
    await database.write(async (trx) => {
      await trx.updateTable('local_accounts').set({ is_active: 0 }).where('username', '=', 'locked').execute();
      await trx
        .updateTable('local_accounts')
        .set({ totp_confirmed_at: 1, totp_secret_encrypted: 'x.y.z' })
        .where('username', '=', 'protected')
        .execute();
    });
    await warmUpPasswordHash();
  });
  afterAll(() => database.close());

  test('[ID4] cost the same work: one hash of one cost, whoever the name is', async () => {
    const costs = [];
    for (const username of ['known', 'locked', 'protected', 'nobody', '', 'x'.repeat(200)]) {
      hashed.length = 0;
      expect(await checkPassword(ctx, { username, password: 'not the password' })).toEqual({ outcome: 'wrong' });
      costs.push([...hashed]);
    }
    expect(costs[0]).toHaveLength(1);
    for (const cost of costs) expect(cost).toEqual(costs[0]);
  });

  test('[ID4] take the same time, as far as a clock can tell', { timeout: 30_000 }, async () => {
    const median = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? NaN;
    const measure = async (username: string) => {
      const start = performance.now();
      await checkPassword(ctx, { username, password: 'not the password' });
      return performance.now() - start;
    };
    const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] };
    // In turn, so that whatever else the machine does falls on both.
    for (let i = 0; i < 25; i++) {
      times.known.push(await measure('known'));
      times.unknown.push(await measure(`nobody${i}`));
    }
    const ratio = median(times.known) / median(times.unknown);
    expect(ratio).toBeGreaterThan(0.6);
    expect(ratio).toBeLessThan(1.6);
  });
});
