/// <reference lib="dom" />
import { mkdirSync, readFileSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, makeFirstAccount, visitor } from '../support/browser.ts';
import { makeLibrary } from '../support/music/make-track.ts';
import { makeFolders, spawnServer } from '../support/server.ts';
import type { Browser } from 'playwright-core';
import type { Visitor } from '../support/browser.ts';
import type { Folders, Program } from '../support/server.ts';

describe('playlists as files in the browser', () => {
  let folders: Folders;
  let server: Program;
  let browser: Browser;
  let ana: Visitor;
  beforeAll(async () => {
    folders = makeFolders();
    mkdirSync(folders.musicDir, { recursive: true });
    makeLibrary(folders.musicDir, {
      'One.flac': { title: 'One', artist: 'The Firsts', album: 'Numbers', seconds: 40 },
      'Three.flac': { title: 'Three Lanterns', artist: 'The Firsts', album: 'Numbers', seconds: 40 },
      'Two.flac': { title: 'Two', artist: 'The Firsts', album: 'Numbers', seconds: 40 },
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

  test('[JO40] a file is read, what is missing is told, and the list goes out as a file again', async () => {
    const { page } = ana;
    // The first scan is done when a track is to be seen.
    await page.goto(`${server.url}/library/tracks`);
    await page.getByText('Two').first().waitFor();
    await page.goto(`${server.url}/playlists`);
    await page.getByRole('button', { name: 'Import' }).click();
    const dialog = page.getByRole('dialog');
    const choose = (name: string, text: string) =>
      dialog
        .locator('input[type=file]')
        .setInputFiles({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(text) });

    await choose('notes.txt', 'nothing that is a list');
    await dialog.getByRole('alert').getByText('This is no playlist').waitFor();

    await choose(
      'Road trip.m3u8',
      '#EXTM3U\n#EXTINF:40,The Firsts - One\nx.mp3\n#EXTINF:200,Nobody - Nothing\ny.mp3\n#EXTINF:40,Firsts - Two\nz.mp3\n#EXTINF:-1,The Firsts - Three Lantern\nt.mp3\n',
    );
    await dialog.getByText('One playlist was made. Only you see it.').waitFor();
    await dialog.getByText('4 entries, 2 found in the library').waitFor();
    await dialog.getByText('2 were found').click();
    await dialog.getByText('the same title and artist, ').first().waitFor();
    await dialog.getByText('1 is not in the library').click();
    await dialog.getByText('Nothing – Nobody').waitFor();
    // What is a question is answered here.
    await dialog.getByText('1 may be in the library').click();
    await dialog.getByText('a similar title').waitFor();
    await dialog
      .getByRole('button', { name: 'Take Three Lanterns – The Firsts – Numbers for Three Lantern – The Firsts' })
      .click();
    await dialog.getByText('Taken: Three Lanterns – The Firsts – Numbers').waitFor();
    const { violations } = await new AxeBuilder({ page }).include('dialog').analyze();
    expect(violations.map((one) => one.id)).toEqual([]);

    await dialog.getByRole('link', { name: 'Road trip' }).click();
    await page.getByRole('heading', { level: 1, name: 'Road trip' }).waitFor();
    await page.getByText('Not in the library').first().waitFor();
    await page.getByRole('button', { name: 'More', exact: true }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: 'Export as M3U8' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe('Road trip.m3u8');
    const text = readFileSync(await file.path(), 'utf8');
    expect(text).toContain('#PLAYLIST:Road trip');
    expect(text).toContain('#EXTINF:200,Nobody - Nothing');
    expect(
      text
        .trimEnd()
        .split('\n')
        .filter((line) => !line.startsWith('#')),
    ).toEqual(['One.flac', 'Nobody - Nothing', 'Two.flac', 'Three.flac']);
    // The refused file is told by the browser too.
    expect(ana.complaints.filter((one) => !one.includes('status of 422'))).toEqual([]);
  });
});
