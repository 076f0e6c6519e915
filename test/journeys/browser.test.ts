/// <reference lib="dom" />
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, makeFirstAccount, signIn, visitor } from '../support/browser.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import type { Browser, Page } from 'playwright-core';
import type { Visitor } from '../support/browser.ts';
import type { Folders, Program } from '../support/server.ts';

const PASSWORD = 'a long enough password';
const CLI = path.resolve(import.meta.dirname, '../../src/server/cli.ts');

/** Titles in the order a person sees them. */
async function titlesOn(page: Page): Promise<string[]> {
  const labels = await page
    .getByRole('grid')
    .getByRole('button', { name: /^Play / })
    .evaluateAll((buttons) =>
      buttons.map(
        (button) =>
          [
            button.getAttribute('aria-label') ?? '',
            button.closest('[aria-rowindex]')?.getAttribute('aria-rowindex') ?? '0',
          ] as const,
      ),
    );
  return labels.sort((a, b) => Number(a[1]) - Number(b[1])).map(([label]) => label.replace(/^Play /, ''));
}

describe('two people with a browser each', () => {
  let folders: Folders;
  let server: Program;
  let browser: Browser;
  let ana: Visitor;
  let ben: Visitor;

  beforeAll(async () => {
    folders = makeFolders();
    mkdirSync(folders.musicDir, { recursive: true });
    makeLibrary(folders.musicDir, {
      'Firsts/One.flac': { title: 'One', artist: 'The Firsts', album: 'Numbers', seconds: 40 },
      'Firsts/Two.mp3': { title: 'Two', artist: 'The Firsts', album: 'Numbers', seconds: 40 },
      'Firsts/Three #3 100%.wav': { title: 'Three', artist: 'The Firsts', album: 'Numbers', seconds: 40 },
      'Ünïcode ☂/Vier.flac': { title: 'Vier', artist: 'Ärger', album: 'Zahlen', seconds: 40 },
    });
    server = await spawnServer(folders);
    browser = await launchBrowser();
    ana = await visitor(browser);
    ben = await visitor(browser);
  });
  afterAll(async () => {
    await browser.close();
    await server.kill();
    folders.remove();
  });

  test(
    '[JO1] sign in, press play, be seen, edit a playlist together, survive a kill -9',
    { timeout: 180_000 },
    async () => {
      await makeFirstAccount(ana.page, server.setupLink ?? '', 'ana', PASSWORD);
      const made = spawnSync(
        process.execPath,
        [CLI, 'user', 'create', 'ben', '--display-name', 'Ben', '--password-stdin'],
        {
          input: `${PASSWORD}\n`,
          encoding: 'utf8',
          env: {
            PATH: process.env.PATH ?? '',
            DATA_DIR: folders.dataDir,
            MUSIC_DIR: folders.musicDir,
            LOG_LEVEL: 'error',
          },
        },
      );
      expect(made.stderr).toBe('');
      expect(made.status).toBe(0);
      await signIn(ben.page, server.url, 'ben', PASSWORD);

      // They find and follow each other, and Ana lets her friends see what she hears.
      for (const [one, other] of [
        [ana, 'Ben'],
        [ben, 'Ana'],
      ] as const) {
        await one.page.goto(`${server.url}/people?tab=find`);
        await one.page.getByLabel('Name or username').fill(other.toLowerCase());
        await one.page
          .getByRole('main')
          .getByRole('button', { name: `Follow ${other}` })
          .click();
        await one.page
          .getByRole('main')
          .getByRole('button', { name: `Unfollow ${other}` })
          .waitFor();
      }
      await ana.page.goto(`${server.url}/settings/privacy`);
      const share = ana.page.getByRole('switch', { name: 'Share what I listen to' });
      const saved = ana.page.waitForResponse((response) => response.request().method() === 'PUT');
      await share.click();
      expect((await saved).status()).toBe(200);
      expect(await share.isChecked()).toBe(true);

      // Ana presses play; Ben sees it.
      await ana.page.goto(`${server.url}/library/tracks`);
      await ana.page.getByRole('button', { name: 'Play Two' }).waitFor();
      const rail = ben.page.getByTestId('friend-ana');
      await rail.getByText('Online').waitFor();
      const pressedAtMs = performance.now();
      await ana.page.getByRole('button', { name: 'Play Two' }).click();
      await rail.getByText('Two').waitFor();
      process.stdout.write(`seen by the other after ${Math.round(performance.now() - pressedAtMs)} ms\n`);
      // Music goes on across views: the same element, further along.
      const heardSoFar = () =>
        ana.page.evaluate(() => Math.max(...[...document.querySelectorAll('audio')].map((audio) => audio.currentTime)));
      await expect.poll(heardSoFar, { timeout: 15_000 }).toBeGreaterThan(0.5);
      await ana.page.getByRole('navigation').getByRole('link', { name: 'Playlists' }).first().click();
      const before = await heardSoFar();
      await expect.poll(heardSoFar).toBeGreaterThan(before);

      // Ana makes a playlist and lets Ben edit it.
      await ana.page.getByRole('button', { name: 'New playlist' }).first().click();
      const dialog = ana.page.getByRole('dialog');
      await dialog.getByLabel('Name').fill('Together');
      await dialog.getByRole('button', { name: 'Create' }).click();
      await ana.page.getByRole('heading', { level: 1, name: 'Together' }).waitFor();
      const address = new URL(ana.page.url()).pathname;
      await ana.page.getByRole('button', { name: 'People' }).click();
      await ana.page.getByLabel('Name or username').fill('ben');
      await ana.page.getByRole('button', { name: 'Add Ben' }).click();
      await ana.page.getByText('Ben was added').first().waitFor();
      await ana.page.keyboard.press('Escape');

      await ben.page.goto(server.url + address);
      await ben.page.getByRole('heading', { level: 1, name: 'Together' }).waitFor();
      await ana.page.getByRole('button', { name: /^Here now: Ben/ }).waitFor();
      await ben.page.getByRole('button', { name: /^Here now: Ana/ }).waitFor();

      // Both edit at once.
      for (const { page } of [ana, ben]) await page.getByRole('button', { name: 'Add tracks' }).first().click();
      for (const [one, q] of [
        [ana, 'One'],
        [ben, 'Vier'],
      ] as const) {
        await one.page.getByLabel('Search the library').fill(q);
        await one.page.getByRole('button', { name: `Add ${q}` }).waitFor();
      }
      await Promise.all([
        ana.page.getByRole('button', { name: 'Add One' }).click(),
        ben.page.getByRole('button', { name: 'Add Vier' }).click(),
      ]);
      await expect.poll(async () => (await titlesOn(ana.page)).sort()).toEqual(['One', 'Vier']);
      await expect.poll(() => titlesOn(ben.page)).toEqual(await titlesOn(ana.page));
      const [first] = await titlesOn(ana.page);
      await ana.page.getByRole('button', { name: `Actions for ${first}` }).click();
      await ana.page.getByRole('menuitem', { name: 'Move to bottom' }).click();
      await expect.poll(async () => (await titlesOn(ben.page))[1]).toBe(first);
      const order = await titlesOn(ana.page);
      expect(await titlesOn(ben.page)).toEqual(order);
      await ben.page.getByText('Live', { exact: true }).first().waitFor();

      // The power goes, and comes back.
      await server.kill();
      const { port } = new URL(server.url);
      server = await spawnServer(folders, { env: { PORT: port } });
      for (const { page } of [ana, ben]) {
        await page.goto(server.url + address);
        await page.getByRole('heading', { level: 1, name: 'Together' }).waitFor();
        await expect.poll(() => titlesOn(page)).toEqual(order);
      }
      expect(ana.complaints).toEqual([]);
      expect(ben.complaints).toEqual([]);
    },
  );

  test('[JO4] no view has an accessibility fault, in either theme, at phone and desktop width', async () => {
    const { page } = ana;
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 844 });
      for (const view of [
        '/',
        '/library/tracks',
        '/library/albums',
        '/playlists',
        '/people',
        '/settings/profile',
        '/settings/privacy',
        '/settings/playback',
        '/settings/appearance',
        '/settings/shortcuts',
        '/settings/account',
        '/admin/users',
        '/admin/invites',
        '/admin/library',
        '/admin/audit',
        '/search?q=one',
        '/now',
      ]) {
        await page.goto(server.url + view);
        await page.getByRole('heading', { level: 1 }).waitFor();
        // What is looked at is the view, not its placeholders.
        await expect.poll(() => page.locator('main [aria-busy=true]').count()).toBe(0);
        for (const colorScheme of ['dark', 'light'] as const) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          const axe = new AxeBuilder({ page });
          // Between the themes nothing differs but colours.
          if (colorScheme === 'dark') axe.withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']);
          else axe.withRules(['color-contrast', 'link-in-text-block']);
          const { violations } = await axe.analyze();
          const faults = violations.map(
            (one) => `${view} ${width} ${colorScheme}: ${one.id} ${one.nodes[0]?.html ?? ''}`,
          );
          expect(faults).toEqual([]);
        }
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect(overflow, `${view} at ${width} scrolls sideways`).toBeLessThanOrEqual(0);
      }
    }
  }, 300_000);
});
