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
/** A track of this length counts after half of it. */
const SECONDS = 32;
const COUNTED_MS = 40_000;

/** Calls the API as the page's own person. */
async function call(page: Page, method: string, address: string, body?: unknown): Promise<unknown> {
  const { status, text } = await page.evaluate(
    async ([verb, where, content]) => {
      const response = await fetch(`/api/v1${where}`, {
        method: verb,
        ...(content === '' ? {} : { headers: { 'content-type': 'application/json' }, body: content }),
      });
      return { status: response.status, text: await response.text() };
    },
    [method, address, body === undefined ? '' : JSON.stringify(body)] as const,
  );
  expect(status, `${method} ${address}`).toBeLessThan(300);
  return text === '' ? undefined : JSON.parse(text);
}

describe('what was heard', () => {
  let folders: Folders;
  let server: Program;
  let browser: Browser;
  let ana: Visitor;
  let ben: Visitor;

  beforeAll(async () => {
    folders = makeFolders();
    mkdirSync(folders.musicDir, { recursive: true });
    makeLibrary(folders.musicDir, {
      'Firsts/One.flac': { title: 'One', artist: 'The Firsts', album: 'Numbers', genre: 'Folk', seconds: SECONDS },
      'Firsts/Two.flac': { title: 'Two', artist: 'The Firsts', album: 'Numbers', genre: 'Folk', seconds: SECONDS },
    });
    server = await spawnServer(folders);
    browser = await launchBrowser();
    ana = await visitor(browser);
    ben = await visitor(browser);
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
    await signIn(ben.page, server.url, 'ben', PASSWORD);
    const idOf = async (page: Page) => ((await call(page, 'GET', '/auth/profile')) as { id: string }).id;
    const [anaId, benId] = [await idOf(ana.page), await idOf(ben.page)];
    await call(ana.page, 'POST', `/social/follow/${benId}`);
    await call(ben.page, 'POST', `/social/follow/${anaId}`);
    await call(ana.page, 'PUT', '/user/profile', { share_listening_history: true });
  }, 120_000);
  afterAll(async () => {
    await browser.close();
    await server.kill();
    folders.remove();
  });

  const play = async (title: string) => {
    await ana.page.goto(`${server.url}/library/tracks`);
    await ana.page.getByRole('button', { name: `Play ${title}` }).click();
    await ana.page.getByRole('region', { name: 'Player' }).getByRole('button', { name: 'Pause' }).waitFor();
  };

  test(
    '[JO20] a play is explained while it goes on, told to a follower when it counts, and is in history and statistics at once',
    { timeout: 120_000 },
    async () => {
      await ben.page.goto(`${server.url}/feed`);
      await ben.page.getByText('Nothing yet.').waitFor();
      await play('One');
      await ana.page.getByRole('link', { name: 'Open the player' }).click();
      await ana.page.getByRole('button', { name: 'Why does this count?' }).click();
      const dialog = ana.page.getByRole('dialog');
      await dialog.getByText('This play does not count yet.').waitFor();
      await dialog.getByText(/^Only 0:\d\d of the track was heard; 0:16 was needed/).waitFor();

      // Nobody touches a thing: what counts is shown as it happens, here and to whoever follows.
      await dialog.getByText('This play counts as a listen.').waitFor({ timeout: COUNTED_MS });
      await ben.page.getByRole('list', { name: 'What others heard' }).getByText('One').waitFor();
      expect(await ben.page.getByRole('list', { name: 'What others heard' }).getByRole('listitem').count()).toBe(1);
      await ana.page.keyboard.press('Escape');
      await ana.page.getByRole('button', { name: 'Pause' }).first().click();

      await ana.page.goto(`${server.url}/history`);
      const today = ana.page.getByRole('region', { name: 'Today' });
      await today.getByText('One', { exact: true }).waitFor();
      await ana.page.goto(`${server.url}/stats?period=day`);
      await ana.page.getByText(/^The Firsts leads with/).waitFor();
      await ana.page.getByRole('button', { name: 'Show as table: Artists' }).click();
      const row = ana.page.getByRole('row', { name: /The Firsts/ });
      expect(await row.getByRole('cell').first().innerText()).toBe('1');
    },
  );

  test(
    '[JO21] a play deleted comes back by Undo, and otherwise is gone everywhere once its message is',
    { timeout: 60_000 },
    async () => {
      await ana.page.goto(`${server.url}/history?include=all`);
      const row = ana.page.getByRole('listitem').filter({ hasText: 'One' });
      const remove = async () => {
        await ana.page.getByRole('button', { name: 'Actions for One' }).click();
        await ana.page.getByRole('menuitem', { name: 'Delete from history' }).click();
        await row.filter({ hasNotText: 'deleted' }).waitFor({ state: 'detached' });
      };
      await remove();
      await ana.page.getByRole('button', { name: 'Undo' }).click();
      await ana.page.getByRole('button', { name: 'Actions for One' }).waitFor();
      await remove();
      const deleted = ana.page.waitForResponse((response) => response.request().method() === 'DELETE');
      await ana.page.getByRole('region', { name: 'Messages' }).getByRole('button', { name: 'Close' }).click();
      expect((await deleted).status()).toBe(204);
      await ana.page.reload();
      await ana.page.getByText('Nothing heard yet.').waitFor();
      await ana.page.goto(`${server.url}/stats?period=all`);
      await ana.page.getByText('Nothing heard yet.').waitFor();
      await ben.page.reload();
      await ben.page.getByText('Nothing yet.').waitFor();
    },
  );

  test(
    '[JO22] plays the server could not take wait in sight, are sent when it is back, and counted once',
    { timeout: 120_000 },
    async () => {
      await play('Two');
      await server.kill();
      const player = ana.page.getByRole('region', { name: 'Player' });
      // The last words of the play before may still be among them.
      await player.getByText(/^[12] plays? waiting to be sent$/).waitFor();
      // The music is all there: it goes on, and is heard to where it counts.
      const heard = () =>
        ana.page.evaluate(() => Math.max(...[...document.querySelectorAll('audio')].map((audio) => audio.currentTime)));
      await expect.poll(heard, { timeout: COUNTED_MS, interval: 500 }).toBeGreaterThan(SECONDS / 2 + 2);
      const { port } = new URL(server.url);
      server = await spawnServer(folders, { env: { PORT: port } });
      await player.getByText('waiting to be sent').waitFor({ state: 'detached', timeout: 30_000 });
      // It may still play, or have come to its end on a slow machine: leaving the page ends it either way.
      await ana.page.goto(`${server.url}/history?include=all`);
      await ana.page.getByRole('button', { name: 'Actions for Two' }).waitFor();
      expect(await ana.page.getByRole('button', { name: 'Actions for Two' }).count()).toBe(1);
      await ana.page.getByRole('button', { name: 'Actions for Two' }).click();
      await ana.page.getByRole('menuitem', { name: 'Why did this count?' }).click();
      await ana.page.getByRole('dialog').getByText('This play counts as a listen.').waitFor();
      await ana.page.keyboard.press('Escape');
      // Who follows came back by themselves, to the very place: once, and nothing is missing.
      const list = ben.page.getByRole('list', { name: 'What others heard' });
      await list.getByText('Two').waitFor({ timeout: 30_000 });
      expect(await list.getByRole('listitem').count()).toBe(1);
    },
  );

  test('[JO23] a private session is in sight everywhere, and hides what is heard', { timeout: 60_000 }, async () => {
    await ana.page.goto(server.url);
    await ana.page.getByRole('button', { name: /^Account/ }).click();
    await ana.page.getByRole('menuitem', { name: 'Private session: 6 hours' }).click();
    const chip = ana.page.getByTestId('private-session');
    await chip.getByText('Private · ends in 6 hr').waitFor();
    await play('One');
    await chip.waitFor();
    await ben.page.goto(server.url);
    const rail = ben.page.getByTestId('friend-ana');
    await rail.getByText('Online').waitFor();
    expect(await rail.getByText('One').count()).toBe(0);
    await ana.page.goto(`${server.url}/history?include=all`);
    await ana.page.getByRole('listitem').filter({ hasText: 'One' }).getByText('Private').waitFor();
    await chip.click();
    await ana.page.getByRole('menuitem', { name: 'End the private session' }).click();
    await chip.waitFor({ state: 'detached' });
  });

  test(
    '[JO24] what was heard elsewhere is imported: found, kept without the library, or refused with the reason, and never twice',
    { timeout: 90_000 },
    async () => {
      const { page } = ana;
      const csv = [
        'artist,album,track,date',
        'The Firsts,Numbers,One,02 Nov 2025 10:00',
        'Nobody Here,,Elsewhere,03 Nov 2025 11:00',
        'The Firsts,Numbers,Two,yesterday evening',
      ].join('\n');
      const file = { name: 'scrobbles.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) };
      const bring = async () => {
        await page.goto(`${server.url}/import`);
        await page.getByLabel('Choose a file').setInputFiles(file);
        await page.getByRole('heading', { level: 1, name: 'scrobbles.csv' }).waitFor();
        await page.locator('p[role=status]', { hasText: 'Done' }).waitFor();
      };
      const count = async (name: string) =>
        Number(await page.locator('dl > div').filter({ hasText: name }).getByRole('definition').innerText());

      await bring();
      expect([await count('Found in the library'), await count('Rows read')]).toEqual([1, 3]);
      await page.getByRole('button', { name: /^(Without a time|Could not be read): 1 row$/ }).click();
      await page.getByText(/The Firsts.*Two/).waitFor();
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name: 'All as CSV' }).click();
      expect((await download).suggestedFilename()).toMatch(/^import-.*\.csv$/);
      await page.getByRole('link', { name: 'Show in history' }).click();
      await page.getByText('Elsewhere', { exact: true }).waitFor();
      await page.getByText('Not in the library', { exact: true }).waitFor();

      await bring();
      await page.getByRole('button', { name: 'Already in your history: 2 rows' }).waitFor();
      // A closed tab changes nothing: the import is found again in the list.
      await page.getByRole('link', { name: 'All imports' }).click();
      await expect.poll(() => page.getByRole('link', { name: /^scrobbles\.csv/ }).count()).toBe(2);
    },
  );

  test('[JO25] the views of listening have no accessibility fault and never scroll sideways', async () => {
    const { page } = ana;
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: 844 });
      for (const view of [
        '/history?include=all',
        '/stats?period=month',
        `/stats/year/${new Date().getFullYear()}`,
        '/feed',
        '/import',
      ]) {
        await page.goto(server.url + view);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await expect.poll(() => page.locator('main [aria-busy=true]').count()).toBe(0);
        for (const colorScheme of ['dark', 'light'] as const) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          const axe = new AxeBuilder({ page });
          if (colorScheme === 'dark') axe.withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']);
          else axe.withRules(['color-contrast', 'link-in-text-block']);
          const { violations } = await axe.analyze();
          expect(
            violations.map((one) => `${view} ${width} ${colorScheme}: ${one.id} ${one.nodes[0]?.html ?? ''}`),
          ).toEqual([]);
        }
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect(overflow, `${view} at ${width} scrolls sideways`).toBeLessThanOrEqual(0);
      }
    }
    expect(ana.complaints).toEqual([]);
    expect(ben.complaints).toEqual([]);
  }, 120_000);
});
