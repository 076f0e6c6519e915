import { decodeFile, UndecodableError } from './decode.ts';
import { clean, createLoudnessMeter } from './loudness.rules.ts';
import { resample } from './resample.rules.ts';
import { ANALYSIS_RATE, describeSound } from './sound.rules.ts';
import type { Container } from '../audio-hash.ts';
import type { Piece } from './decode.ts';
import type { Loudness } from './loudness.rules.ts';
import type { Sound } from './sound.rules.ts';

/** Raised when the same sound would get other numbers: everything is then computed anew, once. */
export const FEATURES_VERSION = 1;

/** What sound is described by: a stretch from the middle, where the music is under way. */
const EXCERPT_SECONDS = 60;
/** A middle shorter than this, because the file ends before its tags say, is given up for the beginning. */
const ENOUGH_SECONDS = 10;
/** Longer is no music but a way to keep us busy. */
const MAX_SECONDS = 24 * 3600;
/** What files can have. */
const RATES_HERTZ = { min: 4_000, max: 768_000 };
/** An excerpt is kept at about this rate, so that one of 384 kHz takes no more room than others. */
const KEPT_RATE_HERTZ = 48_000;

export interface AnalysisJob {
  file: string;
  container: Container;
  /** Seconds, as far as known. */
  duration: number | null;
}

export interface Features extends Loudness {
  /** Null when the excerpt is silent. */
  sound: Sound | null;
}
export type AnalysisResult = Features | { problem: string };

/** One channel of a stretch of what goes by. */
function createExcerpt(sampleRate: number, from: number) {
  const step = Math.max(1, Math.floor(sampleRate / KEPT_RATE_HERTZ));
  const first = Math.floor(from * sampleRate);
  const rate = sampleRate / step;
  let kept = new Float32Array(0);
  let length = 0;
  let sum = 0;
  let summed = 0;
  const most = Math.floor(EXCERPT_SECONDS * rate);
  return {
    add(channels: readonly Float32Array[], at: number): void {
      const count = channels[0]!.length;
      const [left, right] = channels as [Float32Array, Float32Array?];
      for (let i = Math.max(0, first - at); i < count && length < most; i++) {
        if (right === undefined) sum += left[i]!;
        else if (channels.length === 2) sum += left[i]! + right[i]!;
        else for (let c = 0; c < channels.length; c++) sum += channels[c]![i]!;
        if (++summed < step) continue;
        if (length === kept.length) {
          const larger = new Float32Array(Math.min(most, Math.max(65_536, 2 * length)));
          larger.set(kept);
          kept = larger;
        }
        kept[length++] = sum / (summed * channels.length);
        sum = 0;
        summed = 0;
      }
    },
    samples: () => resample(kept.subarray(0, length), rate, ANALYSIS_RATE),
    seconds: () => length / rate,
  };
}

/** Gathers what is said of a file while it is decoded. */
function createAnalysis({ sampleRate, channels }: Piece, duration: number | null) {
  if (!(sampleRate >= RATES_HERTZ.min && sampleRate <= RATES_HERTZ.max))
    throw new UndecodableError('has a sampling rate no music has');
  const middle = Math.max(0, (duration ?? 0) / 2 - EXCERPT_SECONDS / 2);
  const meter = createLoudnessMeter(sampleRate, channels.length);
  const excerpts = [createExcerpt(sampleRate, middle)];
  if (middle > 0) excerpts.push(createExcerpt(sampleRate, 0));
  let samples = 0;
  return {
    add(piece: Piece): void {
      if (piece.sampleRate !== sampleRate || piece.channels.length !== channels.length)
        throw new UndecodableError('changes its sampling rate or channels on the way');
      if (samples > MAX_SECONDS * sampleRate) throw new UndecodableError('is longer than a day');
      clean(piece.channels);
      meter.add(piece.channels);
      for (const excerpt of excerpts) excerpt.add(piece.channels, samples);
      samples += piece.channels[0]!.length;
    },
    result(): Features {
      const [inMiddle, atStart] = excerpts as [(typeof excerpts)[0], (typeof excerpts)[0]?];
      const chosen = atStart === undefined || inMiddle.seconds() >= ENOUGH_SECONDS ? inMiddle : atStart;
      return { ...meter.result(), sound: describeSound(chosen.samples()) };
    },
  };
}

/** Decodes a file once, and says how loud it is and how it sounds. `tick` is called while it goes on. */
export async function analyseFile(job: AnalysisJob, tick: () => void = () => undefined): Promise<AnalysisResult> {
  let analysis: ReturnType<typeof createAnalysis> | null = null;
  try {
    for await (const piece of decodeFile(job.file, job.container)) {
      tick();
      if ((piece.channels[0]?.length ?? 0) === 0) continue;
      analysis ??= createAnalysis(piece, job.duration);
      analysis.add(piece);
    }
  } catch (error) {
    if (error instanceof UndecodableError) return { problem: error.message };
    // What was there before it broke is what people hear of it.
    if (analysis === null) return { problem: 'cannot be decoded' };
  }
  return analysis?.result() ?? { problem: 'holds no sound that can be decoded' };
}
