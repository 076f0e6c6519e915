/** A place for a server's data that can be filled to the last byte: a volume of its own, or a limit on the size of files. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';

export interface SmallVolume {
  /** How it is made, for whoever reads the figures. */
  kind: string;
  dir: string;
  /** Leaves no room for the process that writes there. */
  fill(pid: number): void;
  empty(pid: number): void;
  remove(): void;
}

const CHUNK = Buffer.alloc(64 * 1024, 1);

/** Takes what is left of a volume, down to its last page. */
function fillWith(file: string): void {
  const fd = openSync(file, 'a');
  try {
    for (let size = CHUNK.length; size >= 1;) {
      try {
        if (writeSync(fd, CHUNK, 0, size) < size) size = Math.floor(size / 2);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
        size = Math.floor(size / 2);
      }
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * A tmpfs of `megabytes` where this machine lets us mount one. Else a limit on the size of the files that the process may write
 * (RLIMIT_FSIZE), just above what its database has: to whoever writes, that is a disk without room (EFBIG).
 */
export function makeSmallVolume(parent: string, megabytes: number): SmallVolume {
  const dir = path.join(parent, 'volume');
  mkdirSync(dir, { recursive: true });
  const filler = path.join(dir, 'filler');
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir], { stdio: 'ignore' });
  } catch {
    const limit = (pid: number, bytes: string) =>
      execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`], { stdio: 'ignore' });
    return {
      kind: 'a limit on the size of files (no volume can be mounted here)',
      dir,
      fill: (pid) => limit(pid, String(statSync(path.join(dir, 'data', 'stepheybot.db-wal')).size)),
      empty: (pid) => limit(pid, 'unlimited'),
      remove: () => undefined,
    };
  }
  return {
    kind: `a volume of ${megabytes} MB`,
    dir,
    fill: () => fillWith(filler),
    empty: () => rmSync(filler, { force: true }),
    remove: () => void execFileSync('umount', ['-l', dir]),
  };
}
