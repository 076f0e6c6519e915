/** Small, valid, tagged music files of every kind the server plays, made by code. Opus and AAC are silent: no encoder is at hand. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createMp3Encoder, createOggEncoder } from 'wasm-media-encoders';
import { SAMPLE_RATE, makeFlac, makeWav, synthesize } from '#server/demo/music.ts';
import { id3v2, vorbisComment } from '#server/demo/tags.ts';
import { makeM4a, silentAacFrame } from './m4a.ts';
import { packetsOf, pageBytes, paginate, readPages } from './ogg.ts';
import type { TrackSpec } from '#server/demo/tags.ts';

export { makePng } from '#server/demo/music.ts';
export type { TrackSpec } from '#server/demo/tags.ts';
export type Format = 'mp3' | 'flac' | 'ogg' | 'opus' | 'm4a' | 'aac' | 'wav';
export const FORMATS: readonly Format[] = ['mp3', 'flac', 'ogg', 'opus', 'm4a', 'aac', 'wav'];

const mp3Encoder = await createMp3Encoder();
const oggEncoder = await createOggEncoder();

function encodeWith(encoder: typeof mp3Encoder | typeof oggEncoder, spec: TrackSpec): Buffer {
  const samples = Float32Array.from(synthesize(spec), (sample) => sample / 32_768);
  // What the encoder returns is its own memory, used again by the next call.
  const first = Buffer.from(encoder.encode([samples]));
  return Buffer.concat([first, Buffer.from(encoder.finalize())]);
}

function makeMp3(spec: TrackSpec): Buffer {
  mp3Encoder.configure({ sampleRate: SAMPLE_RATE, channels: 1, bitrate: 48 });
  return Buffer.concat([id3v2(spec), encodeWith(mp3Encoder, spec)]);
}

/** ADTS frames (ISO/IEC 13818-7 §6.2): AAC-LC, 44.1 kHz, mono. */
function makeAac(spec: TrackSpec): Buffer {
  const frame = silentAacFrame(spec.frequency ?? 220);
  const length = 7 + frame.length;
  const head = Buffer.from([
    0xff,
    0xf1,
    (1 << 6) | (4 << 2),
    (1 << 6) | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 7) << 5) | 0x1f,
    0xfc,
  ]);
  const count = Math.ceil((spec.seconds * 44_100) / 1024);
  return Buffer.concat([id3v2(spec), ...Array.from({ length: count }, () => Buffer.concat([head, frame]))]);
}

function makeVorbis(spec: TrackSpec): Buffer {
  const serial = 1;
  oggEncoder.configure({ sampleRate: SAMPLE_RATE, channels: 1, vbrQuality: 0, oggSerialNo: serial });
  const pages = readPages(encodeWith(oggEncoder, spec));
  const audioAt = pages.findIndex((page) => page.granule > 0n);
  const [identification, , setup] = packetsOf(pages.slice(0, audioAt));
  if (identification === undefined || setup === undefined) throw new Error('the Vorbis encoder wrote no headers');
  const comment = Buffer.concat([
    Buffer.from('\x03vorbis', 'latin1'),
    vorbisComment(spec, { withPicture: true }),
    Buffer.from([1]),
  ]);
  const written = [
    ...paginate([identification], { serial, granule: 0n, flags: 2 }),
    ...paginate([comment, setup], { serial, granule: 0n }),
    ...pages.slice(audioAt),
  ];
  return Buffer.concat(written.map(pageBytes));
}

/** Ogg Opus (RFC 7845) of silent CELT frames of 20 ms; the padding, which decoders skip, tells one recording from another. */
function makeOpus(spec: TrackSpec): Buffer {
  const serial = 2;
  const head = Buffer.alloc(19);
  head.write('OpusHead', 'latin1');
  head[8] = 1; // version
  head[9] = 1; // channels
  head.writeUInt16LE(312, 10); // pre-skip
  head.writeUInt32LE(48_000, 12);
  const tags = Buffer.concat([Buffer.from('OpusTags', 'latin1'), vorbisComment(spec, { withPicture: true })]);
  const padding = Buffer.alloc(4);
  padding.writeFloatBE(spec.frequency ?? 220);
  // RFC 6716 §3.2.5: table of contents (full band CELT, 20 ms, mono, code 3), one frame with padding, its length, frame, padding.
  const packet = Buffer.concat([Buffer.from([0xfb, 0x41, padding.length, 0xff, 0xfe]), padding]);
  const count = Math.max(1, Math.round(spec.seconds * 50));
  const pages = [...paginate([head], { serial, granule: 0n, flags: 2 }), ...paginate([tags], { serial, granule: 0n })];
  for (let i = 0; i < count; i += 50) {
    const some = Math.min(50, count - i);
    const isLast = i + some >= count;
    pages.push(
      ...paginate(Array<Buffer>(some).fill(packet), {
        serial,
        granule: BigInt((i + some) * 960 + (isLast ? 312 : 0)),
        flags: isLast ? 4 : 0,
      }),
    );
  }
  return Buffer.concat(pages.map(pageBytes));
}

const MAKERS: Record<Format, (spec: TrackSpec) => Buffer> = {
  mp3: makeMp3,
  flac: makeFlac,
  ogg: makeVorbis,
  opus: makeOpus,
  m4a: makeM4a,
  aac: makeAac,
  wav: makeWav,
};

/** A whole music file. The same `seconds` and `frequency` give the same audio, whatever the tags. */
export function makeTrack(format: Format, spec: TrackSpec): Buffer {
  return MAKERS[format](spec);
}

/** Writes files below `dir`: the format is told by the ending of each path; bytes are written as they are. */
export function makeLibrary(dir: string, files: Record<string, TrackSpec | Buffer>): void {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(dir, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(
      file,
      Buffer.isBuffer(content) ? content : makeTrack(path.extname(name).slice(1).toLowerCase() as Format, content),
    );
  }
}
