import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Dirent } from 'node:fs';

const MUSIC = /\.(mp3|flac|ogg|oga|opus|m4a|aac|mp4|wav)$/i;
const FOLDER_IMAGE = /^(cover|folder|front|album)\.(jpe?g|png|webp)$/i;
/** Which folder image stands for the folder when there are several. */
const IMAGE_ORDER = ['cover', 'folder', 'front', 'album'];
/** Files asked for their size at once: enough to keep a disk busy. */
const STATS_AT_ONCE = 32;

/** A file or folder, by where it is shown to be. */
export interface Place {
  library_root: string;
  track_path: string;
}
export interface WalkedFile extends Place {
  /** Absolute, without links below the root. */
  file: string;
  file_size_bytes: number;
  file_mtime_ms: number;
}
export interface WalkedImage {
  library_root: string;
  folder: string;
  file_name: string;
  file: string;
  file_size_bytes: number;
  file_mtime_ms: number;
}
export interface Walk {
  files: WalkedFile[];
  images: WalkedImage[];
  problems: (Place & { reason: string })[];
  /** Roots that could not be read: what was known of them stays as it is. */
  lostRoots: { library_root: string; reason: string }[];
  /** Roots that are empty folders, as the place of an unmounted disk is. */
  emptyRoots: string[];
  /** Folders below a root that could not be read, by path with a `/` at the end: what was known below stays as it is. */
  lostFolders: Place[];
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? 'unknown error';

/** Whether `file` is `folder` or below it; both absolute and free of links. */
export function isWithin(folder: string, file: string): boolean {
  return file === folder || file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
}

/**
 * Lists the music and the folder pictures below the roots. Hidden files and folders are left out. Links are followed as long as they
 * stay under a root; each file and folder is listed once, however many ways lead to it, at its own place before a link's.
 */
export async function walkLibrary(roots: readonly string[], isStopped: () => boolean = () => false): Promise<Walk> {
  const walk: Walk = { files: [], images: [], problems: [], lostRoots: [], emptyRoots: [], lostFolders: [] };
  const seenFolders = new Set<string>();
  const seenFiles = new Set<string>();
  const realRoots: string[] = [];
  const links: (Place & { file: string })[] = [];

  async function addFile(file: string, place: Place): Promise<void> {
    const { size, mtimeMs, isFile } = await stat(file).then((s) => ({
      size: s.size,
      mtimeMs: s.mtimeMs,
      isFile: s.isFile(),
    }));
    if (!isFile || seenFiles.has(file)) return;
    seenFiles.add(file);
    walk.files.push({ ...place, file, file_size_bytes: size, file_mtime_ms: Math.floor(mtimeMs) });
  }

  async function addEntry(folder: string, place: Place, entry: Dirent): Promise<void> {
    const { name } = entry;
    const file = path.join(folder, name);
    const inner: Place = {
      library_root: place.library_root,
      track_path: place.track_path === '' ? name : `${place.track_path}/${name}`,
    };
    const isMusic = MUSIC.test(name);
    try {
      // Bytes that are not UTF-8 arrive as U+FFFD, and such a path leads nowhere; a file may also really be called so.
      if (name.includes('\ufffd') && (isMusic || entry.isDirectory())) {
        const isThere = await lstat(file).then(
          () => true,
          () => false,
        );
        if (!isThere) {
          walk.problems.push({ ...inner, reason: 'has a name that is not valid UTF-8: rename it' });
          return;
        }
      }
      if (entry.isSymbolicLink()) links.push({ ...inner, file });
      else if (entry.isDirectory()) await readFolder(file, inner);
      else if (entry.isFile() && isMusic) await addFile(file, inner);
    } catch (error) {
      // A file that went away between listing and looking is simply gone.
      if (codeOf(error) !== 'ENOENT') walk.problems.push({ ...inner, reason: `cannot be read (${codeOf(error)})` });
    }
  }

  async function readFolder(folder: string, place: Place): Promise<void> {
    if (seenFolders.has(folder) || isStopped()) return;
    seenFolders.add(folder);
    let entries: Dirent[];
    try {
      entries = await readdir(folder, { withFileTypes: true });
    } catch (error) {
      walk.problems.push({ ...place, reason: `is a folder that cannot be read (${codeOf(error)})` });
      walk.lostFolders.push({ ...place, track_path: `${place.track_path}/` });
      return;
    }
    const visible = entries.filter((entry) => !entry.name.startsWith('.'));
    const images = visible
      .filter((entry) => entry.isFile() && FOLDER_IMAGE.test(entry.name))
      .sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1));
    const [image] = images;
    if (image !== undefined) {
      const file = path.join(folder, image.name);
      const found = await stat(file).catch((error: unknown) => {
        if (codeOf(error) === 'ENOENT') return null;
        throw error;
      });
      if (found !== null) {
        walk.images.push({
          library_root: place.library_root,
          folder: place.track_path,
          file_name: image.name,
          file,
          file_size_bytes: found.size,
          file_mtime_ms: Math.floor(found.mtimeMs),
        });
      }
    }
    for (let i = 0; i < visible.length; i += STATS_AT_ONCE) {
      await Promise.all(visible.slice(i, i + STATS_AT_ONCE).map((entry) => addEntry(folder, place, entry)));
    }
  }

  async function followLink(link: Place & { file: string }): Promise<void> {
    const { library_root, track_path, file } = link;
    const isMusic = MUSIC.test(track_path);
    let target: string;
    try {
      target = await realpath(file);
    } catch (error) {
      const reason =
        codeOf(error) === 'ENOENT'
          ? 'is a link to something that is not there'
          : `is a link that cannot be followed (${codeOf(error)})`;
      if (isMusic) walk.problems.push({ library_root, track_path, reason });
      return;
    }
    const isFolder = (await stat(target)).isDirectory();
    if (!isFolder && !isMusic) return;
    if (!realRoots.some((root) => isWithin(root, target))) {
      walk.problems.push({ library_root, track_path, reason: 'is a link to a place outside MUSIC_DIR' });
      return;
    }
    if (isFolder) await readFolder(target, { library_root, track_path });
    else await addFile(target, { library_root, track_path });
  }

  for (const root of roots) {
    try {
      const real = await realpath(root);
      const entries = await readdir(real);
      realRoots.push(real);
      if (entries.length === 0) walk.emptyRoots.push(root);
    } catch (error) {
      const code = codeOf(error);
      const reason =
        code === 'ENOENT' ? 'is not there' : code === 'ENOTDIR' ? 'is not a folder' : `cannot be read (${code})`;
      walk.lostRoots.push({ library_root: root, reason });
    }
  }
  for (const root of roots) {
    if (walk.lostRoots.some((lost) => lost.library_root === root)) continue;
    await readFolder(await realpath(root), { library_root: root, track_path: '' });
  }
  // Links last, so that what has a place of its own is listed there. A linked folder may hold further links.
  for (let link = links.shift(); link !== undefined && !isStopped(); link = links.shift()) {
    try {
      await followLink(link);
    } catch (error) {
      walk.problems.push({
        library_root: link.library_root,
        track_path: link.track_path,
        reason: `cannot be read (${codeOf(error)})`,
      });
    }
  }
  return walk;
}

function rank(imageName: string): number {
  return IMAGE_ORDER.indexOf(imageName.slice(0, imageName.lastIndexOf('.')).toLowerCase());
}
