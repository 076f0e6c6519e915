/** M4A files put together by hand (ISO/IEC 14496-12), with silent AAC-LC frames, 44.1 kHz mono. */
import type { TrackSpec } from '#server/demo/tags.ts';

const RATE = 44_100;
/** The bits of a silent mono frame: one channel without spectrum, then the end. */
const SILENT_MONO = [0x00, 0xc8, 0x00, 0x80, 0x23, 0x80];

/** A silent frame that carries `mark` in a fill element, which decoders skip, so that recordings differ (ISO/IEC 14496-3 §4.4.2.7). */
export function silentAacFrame(mark: number): Buffer {
  // Fill element: id 110, five bytes; extension type 0, four spare bits, then the mark.
  const bits = `1100101` + `00000000` + (Math.round(mark * 100) >>> 0).toString(2).padStart(32, '0');
  const all = bits + SILENT_MONO.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const padded = all.padEnd(Math.ceil(all.length / 8) * 8, '0');
  return Buffer.from(padded.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
}

function box(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, body]);
}

/** Whole numbers of 32 bits; a pair `[n, bytes]` has that many bytes. */
function ints(...values: (number | [number, 1 | 2 | 4])[]): Buffer {
  return Buffer.concat(
    values.map((value) => {
      const [n, bytes] = typeof value === 'number' ? ([value, 4] as const) : value;
      const b = Buffer.alloc(bytes);
      b.writeUIntBE(n, 0, bytes);
      return b;
    }),
  );
}

const MATRIX = ints(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);

/** iTunes item: a box of the name holding `data` of a type (1 text, 0 numbers, 14 PNG). */
function item(name: string, type: number, value: Buffer): Buffer {
  return box(name, box('data', ints(type, 0), value));
}

function tagItems(spec: TrackSpec): Buffer {
  const text = (name: string, value: string | number | undefined) =>
    value === undefined ? [] : [item(name, 1, Buffer.from(String(value)))];
  const genre = typeof spec.genre === 'string' ? spec.genre : spec.genre?.join('; ');
  return Buffer.concat([
    ...text('\xa9nam', spec.title),
    ...text('\xa9ART', spec.artist),
    ...text('\xa9alb', spec.album),
    ...text('aART', spec.albumArtist),
    ...text('\xa9gen', genre),
    ...text('\xa9day', spec.year),
    ...(spec.track === undefined ? [] : [item('trkn', 0, ints([0, 2], [spec.track, 2], 0))]),
    ...(spec.disc === undefined ? [] : [item('disk', 0, ints([0, 2], [spec.disc, 2], [0, 2]))]),
    ...(spec.cover === undefined ? [] : [item('covr', 14, spec.cover)]),
  ]);
}

/** An M4A file: index first, so that it plays while it loads. */
export function makeM4a(spec: TrackSpec): Buffer {
  const frame = silentAacFrame(spec.frequency ?? 220);
  const count = Math.max(1, Math.ceil((spec.seconds * RATE) / 1024));
  const duration = Math.round(spec.seconds * RATE);
  const decoderConfig = Buffer.from([0x12, 0x08]); // AAC-LC, 44.1 kHz, one channel
  const esds = Buffer.concat([
    ints(0),
    Buffer.from([3, 25, 0, 1, 0, 4, 17, 0x40, 0x15, 0, 0, 0]),
    ints(64_000, 64_000),
    Buffer.from([5, decoderConfig.length]),
    decoderConfig,
    Buffer.from([6, 1, 2]),
  ]);
  const mp4a = box('mp4a', ints(0, [0, 2], [1, 2], 0, 0, [1, 2], [16, 2], 0, [RATE, 2], [0, 2]), box('esds', esds));
  const moov = (offset: number) =>
    box(
      'moov',
      box('mvhd', ints(0, 0, 0, RATE, duration, 0x10000, [0x0100, 2], [0, 2], 0, 0), MATRIX, ints(0, 0, 0, 0, 0, 0, 2)),
      box(
        'trak',
        box('tkhd', ints(3, 0, 0, 1, 0, duration, 0, 0, [0, 2], [0, 2], [0x0100, 2], [0, 2]), MATRIX, ints(0, 0)),
        box(
          'mdia',
          box('mdhd', ints(0, 0, 0, RATE, duration, [0x55c4, 2], [0, 2])),
          box('hdlr', ints(0, 0), Buffer.from('soun', 'latin1'), ints(0, 0, 0), Buffer.from([0])),
          box(
            'minf',
            box('smhd', ints(0, 0)),
            box('dinf', box('dref', ints(0, 1), box('url ', ints(1)))),
            box(
              'stbl',
              box('stsd', ints(0, 1), mp4a),
              box('stts', ints(0, 1, count, 1024)),
              box('stsc', ints(0, 1, 1, count, 1)),
              box('stsz', ints(0, frame.length, count)),
              box('stco', ints(0, 1, offset)),
            ),
          ),
        ),
      ),
      box(
        'udta',
        box(
          'meta',
          ints(0),
          box('hdlr', ints(0, 0), Buffer.from('mdirappl', 'latin1'), ints(0, 0), Buffer.from([0])),
          box('ilst', tagItems(spec)),
        ),
      ),
    );
  const ftyp = box('ftyp', Buffer.from('M4A ', 'latin1'), ints(0), Buffer.from('M4A mp42isom', 'latin1'));
  const offset = ftyp.length + moov(0).length + 8;
  return Buffer.concat([ftyp, moov(offset), box('mdat', Buffer.concat(Array<Buffer>(count).fill(frame)))]);
}
