import { readdir } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { inTransaction } from '#domain/unit-of-work.ts';
import { storedCovers } from './covers.ts';
import { folderCovers, folderOf, writeChangedImages } from './folder-covers.ts';
import { matchFiles } from './library.rules.ts';
import { setMissing, writeProblems, writeTracks } from './library.repository.ts';
import { READER_VERSION } from './read-track.ts';
import { startTrackReader } from './track-reader.ts';
import { walkLibrary } from './walk-library.ts';
import type { Ctx } from '#domain/context.ts';
import type { NameIds, ReadFile, TrackWrite } from './library.repository.ts';
import type { ScanProblemsTable, TracksTable } from './library.table.ts';
import type { Place, Walk, WalkedFile } from './walk-library.ts';

/** Files written in one transaction: large enough to be cheap, small enough that others get their turn. */
const FILES_PER_WRITE = 200;
/** Rows read at once: SQLite reads hold up the event loop. */
const ROWS_PER_READ = 2000;
/** An empty root that held more live tracks than this looks like a disk that is not mounted, not like a deleted library. */
const EMPTY_ROOT_TRACKS = 10;

/** How far a scan is; written to while it runs. */
export interface ScanProgress {
  done: number;
  total: number | null;
  added: number;
  updated: number;
  moved: number;
  missing: number;
  unchanged: number;
  problems: (Place & { reason: string })[];
  /** Roots that could not be read, and why. */
  lostRoots: Walk['lostRoots'];
}

export function newScanProgress(): ScanProgress {
  return {
    done: 0,
    total: null,
    added: 0,
    updated: 0,
    moved: 0,
    missing: 0,
    unchanged: 0,
    problems: [],
    lostRoots: [],
  };
}

type KnownTrack = Pick<
  TracksTable,
  | 'id'
  | 'library_root'
  | 'track_path'
  | 'title'
  | 'artist'
  | 'album'
  | 'audio_hash'
  | 'file_size_bytes'
  | 'file_mtime_ms'
  | 'missing_since'
  | 'cover_source'
  | 'cover_hash'
> & { reader_version: number };
type KnownProblem = ScanProblemsTable;

const placeKey = (place: Place) => `${place.library_root}\0${place.track_path}`;
const isSameFile = (a: Pick<KnownTrack, 'file_size_bytes' | 'file_mtime_ms'>, b: typeof a) =>
  a.file_size_bytes === b.file_size_bytes && a.file_mtime_ms === b.file_mtime_ms;

async function loadTracks(ctx: Ctx): Promise<KnownTrack[]> {
  const tracks: KnownTrack[] = [];
  for (let after = ''; ; await setImmediate()) {
    const rows = await ctx.db
      .selectFrom('tracks')
      .select(['id', 'library_root', 'track_path', 'title', 'artist', 'album', 'audio_hash'])
      .select(['file_size_bytes', 'file_mtime_ms', 'missing_since', 'cover_source', 'cover_hash', 'reader_version'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(ROWS_PER_READ)
      .execute();
    tracks.push(...rows);
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_PER_READ) return tracks;
    after = last.id;
  }
}

/**
 * Brings the database in step with the files below MUSIC_DIR. Files of known size and time are not opened. A root that is
 * away changes nothing about its tracks. Stopped by `signal` it leaves what it wrote, and calls no track missing.
 */
export async function scanLibrary(ctx: Ctx, progress: ScanProgress, signal: AbortSignal): Promise<void> {
  const isStopped = () => signal.aborted;
  const walk = await walkLibrary(ctx.files.musicDirs, isStopped);
  if (isStopped()) return;
  progress.total = walk.files.length;

  const known = await loadTracks(ctx);
  const knownProblems = await ctx.db.selectFrom('scan_problems').selectAll().execute();
  const knownImages = await ctx.db.selectFrom('folder_images').selectAll().execute();
  const stored = await storedCovers(ctx.files.dataDir);
  const isStored = ({ cover_hash }: { cover_hash: string | null }) => cover_hash === null || stored.has(cover_hash);
  const lostRoots = new Map(walk.lostRoots.map((lost) => [lost.library_root, lost.reason]));
  for (const root of walk.emptyRoots) {
    const count = known.filter((track) => track.library_root === root && track.missing_since === null).length;
    if (count > EMPTY_ROOT_TRACKS)
      lostRoots.set(root, `is empty, though ${count} tracks were found there before: is a disk not mounted?`);
  }
  const noteLost = () =>
    (progress.lostRoots = [...lostRoots].map(([library_root, reason]) => ({ library_root, reason })));
  noteLost();
  const isOutOfReach = (place: Place) =>
    lostRoots.has(place.library_root) ||
    walk.lostFolders.some(
      (lost) =>
        lost.library_root === place.library_root &&
        (lost.track_path === '/' || place.track_path.startsWith(lost.track_path)),
    );

  const tracksAt = Map.groupBy(known, placeKey);
  const problemAt = new Map(knownProblems.map((problem) => [placeKey(problem), problem]));
  const problems: Omit<KnownProblem, 'seen_at'>[] = [];
  const addProblem = (problem: Omit<KnownProblem, 'seen_at'>) => {
    problems.push(problem);
    progress.problems.push({
      library_root: problem.library_root,
      track_path: problem.track_path,
      reason: problem.reason,
    });
  };
  for (const problem of walk.problems) addProblem({ ...problem, file_size_bytes: 0, file_mtime_ms: 0 });

  // 1. What is as it was.
  const seen = new Set<string>();
  const revived: string[] = [];
  const toRead: WalkedFile[] = [];
  for (const file of walk.files) {
    const key = placeKey(file);
    const same = (tracksAt.get(key) ?? []).filter(
      (track) => isSameFile(track, file) && isStored(track) && track.reader_version === READER_VERSION,
    );
    const track = same.find((one) => one.missing_since === null) ?? (same.length === 1 ? same[0] : undefined);
    const problem = problemAt.get(key);
    if (track !== undefined) {
      seen.add(track.id);
      if (track.missing_since === null) progress.unchanged++;
      else revived.push(track.id);
    } else if (problem !== undefined && isSameFile(problem, file)) {
      addProblem(problem);
    } else {
      toRead.push(file);
      continue;
    }
    progress.done++;
  }
  if (revived.length > 0) await inTransaction(ctx, (tx) => setMissing(tx, revived, false));
  progress.updated += revived.length;

  // 2. What is new or changed: written at once where there is no question which track it is.
  const covers = folderCovers(ctx, walk.images, knownImages, isStored);
  const knownHashes = new Set(known.map((track) => track.audio_hash));
  const names: NameIds = { artists: new Map(), albums: new Map() };
  const open: ReadFile[] = [];
  const writer = trackWriter(ctx, names);
  const take = async (
    file: WalkedFile,
    read: (file: WalkedFile) => ReturnType<ReturnType<typeof startTrackReader>['read']>,
  ) => {
    const result = await read(file);
    if ('problem' in result) {
      const { library_root, track_path, file_size_bytes, file_mtime_ms } = file;
      // A time no file has, so that it is tried again next time.
      const readAt = result.isPassing === true ? -1 : file_mtime_ms;
      addProblem({ library_root, track_path, reason: result.problem, file_size_bytes, file_mtime_ms: readAt });
    } else {
      const found = result.cover === null ? await covers.of(file.library_root, folderOf(file.track_path)) : null;
      const readFile: ReadFile = {
        ...result,
        library_root: file.library_root,
        track_path: file.track_path,
        cover: result.cover ?? found?.cover ?? null,
        cover_hash: result.cover?.hash ?? found?.hash ?? null,
        cover_source: result.cover !== null ? 'embedded' : found === null ? null : 'folder',
      };
      const here = tracksAt.get(placeKey(file));
      const retagged = here?.find((track) => track.missing_since === null && track.audio_hash === result.audio_hash);
      if (retagged !== undefined) {
        seen.add(retagged.id);
        progress.updated++;
        await writer.add({ track_id: retagged.id, file: readFile });
      } else if (here === undefined && !knownHashes.has(result.audio_hash)) {
        progress.added++;
        await writer.add({ track_id: null, file: readFile });
      } else {
        open.push(readFile);
      }
    }
    progress.done++;
  };
  if (toRead.length > 0) {
    const reader = startTrackReader(toRead.length);
    // What is being read is given up at once: a file on a sleeping disk would hold up the end of the server.
    signal.addEventListener('abort', () => reader.close(), { once: true });
    const read = (file: WalkedFile) =>
      reader.read({ file: file.file, track_path: file.track_path, dataDir: ctx.files.dataDir });
    try {
      const queue = toRead.values();
      const worker = async () => {
        for (const file of queue) {
          if (isStopped()) return;
          try {
            await take(file, read);
          } catch (error) {
            if (!isStopped()) throw error;
          }
        }
      };
      await Promise.all(Array.from({ length: reader.capacity }, worker));
      await writer.flush();
    } finally {
      reader.close();
    }
  }
  if (isStopped()) return;

  // 3. What moved, was replaced, or only looks like something known; and what is gone.
  for (const root of ctx.files.musicDirs) {
    // A disk may have gone while it was being read.
    const isThere = await readdir(root).then(
      (entries) => entries.length > 0 || walk.emptyRoots.includes(root),
      () => false,
    );
    if (!isThere && !lostRoots.has(root)) lostRoots.set(root, 'went away during the scan');
  }
  noteLost();
  const unseen = known.filter((track) => !seen.has(track.id) && !isOutOfReach(track));
  const matched = matchFiles(open, unseen);
  for (const file of open) {
    const track = matched.get(file);
    if (track === undefined) progress.added++;
    else if (placeKey(track) === placeKey(file)) progress.updated++;
    else progress.moved++;
    await writer.add({ track_id: track?.id ?? null, file });
  }
  await writer.flush();
  const matchedIds = new Set([...matched.values()].map((track) => track.id));
  const gone = unseen
    .filter((track) => track.missing_since === null && !matchedIds.has(track.id))
    .map((track) => track.id);
  if (gone.length > 0) await inTransaction(ctx, (tx) => setMissing(tx, gone, true));
  progress.missing = gone.length;

  await writeChangedImages(
    ctx,
    covers,
    known.filter((track) => seen.has(track.id)),
    isOutOfReach,
  );

  const current = new Set(problems.map(placeKey));
  const news = problems.filter((problem) => {
    const before = problemAt.get(placeKey(problem));
    return before === undefined || before.reason !== problem.reason || !isSameFile(before, problem);
  });
  const solved = knownProblems.filter((problem) => !current.has(placeKey(problem)) && !isOutOfReach(problem));
  if (news.length > 0 || solved.length > 0) {
    const byPlace = new Map(news.map((problem) => [placeKey(problem), problem]));
    await inTransaction(ctx, (tx) => writeProblems(tx, [...byPlace.values()], solved));
  }
}

/** Gathers writes into transactions of FILES_PER_WRITE, one after another, while more files are read. */
function trackWriter(ctx: Ctx, names: NameIds) {
  let gathered: TrackWrite[] = [];
  let last: Promise<void> = Promise.resolve();
  const write = async (writes: TrackWrite[]) => {
    const fresh = await inTransaction(ctx, (tx) => writeTracks(tx, writes, names));
    for (const [key, id] of fresh.artists) names.artists.set(key, id);
    for (const [key, id] of fresh.albums) names.albums.set(key, id);
  };
  const flush = () => {
    const writes = gathered;
    gathered = [];
    if (writes.length > 0) last = last.then(() => write(writes));
    return last;
  };
  return {
    flush,
    /** Waits only when a transaction is due, so that reading never runs far ahead of writing. */
    async add(one: TrackWrite): Promise<void> {
      gathered.push(one);
      if (gathered.length >= FILES_PER_WRITE) await flush();
    },
  };
}
