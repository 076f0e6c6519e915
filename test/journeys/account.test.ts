/// <reference lib="dom" />
import { mkdirSync } from 'node:fs';
import { Secret, TOTP } from 'otpauth';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { enterPassword, launchBrowser, makeFirstAccount, signIn, visitor } from '../support/browser.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import type { Browser, Page } from 'playwright-core';
import type { Visitor } from '../support/browser.ts';
import type { Folders, Program } from '../support/server.ts';

const PASSWORD = 'a long enough password';
const BENS_PASSWORD = 'another long enough one';
const STEP_MS = 30_000;

const signedIn = (page: Page) => page.getByRole('heading', { level: 1, name: /Hello/ }).waitFor();

/** Signs out by the menu, and waits for the page the server sends to. */
async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Account:/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.waitForURL(/\/login$/);
  await page.getByRole('link', { name: 'Sign in' }).waitFor();
}

describe('an account in the browser', () => {
  let folders: Folders;
  let server: Program;
  let browser: Browser;
  let ana: Visitor;

  beforeAll(async () => {
    folders = makeFolders();
    mkdirSync(folders.musicDir, { recursive: true });
    makeLibrary(folders.musicDir, {
      'One.flac': { title: 'One', artist: 'The Firsts', album: 'Numbers', seconds: 40 },
      'Two.flac': { title: 'Two', artist: 'The Firsts', album: 'Numbers', seconds: 40 },
    });
    server = await spawnServer(folders);
    browser = await launchBrowser();
    ana = await visitor(browser);
    await makeFirstAccount(ana.page, server.setupLink ?? '', 'ana', PASSWORD);
  });
  afterAll(async () => {
    await browser.close();
    await server.kill();
    folders.remove();
  });

  test('[JO5] a picture shows at once everywhere, and comes back by Undo', async () => {
    const { page } = ana;
    await page.goto(`${server.url}/settings/profile`);
    const mine = page.getByRole('button', { name: 'Account: Ana' }).locator('img');

    // What is no picture is refused before anything is sent.
    await page.getByLabel('Choose a picture').setInputFiles({
      name: 'me.png',
      mimeType: 'image/png',
      buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
    });
    await page.getByText('This is not a PNG, JPEG or WebP picture.').waitFor();

    const picture = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#ff4fb8' } })
      .png()
      .toBuffer();
    await page.getByLabel('Choose a picture').setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: picture });
    await page.getByRole('button', { name: 'Use this picture' }).click();
    await page.getByText('Your picture was changed').first().waitFor();
    const address = await mine.getAttribute('src');
    expect(address).toMatch(/^\/api\/v1\/avatars\//);
    expect(await mine.evaluate((img: HTMLImageElement) => img.decode().then(() => img.naturalWidth))).toBe(256);

    await page.getByRole('button', { name: 'Remove' }).click();
    await mine.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Undo' }).click();
    await mine.waitFor();
    await page.reload();
    await mine.waitFor();
    expect(await mine.getAttribute('src')).not.toBe(address);
  });

  test('[JO5] an API token is shown once, works, and is revoked after a question', async () => {
    const { page } = ana;
    await page.goto(`${server.url}/settings/account`);
    await page.getByRole('button', { name: 'Create a token' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Create' }).click();
    await dialog.getByText('Give it a name.').waitFor();
    await dialog.getByLabel('Name').fill('Kitchen player');
    await dialog.getByRole('checkbox', { name: /Read what you can read/ }).check();
    await dialog.getByRole('button', { name: 'Create' }).click();
    const token = await dialog.getByLabel('Token', { exact: true }).inputValue();
    const call = () => fetch(`${server.url}/api/v1/auth/profile`, { headers: { authorization: `Bearer ${token}` } });
    expect((await call()).status).toBe(200);
    // It is not lost to a slip of the finger.
    await page.keyboard.press('Escape');
    await dialog.getByRole('button', { name: 'I have copied it' }).click();
    await page.reload();
    await page.getByText('Kitchen player').waitFor();
    expect(await page.content()).not.toContain(token);

    await page.getByRole('button', { name: 'Revoke Kitchen player' }).click();
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('No tokens yet.').waitFor();
    // The list goes ahead of the server; the notice is what says that it is done.
    await page.getByText('“Kitchen player” was revoked').first().waitFor();
    expect((await call()).status).toBe(401);
  });

  test('[JO5] a device signed out elsewhere is told so live', async () => {
    const phone = await visitor(browser, { width: 390, height: 844 });
    await signIn(phone.page, server.url, 'ana', PASSWORD);
    await phone.page.goto(`${server.url}/settings/account`);
    const here = phone.page.getByRole('listitem').filter({ hasText: 'This device' });
    await here.getByRole('button', { name: /^Rename/ }).click();
    await phone.page.getByLabel('Name of the device').fill('Phone');
    const renamed = phone.page.waitForResponse((response) => response.request().method() === 'PATCH');
    await phone.page.keyboard.press('Enter');
    expect((await renamed).status()).toBe(200);
    await phone.page.goto(server.url);
    await signedIn(phone.page);

    const { page } = ana;
    await page.goto(`${server.url}/settings/account`);
    await page.getByRole('listitem').filter({ hasText: 'Phone' }).getByText('Open now').waitFor();
    const pressedAtMs = performance.now();
    await page.getByRole('button', { name: 'Sign out Phone' }).click();
    await phone.page.getByText('You were signed out').waitFor({ timeout: 5_000 });
    process.stdout.write(`told on the other device after ${Math.round(performance.now() - pressedAtMs)} ms\n`);
    await page.getByRole('listitem').filter({ hasText: 'Phone' }).waitFor({ state: 'detached' });
    await page.reload();
    await page.getByRole('listitem').filter({ hasText: 'This device' }).waitFor();
    expect(await page.getByRole('button', { name: 'Sign out Phone' }).count()).toBe(0);
    await phone.context.close();
  });

  test('[JO6] an invited person makes an account by the link, once, and an administrator can end it', async () => {
    const { page } = ana;
    await page.goto(`${server.url}/admin/invites`);
    await page.getByRole('button', { name: 'Invite somebody' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Note for you').fill('For Ben');
    await dialog.getByRole('button', { name: 'Make the link' }).click();
    const link = await dialog.getByLabel('Link', { exact: true }).inputValue();
    await dialog.getByRole('button', { name: 'I have copied it' }).click();
    await page.getByRole('listitem').filter({ hasText: 'For Ben' }).getByText('Open').waitFor();

    const ben = await visitor(browser);
    await ben.page.goto(link);
    await ben.page.getByText('Ana').first().waitFor();
    await ben.page.getByLabel('Username').fill('ben');
    await ben.page.getByLabel('Display name').fill('Ben');
    await ben.page.getByLabel('Password').fill(BENS_PASSWORD);
    await ben.page.getByRole('button', { name: 'Create account' }).click();
    await ben.page.getByRole('button', { name: 'Sign in' }).waitFor();
    await enterPassword(ben.page, 'ben', BENS_PASSWORD);

    // Somebody else with the same link gets nothing but words.
    const late = await visitor(browser);
    const answer = await late.page.goto(link);
    expect(answer?.status()).toBeGreaterThanOrEqual(400);
    expect(await late.page.getByLabel('Username').count()).toBe(0);
    await late.context.close();

    // The administration is not for everybody.
    await ben.page.goto(`${server.url}/admin/users`);
    await ben.page.getByRole('heading', { level: 1, name: 'This is for administrators' }).waitFor();
    expect(await ben.page.getByText('Find by name').count()).toBe(0);
    expect(await ben.page.getByRole('link', { name: 'Administration' }).count()).toBe(0);
    await ben.page.goto(server.url);
    await signedIn(ben.page);

    await page.reload();
    await page
      .getByRole('listitem')
      .filter({ hasText: 'For Ben' })
      .getByText(/^as User · Ben joined/)
      .waitFor();
    await page.goto(`${server.url}/admin/users`);
    // The last administrator stays one.
    await page.getByLabel('Role of Ana').selectOption('user');
    await page.getByRole('dialog').getByRole('button', { name: 'Give it up' }).click();
    await page.getByRole('dialog').getByText('Ana is the last administrator.').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    expect(await page.getByLabel('Role of Ana').inputValue()).toBe('admin');

    await page.getByRole('button', { name: 'Actions for Ben' }).click();
    await page.getByRole('menuitem', { name: 'Lock out' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Lock out' }).click();
    await ben.page.getByText('This account is disabled').waitFor({ timeout: 5_000 });
    await ben.context.close();

    await page.goto(`${server.url}/admin/audit`);
    for (const words of ['Ana locked Ben out', 'Ben accepted an invitation (User)', 'Ana made an invitation (User)']) {
      await page.getByText(words, { exact: true }).waitFor();
    }
    await page.getByLabel('What').selectOption('user.disabled');
    await page.getByText('Ana made an invitation (User)').waitFor({ state: 'detached' });
    await page.getByText('Ana locked Ben out', { exact: true }).waitFor();
  });

  test('[JO7] a link, and a session that ends in use, come back to the same place', async () => {
    const guest = await visitor(browser);
    const { page } = guest;
    await page.goto(`${server.url}/search?q=one#tracks`);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.getByLabel('Username').fill('ana');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(`${server.url}/search?q=one#tracks`);
    await page.getByRole('button', { name: 'Play One' }).waitFor();

    // The session goes by another way than this page; the next call finds it gone.
    await guest.context.clearCookies();
    await page
      .getByLabel(/^Search tracks/)
      .first()
      .fill('two');
    await page.waitForURL(/\/login\?return_to=/);
    const kept = new URL(page.url()).searchParams.get('return_to');
    expect(kept).toMatch(/^\/search\?q=/);
    await page.getByText('Your sign-in has ended').waitFor();
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.getByLabel('Username').fill('ana');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(server.url + kept);
    await guest.context.close();
  });

  test('[JO7] the queue is there again, paused, until one signs out', async () => {
    const listener = await visitor(browser);
    const { page } = listener;
    await signIn(page, server.url, 'ana', PASSWORD);
    await page.goto(`${server.url}/library/tracks`);
    await page.getByRole('button', { name: 'Play One' }).click();
    const position = () => page.getByRole('slider', { name: 'Position' }).inputValue();
    await expect.poll(async () => Number(await position()), { timeout: 15_000 }).toBeGreaterThan(1);
    await page.reload();
    const player = page.getByRole('region', { name: 'Player' });
    await player.getByText('One').waitFor();
    expect(Number(await position())).toBeGreaterThan(0.9);
    await player.getByRole('button', { name: 'Play', exact: true }).click();
    const before = Number(await position());
    await expect.poll(async () => Number(await position()), { timeout: 15_000 }).toBeGreaterThan(before);

    await signOut(page);
    const left = await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('queue')));
    expect(left).toEqual([]);
    await page.getByRole('link', { name: 'Sign in' }).click();
    // Signed out is signed out: the name is asked for again.
    await enterPassword(page, 'ana', PASSWORD);
    await player.getByText('Nothing playing').waitFor();
    await listener.context.close();
  });

  test('[JO5] a second factor that was set up is asked for at the next sign-in, each code once', async () => {
    const { page } = ana;
    await page.goto(`${server.url}/settings/account`);
    await page.getByRole('button', { name: 'Set up' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Your password').fill('not my password');
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await dialog.getByText('That is not your current password.').waitFor();
    await dialog.getByLabel('Your password').fill(PASSWORD);
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await dialog.getByRole('img', { name: 'QR code for the authenticator app' }).waitFor();
    const secret = await dialog.getByLabel('Or type in this key').inputValue();
    const totp = new TOTP({ secret: Secret.fromBase32(secret.replaceAll(' ', '')) });
    await dialog.getByLabel('Code from the app').fill(totp.generate());
    await dialog.getByRole('button', { name: 'Turn on' }).click();
    await dialog.getByRole('heading', { name: 'Keep your recovery codes' }).waitFor();
    const codes = await dialog.getByRole('listitem').allTextContents();
    expect(codes).toHaveLength(10);
    await dialog.getByRole('button', { name: 'I have kept them' }).click();
    await page.getByText(/^On since/).waitFor();
    await page.getByText('10 recovery codes left.').waitFor();

    // By the app: the code of the next half minute, for the one that turned it on is used up.
    await signOut(page);
    const atPassword = async () => {
      await page.getByRole('link', { name: 'Sign in' }).click();
      await page.getByLabel('Username').fill('ana');
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
    };
    await atPassword();
    await page.getByLabel('Code').fill(totp.generate({ timestamp: Date.now() + STEP_MS }));
    await page.getByRole('button', { name: 'Continue' }).click();
    await signedIn(page);

    // By a recovery code, which is then one fewer.
    await signOut(page);
    await atPassword();
    await page.getByRole('link', { name: 'Use a recovery code instead' }).click();
    await page.getByLabel('Recovery code').fill(codes[0] ?? '');
    await page.getByRole('button', { name: 'Continue' }).click();
    await signedIn(page);
    await page.goto(`${server.url}/settings/account`);
    await page.getByText('9 recovery codes left.').waitFor();
    await page.getByRole('button', { name: 'Turn off' }).click();
    await dialog.getByLabel('Your password').fill(PASSWORD);
    await dialog.getByRole('button', { name: 'Turn off' }).click();
    await page.getByText('Off. Your password alone signs you in.').waitFor();
  });

  test('[JO5] nothing was complained of meanwhile', () => {
    // The browser itself reports each refusal; those that were asked for here are 403 and 409.
    expect(ana.complaints.filter((line) => !/status of 40[39]/.test(line))).toEqual([]);
  });
});
