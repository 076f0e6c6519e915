/**
 * How much JavaScript the first page takes: `/login` for a stranger, `/` for somebody signed in. A real Chromium loads
 * each from the real server with an empty cache; every script it fetches until the network is quiet is gzipped and counted.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { readConfig } from '#server/config.ts';
import { createServer } from '#server/create-server.ts';
import { createLog } from '#server/log.ts';
import { ensureBrowser } from '../scripts/ensure-browser.ts';
import type { BrowserContext } from 'playwright-core';

/** As web servers pack by default. */
const GZIP_LEVEL = 6;
const PASSWORD = 'a password for a minute';

/** Loads an address anew and weighs its scripts, the ones inside the page too. */
async function weigh(context: BrowserContext, address: string): Promise<{ bytes: number; largest: string }> {
  const page = await context.newPage();
  const scripts = new Map<string, Promise<Buffer>>();
  page.on('response', (response) => {
    if (response.request().resourceType() === 'script' && response.status() === 200) {
      scripts.set(response.url(), response.body());
    }
  });
  const answer = await page.goto(address, { waitUntil: 'networkidle' });
  const html = (await answer?.text()) ?? '';
  const inline = [...html.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? '');
  await page.close();
  if (scripts.size === 0) throw new Error(`${address} loaded no script: is the client built? (npm run build)`);
  const sizes = await Promise.all(
    [...scripts].map(
      async ([url, body]) => [path.basename(url), gzipSync(await body, { level: GZIP_LEVEL }).length] as const,
    ),
  );
  sizes.sort((a, b) => b[1] - a[1]);
  const bytes =
    sizes.reduce((sum, [, size]) => sum + size, 0) + gzipSync(inline.join('\n'), { level: GZIP_LEVEL }).length;
  return {
    bytes,
    largest: sizes
      .slice(0, 5)
      .map(([name, size]) => `${name} ${(size / 1024).toFixed(1)}`)
      .join(', '),
  };
}

const folder = mkdtempSync(path.join(tmpdir(), 'bench-route-'));
mkdirSync(path.join(folder, 'music'));
const server = await createServer({
  config: readConfig({ PORT: '0', DATA_DIR: path.join(folder, 'data'), MUSIC_DIR: path.join(folder, 'music') }),
  log: createLog('error'),
});
const browser = await chromium.launch({
  executablePath: ensureBrowser(),
  args: ['--no-sandbox', '--disable-background-networking'],
});
try {
  await server.identity.createLocalAccount({ username: 'visitor', role: 'user', password: PASSWORD });
  const stranger = await browser.newContext();
  const login = await weigh(stranger, `${server.publicUrl}/login`);
  await stranger.close();

  const member = await browser.newContext();
  const form = await member.newPage();
  await form.goto(`${server.publicUrl}/api/v1/auth/login?return_to=/healthz`);
  await form.getByLabel('Username').fill('visitor');
  await form.getByLabel('Password').fill(PASSWORD);
  await form.getByRole('button', { name: 'Sign in' }).click();
  await form.waitForURL(`${server.publicUrl}/healthz`);
  await form.close();
  const home = await weigh(member, `${server.publicUrl}/`);

  for (const [name, { bytes, largest }] of [
    ['first route /login, gzipped JavaScript', login],
    ['first route /, gzipped JavaScript', home],
  ] as const) {
    console.log(
      JSON.stringify({ name, value: Math.round((bytes / 1024) * 10) / 10, unit: 'KB', must: 120, direction: 'max' }),
    );
    console.log(`  ${name}: largest ${largest}`);
  }
} finally {
  await browser.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
