import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROW_NAMES, TRUST_ROWS } from './trust-rows.ts';
import type { NamedTest } from './trust-rows.ts';

const TEST_DIR = path.resolve(import.meta.dirname, '../..');
const named = Object.entries(TRUST_ROWS).flatMap(([row, shown]) =>
  shown.flatMap((one) => ('by' in one ? one.by.map((test) => ({ row, ...test })) : [])),
);

/** Whether a file has a test of this very title, that is not skipped. */
function isThere({ file, title }: NamedTest): boolean {
  const source = readFileSync(path.join(TEST_DIR, file), 'utf8');
  const quoted = [`'${title}'`, `\`${title}\``, `"${title}"`].map((one) => source.indexOf(one)).filter((at) => at >= 0);
  return quoted.some((at) => {
    // Only what opens a test may stand before it: its call, and with `each` the closing of its table.
    const before = source.slice(0, at).trimEnd();
    return /(?:\btest|\)|\])\($/.test(before) && !/\b(?:skip|todo|skipIf|fails)\b[^\n]*$/.test(before);
  });
}

test('[ID109] every row of the threat model has an entry, and no entry is of another row', () => {
  expect(Object.keys(TRUST_ROWS).sort()).toEqual([...ROW_NAMES].sort());
  for (const [row, shown] of Object.entries(TRUST_ROWS)) expect([row, shown.length > 0]).toEqual([row, true]);
});

test('[ID109] every test that is named is there, in that file, and runs', () => {
  expect(named.length).toBeGreaterThan(60);
  expect(named.filter((one) => !isThere(one)).map(({ row, file, title }) => `${row}: ${file}: ${title}`)).toEqual([]);
});

test('[ID109] a test that is not there would be missed', () => {
  const [first] = named;
  if (first === undefined) throw new Error('nothing is named');
  expect(isThere({ ...first, title: `${first.title} ` })).toBe(false);
  expect(isThere({ file: 'server/attacks/trust-rows.ts', title: first.title })).toBe(false);
});

test('[ID109] a row without tests of its own says why, and what will bring them', () => {
  for (const [row, shown] of Object.entries(TRUST_ROWS)) {
    for (const one of shown) {
      if ('reason' in one) expect([row, one.reason.length > 20, one.issue.length > 5]).toEqual([row, true, true]);
    }
  }
});
