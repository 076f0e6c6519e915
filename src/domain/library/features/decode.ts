/** Files into samples, piece by piece: what is held at once stays small, however long the music is. */
import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { FLACDecoder } from '@wasm-audio-decoders/flac';
import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import CodecParser from 'codec-parser';
import { MPEGDecoder } from 'mpg123-decoder';
import { OpusDecoder } from 'opus-decoder';
import { afterId3v2 } from '../audio-hash.ts';
import type { CodecFrame, OggPage, OpusHeader } from 'codec-parser';
import type { FileHandle } from 'node:fs/promises';
import type { Container } from '../audio-hash.ts';

/** Some samples, one array a channel, all of one length. */
export interface Piece {
  channels: Float32Array[];
  sampleRate: number;
}

/** Why a file has no features, in words for its owner. */
export class UndecodableError extends Error {}

/** Said of a file that would have features if ffmpeg were installed: it is tried again once it is. */
export const NEEDS_FFMPEG = 'needs ffmpeg to be analysed';

/** Read at once. Compressed silence unpacks a thousandfold, so more would be much more. */
const CHUNK_BYTES = 64 * 1024;
/** Decoded at once: a FLAC frame may hold 65,535 samples of eight channels, which is 2 MB. */
const FRAMES_AT_ONCE = 16;
const MAX_CHANNELS = 8;
/** Samples a channel in one piece of a WAV file or of ffmpeg. */
const PIECE_SAMPLES = 16 * 1024;
/** What the first packet of a stream is looked for in: pages of other streams may come before it. */
const OGG_HEAD_BYTES = 4096;
/** Searched for ffmpeg, whatever the environment says: it is a program that will be started. */
const PROGRAM_FOLDERS = '/usr/local/bin:/usr/bin:/bin';
/** What ffmpeg is asked for: enough for loudness, and half of it is what sound is described by. */
const FFMPEG_RATE = 44_100;

async function* chunksOf(handle: FileHandle, start: number): AsyncGenerator<Uint8Array> {
  for (let position = start; ;) {
    // A buffer of its own for each: parsers keep what they have not used.
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafeSlow(CHUNK_BYTES), 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** All frames of FLAC, or pages of Ogg, in a file. */
async function* parsed<T extends CodecFrame | OggPage>(
  handle: FileHandle,
  start: number,
  type: 'audio/flac' | 'audio/ogg',
): AsyncGenerator<T> {
  const parser = new CodecParser<T>(type, { enableFrameCRC32: false });
  // They are generators, which the types do not say.
  const all = (some: unknown) => some as Iterable<T>;
  for await (const chunk of chunksOf(handle, start)) yield* all(parser.parseChunk(chunk));
  yield* all(parser.flush());
}

/** Runs of at most `FRAMES_AT_ONCE`. */
function* someOf<T>(items: readonly T[]): Generator<T[]> {
  for (let i = 0; i < items.length; i += FRAMES_AT_ONCE) yield items.slice(i, i + FRAMES_AT_ONCE);
}

function checkChannels(count: number): void {
  if (count > MAX_CHANNELS) throw new UndecodableError(`has more than ${MAX_CHANNELS} channels`);
}

const pieceOf = ({ channelData, sampleRate }: { channelData: Float32Array[]; sampleRate: number }): Piece => ({
  channels: channelData,
  sampleRate,
});

async function* decodeMpeg(handle: FileHandle): AsyncGenerator<Piece> {
  const decoder = new MPEGDecoder();
  await decoder.ready;
  // A tag is skipped by the decoder too, but slowly, and a picture in it may look like a frame.
  for await (const chunk of chunksOf(handle, await afterTags(handle))) yield pieceOf(decoder.decode(chunk));
}

async function* decodeFlac(handle: FileHandle): AsyncGenerator<Piece> {
  const decoder = new FLACDecoder();
  await decoder.ready;
  let frames: Uint8Array[] = [];
  const start = await afterTags(handle);
  for await (const frame of parsed<CodecFrame>(handle, await firstFlacFrame(handle, start), 'audio/flac')) {
    checkChannels((frame.header as { channels: number }).channels);
    frames.push(frame.data);
    if (frames.length < FRAMES_AT_ONCE) continue;
    yield pieceOf(await decoder.decodeFrames(frames));
    frames = [];
  }
  if (frames.length > 0) yield pieceOf(await decoder.decodeFrames(frames));
}

async function* decodeOggFlac(handle: FileHandle): AsyncGenerator<Piece> {
  const decoder = new FLACDecoder();
  await decoder.ready;
  for await (const page of parsed<OggPage>(handle, 0, 'audio/ogg')) {
    for (const frames of someOf(page.codecFrames)) {
      checkChannels((frames[0]!.header as { channels: number }).channels);
      yield pieceOf(await decoder.decodeFrames(frames.map((frame) => frame.data)));
    }
  }
}

async function* decodeVorbis(handle: FileHandle): AsyncGenerator<Piece> {
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  // A page holds at most 255 packets of 4,096 samples.
  for await (const page of parsed<OggPage>(handle, 0, 'audio/ogg')) {
    if (page.codecFrames.length > 0) checkChannels((page.codecFrames[0]!.header as { channels: number }).channels);
    yield pieceOf(await decoder.decodeOggPages([page]));
  }
}

async function* decodeOpus(handle: FileHandle): AsyncGenerator<Piece> {
  let decoder: OpusDecoder | null = null;
  let gain = 1;
  for await (const page of parsed<OggPage>(handle, 0, 'audio/ogg')) {
    for (const frames of someOf(page.codecFrames)) {
      if (decoder === null) {
        const header = frames[0]!.header as OpusHeader;
        checkChannels(header.channels);
        const { channels, streamCount, coupledStreamCount, channelMappingTable, preSkip } = header;
        decoder = new OpusDecoder({ channels, streamCount, coupledStreamCount, channelMappingTable, preSkip });
        await decoder.ready;
        // RFC 7845 §5.1: part of the sound, in 1/256 dB.
        gain = 10 ** (header.outputGain / 256 / 20);
      }
      const piece = pieceOf(decoder.decodeFrames(frames.map((frame) => frame.data)));
      if (gain !== 1) for (const channel of piece.channels) channel.forEach((s, i) => (channel[i] = s * gain));
      yield piece;
    }
  }
}

async function bytesAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** Where the audio begins after ID3v2 tags, of which only the heads are read. */
async function afterTags(handle: FileHandle): Promise<number> {
  let start = 0;
  for (;;) {
    const head = await bytesAt(handle, start, 10);
    const next = start + afterId3v2((position, length) => head.subarray(position, position + length), 0);
    if (next === start) return start;
    start = next;
  }
}

/** Past the metadata blocks, among which pictures may be. */
async function firstFlacFrame(handle: FileHandle, start: number): Promise<number> {
  let position = start + 4;
  for (let i = 0; i < 1024; i++) {
    const head = await bytesAt(handle, position, 4);
    if (head.length < 4) break;
    position += 4 + head.readUIntBE(1, 3);
    if ((head[0]! & 0x80) !== 0) break;
  }
  return position;
}

type ReadSample = (data: Buffer, at: number) => number;
const WAVE_SAMPLES: Record<string, ReadSample> = {
  '1 8': (data, at) => data[at]! / 128 - 1,
  '1 16': (data, at) => data.readInt16LE(at) / 2 ** 15,
  '1 24': (data, at) => data.readIntLE(at, 3) / 2 ** 23,
  '1 32': (data, at) => data.readInt32LE(at) / 2 ** 31,
  '3 32': (data, at) => data.readFloatLE(at),
  '3 64': (data, at) => data.readDoubleLE(at),
};

async function* decodeWave(handle: FileHandle, file: string): AsyncGenerator<Piece> {
  let format: { channels: number; sampleRate: number; frameBytes: number; read: ReadSample | undefined } | null = null;
  for (let position = 12, i = 0; i < 10_000; i++) {
    const head = await bytesAt(handle, position, 8);
    if (head.length < 8) break;
    const kind = head.toString('latin1', 0, 4);
    const length = head.readUInt32LE(4);
    position += 8;
    if (kind === 'fmt ') {
      const data = await bytesAt(handle, position, Math.min(length, 26));
      if (data.length < 16) break;
      const bits = data.readUInt16LE(14);
      const channels = data.readUInt16LE(2);
      checkChannels(channels);
      // 0xfffe says that the kind stands further on.
      const tag = data.readUInt16LE(0) === 0xfffe && data.length >= 26 ? data.readUInt16LE(24) : data.readUInt16LE(0);
      const frameBytes = channels * Math.ceil(bits / 8);
      format = { channels, sampleRate: data.readUInt32LE(4), frameBytes, read: WAVE_SAMPLES[`${tag} ${bits}`] };
    }
    if (kind !== 'data') {
      position += length + (length & 1);
      continue;
    }
    if (format === null || format.frameBytes === 0) break;
    const { channels, sampleRate, frameBytes, read } = format;
    // ADPCM, A-law and the like.
    if (read === undefined) return yield* decodeByFfmpeg(file);
    // A file that was being recorded says 0 or all ones.
    const end = length === 0 || length === 0xffffffff ? Infinity : position + length;
    while (position < end) {
      const data = await bytesAt(handle, position, Math.min(end - position, PIECE_SAMPLES * frameBytes));
      const count = Math.floor(data.length / frameBytes);
      if (count === 0) return;
      position += count * frameBytes;
      const sampleBytes = frameBytes / channels;
      const one = (c: number) => {
        const samples = new Float32Array(count);
        for (let n = 0, at = c * sampleBytes; n < count; n++, at += frameBytes) samples[n] = read(data, at);
        return samples;
      };
      yield { sampleRate, channels: Array.from({ length: channels }, (_, c) => one(c)) };
    }
    return;
  }
  throw new UndecodableError('is no WAV file that can be decoded');
}

/** The codec of an Ogg file, by the first packet that names one we know. */
async function decodeOgg(handle: FileHandle, file: string): Promise<AsyncGenerator<Piece>> {
  const head = (await bytesAt(handle, 0, OGG_HEAD_BYTES)).toString('latin1');
  if (head.includes('\x01vorbis')) return decodeVorbis(handle);
  if (head.includes('OpusHead')) return decodeOpus(handle);
  if (head.includes('\x7fFLAC')) return decodeOggFlac(handle);
  return decodeByFfmpeg(file);
}

function ffmpeg(args: string[]) {
  return spawn('ffmpeg', args, { env: { PATH: PROGRAM_FOLDERS }, stdio: ['ignore', 'pipe', 'ignore'] });
}

/** Whether an ffmpeg is installed. */
export function hasFfmpeg(): Promise<boolean> {
  return new Promise((resolve) => {
    const child = ffmpeg(['-version']);
    child.stdout.resume();
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
}

async function* decodeByFfmpeg(file: string): AsyncGenerator<Piece> {
  if (!(await hasFfmpeg())) throw new UndecodableError(NEEDS_FFMPEG);
  // Only this file: a playlist inside it must not make ffmpeg open others, or the network.
  const child = ffmpeg([
    ...['-nostdin', '-v', 'error', '-protocol_whitelist', 'file,pipe', '-threads', '1', '-i', `file:${file}`],
    ...['-vn', '-sn', '-dn', '-map', '0:a:0', '-f', 'f32le', '-ac', '2', '-ar', String(FFMPEG_RATE), 'pipe:1'],
  ]);
  const exited = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
    child.on('error', () => resolve());
  });
  try {
    let left: Buffer = Buffer.alloc(0);
    for await (const chunk of child.stdout) {
      const data = left.length === 0 ? (chunk as Buffer) : Buffer.concat([left, chunk as Buffer]);
      const count = Math.floor(data.length / 8);
      left = data.subarray(count * 8);
      const channel = (c: number) => {
        const samples = new Float32Array(count);
        for (let n = 0; n < count; n++) samples[n] = data.readFloatLE(n * 8 + c * 4);
        return samples;
      };
      if (count > 0) yield { channels: [channel(0), channel(1)], sampleRate: FFMPEG_RATE };
    }
    await exited;
  } finally {
    child.kill('SIGKILL');
  }
}

/** Decodes a file; ends early where it is cut off. @throws UndecodableError */
export async function* decodeFile(file: string, container: Container): AsyncGenerator<Piece> {
  const handle = await open(file);
  try {
    switch (container) {
      case 'mpeg':
        return yield* decodeMpeg(handle);
      case 'flac':
        return yield* decodeFlac(handle);
      case 'ogg':
        return yield* await decodeOgg(handle, file);
      case 'wave':
        return yield* decodeWave(handle, file);
      case 'mp4':
      case 'adts':
        return yield* decodeByFfmpeg(file);
    }
  } finally {
    await handle.close();
  }
}
