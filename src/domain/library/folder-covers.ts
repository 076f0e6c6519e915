import { readFile } from 'node:fs/promises';
import { inTransaction } from '#domain/unit-of-work.ts';
import { storeCover } from './covers.ts';
import { chunks, writeFolderImage } from './library.repository.ts';
import type { Ctx } from '#domain/context.ts';
import type { StoredCover } from './covers.ts';
import type { FolderImageWrite } from './library.repository.ts';
import type { FolderImagesTable, TracksTable } from './library.table.ts';
import type { Place, WalkedImage } from './walk-library.ts';

/** Folders written in one transaction. */
const FOLDERS_PER_WRITE = 200;

type FolderTrack = Pick<TracksTable, 'id' | 'library_root' | 'track_path' | 'cover_source'>;

const folderKey = (library_root: string, folder: string) => `${library_root}\0${folder}`;

/** The folder of a path, '' for the root itself. */
export function folderOf(trackPath: string): string {
  return trackPath.slice(0, Math.max(0, trackPath.lastIndexOf('/')));
}

/** The picture of each folder, read when it is new or changed. */
export function folderCovers(
  ctx: Ctx,
  images: readonly WalkedImage[],
  known: readonly FolderImagesTable[],
  isStored: (row: FolderImagesTable) => boolean,
) {
  const knownBy = new Map(known.map((row) => [folderKey(row.library_root, row.folder), row]));
  const imageBy = new Map(images.map((image) => [folderKey(image.library_root, image.folder), image]));
  const read = new Map<string, Promise<StoredCover | null>>();
  const isChanged = (key: string) => {
    const image = imageBy.get(key);
    const before = knownBy.get(key);
    if (image === undefined || before === undefined) return image !== before;
    return (
      !isStored(before) ||
      image.file_name !== before.file_name ||
      image.file_size_bytes !== before.file_size_bytes ||
      image.file_mtime_ms !== before.file_mtime_ms
    );
  };
  const readImage = (key: string, image: WalkedImage): Promise<StoredCover | null> => {
    const reading =
      read.get(key) ??
      readFile(image.file).then(
        (data) => storeCover(ctx.files.dataDir, data),
        (error: unknown) => {
          ctx.log.warn('a folder picture cannot be read', { code: (error as NodeJS.ErrnoException).code ?? 'unknown' });
          return null;
        },
      );
    read.set(key, reading);
    return reading;
  };
  return {
    /** The stored cover of a folder; `cover` is null when it is known to the database already. */
    async of(library_root: string, folder: string): Promise<{ hash: string; cover: StoredCover | null } | null> {
      const key = folderKey(library_root, folder);
      const image = imageBy.get(key);
      if (image === undefined) return null;
      if (isChanged(key)) {
        const cover = await readImage(key, image);
        return cover === null ? null : { hash: cover.hash, cover };
      }
      const hash = knownBy.get(key)?.cover_hash ?? null;
      return hash === null ? null : { hash, cover: null };
    },
    changed: () => [...new Set([...imageBy.keys(), ...knownBy.keys()])].filter(isChanged),
    readImage,
    imageBy,
    knownBy,
  };
}

/** New, changed and removed folder pictures: kept, and given to the tracks of the folder that were not read anew. */
export async function writeChangedImages(
  ctx: Ctx,
  covers: ReturnType<typeof folderCovers>,
  tracks: readonly FolderTrack[],
  isOutOfReach: (place: Place) => boolean,
): Promise<void> {
  const changed = covers.changed();
  if (changed.length === 0) return;
  const tracksIn = Map.groupBy(tracks, (track) => folderKey(track.library_root, folderOf(track.track_path)));
  for (const some of chunks(changed, FOLDERS_PER_WRITE)) {
    const writes: FolderImageWrite[] = [];
    for (const key of some) {
      const image = covers.imageBy.get(key) ?? null;
      const place = image ?? covers.knownBy.get(key);
      if (place === undefined) continue;
      const { library_root, folder } = place;
      if (image === null && isOutOfReach({ library_root, track_path: `${folder}/` })) continue;
      const track_ids = (tracksIn.get(key) ?? [])
        .filter((track) => track.cover_source !== 'embedded')
        .map((track) => track.id);
      const cover = image === null ? null : await covers.readImage(key, image);
      const kept = image && {
        file_name: image.file_name,
        file_size_bytes: image.file_size_bytes,
        file_mtime_ms: image.file_mtime_ms,
      };
      writes.push({ library_root, folder, image: kept, cover, track_ids });
    }
    await inTransaction(ctx, async (tx) => {
      for (const write of writes) await writeFolderImage(tx, write);
    });
  }
}
