import { epochSeconds } from '#domain/ports.ts';
import { newScanProgress, scanLibrary } from './scan-library.ts';
import type { ScanState } from '#contract/library.ts';
import type { Actor, Ctx } from '#domain/context.ts';
import type { ScanProgress } from './scan-library.ts';

/** Problems shown at most; `problem_count` tells how many there are. */
const PROBLEMS_SHOWN = 200;

/** The one scan of this process. */
export interface Scanner {
  /** Starts a scan in the background, unless one is running, and says how it stands. */
  start(): ScanState;
  /** How the running or last scan is doing; names of files and folders are for admins. */
  state(actor: Pick<Actor, 'role'>): ScanState;
  /** Resolves when no scan is running. */
  whenIdle(): Promise<void>;
  /** Ends a running scan at its next file. */
  stop(): Promise<void>;
}

const HOW_TO_SET =
  'Set MUSIC_DIR to the folder your music is in (several separated by ":"), start the server again, and scan.';

/** What to do when there is nothing to hear; folders are named to admins only. */
function hintOf(progress: ScanProgress, rootCount: number, hasFailed: boolean, isAdmin: boolean): string | null {
  if (rootCount === 0) return `No music folder is set. ${HOW_TO_SET}`;
  if (progress.lostRoots.length > 0) {
    const kept = 'The tracks known from there are kept as they are.';
    if (!isAdmin) return `Part of the music library cannot be read right now. ${kept}`;
    const which = progress.lostRoots.map(({ library_root, reason }) => `${library_root} ${reason}.`).join(' ');
    return `${which} ${kept} ${HOW_TO_SET}`;
  }
  if (hasFailed) return 'The scan ended with an error, which the log of the server names. Start it again.';
  if (progress.total === 0)
    return `There is no music in MUSIC_DIR yet. Put files there and scan again, or: ${HOW_TO_SET}`;
  return null;
}

/** Makes the scanner of this process; nothing runs until `start`. */
export function createScanner(ctx: Ctx): Scanner {
  let progress = newScanProgress();
  let state: ScanState['state'] = 'idle';
  let startedAt: number | null = null;
  let endedAt: number | null = null;
  let running: Promise<void> = Promise.resolve();
  let abort = new AbortController();

  async function run(signal: AbortSignal): Promise<void> {
    const current = progress;
    try {
      await scanLibrary(ctx, current, signal);
      const isAllLost = ctx.files.musicDirs.length > 0 && current.lostRoots.length >= ctx.files.musicDirs.length;
      state = isAllLost ? 'failed' : 'idle';
      const { added, updated, moved, missing, unchanged } = current;
      ctx.log.info('library scanned', { added, updated, moved, missing, unchanged, problems: current.problems.length });
      await ctx.events.publish({ name: 'library.scanned', payload: { added, updated, moved, missing } });
    } catch (error) {
      state = 'failed';
      ctx.log.error('the library scan failed', { done: current.done }, error);
    } finally {
      endedAt = epochSeconds(ctx.clock);
    }
  }

  const present = (isAdmin: boolean): ScanState => ({
    state,
    done: progress.done,
    total: progress.total,
    added: progress.added,
    updated: progress.updated,
    moved: progress.moved,
    missing: progress.missing,
    unchanged: progress.unchanged,
    problems: isAdmin
      ? progress.problems.slice(0, PROBLEMS_SHOWN).map(({ track_path, reason }) => ({ track_path, reason }))
      : [],
    problem_count: progress.problems.length,
    started_at: startedAt,
    ended_at: endedAt,
    hint:
      state === 'running' || startedAt === null
        ? null
        : hintOf(progress, ctx.files.musicDirs.length, state === 'failed', isAdmin),
  });

  return {
    start() {
      if (state !== 'running') {
        state = 'running';
        progress = newScanProgress();
        startedAt = epochSeconds(ctx.clock);
        endedAt = null;
        abort = new AbortController();
        running = run(abort.signal);
      }
      return present(true);
    },
    state: (actor) => present(actor.role === 'admin'),
    whenIdle: () => running,
    async stop() {
      abort.abort();
      await running;
    },
  };
}
