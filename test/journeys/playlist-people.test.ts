/// <reference lib="dom" />
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, makeFirstAccount, visitor } from '../support/browser.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import type { Browser, Page } from 'playwright-core';
import type { Visitor } from '../support/browser.ts';
import type { Folders, Program } from '../support/server.ts';

const PASSWORD = 'a long enough password';
const CLI = path.resolve(import.meta.dirname, '../../src/server/cli.ts');
const TITLES = ['Delta', 'Alpha', 'Charlie', 'Bravo', 'Echo'];

/** Titles in the order a person sees them. */
async function titlesOn(page: Page): Promise<string[]> {
  const rows = await page
    .getByRole('grid')
    .locator('[role=row][data-id]')
    .evaluateAll((all) =>
      all.map((row) => [
        Number(row.getAttribute('aria-rowindex')),
        row.querySelector('.name')?.textContent.trim() ?? '',
      ]),
    );
  return rows.sort((a, b) => Number(a[0]) - Number(b[0])).map(([, title]) => String(title));
}
/** Waits for the rows, whatever is still on its way. */
const titles = (page: Page) => expect.poll(() => titlesOn(page));

async function faultsOf(page: Page, part = 'main'): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).include(part).analyze();
  return violations.map((one) => `${one.id} ${one.nodes[0]?.html ?? ''}`);
}
async function overflowOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

describe('a playlist of several people in the browser', () => {
  let folders: Folders;
  let server: Program;
  let browser: Browser;
  let ana: Visitor;
  let ben: Visitor;
  let address = '';

  beforeAll(async () => {
    folders = makeFolders();
    mkdirSync(folders.musicDir, { recursive: true });
    makeLibrary(
      folders.musicDir,
      Object.fromEntries(
        TITLES.map((title) => [`${title}.flac`, { title, artist: 'The Signals', album: 'Letters', seconds: 40 }]),
      ),
    );
    server = await spawnServer(folders);
    browser = await launchBrowser();
    ana = await visitor(browser);
    ben = await visitor(browser, { width: 390, height: 844 });
    for (const { page } of [ana, ben]) await page.emulateMedia({ reducedMotion: 'reduce' });
    await makeFirstAccount(ana.page, server.setupLink ?? '', 'ana', PASSWORD);
    const env = {
      DATA_DIR: folders.dataDir,
      MUSIC_DIR: folders.musicDir,
      PATH: process.env.PATH ?? '',
      LOG_LEVEL: 'error',
    };
    const made = spawnSync(
      process.execPath,
      [CLI, 'user', 'create', 'ben', '--display-name', 'Ben', '--password-stdin'],
      { input: `${PASSWORD}\n`, encoding: 'utf8', env },
    );
    expect(made.stderr).toBe('');

    // The first scan is done when a track is to be seen; then the list is made as a person's script would.
    await ana.page.goto(`${server.url}/library/tracks`);
    await ana.page.getByText('Echo').first().waitFor();
    const id = await ana.page.evaluate(async (wanted) => {
      const call = async (address: string, body?: object) => {
        const init = body && {
          method: 'POST',
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json' },
        };
        return (await (await fetch(`/api/v1${address}`, init)).json()) as never;
      };
      const { items } = (await call('/library/tracks?limit=50')) as { items: { id: string; title: string }[] };
      const list = (await call('/playlists', { name: 'Letters' })) as { id: string };
      const track_ids = wanted.map((title) => items.find((track) => track.title === title)?.id);
      await call(`/playlists/${list.id}/tracks`, { track_ids });
      return list.id;
    }, TITLES);
    address = `${server.url}/playlist/${id}`;
  });
  afterAll(async () => {
    await browser.close();
    await server.kill();
    folders.remove();
  });

  test('[JO41] a link lets one person in, after signing in; roles, removal and handing over are seen live', async () => {
    await ana.page.goto(`${address}?panel=people`);
    const panel = ana.page.getByRole('dialog', { name: 'People of this playlist' });
    await panel.getByRole('button', { name: 'Make a link' }).click();
    const link = await panel.getByLabel('Link for one person').inputValue();
    expect(link).toMatch(/\/join\/[\w-]{20,}$/);
    expect(await faultsOf(ana.page, 'dialog[open]')).toEqual([]);

    // Ben is not signed in: he is told what it is about, signs in, and comes back to the invitation.
    await ben.page.goto(link);
    await ben.page.getByText('you see the playlist you were invited to').waitFor();
    await ben.page.getByRole('link', { name: 'Sign in' }).click();
    await ben.page.getByLabel('Username').fill('ben');
    await ben.page.getByLabel('Password').fill(PASSWORD);
    await ben.page.getByRole('button', { name: 'Sign in' }).click();
    await ben.page.getByRole('heading', { level: 2, name: 'Letters' }).waitFor();
    await ben.page.getByText('You can play it, and add, move and remove songs').waitFor();
    expect(await faultsOf(ben.page)).toEqual([]);
    expect(await overflowOf(ben.page)).toBeLessThanOrEqual(0);
    await ben.page.getByRole('button', { name: 'Join' }).click();
    await ben.page.getByRole('heading', { level: 1, name: 'Letters' }).waitFor();
    await titles(ben.page).toEqual(TITLES);

    // Ana's panel, open all the while, has him now, and the link is spent.
    await panel.getByRole('link', { name: 'Ben' }).waitFor();
    await panel.getByText('1 earlier link').click();
    await panel.getByText(/Ben joined by it/).waitFor();
    await expect.poll(() => panel.getByLabel('Link for one person').count()).toBe(0);

    // What he may do changes under his hands.
    const role = panel.getByLabel('What Ben may do');
    await role.selectOption('viewer');
    await ben.page.getByText('Read only: You can view this playlist').waitFor();
    await role.selectOption('editor');
    await expect.poll(() => ben.page.getByRole('button', { name: 'Add tracks' }).isEnabled()).toBe(true);

    // Taken off, he is told; the message brings him back.
    await panel.getByRole('button', { name: 'More for Ben' }).click();
    await ana.page.getByRole('menuitem', { name: 'Remove from the playlist' }).click();
    await ben.page.getByRole('heading', { level: 1, name: 'This playlist is private' }).waitFor();
    await panel.getByRole('button', { name: 'Undo' }).click();
    await panel.getByRole('link', { name: 'Ben' }).waitFor();
    await ben.page.goto(link);
    await ben.page.getByRole('heading', { level: 1, name: 'This invitation no longer works' }).waitFor();
    expect(await faultsOf(ben.page)).toEqual([]);
    await ben.page.goto(address);
    await titles(ben.page).toEqual(TITLES);

    // Ana hands it over, and leaves.
    await panel.getByRole('button', { name: 'More for Ben' }).click();
    await ana.page.getByRole('menuitem', { name: 'Hand the playlist over' }).click();
    await ana.page.getByRole('button', { name: 'Hand the playlist over' }).click();
    await panel.getByRole('button', { name: 'Leave this playlist' }).click();
    await ana.page.getByRole('button', { name: 'Leave', exact: true }).click();
    await ana.page.getByRole('heading', { level: 1, name: 'Playlists' }).waitFor();
    await ana.page.getByText('You left Letters').first().waitFor();
    await ben.page.getByRole('button', { name: 'People' }).click();
    await ben.page.getByRole('button', { name: 'Make a link' }).waitFor();
    await ben.page.keyboard.press('Escape');
  });

  test('[JO42] a sorting is one act of mine to undo; a version comes back, and goes again', async () => {
    const { page } = ben;
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(address);
    await titles(page).toEqual(TITLES);
    await page.getByText('Live', { exact: true }).waitFor();
    const sorted = [...TITLES].sort();
    await page.getByRole('button', { name: 'Sort' }).click();
    await page.getByRole('menuitem', { name: 'By title' }).click();
    await titles(page).toEqual(sorted);
    await page.getByText('The playlist was sorted').first().waitFor();
    await page.getByRole('main').getByRole('button', { name: 'Undo' }).click();
    await titles(page).toEqual(TITLES);
    await page.getByRole('main').getByRole('button', { name: 'Redo' }).click();
    await titles(page).toEqual(sorted);

    // Three of five removed are many: the version before is kept.
    await page.getByRole('button', { name: 'More', exact: true }).click();
    await page.getByRole('menuitem', { name: 'History' }).click();
    const history = page.getByRole('region', { name: 'History' });
    await history.getByText('sorted it by title').waitFor();
    await page.getByRole('grid').locator('[role=row][data-id]').nth(0).click();
    for (const _ of [1, 2]) await page.keyboard.press('Shift+ArrowDown');
    await page.keyboard.press('Delete');
    await titles(page).toEqual(sorted.slice(3));
    await history.getByText(/removed 3 tracks: Alpha, /).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await history.getByRole('button', { name: /before many tracks were removed/ }).click();
    await titles(page).toEqual(sorted);
    await history.getByText('went back to an earlier version').waitFor();
    await page
      .getByText(/The playlist is as it was on/)
      .first()
      .waitFor();
    await page
      .getByRole('listitem')
      .filter({ hasText: 'The playlist is as it was on' })
      .getByRole('button', { name: 'Undo' })
      .click();
    await titles(page).toEqual(sorted.slice(3));
    // One person's changes alone, also of somebody who has left.
    await history.getByLabel('By').selectOption({ label: 'Ana' });
    await history.getByText(/added 5 tracks/).waitFor();
    await expect.poll(() => history.getByText('sorted it by title').count()).toBe(0);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await overflowOf(page)).toBeLessThanOrEqual(0);
    expect(await faultsOf(page)).toEqual([]);
  });

  test('[JO43] a cover is seen in the list and among the lists, and goes and comes back', async () => {
    const { page } = ben;
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(address);
    await page.getByRole('button', { name: 'Choose a cover' }).waitFor();
    const choose = page.locator('header input[type=file]');
    await choose.setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('<svg/>') });
    await page.getByText('This is not a PNG, JPEG or WebP picture.').first().waitFor();
    const picture = await sharp({ create: { width: 320, height: 200, channels: 3, background: '#2fe6f0' } })
      .png()
      .toBuffer();
    await choose.setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: picture });
    await page.getByText('The cover was changed').first().waitFor();
    const cover = page.getByRole('button', { name: 'Change the cover' }).locator('img');
    expect(await cover.evaluate((img: HTMLImageElement) => img.decode().then(() => img.naturalWidth))).toBe(640);

    await page.getByRole('button', { name: 'More', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Remove the cover' }).click();
    await cover.waitFor({ state: 'detached' });
    await page
      .getByRole('listitem')
      .filter({ hasText: 'The cover was removed' })
      .getByRole('button', { name: 'Undo' })
      .click();
    await cover.waitFor();
    await page.goto(`${server.url}/playlists`);
    await page
      .getByRole('link', { name: /Letters/ })
      .locator('img')
      .waitFor();
    // A spent invitation and access that was taken are answered 404; the browser tells of each.
    for (const { complaints } of [ana, ben]) {
      expect(complaints.filter((one) => !one.includes('status of 404'))).toEqual([]);
    }
  });
});
