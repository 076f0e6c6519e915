/** A real Chromium, driven as a person would: by roles and names. */
import { chromium } from 'playwright-core';
import { ensureBrowser } from '../../scripts/ensure-browser.ts';
import type { Browser, BrowserContext, Page } from 'playwright-core';

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: ensureBrowser(),
    args: [
      '--headless',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      // As root, in a container, there is no other sandbox to be had.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
  });
}

export interface Visitor {
  context: BrowserContext;
  page: Page;
  /** What the page complained about: errors on the console, uncaught exceptions, answers of 500 and more. */
  complaints: string[];
}

/** Somebody with a browser profile of their own. */
export async function visitor(browser: Browser, viewport = { width: 1280, height: 800 }): Promise<Visitor> {
  const context = await browser.newContext({ viewport, locale: 'en-GB' });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
  page.on('console', (message) => {
    // While the server is away the browser reports each failed connection by itself, and "who am I" before signing in.
    if (
      message.type() === 'error' &&
      !/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket connection|status of 401/.test(message.text())
    ) {
      complaints.push(`console: ${message.text()}`);
    }
  });
  page.on('response', (response) => {
    if (response.status() >= 500) complaints.push(`${response.status()} ${response.url()}`);
  });
  return { context, page, complaints };
}

/** Makes the first account through the one-time link, and signs in with it. */
export async function makeFirstAccount(page: Page, link: string, username: string, password: string): Promise<void> {
  await page.goto(link);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Display name').fill(username[0]!.toUpperCase() + username.slice(1));
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await enterPassword(page, username, password);
}

/** Signs in from the client's own sign-in page. */
export async function signIn(page: Page, url: string, username: string, password: string): Promise<void> {
  await page.goto(url);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await enterPassword(page, username, password);
}

/** Fills in the sign-in form of the embedded provider and waits for the start page. */
export async function enterPassword(page: Page, username: string, password: string): Promise<void> {
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: /Hello/ }).waitFor();
}
