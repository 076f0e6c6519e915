/**
 * How fast sound is analysed: seconds of music a second of one core, for excerpts of a minute as each kind of file holds them; and how
 * long a question for similar tracks takes among 100,000. `node bench/features.ts`; a JSON line a figure, exit 1 when one misses.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { createMp3Encoder, createOggEncoder } from 'wasm-media-encoders';
import { analyseFile } from '#domain/library/features/analyse-file.ts';
import { SOUND_WEIGHTS } from '#domain/library/features/sound.rules.ts';
import { createSoundSpace } from '#domain/recommendations/sound-space.rules.ts';
import { makeFlac } from '#server/demo/music.ts';
import { seeded } from '../test/support/random.ts';
import type { Container } from '#domain/library/audio-hash.ts';

const RATE = 44_100;
const SECONDS = 60;
const ROUNDS = 5;
const TRACKS = 100_000;
const QUESTIONS = 40;

const { next } = seeded(1);
/** Chords, a beat and hiss, wider than one channel, and as loud as records are. */
function music(): [Float32Array, Float32Array] {
  const channels: [Float32Array, Float32Array] = [new Float32Array(RATE * SECONDS), new Float32Array(RATE * SECONDS)];
  const chords = [220, 174.6, 261.6, 196];
  for (let i = 0; i < RATE * SECONDS; i++) {
    const second = i / RATE;
    const root = chords[Math.floor(second / 2) % chords.length]!;
    const tone = [1, 1.25, 1.5, 2, 3].reduce((sum, n) => sum + Math.sin(2 * Math.PI * root * n * second) / n, 0);
    const beat = Math.exp(-30 * (second % 0.5)) * Math.sin(2 * Math.PI * 60 * second);
    for (const [c, channel] of channels.entries()) {
      const hiss = (next() - 0.5) * (0.05 + 0.6 * Math.exp(-60 * ((second + 0.25) % 0.5)));
      channel[i] = Math.max(-1, Math.min(1, 0.25 * tone * (1 - 0.3 * c) + 0.6 * beat + hiss));
    }
  }
  return channels;
}

function wavOf(channels: [Float32Array, Float32Array]): Buffer {
  const data = Buffer.alloc(channels[0].length * 4);
  for (const [c, channel] of channels.entries())
    channel.forEach((sample, i) => data.writeInt16LE(Math.round(sample * 32_767), i * 4 + c * 2));
  const head = Buffer.from('RIFF____WAVEfmt ________________________data____', 'latin1').subarray(0, 44);
  head.writeUInt32LE(36 + data.length, 4);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(2, 22);
  head.writeUInt32LE(RATE, 24);
  head.writeUInt32LE(RATE * 4, 28);
  head.writeUInt16LE(4, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}

const folder = mkdtempSync(path.join(tmpdir(), 'bench-features-'));
const figures: { name: string; value: number; must?: number; unit: string; direction?: 'min' | 'max' }[] = [];
try {
  const channels = music();
  const [mp3, ogg] = [await createMp3Encoder(), await createOggEncoder()];
  mp3.configure({ sampleRate: RATE, channels: 2, bitrate: 192 });
  ogg.configure({ sampleRate: RATE, channels: 2, vbrQuality: 5 });
  // What an encoder returns is its own memory, used again by the next call.
  const encode = (encoder: typeof mp3 | typeof ogg) =>
    Buffer.concat([Buffer.from(encoder.encode(channels)), Buffer.from(encoder.finalize())]);
  const files: [name: string, container: Container, content: Buffer][] = [
    ['MP3, 192 kbit/s', 'mpeg', encode(mp3)],
    ['Ogg Vorbis, quality 5', 'ogg', encode(ogg)],
    ['FLAC, 22 kHz in mono', 'flac', makeFlac({ title: 'x', seconds: SECONDS })],
    ['WAV', 'wave', wavOf(channels)],
  ];
  for (const [name, container, content] of files) {
    const file = path.join(folder, container);
    writeFileSync(file, content);
    const job = { file, container, duration: SECONDS };
    const times: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      // Of a core, however many others want it.
      const before = process.cpuUsage();
      const result = await analyseFile(job);
      const { user, system } = process.cpuUsage(before);
      if ('problem' in result) throw new Error(`${name} ${result.problem}`);
      // The first one compiles.
      if (round > 0) times.push((user + system) / 1e6);
    }
    times.sort((a, b) => a - b);
    const value = Math.round(SECONDS / times[Math.floor(times.length / 2)]!);
    figures.push({ name: `analysis of a minute of ${name}`, value, must: 100, unit: '× real time a core' });
  }

  const space = createSoundSpace(SOUND_WEIGHTS);
  for (let i = 0; i < TRACKS; i++)
    space.set(
      `track-${i}`,
      Float32Array.from(SOUND_WEIGHTS, () => next()),
    );
  await space.nearest('track-0', 20);
  const answers: number[] = [];
  let longestMs = 0;
  for (let i = 0; i < QUESTIONS; i++) {
    const begunMs = performance.now();
    let isOver = false;
    const asked = space.nearest(`track-${i * 7}`, 70).finally(() => (isOver = true));
    for (let beforeMs = begunMs; !isOver;) {
      await setImmediate();
      const nowMs = performance.now();
      longestMs = Math.max(longestMs, nowMs - beforeMs);
      beforeMs = nowMs;
    }
    await asked;
    answers.push(performance.now() - begunMs);
  }
  answers.sort((a, b) => a - b);
  const p95 = answers[Math.floor(0.95 * answers.length)]!;
  figures.push({ name: 'similar among 100,000, p95', value: Math.round(p95), unit: 'ms' });
  figures.push({
    name: 'similar among 100,000, longest stall',
    value: Number(longestMs.toFixed(1)),
    must: 50,
    unit: 'ms',
    direction: 'max',
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const figure of figures) console.log(JSON.stringify(figure));
const isMissed = ({ value, must, direction }: (typeof figures)[number]) =>
  must !== undefined && (direction === 'max' ? value > must : value < must);
if (figures.some(isMissed)) process.exitCode = 1;
