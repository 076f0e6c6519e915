/**
 * Loudness as EBU R 128 means it: ITU-R BS.1770-4, K-weighted, in blocks of 400 ms that overlap by three quarters, gated at
 * −70 LUFS and at 10 LU below what is left.
 */

/** Blocks below are silence (BS.1770-4 §2.8). */
const ABSOLUTE_GATE_LUFS = -70;
const RELATIVE_GATE_LU = -10;
/** Four of these make a block, each is part of four blocks. */
const STEP_SECONDS = 0.1;
const STEPS_PER_BLOCK = 4;
/** Width of a bin of the histogram; with it an album's loudness is that of its blocks within 0.05 LU. */
const BIN_LU = 0.25;
/** Nothing is louder: samples are cut off at ±8. */
const BIN_COUNT = (30 - ABSOLUTE_GATE_LUFS) / BIN_LU;
/** What ReplayGain 2 turns everything to. */
const REFERENCE_LUFS = -18;
/** Sound, not a fault of a decoder: what is beyond is cut off. */
const MAX_SAMPLE = 8;
/** Between samples a wave can only be higher than the highest peak where they come near it. */
const NEAR_PEAK = 0.7;
/** Samples on each side that say what lies between two. */
const SIDE_TAPS = 6;

export interface Loudness {
  /** LUFS; null when nothing is louder than silence. */
  loudness: number | null;
  /** Highest point of the wave, 1 is full scale; between samples too (fourfold oversampling, BS.1770-4 annex 2). */
  peak: number;
  /** How many blocks have which loudness, for the loudness of an album. */
  blocks: Uint8Array;
}

interface Biquad {
  b0: number;
  b1: number;
  b2: number;
  a1: number;
  a2: number;
}

/** The two filters of BS.1770-4 annex 1 for any sampling rate, from their analogue form as libebur128 has it. */
function kWeighting(sampleRate: number): [Biquad, Biquad] {
  const shelf = (() => {
    const k = Math.tan((Math.PI * 1681.974450955533) / sampleRate);
    const q = 0.7071752369554196;
    const vh = 10 ** (3.999843853973347 / 20);
    const vb = vh ** 0.4996667741545416;
    const a0 = 1 + k / q + k * k;
    return {
      b0: (vh + (vb * k) / q + k * k) / a0,
      b1: (2 * (k * k - vh)) / a0,
      b2: (vh - (vb * k) / q + k * k) / a0,
      a1: (2 * (k * k - 1)) / a0,
      a2: (1 - k / q + k * k) / a0,
    };
  })();
  const k = Math.tan((Math.PI * 38.13547087602444) / sampleRate);
  const q = 0.5003270373238773;
  const a0 = 1 + k / q + k * k;
  return [shelf, { b0: 1, b1: -2, b2: 1, a1: (2 * (k * k - 1)) / a0, a2: (1 - k / q + k * k) / a0 }];
}

/** Windowed sinc for the points a quarter, a half and three quarters between two samples. */
const BETWEEN = [0.25, 0.5, 0.75].map((fraction) =>
  Float64Array.from({ length: 2 * SIDE_TAPS }, (_, i) => {
    const x = i - (SIDE_TAPS - 1) - fraction;
    const window = Math.cos((Math.PI * x) / (2 * SIDE_TAPS + 1)) ** 2;
    return (Math.sin(Math.PI * x) / (Math.PI * x)) * window;
  }),
);

/**
 * How much channels count (BS.1770-4 table 3), in the order of WAV, FLAC and Vorbis: of six the fourth is the bass effects'. One
 * channel comes from two loudspeakers, and some decoders make two of it: it counts as two either way.
 */
function channelWeights(count: number): number[] {
  if (count === 1) return [2];
  if (count === 4) return [1, 1, 1.41, 1.41];
  if (count === 5) return [1, 1, 1, 1.41, 1.41];
  if (count >= 6) return [1, 1, 1, 0, ...Array.from({ length: count - 4 }, () => 1.41)];
  return Array.from({ length: count }, () => 1);
}

const lufsOf = (energy: number) => -0.691 + 10 * Math.log10(energy);
const energyOf = (lufs: number) => 10 ** ((lufs + 0.691) / 10);

interface ChannelState {
  s1: [number, number];
  s2: [number, number];
  /** The end of what came before, for the points between. */
  tail: Float32Array;
}

/** Measures sound that comes piece by piece; what it keeps grows by 40 bytes a second of it. */
export function createLoudnessMeter(sampleRate: number, channelCount: number) {
  const [shelf, highPass] = kWeighting(sampleRate);
  const weights = channelWeights(channelCount);
  const stepLength = Math.max(1, Math.round(sampleRate * STEP_SECONDS));
  const states = Array.from({ length: channelCount }, (): ChannelState => ({
    s1: [0, 0],
    s2: [0, 0],
    tail: new Float32Array(0),
  }));
  const steps: number[] = [];
  let stepEnergy = 0;
  let filled = 0;
  let peak = 0;

  /** Weighted energy of a stretch, and the filters moved on; direct form II transposed. */
  function energy(samples: Float32Array, from: number, to: number, state: ChannelState): number {
    const { b0, b1, b2, a1, a2 } = shelf;
    const { a1: c1, a2: c2 } = highPass;
    let [p1, p2] = state.s1;
    let [q1, q2] = state.s2;
    let sum = 0;
    for (let i = from; i < to; i++) {
      const x = samples[i]!;
      const y = b0 * x + p1;
      p1 = b1 * x - a1 * y + p2;
      p2 = b2 * x - a2 * y;
      const z = y + q1;
      q1 = -2 * y - c1 * z + q2;
      q2 = y - c2 * z;
      sum += z * z;
    }
    // Numbers too small for fast arithmetic, as after music that fades out.
    const awake = (n: number) => (Math.abs(n) < 1e-20 ? 0 : n);
    state.s1 = [awake(p1), awake(p2)];
    state.s2 = [awake(q1), awake(q2)];
    return sum;
  }

  function lookForPeak(samples: Float32Array, state: ChannelState): void {
    const all = new Float32Array(state.tail.length + samples.length);
    all.set(state.tail);
    all.set(samples, state.tail.length);
    for (let i = state.tail.length; i < all.length; i++) {
      const height = Math.abs(all[i]!);
      if (height > peak) peak = height;
    }
    let near = peak * NEAR_PEAK;
    for (let i = SIDE_TAPS - 1; i + SIDE_TAPS < all.length; i++) {
      const a = Math.abs(all[i]!);
      const b = Math.abs(all[i + 1]!);
      if (a < near && b < near) continue;
      // It is higher in between only where both lie below one hump: on one side of zero, and lower further out.
      if (all[i]! * all[i + 1]! <= 0 || Math.abs(all[i - 1]!) > a || Math.abs(all[i + 2]!) > b) continue;
      for (const taps of BETWEEN) {
        let sum = 0;
        for (let k = 0; k < taps.length; k++) sum += taps[k]! * all[i - SIDE_TAPS + 1 + k]!;
        if (Math.abs(sum) > peak) {
          peak = Math.abs(sum);
          near = peak * NEAR_PEAK;
        }
      }
    }
    state.tail = all.slice(Math.max(0, all.length - 2 * SIDE_TAPS + 1));
  }

  return {
    /** Takes the next piece, one array a channel; it must be clean (see `clean`). */
    add(channels: readonly Float32Array[]): void {
      const length = channels[0]?.length ?? 0;
      for (let from = 0; from < length;) {
        const to = Math.min(length, from + stepLength - filled);
        for (let c = 0; c < channelCount; c++) {
          const weight = weights[c]!;
          if (weight > 0) stepEnergy += weight * energy(channels[c]!, from, to, states[c]!);
        }
        filled += to - from;
        from = to;
        if (filled === stepLength) {
          steps.push(stepEnergy / stepLength);
          stepEnergy = 0;
          filled = 0;
        }
      }
      for (let c = 0; c < channelCount; c++) lookForPeak(channels[c]!, states[c]!);
    },
    result(): Loudness {
      // What is shorter than a block is one block: a sound effect has a loudness too.
      if (steps.length < STEPS_PER_BLOCK && filled > 0) steps.push(stepEnergy / filled);
      const size = Math.min(STEPS_PER_BLOCK, steps.length);
      const blocks: number[] = [];
      for (let i = 0; size > 0 && i + size <= steps.length; i++) {
        let sum = 0;
        for (let k = 0; k < size; k++) sum += steps[i + k]!;
        blocks.push(sum / size);
      }
      return { loudness: gated(blocks), peak, blocks: packBlocks(blocks) };
    },
  };
}

function gated(energies: readonly number[]): number | null {
  const mean = (gate: number) => {
    let sum = 0;
    let count = 0;
    for (const energy of energies) {
      if (energy <= gate) continue;
      sum += energy;
      count++;
    }
    return count === 0 ? null : sum / count;
  };
  const ungated = mean(energyOf(ABSOLUTE_GATE_LUFS));
  if (ungated === null) return null;
  const loud = mean(energyOf(lufsOf(ungated) + RELATIVE_GATE_LU));
  return loud === null ? null : lufsOf(loud);
}

/** The first bin (two bytes), then the count of each bin to the last that is not empty (four bytes each), big-endian. */
function packBlocks(energies: readonly number[]): Uint8Array {
  const bins = new Uint32Array(BIN_COUNT);
  for (const energy of energies) {
    const bin = Math.floor((lufsOf(energy) - ABSOLUTE_GATE_LUFS) / BIN_LU);
    if (bin >= 0) bins[Math.min(BIN_COUNT - 1, bin)]!++;
  }
  const first = bins.findIndex((count) => count > 0);
  if (first === -1) return new Uint8Array(0);
  const last = bins.findLastIndex((count) => count > 0);
  const packed = new DataView(new ArrayBuffer(2 + 4 * (last - first + 1)));
  packed.setUint16(0, first);
  for (let bin = first; bin <= last; bin++) packed.setUint32(2 + 4 * (bin - first), bins[bin]!);
  return new Uint8Array(packed.buffer);
}

/** Loudness of several tracks as of one programme (EBU Tech 3343 §album), from their `blocks`; null when all are silent. */
export function albumLoudness(tracks: readonly Uint8Array[]): number | null {
  const bins = new Float64Array(BIN_COUNT);
  for (const packed of tracks) {
    if (packed.byteLength < 6) continue;
    const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
    const first = view.getUint16(0);
    for (let i = 0; 2 + 4 * i + 4 <= packed.byteLength && first + i < BIN_COUNT; i++)
      bins[first + i]! += view.getUint32(2 + 4 * i);
  }
  const mean = (from: number) => {
    let sum = 0;
    let count = 0;
    for (let bin = Math.max(0, from); bin < BIN_COUNT; bin++) {
      sum += bins[bin]! * energyOf(ABSOLUTE_GATE_LUFS + (bin + 0.5) * BIN_LU);
      count += bins[bin]!;
    }
    return count === 0 ? null : sum / count;
  };
  const ungated = mean(0);
  if (ungated === null) return null;
  const gate = lufsOf(ungated) + RELATIVE_GATE_LU;
  const loud = mean(Math.round((gate - ABSOLUTE_GATE_LUFS) / BIN_LU));
  return loud === null ? null : lufsOf(loud);
}

/** Decibels that bring this loudness to ReplayGain 2's level; null for silence. */
export function gainOf(loudness: number | null): number | null {
  return loudness === null ? null : REFERENCE_LUFS - loudness;
}

/** Takes out what is no number, and cuts off what no decoder should give; in place. */
export function clean(channels: readonly Float32Array[]): void {
  for (const samples of channels) {
    for (let i = 0; i < samples.length; i++) {
      const sample = samples[i]!;
      if (sample >= -MAX_SAMPLE && sample <= MAX_SAMPLE) continue;
      samples[i] = Number.isNaN(sample) ? 0 : Math.sign(sample) * MAX_SAMPLE;
    }
  }
}
