/** [ID97] A flood of made-up key ids does not beat on the provider, whatever state that is in, and shuts nobody out. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startIssuer } from '../../support/issuer.ts';
import { openSqlite, startApp, tempFolder } from '../identity/harness.ts';
import type { TestIssuer } from '../../support/issuer.ts';
import type { TestApp } from '../identity/harness.ts';
import type { TestDatabase } from '../../support/dialects.ts';

const ANA = { sub: 'sub-ana', username: 'ana', roles: ['user'] };
const TOKENS = 10_000;
const SECONDS = 30;

describe('10,000 bogus key ids in 30 s', () => {
  let database: TestDatabase;
  let data: Awaited<ReturnType<typeof tempFolder>>;
  beforeAll(async () => {
    database = await openSqlite();
    data = await tempFolder();
  });
  afterAll(async () => {
    await database.close();
    await data.remove();
  });

  async function withProvider(run: (issuer: TestIssuer, app: TestApp) => Promise<void>): Promise<void> {
    const issuer = await startIssuer();
    const app = await startApp(database, data.folder, { issuer });
    try {
      await run(issuer, app);
    } finally {
      await app.close();
      await issuer.close();
    }
  }
  let made = 0;
  /** Bogus tokens at once; @returns how many of them were taken. */
  async function flood(app: TestApp, template: string, count: number): Promise<number> {
    const [head = '', ...rest] = template.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
    const answers = await Promise.allSettled(
      Array.from({ length: count }, () => {
        const bogus = Buffer.from(JSON.stringify({ ...header, kid: `bogus-${made++}` })).toString('base64url');
        return app.identity.authenticateToken([bogus, ...rest].join('.'));
      }),
    );
    return answers.filter(({ status }) => status === 'fulfilled').length;
  }
  const isTaken = (app: TestApp, token: string) =>
    app.identity.authenticateToken(token).then(
      () => true,
      () => false,
    );

  const MODES: [string, { cold?: boolean; down?: number; slow?: number }][] = [
    ['up', {}],
    ['down (503)', { down: 503 }],
    ['failing (500)', { down: 500 }],
    ['answering something else (200)', { down: 200 }],
    ['slow', { slow: 300 }],
    ['down at a cold start', { cold: true, down: 503 }],
    ['slow at a cold start', { cold: true, slow: 300 }],
  ];
  test.each(MODES)('[ID97] provider %s: at most 3 fetches, good tokens go on', async (_name, { cold, down, slow }) => {
    await withProvider(async (issuer, app) => {
      if (cold !== true) await app.identity.authenticateToken(await issuer.issueAccessToken(ANA));
      app.ctx.clock.advance(10_000);
      Object.assign(issuer, { down: down !== undefined, downStatus: down ?? 503, slow: slow ?? 0 });
      Object.assign(issuer, { jwksFetches: 0, requests: 0 });
      const template = await issuer.issueAccessToken(ANA);
      let taken = 0;
      let good = 0;
      for (let second = 0; second < SECONDS; second++) {
        const own = await issuer.issueAccessToken(ANA);
        const [bogus, mine] = await Promise.all([flood(app, template, Math.ceil(TOKENS / SECONDS)), isTaken(app, own)]);
        taken += bogus;
        if (mine) good += 1;
        app.ctx.clock.advance(1_000);
      }
      expect(taken).toBe(0);
      // A provider that was never reached cannot vouch for anybody; one that was, has.
      expect(good).toBe(cold === true && down !== undefined ? 0 : SECONDS);
      expect(issuer.requests).toBeGreaterThan(0);
      expect(issuer.jwksFetches).toBeLessThanOrEqual(3);
      // Asking where the keys are counts no less than asking for them.
      expect(issuer.requests).toBeLessThanOrEqual(cold === true && down === undefined ? 4 : 3);
    });
  });

  test('[ID97] a key rotated amid the flood is taken within 11 s', async () => {
    await withProvider(async (issuer, app) => {
      await app.identity.authenticateToken(await issuer.issueAccessToken(ANA));
      const template = await issuer.issueAccessToken(ANA);
      app.ctx.clock.advance(10_000);
      await flood(app, template, 10);
      await issuer.rotate();
      const token = await issuer.issueAccessToken(ANA);
      let seconds = 0;
      while (!(await isTaken(app, token))) {
        await flood(app, template, 100);
        app.ctx.clock.advance(1_000);
        seconds += 1;
        expect(seconds).toBeLessThanOrEqual(11);
      }
      expect(seconds).toBeGreaterThan(0);
    });
  });

  test('[ID97] a provider that was down at the start is found again by itself, amid the flood', async () => {
    await withProvider(async (issuer, app) => {
      issuer.down = true;
      const template = await issuer.issueAccessToken(ANA);
      await flood(app, template, 100);
      issuer.down = false;
      const token = await issuer.issueAccessToken(ANA);
      let seconds = 0;
      while (!(await isTaken(app, token))) {
        await flood(app, template, 100);
        app.ctx.clock.advance(1_000);
        seconds += 1;
        expect(seconds).toBeLessThanOrEqual(11);
      }
      expect(seconds).toBeGreaterThan(0);
    });
  });
});
