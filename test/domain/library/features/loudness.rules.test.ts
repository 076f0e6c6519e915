import { describe, expect, test } from 'vitest';
import { albumLoudness, clean, createLoudnessMeter, gainOf } from '#domain/library/features/loudness.rules.ts';

/** A sine of `dbfs` (peak) for so many seconds. */
function sine(hertz: number, dbfs: number, seconds: number, rate = 48_000, phase = 0): Float32Array {
  const amplitude = 10 ** (dbfs / 20);
  return Float32Array.from(
    { length: Math.round(seconds * rate) },
    (_, i) => amplitude * Math.sin((2 * Math.PI * hertz * i) / rate + phase),
  );
}
function measure(channels: Float32Array[], { rate = 48_000, piece = 7_777 } = {}) {
  const meter = createLoudnessMeter(rate, channels.length);
  const length = channels[0]?.length ?? 0;
  for (let i = 0; i < length; i += piece) meter.add(channels.map((samples) => samples.subarray(i, i + piece)));
  return meter.result();
}
function joined(...parts: Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
const stereo = (samples: Float32Array) => [samples, samples];

/** The cases of EBU Tech 3341 §2.9 that are made of sines: parts of 1 kHz in both channels, by dBFS and seconds. */
const CASES: [name: string, parts: [dbfs: number, seconds: number][], lufs: number][] = [
  ['1', [[-23, 20]], -23],
  ['2', [[-33, 20]], -33],
  [
    '3',
    [
      [-36, 10],
      [-23, 60],
      [-36, 10],
    ],
    -23,
  ],
  [
    '4',
    [
      [-72, 10],
      [-36, 10],
      [-23, 60],
      [-36, 10],
      [-72, 10],
    ],
    -23,
  ],
  [
    '5',
    [
      [-26, 20],
      [-20, 20.1],
      [-26, 20],
    ],
    -23,
  ],
];

describe('loudness', () => {
  test.each(CASES)('[AF1] case %s of EBU Tech 3341 is met within 0.1 LU', (_name, parts, lufs) => {
    const samples = joined(...parts.map(([dbfs, seconds]) => sine(1000, dbfs, seconds)));
    expect(Math.abs((measure(stereo(samples)).loudness ?? 0) - lufs)).toBeLessThanOrEqual(0.1);
  });

  test('[AF1] case 6: of five channels, those behind count more', () => {
    const [front, centre, behind] = [sine(1000, -28, 20), sine(1000, -24, 20), sine(1000, -30, 20)];
    const silent = new Float32Array(front.length);
    const { loudness } = measure([front, front, centre, silent, behind, behind]);
    expect(Math.abs((loudness ?? 0) + 23)).toBeLessThanOrEqual(0.1);
  });

  test.each([8_000, 22_050, 44_100, 96_000])('[AF1] it is the same at a sampling rate of %i', (rate) => {
    expect(measure(stereo(sine(997, -23, 5, rate)), { rate }).loudness).toBeCloseTo(-23, 0);
  });

  test('[AF1] how the sound is cut into pieces does not matter', () => {
    const samples = stereo(joined(sine(440, -12, 2), sine(3000, -30, 3)));
    const { loudness, peak, blocks } = measure(samples, { piece: 1_000_000 });
    for (const piece of [1, 13, 4_800]) {
      const other = measure(samples, { piece });
      expect(other.loudness).toBeCloseTo(loudness ?? 0, 6);
      expect(other.peak).toBeCloseTo(peak, 4);
      expect(other.blocks).toEqual(blocks);
    }
  });

  test('[AF1] the peak between samples is found: a quarter of the rate, at 45 degrees, has it 3 dB above them', () => {
    // EBU Tech 3341 case 16: a sine of −6 dBFS whose samples reach −9.
    const { peak } = measure(stereo(sine(12_000, -6, 1, 48_000, Math.PI / 4)));
    expect(20 * Math.log10(peak)).toBeGreaterThan(-6.4);
    expect(20 * Math.log10(peak)).toBeLessThan(-5.8);
  });

  test('[AF2] silence, nothing, and what is shorter than a block do no harm', () => {
    expect(measure(stereo(new Float32Array(48_000)))).toEqual({ loudness: null, peak: 0, blocks: new Uint8Array(0) });
    expect(measure(stereo(new Float32Array(0))).loudness).toBeNull();
    expect(measure(stereo(sine(1000, -23, 0.05))).loudness).toBeCloseTo(-23, 0);
    expect(gainOf(null)).toBeNull();
  });

  test('[AF2] samples that are no numbers or beyond all measure are taken out', () => {
    const samples = sine(1000, -23, 2);
    samples[5] = NaN;
    samples[6] = Infinity;
    samples[7] = -1e30;
    clean([samples]);
    expect([samples[5], samples[6], samples[7]]).toEqual([0, 8, -8]);
    expect(measure([samples]).loudness).toBeGreaterThan(-40);
  });

  test('[AF3] an album is as loud as its tracks played one after another', () => {
    const parts = [sine(1000, -30, 10), sine(1000, -20, 20), sine(1000, -55, 10), new Float32Array(48_000)];
    const together = measure(stereo(joined(...parts))).loudness ?? 0;
    const album = albumLoudness(parts.map((part) => measure(stereo(part)).blocks)) ?? 0;
    expect(Math.abs(album - together)).toBeLessThan(0.2);
    expect(albumLoudness([])).toBeNull();
    expect(albumLoudness([new Uint8Array(0), Uint8Array.of(1, 2, 3)])).toBeNull();
    expect(gainOf(-23)).toBe(5);
  });
});
