import path from 'node:path';
import { inTransaction } from '#domain/unit-of-work.ts';
import { hasFfmpeg } from './decode.ts';
import { fileToAnalyse, tracksToAnalyse } from './features.queries.ts';
import { copyFeatures, writeFeatures } from './features.repository.ts';
import { startSoundReader } from './sound-reader.ts';
import type { Ctx } from '#domain/context.ts';
import type { Container } from '../audio-hash.ts';
import type { Scanner } from '../scanner.ts';
import type { SoundReader, SoundResult } from './sound-reader.ts';

/** How far the analysis is. */
export interface AnalysisProgress {
  done: number;
  total: number;
}

/** The one analysis of this process: what every scan leaves to do, file by file, while no scan runs. */
export interface Analyser {
  /** From now on each scan is followed by an analysis of what is new. */
  start(): void;
  /** Null when there is nothing to do. */
  state(): AnalysisProgress | null;
  /** Resolves when nothing is under way. */
  whenIdle(): Promise<void>;
  /** Gives up the file under way, which is taken up again after the next start. */
  stop(): Promise<void>;
}

/** Makes the analyser of this process. Files are asked for one by one, so that it goes on where it was when it is killed. */
export function createAnalyser(
  ctx: Ctx,
  scanner: Pick<Scanner, 'whenIdle'>,
  newReader: () => SoundReader = startSoundReader,
): Analyser {
  let progress: AnalysisProgress | null = null;
  let running: Promise<void> | null = null;
  let reader: SoundReader | null = null;
  let isAskedAgain = false;
  let isStopping = false;

  async function analyse(track_id: string): Promise<void> {
    const track = await fileToAnalyse(ctx.db, track_id);
    if (track === null) return;
    if (await inTransaction(ctx, (tx) => copyFeatures(tx, track))) return;
    if (isStopping) return;
    const result: SoundResult =
      track.container === null
        ? { problem: 'cannot be decoded' }
        : await (reader ??= newReader()).read({
            file: path.join(track.library_root, track.track_path),
            container: track.container as Container,
            duration: track.duration,
          });
    if (isStopping || 'isPassing' in result) return;
    if ('problem' in result) ctx.log.info('a track could not be analysed', { track_id, reason: result.problem });
    await inTransaction(ctx, (tx) => writeFeatures(tx, track, result));
  }

  async function run(): Promise<void> {
    try {
      do {
        isAskedAgain = false;
        await scanner.whenIdle();
        let ffmpeg: Promise<boolean> | null = null;
        const due = await tracksToAnalyse(ctx.db, () => (ffmpeg ??= hasFfmpeg()));
        // A scan that ended while this was asked is looked at once more.
        if (due.length === 0) continue;
        const current = { done: 0, total: due.length };
        progress = current;
        for (const track_id of due) {
          // A disk read in two places at once is slower for both.
          await scanner.whenIdle();
          if (isStopping) return;
          await analyse(track_id);
          current.done++;
        }
        ctx.log.info('tracks analysed', { done: current.done });
      } while (isAskedAgain);
    } catch (error) {
      // What was written stays; the next scan goes on from there.
      ctx.log.warn('the analysis of tracks broke off', { kind: error instanceof Error ? error.name : '' });
    } finally {
      reader?.close();
      reader = null;
      progress = null;
      running = null;
    }
  }

  return {
    start() {
      // Not waited for: the scan that tells us is not over before we return.
      ctx.events.on('library.scanned', () => {
        if (isStopping) return;
        if (running === null) running = run();
        else isAskedAgain = true;
      });
    },
    state: () => progress,
    async whenIdle() {
      while (running !== null) await running;
    },
    async stop() {
      isStopping = true;
      reader?.close();
      await running;
    },
  };
}
