/**
 * `npm run bench`: every measure of this folder, one after another in a process of its own. A measure prints a JSON line
 * a figure; this makes a table of them and exits 1 naming each that misses its must.
 */
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';

interface Figure {
  name: string;
  value: number;
  unit: string;
  /** What it must be: at least with `min` (as rates are), at most with `max`. Without one the figure only informs. */
  must?: number;
  direction?: 'min' | 'max';
}

/** No measure takes this long; one that hangs is a failure with a name. */
const PATIENCE_MS = 10 * 60_000;

function parseFigure(line: string): Figure | null {
  if (!line.startsWith('{')) return null;
  const figure = JSON.parse(line) as Partial<Figure>;
  if (typeof figure.name !== 'string' || typeof figure.value !== 'number' || typeof figure.unit !== 'string')
    return null;
  return figure as Figure;
}

function isMissed({ value, must, direction = 'min' }: Figure): boolean {
  if (must === undefined) return false;
  return direction === 'min' ? value < must : value > must;
}

function mustOf({ must, direction = 'min', unit }: Figure): string {
  return must === undefined ? '' : `${direction === 'min' ? '≥' : '≤'} ${must} ${unit}`;
}

/** Runs one measure. @returns its figures, and what went wrong if anything did */
async function measure(file: string): Promise<{ figures: Figure[]; failure: string | null }> {
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const exited = new Promise<[number | null, string | null]>((resolve) =>
    child.once('close', (code, signal) => resolve([code, signal])),
  );
  const figures: Figure[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const figure = parseFigure(line);
    if (figure === null) process.stdout.write(`${line}\n`);
    else figures.push(figure);
  }
  const [code, signal] = await exited;
  clearTimeout(timer);
  // A measure may itself exit 1 over a missed must, which the table shows anyway.
  const isExcused = code === 0 || (code === 1 && figures.some(isMissed));
  return { figures, failure: isExcused ? null : `${path.basename(file)} ended with ${signal ?? code}` };
}

const only = process.argv.slice(2);
const files = (await readdir(import.meta.dirname))
  .filter((name) => name.endsWith('.ts') && name !== 'run.ts')
  .filter((name) => only.length === 0 || only.includes(name.replace(/\.ts$/, '')))
  .sort();
const all: Figure[] = [];
const failures: string[] = [];
for (const name of files) {
  process.stderr.write(`${name} …\n`);
  const { figures, failure } = await measure(path.join(import.meta.dirname, name));
  all.push(...figures);
  if (failure !== null) failures.push(failure);
}

const rows = all.map((figure) => [
  figure.name,
  `${figure.value} ${figure.unit}`,
  mustOf(figure),
  isMissed(figure) ? 'MISSED' : '',
]);
const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0), 0));
for (const [name = '', value = '', must = '', verdict = ''] of rows) {
  const line = `${name.padEnd(widths[0] ?? 0)}  ${value.padStart(widths[1] ?? 0)}  ${must.padEnd(widths[2] ?? 0)}  ${verdict}`;
  process.stdout.write(`${line.trimEnd()}\n`);
}
const missed = all.filter(isMissed);
for (const figure of missed) {
  process.stdout.write(`\nMissed: ${figure.name} is ${figure.value} ${figure.unit}, must be ${mustOf(figure)}\n`);
}
for (const failure of failures) process.stdout.write(`\nFailed: ${failure}\n`);
if (files.length === 0) failures.push('there is nothing of that name to measure');
process.exitCode = missed.length + failures.length === 0 ? 0 : 1;
