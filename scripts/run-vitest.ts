/** Runs the tests and counts them: shared by `npm test` and `npm run test:services`. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureBrowser } from './ensure-browser.ts';
import type { ChildProcess } from 'node:child_process';

export const ROOT = path.resolve(import.meta.dirname, '..');

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numFailedTestSuites: number;
}

export interface Counts {
  passed: number;
  failed: number;
}

/** Resolves with a program's exit code; null when a signal ended it. */
export function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code));
  });
}

/** Runs an npm script; a failure counts as one failed test. */
export async function runScript(name: string): Promise<Counts> {
  const child = spawn('npm', ['run', '--silent', name], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  if ((await ended(child)) === 0) return { passed: 0, failed: 0 };
  process.stdout.write(`\n${name} failed\n`);
  return { passed: 0, failed: 1 };
}

/** Runs the tests of a vitest configuration, all or those named. */
export async function runVitest(options: {
  config: string;
  only: readonly string[];
  env?: Record<string, string>;
}): Promise<Counts> {
  const browser = ensureBrowser();
  const folder = mkdtempSync(path.join(tmpdir(), 'stepheybot-test-'));
  const output = path.join(folder, 'report.json');
  try {
    const child = spawn(
      process.execPath,
      [
        path.join(ROOT, 'node_modules/vitest/vitest.mjs'),
        'run',
        `--config=${options.config}`,
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${output}`,
        ...options.only,
      ],
      {
        cwd: ROOT,
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, CHROMIUM_PATH: browser, ...options.env },
      },
    );
    const status = await ended(child);
    const report = JSON.parse(readFileSync(output, 'utf8')) as Report;
    let failed = report.numFailedTests;
    // A file that fails to load has no test that failed, and an error outside any test has neither.
    if (status !== 0 && failed === 0) failed = Math.max(1, report.numFailedTestSuites);
    return { passed: report.numPassedTests, failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The closing line over everything; the exit code says the same. */
export function conclude(counts: readonly Counts[]): number {
  const passed = counts.reduce((sum, one) => sum + one.passed, 0);
  const failed = counts.reduce((sum, one) => sum + one.failed, 0);
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}
