/** Finds a Chromium for the browser tests, installing one where the machine has none. */
import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { chromium } from 'playwright-core';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
];

const PLAYWRIGHT = path.resolve(import.meta.dirname, '../node_modules/playwright-core/cli.js');

function findBrowser(): string | null {
  const set = process.env.CHROMIUM_PATH;
  if (set !== undefined && existsSync(set)) return set;
  return PLACES.find((place) => existsSync(place)) ?? null;
}

function run(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

/** @returns the browser's path. @throws when there is none and none can be installed */
export function ensureBrowser(): string {
  const found = findBrowser();
  if (found !== null) return found;
  process.stdout.write('No Chromium found: installing one.\n');
  if (existsSync('/usr/bin/apt-get') && process.getuid?.() === 0) {
    if (run('apt-get', ['update', '-qq']) && run('apt-get', ['install', '-y', '-qq', 'chromium'])) {
      const installed = findBrowser();
      if (installed !== null) return installed;
    }
  }
  // Playwright's own build, where its download can be reached.
  const own = chromium.executablePath();
  if (existsSync(own) || run(process.execPath, [PLAYWRIGHT, 'install', 'chromium'])) return own;
  throw new Error(
    'The browser tests need Chromium: install it with your package manager, or set CHROMIUM_PATH to one.',
  );
}

if (import.meta.main) process.stdout.write(`${ensureBrowser()}\n`);
