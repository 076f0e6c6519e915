import { existsSync } from 'node:fs';
import { coverFile } from '#domain/library/covers.ts';
import type { ImageProcess } from './image-process.ts';

/** Pictures that cannot be decoded are remembered, so that each costs one try. */
const BROKEN_KEPT = 5_000;

/** Makes covers at the sizes they are shown in, once each. */
export interface CoverResizer {
  /** The file of a cover at `size`, made if need be; null when the picture is gone or cannot be decoded. */
  resized(hash: string, size: number): Promise<string | null>;
}

/** A resizer that leaves decoding to the image process, and keeps what was made in the data folder. */
export function createCoverResizer(
  dataDir: string,
  images: ImageProcess,
  log: { warn(message: string, fields: Record<string, string>): void },
): CoverResizer {
  const running = new Map<string, Promise<string | null>>();
  const broken = new Set<string>();

  async function make(hash: string, size: number): Promise<string | null> {
    const to = coverFile(dataDir, hash, size);
    if (existsSync(to)) return to;
    const from = coverFile(dataDir, hash);
    if (!existsSync(from) || broken.has(hash)) return null;
    const result = await images.run({ kind: 'cover', from, to, size });
    if (result.is === 'done') return to;
    log.warn('a cover cannot be shown', { cover: hash, reason: result.reason.slice(0, 200) });
    if (broken.size < BROKEN_KEPT) broken.add(hash);
    return null;
  }

  return {
    resized(hash, size) {
      const key = `${hash}.${size}`;
      const making = running.get(key) ?? make(hash, size).finally(() => running.delete(key));
      running.set(key, making);
      return making;
    },
  };
}
