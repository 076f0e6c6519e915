/// <reference lib="dom" />
/** The pages of signing in, as a real browser shows them: usable on a telephone, by keyboard and by ear. */
import { AxeBuilder } from '@axe-core/playwright';
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPasswordReset } from '#domain/accounts/password-reset.ts';
import { beginSecondFactor, confirmSecondFactor } from '#domain/accounts/second-factor.ts';
import { hashSecret } from '#server/ids.ts';
import { createLoginBackoff } from '#server/identity/login-backoff.ts';
import { launchBrowser, visitor } from '../support/browser.ts';
import { makeFolders, startServer } from '../support/server.ts';
import type { RunningServer } from '#server/create-server.ts';
import type { Browser, Page } from 'playwright-core';

const PASSWORD = 'a long enough password';

describe('the pages of signing in', () => {
  const folders = makeFolders();
  let server: RunningServer;
  let browser: Browser;
  let nowMs = Date.now();
  beforeAll(async () => {
    server = await startServer(folders, { clock: { nowMs: () => nowMs } });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    folders.remove();
  });

  /** Nothing for axe to find, nothing to scroll sideways for, and something to type into. */
  async function expectUsable(page: Page, name: string): Promise<void> {
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(
      violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
      name,
    ).toEqual([]);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect([name, overflow]).toEqual([name, 0]);
  }

  test.each([
    ['a telephone', 390],
    ['a wide screen', 1280],
  ])('[ID78] invited, signed in with a second factor, password lost and set anew, on %s', async (_name, width) => {
    const { username: host, user_id } = await server.identity.createLocalAccount({
      username: `host${width}`,
      display_name: 'A host with rather a long name that has to wrap somewhere',
      password: PASSWORD,
      role: 'admin',
    });
    const code = server.ctx.ids.secret();
    const now = Math.floor(nowMs / 1000);
    await server.ctx.write((trx) =>
      trx
        .insertInto('account_invites')
        .values({
          id: server.ctx.ids.id(),
          code_hash: hashSecret(code),
          role: 'user',
          note: null,
          created_by: user_id,
          created_at: now,
          expires_at: now + 3600,
          used_at: null,
          used_by: null,
        })
        .execute(),
    );
    const { page, context, complaints } = await visitor(browser, { width, height: 844 });
    const username = `guest${width}`;

    await page.goto(`${server.url}/invite/${code}`);
    await expectUsable(page, 'invitation');
    expect(await page.getByText('invites you to this server as a member').count()).toBe(1);
    await page.getByLabel('Username').fill(host.toUpperCase());
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Create account' }).click();
    const name = page.getByRole('textbox', { name: 'Username' });
    await page.locator('#username-error').waitFor();
    expect(await name.getAttribute('aria-describedby')).toBe('username-error username-hint');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('username');
    await expectUsable(page, 'invitation with a mistake');
    await name.fill(username);
    await page.getByLabel('Password').fill(PASSWORD);
    // By keyboard.
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await page.getByLabel('Username').inputValue()).toBe(username);
    await expectUsable(page, 'sign in');

    const { id } = await server.ctx.db
      .selectFrom('users')
      .select('id')
      .where('username', '=', username)
      .executeTakeFirstOrThrow();
    const credential = { kind: 'session' as const, session_id: id, auth_time: now };
    const actor = { user_id: id, username, role: 'user' as const, provider_role: null, credential };
    const { secret } = await beginSecondFactor(server.ctx, actor, { current_password: PASSWORD }, createLoginBackoff());
    const shown = () => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: nowMs });
    const { recovery_codes } = await confirmSecondFactor(server.ctx, actor, { code: shown() });
    nowMs += 30_000;

    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByLabel('Code', { exact: true }).waitFor();
    await expectUsable(page, 'code');
    await page.keyboard.type('000 000' === shown() ? '000 001' : '000 000');
    await page.keyboard.press('Enter');
    await page.locator('#code-error').waitFor();
    await expectUsable(page, 'code with a mistake');
    await page.keyboard.type(`${shown().slice(0, 3)} ${shown().slice(3)}`);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${server.url}/`);
    const me = async () =>
      (await (await context.request.get(`${server.url}/api/v1/auth/profile`)).json()) as { username?: string };
    expect(await me()).toMatchObject({ username });

    const { token } = await createPasswordReset(server.ctx, null, { user_id: id });
    await page.goto(`${server.url}/reset?token=${token}`);
    await expectUsable(page, 'reset');
    await page.getByLabel('New password').fill(`${PASSWORD}, another`);
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.getByRole('heading', { name: 'Your password is set' }).waitFor();
    await expectUsable(page, 'reset done');
    expect(await me()).not.toHaveProperty('username');
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.getByLabel('Password').fill(`${PASSWORD}, another`);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Use a recovery code instead' }).click();
    await page.getByLabel('Recovery code').fill(recovery_codes[0]?.toUpperCase() ?? '');
    await expectUsable(page, 'recovery code');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(`${server.url}/`);
    expect(await me()).toMatchObject({ username });
    // The pages live by their own strict policy. (Refused forms and a client that is not built are other matters.)
    expect(complaints.filter((line) => /exception|Security Policy|Refused to/i.test(line))).toEqual([]);
    await context.close();
  });
});
