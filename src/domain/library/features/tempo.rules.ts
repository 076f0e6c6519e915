import FFT from 'fft.js';

/** Samples of a frame and between two; at 22,050 Hz a look every 12 ms. */
const FRAME = 1024;
const HOP = 256;
/** Onsets are looked for in so many bands, each as wide as the one below by this factor. */
const BANDS = 24;
const LOWEST_HERTZ = 40;
/** A tempo is told within this octave: whether a beat is one or two is a matter of taste. */
const SLOWEST_BPM = 80;
const FASTEST_BPM = 160;
/** Beats slower than this are looked at as multiples only. */
const LONGEST_LAG_SECONDS = 3;
/** The level of an onset is taken against so many seconds around it. */
const AROUND_SECONDS = 0.75;
/** Ten decibels more, in all bands together, are no onset yet: so much a tone that is held wavers. */
const LEAST_ONSET = 1;
/** Shorter than this nothing repeats often enough. */
const SHORTEST_SECONDS = 6;

export interface Tempo {
  /** Beats a minute, 80 to 160; null where nothing repeats. */
  tempo: number | null;
  /** 0 to 1: how much of what begins repeats at this tempo. */
  confidence: number;
  /** Things that begin, a second. */
  onsets: number;
}

/** How much begins at each moment: what the bands gained, in decibels, against what is usual around it. */
function onsetStrength(samples: Float32Array, rate: number): Float32Array {
  const fft = new FFT(FRAME);
  const window = Float32Array.from({ length: FRAME }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FRAME));
  const edges = Array.from({ length: BANDS + 1 }, (_, i) =>
    Math.round((LOWEST_HERTZ * (rate / 2 / LOWEST_HERTZ) ** (i / BANDS) * FRAME) / rate),
  );
  for (let i = 1; i <= BANDS; i++) edges[i] = Math.min(FRAME / 2, Math.max(edges[i]!, edges[i - 1]! + 1));
  const count = Math.max(0, Math.floor((samples.length - FRAME) / HOP) + 1);
  const frame = new Float64Array(FRAME);
  const spectrum = fft.createComplexArray();
  let before = new Float64Array(BANDS);
  let levels = new Float64Array(BANDS);
  const flux = new Float32Array(count);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < FRAME; i++) frame[i] = samples[n * HOP + i]! * window[i]!;
    fft.realTransform(spectrum, frame);
    let gained = 0;
    for (let band = 0; band < BANDS; band++) {
      let power = 0;
      for (let bin = edges[band]!; bin < edges[band + 1]!; bin++)
        power += spectrum[2 * bin]! ** 2 + spectrum[2 * bin + 1]! ** 2;
      levels[band] = Math.log10(1e-4 + power);
      if (n > 0 && levels[band]! > before[band]!) gained += levels[band]! - before[band]!;
    }
    flux[n] = gained;
    [before, levels] = [levels, before];
  }
  const around = Math.round((AROUND_SECONDS * rate) / HOP);
  const sums = new Float64Array(count + 1);
  for (let n = 0; n < count; n++) sums[n + 1] = sums[n]! + flux[n]!;
  return flux.map((value, n) => {
    const from = Math.max(0, n - around);
    const to = Math.min(count, n + around + 1);
    return Math.max(0, value - (sums[to]! - sums[from]!) / (to - from));
  });
}

/** How like itself the strength is, so many frames later: 1 at lag 0, mean taken out. */
function autocorrelation(strength: Float32Array, longest: number): Float64Array {
  const mean = strength.reduce((sum, value) => sum + value, 0) / Math.max(1, strength.length);
  const even = strength.map((value) => value - mean);
  const out = new Float64Array(longest + 1);
  for (let lag = 0; lag <= longest; lag++) {
    let sum = 0;
    for (let n = lag; n < even.length; n++) sum += even[n]! * even[n - lag]!;
    // Long lags have fewer pairs.
    out[lag] = sum / (even.length - lag);
  }
  const whole = out[0]!;
  return whole > 0 ? out.map((value) => value / whole) : out;
}

/** Finds the tempo of a stretch of one channel. */
export function findTempo(samples: Float32Array, rate: number): Tempo {
  const strength = onsetStrength(samples, rate);
  const seconds = samples.length / rate;
  let peak = 0;
  for (const value of strength) peak = Math.max(peak, value);
  const floor = Math.max(LEAST_ONSET, peak * 0.2);
  let onsets = 0;
  for (let n = 1; n + 1 < strength.length; n++) {
    const value = strength[n]!;
    if (value > floor && value >= strength[n - 1]! && value > strength[n + 1]!) onsets++;
  }
  const rhythm = { tempo: null, confidence: 0, onsets: seconds > 0 ? onsets / seconds : 0 };
  if (seconds < SHORTEST_SECONDS || onsets < 4) return rhythm;

  const framesASecond = rate / HOP;
  const longest = Math.min(Math.floor(LONGEST_LAG_SECONDS * framesASecond), strength.length - 2);
  // An onset is as wide as a frame: spread out, a beat that falls between two frames still meets itself.
  const spread = strength.map((_, n) => {
    const at = (k: number) => strength[n + k] ?? 0;
    return (at(-2) + 2 * at(-1) + 3 * at(0) + 2 * at(1) + at(2)) / 9;
  });
  const alike = autocorrelation(spread, longest);
  const at = (lag: number) => {
    if (lag >= longest) return null;
    const low = Math.floor(lag);
    return alike[low]! + (lag - low) * (alike[low + 1]! - alike[low]!);
  };
  let best = { bpm: 0, score: 0, alike: 0 };
  for (let bpm = SLOWEST_BPM; bpm < FASTEST_BPM; bpm *= 1.001) {
    const lag = (60 / bpm) * framesASecond;
    // A beat repeats after one, two and four beats; where only a part of it does, it is not the beat.
    const found = [lag, 2 * lag, 4 * lag].flatMap((one) => at(one) ?? []);
    const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
    // Between equals, what most people tap.
    const score = mean * Math.exp(-0.5 * (Math.log2(bpm / 115) / 0.9) ** 2);
    if (score > best.score) best = { bpm, score, alike: mean };
  }
  return best.score <= 0 ? rhythm : { ...rhythm, tempo: best.bpm, confidence: Math.min(1, Math.max(0, best.alike)) };
}
