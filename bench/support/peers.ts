/**
 * The servers ours is measured beside. They are no dependency of ours: a measure that needs them has npm put exactly these
 * versions into a folder of its own, once.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FOLDER = path.join(ROOT, 'node_modules/.cache/bench-peers');
/** As of November 2026; `@y/websocket-server` 0.1.1 is the last for yjs 13. */
const PACKAGES = [
  '@hocuspocus/server@4.7.0',
  '@hocuspocus/extension-database@4.7.0',
  '@y/websocket-server@0.1.1',
  'yjs@13.6.33',
  'ws@8.23.0',
];
const STAMP = path.join(FOLDER, 'installed.json');

function isInstalled(): boolean {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === JSON.stringify(PACKAGES);
}

/** Has the peers installed. @returns why they could not be, or null */
export function installPeers(): string | null {
  if (isInstalled()) return null;
  mkdirSync(FOLDER, { recursive: true });
  const { status, stderr, error } = spawnSync(
    'npm',
    ['install', '--prefix', FOLDER, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', ...PACKAGES],
    { cwd: FOLDER, encoding: 'utf8', timeout: 120_000 },
  );
  if (status !== 0) return error?.message ?? stderr.trim().split('\n').at(-1) ?? `npm ended with ${status}`;
  writeFileSync(STAMP, JSON.stringify(PACKAGES));
  return null;
}

/** Loads a module of a peer, or one it uses itself. */
export async function importPeer<T>(file: string): Promise<T> {
  return (await import(pathToFileURL(path.join(FOLDER, 'node_modules', file)).href)) as T;
}
