/**
 * What identifies a recording in a file: a hash over the length, the head and the tail of its audio, leaving out whatever
 * tag editors write. Reading 128 KiB a file is enough to tell recordings apart and lets a first scan run at disk speed.
 *
 * A hash of the whole stream, for telling apart files that differ in the middle only, belongs into a column of its own
 * beside `audio_hash`, filled by a background job, and would be asked in `matchFiles` only where this one is ambiguous.
 */
import { createHash } from 'node:crypto';

/** Bytes of audio hashed at each end. */
const END_BYTES = 64 * 1024;
/** Enough to hold END_BYTES of Ogg payload: pages carry at most 65,025 bytes of it after a 282-byte header. */
const OGG_TAIL_BYTES = 2 * END_BYTES + 65_307;
/** Tags nested deeper than this are no tags. */
const MAX_TAGS = 16;

/** `length` bytes at `position`, fewer at the end of the file. */
export type ReadAt = (position: number, length: number) => Buffer;
export type Container = 'mpeg' | 'adts' | 'flac' | 'ogg' | 'mp4' | 'wave';

export interface AudioIdentity {
  audio_hash: string;
  container: Container;
  /** Seconds, where the container tells them by its last page or its frames; null elsewhere. */
  duration: number | null;
}

function digest(container: Container, length: number | bigint, head: Uint8Array, tail: Uint8Array): string {
  return createHash('sha256').update(`1 ${container} ${length} `).update(head).update(tail).digest('base64url');
}

function hashRegion(container: Container, read: ReadAt, start: number, end: number): AudioIdentity {
  const length = Math.max(0, end - start);
  const head = read(start, Math.min(END_BYTES, length));
  const tail =
    length > END_BYTES
      ? read(Math.max(start + END_BYTES, end - END_BYTES), Math.min(END_BYTES, length - END_BYTES))
      : Buffer.alloc(0);
  return { audio_hash: digest(container, length, head, tail), container, duration: null };
}

/** Where the audio begins after ID3v2 tags (https://id3.org/id3v2.4.0-structure §3.1: syncsafe size, optional footer). */
export function afterId3v2(read: ReadAt, start: number): number {
  let position = start;
  for (let i = 0; i < MAX_TAGS; i++) {
    const h = read(position, 10);
    if (h.length < 10 || h.toString('latin1', 0, 3) !== 'ID3') break;
    const size = ((h[6]! & 0x7f) << 21) | ((h[7]! & 0x7f) << 14) | ((h[8]! & 0x7f) << 7) | (h[9]! & 0x7f);
    position += 10 + size + ((h[5]! & 0x10) !== 0 ? 10 : 0);
  }
  return position;
}

/** Where the audio ends before ID3v1, APE, Lyrics3 and appended ID3v2 tags. */
function beforeTailTags(read: ReadAt, start: number, size: number): number {
  let end = size;
  for (let i = 0; i < MAX_TAGS; i++) {
    const before = end;
    if (end - 128 >= start && read(end - 128, 3).toString('latin1') === 'TAG') end -= 128;
    if (end - 32 >= start) {
      const ape = read(end - 32, 32);
      if (ape.toString('latin1', 0, 8) === 'APETAGEX') {
        // The size counts items and footer; the top flag bit says that a header of 32 bytes stands before them.
        const withHeader = (ape.readUInt32LE(20) & 0x80000000) !== 0 ? 32 : 0;
        end -= ape.readUInt32LE(12) + withHeader;
      }
    }
    if (end - 15 >= start) {
      const lyrics = read(end - 15, 15).toString('latin1');
      if (/^\d{6}LYRICS200$/.test(lyrics)) end -= Number(lyrics.slice(0, 6)) + 15;
    }
    if (end - 10 >= start) {
      const footer = read(end - 10, 10);
      if (footer.toString('latin1', 0, 3) === '3DI') {
        end -=
          (((footer[6]! & 0x7f) << 21) |
            ((footer[7]! & 0x7f) << 14) |
            ((footer[8]! & 0x7f) << 7) |
            (footer[9]! & 0x7f)) +
          20;
      }
    }
    if (end < start) return before;
    if (end === before) break;
  }
  return end;
}

function hashFlac(read: ReadAt, start: number, size: number): AudioIdentity {
  let position = start + 4;
  for (let i = 0; i < 1024; i++) {
    const h = read(position, 4);
    if (h.length < 4) break;
    position += 4 + h.readUIntBE(1, 3);
    if ((h[0]! & 0x80) !== 0) break;
  }
  return hashRegion('flac', read, position, beforeTailTags(read, position, size));
}

interface OggPage {
  serial: number;
  granule: bigint;
  flags: number;
  lacing: Buffer;
  payload: { start: number; end: number };
}

/** The page at `position` of `data` (RFC 3533 §6), or null when there is none or it is cut off. */
function oggPage(data: Buffer, position: number): OggPage | null {
  if (
    position + 27 > data.length ||
    data.toString('latin1', position, position + 4) !== 'OggS' ||
    data[position + 4] !== 0
  )
    return null;
  const segments = data[position + 26]!;
  const start = position + 27 + segments;
  if (start > data.length) return null;
  const lacing = data.subarray(position + 27, start);
  const end = start + lacing.reduce((sum, n) => sum + n, 0);
  return {
    serial: data.readUInt32LE(position + 14),
    granule: data.readBigInt64LE(position + 6),
    flags: data[position + 5]!,
    lacing,
    payload: { start, end },
  };
}

/** How an Ogg stream begins: its codec's header packets, and how many granules make a second. */
function oggCodec(first: Buffer): { headers: number; rate: number; skip: number } | null {
  if (first.toString('latin1', 0, 7) === '\x01vorbis' && first.length >= 16)
    return { headers: 3, rate: first.readUInt32LE(12), skip: 0 };
  // RFC 7845: granules are always 48 kHz, and the pre-skip is not heard.
  if (first.toString('latin1', 0, 8) === 'OpusHead' && first.length >= 12)
    return { headers: 2, rate: 48_000, skip: first.readUInt16LE(10) };
  // https://xiph.org/flac/ogg_mapping.html: packets after the first are counted there, 0 when unknown; STREAMINFO follows `fLaC`.
  if (first.toString('latin1', 0, 5) === '\x7fFLAC' && first.length >= 30) {
    return { headers: 1 + Math.max(1, first.readUInt16BE(7)), rate: first.readUIntBE(27, 3) >> 4, skip: 0 };
  }
  if (first.toString('latin1', 0, 8) === 'Speex   ' && first.length >= 40)
    return { headers: 2, rate: first.readUInt32LE(36), skip: 0 };
  return null;
}

/**
 * Ogg repeats page numbers and checksums that a longer comment shifts, so only the packets' bytes of the first audio stream are
 * hashed, and its length is counted in granules.
 */
function hashOgg(read: ReadAt, size: number): AudioIdentity {
  let position = 0;
  let serial: number | null = null;
  let headersLeft = 0;
  let codec: ReturnType<typeof oggCodec> = null;
  let audioStart = size;
  const head: Buffer[] = [];
  let headBytes = 0;
  while (position < size && headBytes < END_BYTES) {
    // Page headers first: a comment with a picture may be megabytes, which need not be read.
    const start = read(position, 27 + 255);
    const page = oggPage(start, 0);
    if (page === null) break;
    const next = position + page.payload.end;
    if (serial === null && (page.flags & 2) !== 0) {
      codec = oggCodec(read(position + page.payload.start, Math.min(64, page.payload.end - page.payload.start)));
      if (codec !== null) {
        serial = page.serial;
        headersLeft = codec.headers;
      }
    }
    if (page.serial === serial) {
      if (headersLeft > 0) {
        // A lacing value below 255 ends a packet; audio begins on a page of its own.
        headersLeft -= page.lacing.reduce((sum, n) => sum + (n < 255 ? 1 : 0), 0);
        if (headersLeft <= 0) audioStart = next;
      } else {
        const payload = read(position + page.payload.start, page.payload.end - page.payload.start);
        head.push(payload);
        headBytes += payload.length;
      }
    }
    position = next;
  }

  const tailStart = Math.max(audioStart, size - OGG_TAIL_BYTES);
  const data = read(tailStart, size - tailStart);
  const tail: Buffer[] = [];
  let lastGranule = 0n;
  for (let at = data.indexOf('OggS'); at !== -1 && at < data.length;) {
    const page = oggPage(data, at);
    // `OggS` inside a packet: a real page is followed by another, or by the end.
    const isReal =
      page !== null &&
      (page.payload.end >= data.length || data.toString('latin1', page.payload.end, page.payload.end + 4) === 'OggS');
    if (page === null || !isReal) {
      at = data.indexOf('OggS', at + 4);
      continue;
    }
    if (page.serial === serial) {
      tail.push(data.subarray(page.payload.start, page.payload.end));
      if (page.granule > lastGranule) lastGranule = page.granule;
    }
    at = page.payload.end;
  }
  const audio_hash = digest(
    'ogg',
    lastGranule,
    Buffer.concat(head).subarray(0, END_BYTES),
    Buffer.concat(tail).subarray(-END_BYTES),
  );
  const seconds = codec !== null && codec.rate > 0 ? (Number(lastGranule) - codec.skip) / codec.rate : 0;
  return { audio_hash, container: 'ogg', duration: seconds > 0 ? seconds : null };
}

/** MP4 keeps tags in `moov`, the audio in `mdat` (ISO/IEC 14496-12 §4.2: 32-bit size, 1 for 64 bits, 0 to the end). */
function hashMp4(read: ReadAt, size: number): AudioIdentity {
  let media = { start: size, end: size };
  let position = 0;
  for (let i = 0; i < 10_000 && position + 8 <= size; i++) {
    const h = read(position, 16);
    if (h.length < 8) break;
    const small = h.readUInt32BE(0);
    const large = small === 1 && h.length === 16;
    const length = large ? Number(h.readBigUInt64BE(8)) : small === 0 ? size - position : small;
    if (length < 8) break;
    const box = { start: position + (large ? 16 : 8), end: Math.min(size, position + length) };
    if (h.toString('latin1', 4, 8) === 'mdat' && box.end - box.start > media.end - media.start) media = box;
    position += length;
  }
  return hashRegion('mp4', read, media.start, media.end);
}

/** WAV keeps tags in LIST and ID3 chunks beside `data`. */
function hashWave(read: ReadAt, size: number): AudioIdentity {
  let position = 12;
  for (let i = 0; i < 10_000 && position + 8 <= size; i++) {
    const h = read(position, 8);
    if (h.length < 8) break;
    const length = h.readUInt32LE(4);
    if (h.toString('latin1', 0, 4) === 'data')
      return hashRegion('wave', read, position + 8, Math.min(size, position + 8 + length));
    // Chunks are padded to even lengths.
    position += 8 + length + (length & 1);
  }
  return hashRegion('wave', read, size, size);
}

/** Sampling rates by their ADTS index (ISO/IEC 14496-3 §1.6.3.4). */
const ADTS_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];
/** Samples in a block of a frame. */
const AAC_BLOCK = 1024;
/** Read at once while frames are counted. */
const COUNT_BYTES = 256 * 1024;

/** Seconds of an ADTS stream, which has no index: its frames are counted. Null when there is no frame. */
function adtsSeconds(read: ReadAt, start: number, end: number): number | null {
  let seconds = 0;
  let data: Buffer = Buffer.alloc(0);
  let dataStart = start;
  for (let position = start; position + 7 <= end;) {
    if (position + 7 > dataStart + data.length) {
      data = read(position, COUNT_BYTES);
      dataStart = position;
      if (data.length < 7) break;
    }
    const at = position - dataStart;
    const rate = ADTS_RATES[(data[at + 2]! >> 2) & 15];
    const length = ((data[at + 3]! & 3) << 11) | (data[at + 4]! << 3) | (data[at + 5]! >> 5);
    if (data[at] !== 0xff || (data[at + 1]! & 0xf6) !== 0xf0 || rate === undefined || length < 7) break;
    seconds += (AAC_BLOCK * ((data[at + 6]! & 3) + 1)) / rate;
    position += length;
  }
  return seconds > 0 ? seconds : null;
}

/** Finds out what a file is by its first bytes, and hashes its audio without its tags; null when it is no audio we know. */
export function identifyAudio(read: ReadAt, size: number): AudioIdentity | null {
  const start = afterId3v2(read, 0);
  const magic = read(start, 12);
  const ascii = magic.toString('latin1');
  if (ascii.startsWith('fLaC')) return hashFlac(read, start, size);
  if (ascii.startsWith('OggS')) return start === 0 ? hashOgg(read, size) : null;
  if (ascii.slice(4, 8) === 'ftyp') return hashMp4(read, size);
  if (/^(RIFF|RF64)....WAVE/s.test(ascii)) return hashWave(read, size);
  const sync = magic.length >= 2 && magic[0] === 0xff && (magic[1]! & 0xe0) === 0xe0;
  // Layer bits 00 are reserved in MPEG audio and what ADTS has there.
  const isAdts = magic.length >= 2 && magic[0] === 0xff && (magic[1]! & 0xf6) === 0xf0;
  // An MP3 may begin with silence or junk before its first frame; the tag parser decides whether it is one.
  if (!sync && start === 0 && !/^\0/.test(ascii)) return null;
  const end = beforeTailTags(read, start, size);
  if (!isAdts) return hashRegion('mpeg', read, start, end);
  return { ...hashRegion('adts', read, start, end), duration: adtsSeconds(read, start, end) };
}
