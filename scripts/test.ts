/** `npm test`: the checks, then every test; closes with one line over all of them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureBrowser } from './ensure-browser.ts';

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numFailedTestSuites: number;
  success: boolean;
}

const root = path.resolve(import.meta.dirname, '..');
const only = process.argv.slice(2);
let passed = 0;
let failed = 0;

function script(name: string): void {
  const { status } = spawnSync('npm', ['run', '--silent', name], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status === 0) return;
  process.stdout.write(`\n${name} failed\n`);
  failed += 1;
}

if (only.length === 0) {
  script('build');
  script('check');
}
const browser = ensureBrowser();
const folder = mkdtempSync(path.join(tmpdir(), 'stepheybot-test-'));
const output = path.join(folder, 'report.json');
const { status } = spawnSync(
  process.execPath,
  [
    path.join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${output}`,
    ...only,
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, CHROMIUM_PATH: browser } },
);
const report = JSON.parse(readFileSync(output, 'utf8')) as Report;
rmSync(folder, { recursive: true, force: true });
passed += report.numPassedTests;
failed += report.numFailedTests;
// A file that fails to load has no test that failed, and an error outside any test has neither.
if (status !== 0 && report.numFailedTests === 0) failed += Math.max(1, report.numFailedTestSuites);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
