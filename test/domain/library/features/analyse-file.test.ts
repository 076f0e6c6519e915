import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { analyseFile } from '#domain/library/features/analyse-file.ts';
import { hasFfmpeg, NEEDS_FFMPEG } from '#domain/library/features/decode.ts';
import { startSoundReader } from '#domain/library/features/sound-reader.ts';
import { FORMATS, makePng, makeTrack } from '../../../support/music/make-track.ts';
import { seeded } from '../../../support/random.ts';
import type { Container } from '#domain/library/audio-hash.ts';
import type { Features } from '#domain/library/features/analyse-file.ts';
import type { SoundReader } from '#domain/library/features/sound-reader.ts';
import type { Format } from '../../../support/music/make-track.ts';

const CONTAINER: Record<Format, Container> = {
  mp3: 'mpeg',
  flac: 'flac',
  ogg: 'ogg',
  opus: 'ogg',
  m4a: 'mp4',
  aac: 'adts',
  wav: 'wave',
};
const folder = mkdtempSync(path.join(tmpdir(), 'analyse-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function put(content: Uint8Array): string {
  const file = path.join(folder, String(count++));
  writeFileSync(file, content);
  return file;
}
async function analyse(content: Uint8Array, container: Container, duration: number | null = null): Promise<Features> {
  const result = await analyseFile({ file: put(content), container, duration });
  if ('problem' in result) throw new Error(result.problem);
  return result;
}

/** A WAV file of these samples as they are, at any rate, with any number of channels and kind of number. */
function wav(
  samples: readonly number[],
  { rate = 8_000, channels = 1, tag = 1, bits = 16, dataBytes = null as number | null } = {},
): Buffer {
  const data = Buffer.alloc((samples.length * bits) / 8);
  samples.forEach((sample, i) => {
    if (tag === 3) data.writeFloatLE(sample, i * 4);
    else if (bits === 8) data[i] = Math.round(sample * 127) + 128;
    else data.writeIntLE(Math.round(sample * (2 ** (bits - 1) - 1)), (i * bits) / 8, bits / 8);
  });
  const head = Buffer.alloc(44);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(tag, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE((rate * channels * bits) / 8, 28);
  head.writeUInt16LE((channels * bits) / 8, 32);
  head.writeUInt16LE(bits, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(dataBytes ?? data.length, 40);
  return Buffer.concat([head, data]);
}
const sine = (seconds: number, rate = 8_000, hertz = 440, amplitude = 0.5) =>
  Array.from({ length: seconds * rate }, (_, i) => amplitude * Math.sin((2 * Math.PI * hertz * i) / rate));

describe('decoding', () => {
  test.each(['mp3', 'flac', 'ogg', 'wav'] as const)('[AF6] %s sounds as what it was made from', async (format) => {
    const picture = makePng(64, '#123456');
    const spec = { title: 'x', seconds: 8, frequency: 330, cover: picture };
    const expected = await analyse(makeTrack('wav', { title: 'x', seconds: 8, frequency: 330 }), 'wave');
    const features = await analyse(makeTrack(format, spec), CONTAINER[format]);
    expect(Math.abs(features.loudness! - expected.loudness!)).toBeLessThan(0.6);
    expect(Math.abs(features.peak - expected.peak)).toBeLessThan(0.1);
    expect(Math.abs(features.sound!.brightness - expected.sound!.brightness)).toBeLessThan(30);
    expect(features.sound!.tempo.tempo).toBeCloseTo(expected.sound!.tempo.tempo!, 0);
  });

  test('[AF6] Opus is decoded: the silence our maker writes has no loudness and no sound', async () => {
    const { loudness, sound } = await analyse(makeTrack('opus', { title: 'x', seconds: 2 }), 'ogg');
    expect([loudness, sound]).toEqual([null, null]);
  });

  test('[AF7] M4A and AAC are left to an installed ffmpeg, and say so where there is none', async () => {
    const isThere = await hasFfmpeg();
    for (const format of ['m4a', 'aac'] as const) {
      const file = put(makeTrack(format, { title: 'x', seconds: 1 }));
      const result = await analyseFile({ file, container: CONTAINER[format], duration: 1 });
      if (isThere) expect(result).toHaveProperty('peak');
      else expect(result).toEqual({ problem: NEEDS_FFMPEG });
    }
  });

  test('[AF6] every kind of number in a WAV file is read', async () => {
    const expected = await analyse(wav(sine(3)), 'wave');
    for (const kind of [{ bits: 8 }, { bits: 24 }, { bits: 32 }, { tag: 3, bits: 32 }, { dataBytes: 0xffffffff }]) {
      const features = await analyse(wav(sine(3), kind), 'wave');
      expect(features.loudness).toBeCloseTo(expected.loudness!, 0);
    }
  });

  test('[AF1] the same music in mono and in two channels is equally loud', async () => {
    const mono = await analyse(wav(sine(3)), 'wave');
    const twice = sine(3).flatMap((sample) => [sample, sample]);
    expect((await analyse(wav(twice, { channels: 2 }), 'wave')).loudness).toBeCloseTo(mono.loudness!, 3);
  });

  test('[AF6] the excerpt is the middle; where the length is wrong, the beginning', async () => {
    const parts = [...sine(70, 8_000, 200), ...sine(80, 8_000, 2_000), ...sine(70, 8_000, 200)];
    const middle = await analyse(wav(parts), 'wave', 220);
    expect(middle.sound!.brightness).toBeGreaterThan(1_800);
    const beginning = await analyse(wav(parts), 'wave', 100_000);
    expect(beginning.sound!.brightness).toBeLessThan(400);
  });
});

describe('bad files', () => {
  // A decoder complains there of every frame; its process has nowhere to say it.
  beforeAll(() => void vi.spyOn(console, 'error').mockReturnValue());
  afterAll(() => vi.restoreAllMocks());

  test('[AF2] samples that are no numbers, clipped sound, and 8 kHz in mono have numbers', async () => {
    const broken = sine(3);
    broken[7] = NaN;
    broken[8] = -Infinity;
    const shouted = sine(3, 8_000, 440, 100).map((sample) => Math.max(-1, Math.min(1, sample)));
    for (const content of [wav(broken, { tag: 3, bits: 32 }), wav(shouted)]) {
      const { loudness, peak, sound } = await analyse(content, 'wave');
      expect([loudness, peak, ...sound!.vector].every(Number.isFinite)).toBe(true);
    }
  });

  test('[AF2] nothing, silence, and rates or channels no music has', async () => {
    expect(await analyseFile({ file: put(wav([])), container: 'wave', duration: 0 })).toHaveProperty('problem');
    expect((await analyse(wav(Array.from({ length: 9_000 }, () => 0)), 'wave')).sound).toBeNull();
    for (const content of [
      wav(sine(1), { rate: 1 }),
      wav(sine(1), { rate: 2_000_000 }),
      wav(sine(1), { channels: 64 }),
    ])
      expect(await analyseFile({ file: put(content), container: 'wave', duration: 1 })).toHaveProperty('problem');
  });

  test.each(FORMATS)(
    '[AF8] %s that is cut off, empty, or full of noise gives what is there or a reason',
    async (format) => {
      const { next, int } = seeded(11);
      const whole = makeTrack(format, { title: 'x', seconds: 3, frequency: 330 });
      const cut = put(whole);
      truncateSync(cut, Math.floor(whole.length * 0.6));
      const noise = Buffer.from(whole);
      for (let i = 0; i < whole.length / 50; i++) noise[100 + int(whole.length - 100)] = Math.floor(next() * 256);
      const container = CONTAINER[format];
      for (const file of [
        cut,
        put(noise),
        put(Buffer.alloc(0)),
        put(whole.subarray(0, 50)),
        put(Buffer.alloc(9_000, 255)),
      ]) {
        const result = await analyseFile({ file, container, duration: 3 });
        if ('problem' in result) expect(result.problem).toMatch(/^[a-z]/);
        else expect(Number.isFinite(result.peak)).toBe(true);
      }
      // A file of another kind than it was when it was scanned.
      for (const other of ['mpeg', 'flac', 'ogg', 'wave'] as const)
        await expect(analyseFile({ file: put(whole), container: other, duration: 3 })).resolves.toBeDefined();
    },
  );
});

describe('the process', () => {
  let script: string;
  beforeAll(() => {
    // Says how it goes by what it is asked to read.
    script = path.join(folder, 'child.mjs');
    writeFileSync(
      script,
      `process.on('message', ({ file }) => {
        if (file === 'crash') process.exit(9);
        if (file === 'killed') process.kill(process.pid, 'SIGKILL');
        if (file === 'good') process.send({ result: { problem: String(process.pid) } });
        if (file === 'away') process.send({ failure: 'ENOENT' });
      });`,
    );
  });
  const ask = (reader: SoundReader, file: string) => reader.read({ file, container: 'wave', duration: 1 });

  test('[AF8] a file that crashes or hangs its decoder loses only itself; the next one gets a new process', async () => {
    const reader = startSoundReader({ child: new URL(`file://${script}`), silenceMs: 400 });
    const first = await ask(reader, 'good');
    expect(await ask(reader, 'good')).toEqual(first);
    expect(await ask(reader, 'crash')).toEqual({ problem: 'crashed its decoder' });
    const second = await ask(reader, 'good');
    expect(second).not.toEqual(first);
    expect(await ask(reader, 'hang')).toEqual({ problem: 'takes too long to decode' });
    expect(await ask(reader, 'good')).not.toEqual(second);
    reader.close();
  });

  test('[AF8] what is not the file’s fault is passing', async () => {
    const reader = startSoundReader({ child: new URL(`file://${script}`) });
    expect(await ask(reader, 'killed')).toHaveProperty('isPassing', true);
    expect(await ask(reader, 'away')).toHaveProperty('isPassing', true);
    const asked = ask(reader, 'hang');
    reader.close();
    expect(await asked).toHaveProperty('isPassing', true);
  });

  test('[AF6] the real one analyses, at low priority', async () => {
    const reader = startSoundReader();
    const file = put(makeTrack('flac', { title: 'x', seconds: 2, frequency: 330 }));
    expect(await reader.read({ file, container: 'flac', duration: 2 })).toHaveProperty('sound');
    expect(await reader.read({ file: `${file}-away`, container: 'flac', duration: 2 })).toHaveProperty('problem');
    reader.close();
  });
});
