/** Builds the client when what it is made of changed since the last build; `--force` builds anyway. */
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { spawnSync } from 'node:child_process';

const root = path.resolve(import.meta.dirname, '..');
const stamp = path.join(root, 'client/build/.source-hash');
const SOURCES = [
  'client/src',
  'client/static',
  'client/vite.config.ts',
  'client/tsconfig.json',
  'src/contract',
  'package-lock.json',
];

async function filesUnder(name: string): Promise<string[]> {
  const full = path.join(root, name);
  const entries = await readdir(full, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTDIR') return null;
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  if (entries === null) return [full];
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

async function sourceHash(): Promise<string> {
  const hash = createHash('sha256');
  const files = (await Promise.all(SOURCES.map(filesUnder))).flat().sort();
  for (const file of files)
    hash
      .update(path.relative(root, file))
      .update('\0')
      .update(await readFile(file));
  return hash.digest('hex');
}

const wanted = await sourceHash();
const built = await readFile(stamp, 'utf8').catch((error: NodeJS.ErrnoException) => {
  if (error.code === 'ENOENT') return '';
  throw error;
});
if (built !== wanted || process.argv.includes('--force')) {
  process.stdout.write('Building the client …\n');
  const vite = path.join(root, 'node_modules/vite/bin/vite.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [vite, 'build', 'client', '--logLevel', 'warn'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NODE_ENV: 'production' },
  });
  if (status !== 0) {
    process.stderr.write(`${stdout}\n${stderr}\nThe client could not be built.\n`);
    process.exit(1);
  }
  await writeFile(stamp, wanted);
}
