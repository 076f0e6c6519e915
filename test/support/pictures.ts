/** Pictures as nobody should send them, and the few as everybody does. */
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';

/** A PNG chunk (W3C PNG §5.3). */
function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

function ihdr(width: number, height: number): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  // One bit of grey a pixel.
  data[8] = 1;
  return chunk('IHDR', data);
}

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/** A small file of very many pixels: zeroes compress a thousandfold. */
export function pngBomb(side: number): Buffer {
  const lines = deflateSync(Buffer.alloc((side / 8 + 1) * side), { level: 9 });
  return Buffer.concat([SIGNATURE, ihdr(side, side), chunk('IDAT', lines), chunk('IEND', Buffer.alloc(0))]);
}

/** A picture of 8 pixels with chunks of one's own before its data. */
export function pngWith(chunks: readonly [type: string, data: Buffer][]): Buffer {
  return Buffer.concat([
    SIGNATURE,
    ihdr(8, 8),
    ...chunks.map(([type, data]) => chunk(type, data)),
    chunk('IDAT', deflateSync(Buffer.alloc(16))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** An APNG that says to have so many frames. */
export function animatedPng(frames: number): Buffer {
  const data = Buffer.alloc(8);
  data.writeUInt32BE(frames, 0);
  return pngWith([['acTL', data]]);
}

function riff(type: string, data: Buffer): Buffer {
  const head = Buffer.from(`${type}0000`, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
}

/** An animated WebP (RFC 9649 §2.7) of 16 × 16 pixels. */
export async function animatedWebp(frames: number): Promise<Buffer> {
  const still = await plain({ width: 16, height: 16 }).webp({ quality: 10 }).toBuffer();
  const picture = still.subarray(12);
  const canvas = Buffer.from([0x02, 0, 0, 0, 15, 0, 0, 15, 0, 0]);
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 15, 0, 0, 15, 0, 0, 10, 0, 0, 0]), picture]);
  const body = Buffer.concat([
    Buffer.from('WEBP', 'latin1'),
    riff('VP8X', canvas),
    riff('ANIM', Buffer.alloc(6)),
    ...Array.from({ length: frames }, () => riff('ANMF', frame)),
  ]);
  return riff('RIFF', body);
}

/** One colour. */
export function plain({ width, height, colour = '#336699' }: { width: number; height: number; colour?: string }) {
  return sharp({ create: { width, height, channels: 3, background: colour } });
}

/** What does not compress, so that a file has about the size one wants. */
export function noise(width: number, height: number) {
  let seed = 1;
  const bytes = Buffer.alloc(width * height * 3);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) >> 16;
  return sharp(bytes, { raw: { width, height, channels: 3 } });
}

/** Red on the left and blue on the right, lying on its side as a camera stores it (EXIF orientation 6: turn clockwise). */
export async function sideways(): Promise<Buffer> {
  const half = (colour: string) => plain({ width: 200, height: 200, colour }).png().toBuffer();
  return plain({ width: 400, height: 200 })
    .composite([
      { input: await half('#ff0000'), left: 0, top: 0 },
      { input: await half('#0000ff'), left: 200, top: 0 },
    ])
    .jpeg()
    .withExif({
      IFD0: { Orientation: '6', Copyright: 'SECRET-OWNER' },
      IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1' },
    })
    .withMetadata({ orientation: 6 })
    .toBuffer();
}
