import { describe, expect, test } from 'vitest';
import { resample } from '#domain/library/features/resample.rules.ts';
import { ANALYSIS_RATE, describeSound, VECTOR_SIZE } from '#domain/library/features/sound.rules.ts';
import { findTempo } from '#domain/library/features/tempo.rules.ts';
import { seeded } from '../../../support/random.ts';

const RATE = ANALYSIS_RATE;
const made = (seconds: number, value: (second: number) => number, rate = RATE) =>
  Float32Array.from({ length: Math.round(seconds * rate) }, (_, i) => value(i / rate));
const sine = (hertz: number, seconds = 3, rate = RATE) =>
  made(seconds, (second) => 0.5 * Math.sin(2 * Math.PI * hertz * second), rate);
function noise(seconds: number, seed = 1): Float32Array {
  const { next } = seeded(seed);
  return made(seconds, () => next() - 0.5);
}
/** Short bursts, so many a minute. */
function clicks(bpm: number, seconds = 30, seed = 2): Float32Array {
  const { next } = seeded(seed);
  const beat = 60 / bpm;
  return made(seconds, (second) => (next() - 0.5) * (second % beat < 0.02 ? 1 : 0.002));
}
function described(samples: Float32Array) {
  const sound = describeSound(samples);
  if (sound === null) throw new Error('no sound was found');
  return sound;
}

describe('sound', () => {
  test.each([
    [261.63, 0],
    [329.63, 4],
    [440, 9],
    [987.77, 11],
  ])('[AF4] a tone of %f Hz is pitch class %i and as bright as it is high', (hertz, pitch) => {
    const { chroma, brightness } = described(sine(hertz));
    expect(chroma.indexOf(Math.max(...chroma))).toBe(pitch);
    expect(chroma.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
    expect(Math.abs(brightness - hertz)).toBeLessThan(15);
  });

  test('[AF4] noise is brighter than a tone and has no pitch; what swells is more dynamic than what does not', () => {
    const hiss = described(noise(3));
    expect(hiss.brightness).toBeGreaterThan(4000);
    expect(Math.max(...hiss.chroma)).toBeLessThan(0.15);
    const swelling = described(made(5, (second) => (second / 5) ** 2 * Math.sin(2 * Math.PI * 440 * second)));
    expect(swelling.dynamics).toBeGreaterThan(12);
    expect(described(sine(440, 5)).dynamics).toBeLessThan(1);
  });

  test.each([90, 100, 120, 128, 150, 60, 174])('[AF5] %i clicks a minute are that tempo, within one octave', (bpm) => {
    const { tempo, confidence } = findTempo(clicks(bpm), RATE);
    const octaves = Math.log2((tempo ?? 0) / bpm);
    expect(Math.abs(octaves - Math.round(octaves))).toBeLessThan(0.02);
    expect(tempo).toBeGreaterThanOrEqual(80);
    expect(tempo).toBeLessThan(160);
    expect(confidence).toBeGreaterThan(0.5);
  });

  test('[AF5] where nothing repeats there is no confidence', () => {
    for (const samples of [noise(30), sine(440, 30), new Float32Array(RATE * 30), clicks(120, 3)])
      expect(findTempo(samples, RATE).confidence).toBeLessThan(0.25);
    const { next } = seeded(5);
    const starts = Array.from({ length: 60 }, () => next() * 30);
    const scattered = made(30, (second) =>
      starts.some((start) => second >= start && second < start + 0.02) ? next() - 0.5 : 0,
    );
    expect(findTempo(scattered, RATE).confidence).toBeLessThan(0.25);
  });

  test('[AF4] loudness alone changes next to nothing', () => {
    const music = noise(5).map((sample, i) => 0.2 * sample + Math.sin(i / 20) * Math.sin(i / 9_000));
    const loud = described(music);
    const quiet = described(music.map((sample) => sample * 0.3));
    expect(loud.vector).toHaveLength(VECTOR_SIZE);
    const moved = loud.vector.map((value, i) => Math.abs(value - quiet.vector[i]!));
    expect(Math.max(...moved)).toBeLessThan(0.5);
  });

  test('[AF2] silence and less than a frame have no sound; clipped and broken sound has numbers', () => {
    expect(describeSound(new Float32Array(RATE))).toBeNull();
    expect(describeSound(new Float32Array(0))).toBeNull();
    expect(describeSound(sine(440, 0.01))).toBeNull();
    const clipped = sine(440).map((sample) => Math.max(-1, Math.min(1, sample * 100)));
    const spike = new Float32Array(RATE);
    spike[5000] = 1;
    for (const samples of [clipped, spike, made(1, () => 8), made(1, (second) => (second > 0.5 ? 1e-12 : 1))]) {
      const { vector, brightness, dynamics, chroma } = described(samples);
      expect([...vector, brightness, dynamics, ...chroma].every(Number.isFinite)).toBe(true);
    }
  });
});

describe('resampling', () => {
  test.each([8_000, 16_000, 44_100, 48_000, 96_000, 192_000])('[AF6] a tone from %i Hz is the same tone', (rate) => {
    const samples = resample(sine(440, 1, rate), rate, RATE);
    expect(Math.abs(samples.length - RATE)).toBeLessThan(3);
    const wanted = sine(440, 1);
    for (let i = 1000; i < 20_000; i += 97) expect(samples[i]).toBeCloseTo(wanted[i]!, 1);
  });

  test('[AF6] what the lower rate cannot hold is taken out', () => {
    const samples = resample(sine(15_000, 1, 44_100), 44_100, RATE);
    let most = 0;
    for (const sample of samples.subarray(500, -500)) most = Math.max(most, Math.abs(sample));
    expect(most).toBeLessThan(0.02);
    expect(resample(new Float32Array(0), 44_100, RATE)).toHaveLength(0);
    expect(resample(new Float32Array(3), 8_000, RATE).length).toBeLessThan(10);
  });
});
