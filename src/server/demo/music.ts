/** Small music made by code, for the demo and the tests: a tune of plucked notes as WAV or FLAC, and plain pictures. */
import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import { flacPicture, id3v2, riffInfo, vorbisComment } from './tags.ts';
import type { TrackSpec } from './tags.ts';

/** Half a CD's: enough for plucked notes, and half the bytes. */
export const SAMPLE_RATE = 22_050;
/** A broken major chord up and down, in frequency ratios. */
const TUNE = [1, 5 / 4, 3 / 2, 2, 3 / 2, 5 / 4];
const NOTE_SECONDS = 0.25;

/** The samples of a tune, mono, 16 bits. The same frequency and length give the same samples. */
export function synthesize({ seconds, frequency = 220 }: TrackSpec): Int16Array {
  const samples = new Int16Array(Math.max(1, Math.round(seconds * SAMPLE_RATE)));
  const perNote = Math.round(NOTE_SECONDS * SAMPLE_RATE);
  for (let i = 0; i < samples.length; i++) {
    const note = frequency * (TUNE[Math.floor(i / perNote) % TUNE.length] ?? 1);
    const t = (i % perNote) / SAMPLE_RATE;
    const phase = 2 * Math.PI * note * t;
    samples[i] = Math.round(
      9000 * Math.min(1, t * 200) * Math.exp(-5 * t) * (Math.sin(phase) + 0.4 * Math.sin(2 * phase)),
    );
  }
  return samples;
}

function pcmBytes(samples: Int16Array): Buffer {
  const bytes = Buffer.alloc(samples.length * 2);
  for (const [i, sample] of samples.entries()) bytes.writeInt16LE(sample, i * 2);
  return bytes;
}

function riffChunk(id: string, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(id, 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
}

/** A WAV file with its tags in a LIST and an ID3 chunk. */
export function makeWav(spec: TrackSpec): Buffer {
  const format = Buffer.alloc(16);
  format.writeUInt16LE(1, 0); // PCM
  format.writeUInt16LE(1, 2); // channels
  format.writeUInt32LE(SAMPLE_RATE, 4);
  format.writeUInt32LE(SAMPLE_RATE * 2, 8); // bytes a second
  format.writeUInt16LE(2, 12); // bytes a frame
  format.writeUInt16LE(16, 14); // bits a sample
  const info = riffInfo(spec);
  const id3 = id3v2(spec);
  const chunks = [riffChunk('fmt ', format)];
  if (info.length > 0) chunks.push(riffChunk('LIST', info));
  chunks.push(riffChunk('data', pcmBytes(synthesize(spec))));
  if (id3.length > 0) chunks.push(riffChunk('id3 ', id3));
  return riffChunk('RIFF', Buffer.concat([Buffer.from('WAVE', 'latin1'), ...chunks]));
}

/** Bits in order, most significant first. */
class BitWriter {
  #bytes = new Uint8Array(16_384);
  #length = 0;
  #current = 0;
  #filled = 0;

  /** At most 16 bits at once go the short way. */
  write(value: number, bits: number): void {
    if (bits > 16) {
      this.write(Math.floor(value / 0x10000), bits - 16);
      this.write(value % 0x10000, 16);
      return;
    }
    this.#current = (this.#current << bits) | value;
    this.#filled += bits;
    while (this.#filled >= 8) {
      this.#filled -= 8;
      if (this.#length === this.#bytes.length) {
        const larger = new Uint8Array(this.#length * 2);
        larger.set(this.#bytes);
        this.#bytes = larger;
      }
      this.#bytes[this.#length++] = (this.#current >>> this.#filled) & 0xff;
    }
    this.#current &= 0xff;
  }
  /** `n` zeros and a one. */
  unary(n: number): void {
    let zeros = n;
    for (; zeros >= 16; zeros -= 16) this.write(0, 16);
    this.write(1, zeros + 1);
  }
  align(): void {
    if (this.#filled !== 0) this.write(0, 8 - this.#filled);
  }
  bytes(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }
}

/** The remainders of each byte by a CRC polynomial of 8 or 16 bits. */
function crcTable(polynomial: number, width: 8 | 16): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let value = byte << (width - 8);
    for (let i = 0; i < 8; i++) value = ((value >> (width - 1)) & 1) === 1 ? (value << 1) ^ polynomial : value << 1;
    return value & (2 ** width - 1);
  });
}
const CRC8 = crcTable(0x07, 8);
const CRC16 = crcTable(0x8005, 16);

function crc8(data: Buffer): number {
  let value = 0;
  for (const byte of data) value = CRC8[value ^ byte] ?? 0;
  return value;
}
function crc16(data: Buffer): number {
  let value = 0;
  for (const byte of data) value = ((value << 8) & 0xffff) ^ (CRC16[(value >> 8) ^ byte] ?? 0);
  return value;
}

/** Frame numbers are written like UTF-8 (RFC 9639 §9.1.5). */
function codedNumber(n: number): Buffer {
  return n < 0x80 ? Buffer.from([n]) : Buffer.from(String.fromCodePoint(n));
}

const BLOCK_SAMPLES = 4096;

/** One FLAC frame (RFC 9639 §9): the fixed predictor of second order, its errors in Rice code. */
function flacFrame(samples: Int16Array, frameNumber: number): Buffer {
  const header = Buffer.concat([
    // Sync and fixed block size; block size in 16 bits below, 22.05 kHz (browsers lose their place when the rate is left to
    // STREAMINFO); mono, 16 bits.
    Buffer.from([0xff, 0xf8, 0x76, 0x08]),
    codedNumber(frameNumber),
    Buffer.from([(samples.length - 1) >> 8, (samples.length - 1) & 0xff]),
  ]);
  const order = Math.min(2, samples.length);
  const errors: number[] = [];
  for (let i = order; i < samples.length; i++) {
    const error = (samples[i] ?? 0) - 2 * (samples[i - 1] ?? 0) + (samples[i - 2] ?? 0);
    // Zigzag: 0, -1, 1, -2 … become 0, 1, 2, 3 …
    errors.push(error >= 0 ? 2 * error : -2 * error - 1);
  }
  const mean = errors.reduce((sum, n) => sum + n, 0) / Math.max(1, errors.length);
  const rice = Math.max(0, Math.min(14, Math.floor(Math.log2(mean + 1))));
  const bits = new BitWriter();
  bits.write(0b001000 + order, 7);
  bits.write(0, 1);
  for (let i = 0; i < order; i++) bits.write((samples[i] ?? 0) & 0xffff, 16);
  bits.write(0, 6); // four-bit parameters, one partition
  bits.write(rice, 4);
  for (const error of errors) {
    bits.unary(error >> rice);
    bits.write(error & (2 ** rice - 1), rice);
  }
  bits.align();
  const body = Buffer.concat([header, Buffer.from([crc8(header)]), bits.bytes()]);
  const check = Buffer.alloc(2);
  check.writeUInt16BE(crc16(body));
  return Buffer.concat([body, check]);
}

function flacBlock(type: number, body: Buffer, isLast: boolean): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  head[0] = type | (isLast ? 0x80 : 0);
  return Buffer.concat([head, body]);
}

/** A FLAC file with Vorbis comments and its cover. */
export function makeFlac(spec: TrackSpec): Buffer {
  const samples = synthesize(spec);
  const frames: Buffer[] = [];
  for (let i = 0; i < samples.length; i += BLOCK_SAMPLES)
    frames.push(flacFrame(samples.subarray(i, i + BLOCK_SAMPLES), frames.length));
  const sizes = frames.map((frame) => frame.length);
  const info = new BitWriter();
  info.write(BLOCK_SAMPLES, 16);
  info.write(BLOCK_SAMPLES, 16);
  info.write(Math.min(...sizes), 24);
  info.write(Math.max(...sizes), 24);
  info.write(SAMPLE_RATE, 20);
  info.write(0, 3); // one channel
  info.write(15, 5); // 16 bits
  info.write(samples.length, 36);
  const md5 = createHash('md5').update(pcmBytes(samples)).digest();
  const blocks = [
    flacBlock(0, Buffer.concat([info.bytes(), md5]), false),
    flacBlock(4, vorbisComment(spec), spec.cover === undefined),
  ];
  if (spec.cover !== undefined) blocks.push(flacBlock(6, flacPicture(spec.cover), true));
  return Buffer.concat([Buffer.from('fLaC', 'latin1'), ...blocks, ...frames]);
}

function pngChunk(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, check]);
}

/** A square PNG of `size` pixels: `color` (`#rrggbb`) getting darker from the top left to the bottom right. */
export function makePng(size: number, color: string): Buffer {
  const rgb = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  const rows = Buffer.alloc(size * (1 + size * 3));
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const shade = 1 - (0.6 * (x + y)) / (2 * size);
      for (const [i, channel] of rgb.entries()) rows[y * (1 + size * 3) + 1 + x * 3 + i] = Math.round(channel * shade);
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head[8] = 8; // bits a channel
  head[9] = 2; // RGB
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', head),
    pngChunk('IDAT', deflateSync(rows)),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}
