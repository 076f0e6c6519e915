import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';

/** Larger pictures are left where they are: a scan of thousands would fill the disk. */
export const MAX_COVER_BYTES = 16 * 1024 * 1024;

export interface StoredCover {
  hash: string;
  mime: 'image/png' | 'image/jpeg' | 'image/webp';
  size_bytes: number;
}

/** What a picture is by its first bytes; its name and declared type are not believed. */
export function imageType(data: Uint8Array): StoredCover['mime'] | null {
  const ascii = Buffer.from(data.buffer, data.byteOffset, Math.min(16, data.byteLength)).toString('latin1');
  if (ascii.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (ascii.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (/^RIFF....WEBP/s.test(ascii)) return 'image/webp';
  return null;
}

/** Where a cover lies, as found (`size` absent) or at one of COVER_SIZES. */
export function coverFile(dataDir: string, hash: string, size?: number): string {
  return path.join(dataDir, 'covers', hash.slice(0, 2), size === undefined ? hash : `${hash}.${size}.webp`);
}

/** Keeps a picture under the hash of its content; null when it is none we take. A reader never sees half a file. */
export function storeCover(dataDir: string, data: Uint8Array): StoredCover | null {
  const mime = imageType(data);
  if (mime === null || data.byteLength > MAX_COVER_BYTES) return null;
  const hash = createHash('sha256').update(data).digest('hex').slice(0, 40);
  const file = coverFile(dataDir, hash);
  if (!existsSync(file)) {
    mkdirSync(path.dirname(file), { recursive: true });
    const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      writeFileSync(temporary, data, { mode: 0o600 });
      renameSync(temporary, file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }
  return { hash, mime, size_bytes: data.byteLength };
}

/** Which covers are there, by hash: after a restore without them they are read from the music again. */
export async function storedCovers(dataDir: string): Promise<Set<string>> {
  const names = await readdir(path.join(dataDir, 'covers'), { recursive: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  return new Set(names.map((name) => path.basename(name)).filter((name) => /^[0-9a-f]{40}$/.test(name)));
}
