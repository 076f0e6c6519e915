/// <reference lib="dom" />
import { mkdirSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, makeFirstAccount, visitor } from '../support/browser.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import type { Browser } from 'playwright-core';
import type { Visitor } from '../support/browser.ts';
import type { Folders, Program } from '../support/server.ts';

describe('favourites in the browser', () => {
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
      'Three.flac': { title: 'Three', artist: 'The Firsts', album: 'Numbers', seconds: 40 },
    });
    server = await spawnServer(folders);
    browser = await launchBrowser();
    ana = await visitor(browser);
    await makeFirstAccount(ana.page, server.setupLink ?? '', 'ana', 'a long enough password');
  });
  afterAll(async () => {
    await browser.close();
    await server.kill();
    folders.remove();
  });

  test('[JO44] hearts and stars by hand and by key, on every device at once, taken back with their day', async () => {
    const { page } = ana;
    await page.goto(`${server.url}/library/tracks`);
    const heart = (title: string, on = page) => on.getByRole('button', { name: `Favourite: ${title}`, exact: true });
    await heart('One').click();
    await expect.poll(() => heart('One').getAttribute('aria-pressed')).toBe('true');

    // The same person elsewhere.
    const second = await page.context().newPage();
    await second.goto(`${server.url}/library/tracks`);
    await expect.poll(() => heart('One', second).getAttribute('aria-pressed')).toBe('true');

    // By keyboard: all rows, their menu, and one rating for all of them.
    await page.getByRole('row', { name: /Three/ }).focus();
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Shift+F10');
    await page.getByRole('menuitem', { name: 'Rate…' }).click();
    await page.getByRole('menuitemradio', { name: '4 of 5 stars' }).click();
    await page.getByText('Rated 3 tracks.', { exact: true }).waitFor();
    await second.getByRole('row', { name: /Two/ }).getByRole('img', { name: '4 of 5 stars' }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await second
      .getByRole('row', { name: /Two/ })
      .getByRole('img', { name: '4 of 5 stars' })
      .waitFor({ state: 'detached' });

    await heart('Two', second).click();
    await page.getByRole('link', { name: 'Favourites' }).click();
    const rows = page.getByRole('grid', { name: 'Favourites' }).getByRole('row', { name: /One|Two/ });
    await expect.poll(() => rows.count()).toBe(2);
    expect(await rows.first().textContent()).toContain('Two');
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map((one) => one.id)).toEqual([]);

    // Taken and given back, One is the older of the two again.
    await heart('One').click();
    await page.getByText('Removed 1 track from favourites.', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect.poll(() => heart('One').getAttribute('aria-pressed')).toBe('true');
    await page.reload();
    await expect.poll(() => rows.count()).toBe(2);
    expect(await rows.first().textContent()).toContain('Two');

    await page.getByRole('link', { name: 'Numbers' }).first().click();
    await heart('Numbers').click();
    await expect.poll(() => heart('Numbers').getAttribute('aria-pressed')).toBe('true');
    await page.goto(`${server.url}/favorites?of=albums`);
    await page
      .getByRole('link', { name: /Numbers/ })
      .first()
      .waitFor();
    for (const [width, height] of [
      [390, 844],
      [1440, 900],
    ] as const) {
      await page.setViewportSize({ width, height });
      await page.goto(`${server.url}/favorites`);
      await rows.first().waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/favorites-${width}.png` });
    }
    await second.close();
  });
});
