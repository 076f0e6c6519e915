/** What a stretch of music sounds like, in numbers: timbre, brightness, harmony, dynamics. */
import FFT from 'fft.js';
import { findTempo } from './tempo.rules.ts';
import type { Tempo } from './tempo.rules.ts';

/** The rate everything is analysed at (Hz): what is above 11 kHz tells little and costs as much. */
export const ANALYSIS_RATE = 22_050;
const FRAME = 2048;
const HOP = 1024;
const BINS = FRAME / 2;
const MEL_BANDS = 40;
const LOWEST_MEL_HERTZ = 30;
const COEFFICIENTS = 20;
/** Octave bands whose peaks and valleys are compared: tones stand out, noise does not. */
const CONTRAST_EDGES_HERTZ = [100, 200, 400, 800, 1600, 3200, 6400, 11_000];
/** Where pitch is told from: lower the bins are wider than semitones, higher there are overtones only. */
const CHROMA_HERTZ = [110, 4000] as const;
/** The quietest that is told apart, as power of a frame: −100 dB. */
const FLOOR = 1e-10;
/** The part of the power below `rolloff`. */
const ROLLOFF = 0.85;

export interface Sound {
  tempo: Tempo;
  /** Share of each pitch class, C first; sums to 1, or all 0 where there is no pitch. */
  chroma: number[];
  /** Centre of the spectrum (Hz), in the mean. */
  brightness: number;
  /** Between the loud and the quiet tenth of the moments (dB). */
  dynamics: number;
  /** Everything two tracks are compared by, in the order of `SOUND_PARTS`. */
  vector: Float32Array;
}

/** What the numbers of a vector are, and how much each counts beside others of standard deviation 1. */
export const SOUND_PARTS: readonly { name: string; size: number; weight: number }[] = [
  { name: 'timbre', size: COEFFICIENTS - 1, weight: 1 },
  { name: 'timbre changes', size: COEFFICIENTS, weight: 0.7 },
  { name: 'contrast', size: CONTRAST_EDGES_HERTZ.length - 1, weight: 1 },
  { name: 'brightness', size: 4, weight: 1 },
  { name: 'noise', size: 4, weight: 1 },
  { name: 'dynamics', size: 3, weight: 1 },
  { name: 'harmony', size: 2, weight: 0.7 },
  { name: 'onsets', size: 1, weight: 1 },
];
/** The same, a weight a number. */
export const SOUND_WEIGHTS = SOUND_PARTS.flatMap(({ size, weight }) => Array.from({ length: size }, () => weight));
export const VECTOR_SIZE = SOUND_WEIGHTS.length;

const melOf = (hertz: number) => 2595 * Math.log10(1 + hertz / 700);
const hertzOf = (mel: number) => 700 * (10 ** (mel / 2595) - 1);
const binOf = (hertz: number) => Math.min(BINS, Math.max(1, Math.round((hertz * FRAME) / ANALYSIS_RATE)));

/** Each bin lies between two bands' middles: it gives `share` of its power to the upper one, the rest to the lower. */
const MEL = (() => {
  const low = melOf(LOWEST_MEL_HERTZ);
  const width = (melOf(ANALYSIS_RATE / 2) - low) / (MEL_BANDS + 1);
  const upper = new Int16Array(BINS);
  const share = new Float32Array(BINS);
  for (let bin = 0; bin < BINS; bin++) {
    const place = (melOf((bin * ANALYSIS_RATE) / FRAME) - low) / width;
    upper[bin] = place < 0 ? -1 : Math.floor(place);
    share[bin] = place - Math.floor(place);
  }
  return { upper, share, middles: Array.from({ length: MEL_BANDS }, (_, i) => hertzOf(low + (i + 1) * width)) };
})();

/** DCT-II, orthonormal. */
const DCT = Array.from({ length: COEFFICIENTS }, (_, k) =>
  Float64Array.from(
    { length: MEL_BANDS },
    (_, i) => Math.sqrt((k === 0 ? 1 : 2) / MEL_BANDS) * Math.cos((Math.PI * k * (i + 0.5)) / MEL_BANDS),
  ),
);

const PITCH_CLASS = Int8Array.from({ length: BINS }, (_, bin) => {
  const hertz = (bin * ANALYSIS_RATE) / FRAME;
  if (hertz < CHROMA_HERTZ[0] || hertz > CHROMA_HERTZ[1]) return -1;
  // MIDI numbers: 69 is 440 Hz, and multiples of 12 are C.
  return ((Math.round(69 + 12 * Math.log2(hertz / 440)) % 12) + 12) % 12;
});

/** Mean and standard deviation of many values, one column each. */
function createMoments(size: number) {
  const sum = new Float64Array(size);
  const squares = new Float64Array(size);
  let count = 0;
  const mean = (i: number) => (count === 0 ? 0 : sum[i]! / count);
  return {
    add(values: ArrayLike<number>): void {
      count++;
      for (let i = 0; i < size; i++) {
        sum[i]! += values[i]!;
        squares[i]! += values[i]! ** 2;
      }
    },
    mean,
    deviation: (i: number) => (count === 0 ? 0 : Math.sqrt(Math.max(0, squares[i]! / count - mean(i) ** 2))),
    count: () => count,
  };
}

/** Describes one channel at `ANALYSIS_RATE`; null when there is less than one frame of it, or only silence. */
export function describeSound(samples: Float32Array): Sound | null {
  const fft = new FFT(FRAME);
  const window = Float32Array.from({ length: FRAME }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FRAME));
  // A full-scale sine has power 1 in its bin, whatever the frame.
  const scale = (4 / FRAME) ** 2;
  const frame = new Float64Array(FRAME);
  const spectrum = fft.createComplexArray();
  const power = new Float64Array(BINS);
  const mel = new Float64Array(MEL_BANDS);
  const coefficients = createMoments(COEFFICIENTS);
  const mfcc = new Float64Array(COEFFICIENTS);
  const bands = CONTRAST_EDGES_HERTZ.length - 1;
  const contrast = createMoments(bands);
  const contrasts = new Float64Array(bands);
  const edges = CONTRAST_EDGES_HERTZ.map(binOf);
  /** centre (octaves), spread (octaves), flatness (dB), zero crossings, rolloff (octaves) */
  const shape = createMoments(5);
  const chroma = new Float64Array(12);
  const frameChroma = new Float64Array(12);
  let brightness = 0;
  const levels: number[] = [];
  for (let at = 0; at + FRAME <= samples.length; at += HOP) {
    let energy = 0;
    let crossings = 0;
    for (let i = 0; i < FRAME; i++) {
      const sample = samples[at + i]!;
      energy += sample * sample;
      if (i > 0 && sample < 0 !== samples[at + i - 1]! < 0) crossings++;
      frame[i] = sample * window[i]!;
    }
    // Silence has no sound to describe.
    if (energy / FRAME < FLOOR) continue;
    levels.push(10 * Math.log10(energy / FRAME));
    fft.realTransform(spectrum, frame);

    mel.fill(0);
    frameChroma.fill(0);
    let total = 0;
    let centre = 0;
    for (let bin = 1; bin < BINS; bin++) {
      const p = (spectrum[2 * bin]! ** 2 + spectrum[2 * bin + 1]! ** 2) * scale;
      power[bin] = p;
      total += p;
      centre += p * bin;
      const upper = MEL.upper[bin]!;
      const share = MEL.share[bin]!;
      if (upper >= 0 && upper < MEL_BANDS) mel[upper]! += p * share;
      if (upper > 0) mel[upper - 1]! += p * (1 - share);
      const pitch = PITCH_CLASS[bin]!;
      if (pitch >= 0) frameChroma[pitch]! += p;
    }
    if (total <= 0) continue;

    for (let i = 0; i < MEL_BANDS; i++) mel[i] = 10 * Math.log10(FLOOR + mel[i]!);
    for (let k = 0; k < COEFFICIENTS; k++) {
      let sum = 0;
      for (let i = 0; i < MEL_BANDS; i++) sum += DCT[k]![i]! * mel[i]!;
      mfcc[k] = sum;
    }
    coefficients.add(mfcc);

    for (let band = 0; band < bands; band++) {
      let most = 0;
      let logs = 0;
      const from = edges[band]!;
      const to = Math.max(from + 1, edges[band + 1]!);
      // Of a product of a few the logarithm is that of each together, and logarithms are dear.
      for (let bin = from; bin < to;) {
        let product = 1;
        for (const end = Math.min(to, bin + 8); bin < end; bin++) {
          const p = FLOOR + power[bin]!;
          product *= p;
          if (p > most) most = p;
        }
        logs += Math.log10(product);
      }
      contrasts[band] = 10 * (Math.log10(Math.max(FLOOR, most)) - logs / (to - from));
    }
    contrast.add(contrasts);

    const hertz = ((centre / total) * ANALYSIS_RATE) / FRAME;
    brightness += hertz;
    let logs = 0;
    for (let i = 0; i < MEL_BANDS; i++) logs += mel[i]!;
    let below = 0;
    let rolloff = 1;
    while (rolloff < BINS - 1 && (below += power[rolloff]!) < ROLLOFF * total) rolloff++;
    let spread = 0;
    for (let i = 0; i < MEL_BANDS; i++)
      spread += (10 ** (mel[i]! / 10) * Math.log2(MEL.middles[i]! / Math.max(20, hertz)) ** 2) / total;
    shape.add([
      Math.log2(Math.max(20, hertz)),
      Math.sqrt(spread),
      logs / MEL_BANDS - 10 * Math.log10(FLOOR + total / MEL_BANDS),
      crossings / FRAME,
      Math.log2(rolloff),
    ]);

    let pitched = 0;
    for (let i = 0; i < 12; i++) pitched += frameChroma[i]!;
    // Each moment counts alike, however loud.
    if (pitched > 0) for (let i = 0; i < 12; i++) chroma[i]! += frameChroma[i]! / pitched;
  }
  if (coefficients.count() === 0) return null;

  const tempo = findTempo(samples, ANALYSIS_RATE);
  const chromaSum = chroma.reduce((sum, value) => sum + value, 0);
  const shares = Array.from(chroma, (value) => (chromaSum > 0 ? value / chromaSum : 0));
  levels.sort((a, b) => a - b);
  const quantile = (part: number) => levels[Math.floor(part * (levels.length - 1))]!;
  const dynamics = quantile(0.9) - quantile(0.1);
  const range = (count: number, value: (i: number) => number) => Array.from({ length: count }, (_, i) => value(i));
  const parts: Record<string, number[]> = {
    // The first coefficient is loudness, which is how a record was mastered and not how it sounds.
    timbre: range(COEFFICIENTS - 1, (i) => coefficients.mean(i + 1)),
    'timbre changes': range(COEFFICIENTS, (i) => Math.log(1 + coefficients.deviation(i))),
    contrast: range(bands, (i) => contrast.mean(i)),
    brightness: [shape.mean(0), shape.deviation(0), shape.mean(4), shape.deviation(4)],
    noise: [shape.mean(1), shape.mean(2), shape.deviation(2), Math.log(0.01 + shape.mean(3))],
    dynamics: [dynamics, quantile(0.5) - quantile(0.1), quantile(1) - quantile(0.5)],
    harmony: [entropy(shares), Math.max(...shares)],
    onsets: [Math.log(0.2 + tempo.onsets)],
  };
  const vector = Float32Array.from(SOUND_PARTS.flatMap(({ name }) => parts[name] ?? []));
  return { tempo, chroma: shares, brightness: brightness / coefficients.count(), dynamics, vector };
}

/** 1 when all pitch classes sound alike, 0 when there is one. */
function entropy(shares: readonly number[]): number {
  let sum = 0;
  for (const share of shares) if (share > 0) sum -= share * Math.log(share);
  return sum / Math.log(12);
}
