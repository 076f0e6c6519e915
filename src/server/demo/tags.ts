/** Tags as music files carry them, written by the formats' own rules. */

/** What a made-up file says of itself. */
export interface TrackSpec {
  title?: string;
  artist?: string;
  album?: string;
  albumArtist?: string;
  /** Several are written one by one. */
  genre?: string | string[];
  /** A year, or a date. */
  year?: number | string;
  track?: number;
  disc?: number;
  isrc?: string;
  /** MusicBrainz' id of the recording. */
  mbid?: string;
  seconds: number;
  /** A PNG, embedded as front cover. */
  cover?: Buffer;
  /** Hertz of the lowest note; other sound means another recording. */
  frequency?: number;
}

const genresOf = ({ genre }: TrackSpec): string[] =>
  genre === undefined ? [] : typeof genre === 'string' ? [genre] : genre;

function u32be(n: number): Buffer {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(n);
  return b;
}
function u32le(n: number): Buffer {
  const b = Buffer.alloc(4);
  b.writeUInt32LE(n);
  return b;
}

/** Seven bits a byte (https://id3.org/id3v2.4.0-structure §6.2). */
function syncsafe(n: number): Buffer {
  return Buffer.from([(n >> 21) & 0x7f, (n >> 14) & 0x7f, (n >> 7) & 0x7f, n & 0x7f]);
}

function id3Frame(id: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(id, 'latin1'), syncsafe(body.length), Buffer.alloc(2), body]);
}

/** An ID3v2.4 tag in UTF-8; with nothing to say, no bytes. */
export function id3v2(spec: TrackSpec): Buffer {
  const UTF8 = Buffer.from([3]);
  const text = (id: string, value: string | number | undefined) =>
    value === undefined ? [] : [id3Frame(id, Buffer.concat([UTF8, Buffer.from(String(value))]))];
  const frames = [
    ...text('TIT2', spec.title),
    ...text('TPE1', spec.artist),
    ...text('TALB', spec.album),
    ...text('TPE2', spec.albumArtist),
    ...text('TCON', genresOf(spec).join('\0') || undefined),
    ...text('TDRC', spec.year),
    ...text('TRCK', spec.track),
    ...text('TPOS', spec.disc),
    ...text('TSRC', spec.isrc),
  ];
  // https://picard-docs.musicbrainz.org/en/appendices/tag_mapping.html
  if (spec.mbid !== undefined) frames.push(id3Frame('UFID', Buffer.from(`http://musicbrainz.org\0${spec.mbid}`)));
  if (spec.cover !== undefined) {
    // Encoding, MIME type, picture type 3 (front cover), an empty description, the bytes.
    frames.push(id3Frame('APIC', Buffer.concat([UTF8, Buffer.from('image/png\0'), Buffer.from([3, 0]), spec.cover])));
  }
  if (frames.length === 0) return Buffer.alloc(0);
  const body = Buffer.concat(frames);
  return Buffer.concat([Buffer.from('ID3\x04\0\0', 'latin1'), syncsafe(body.length), body]);
}

/** A FLAC picture block, which Ogg carries in base64 (RFC 9639 §8.8). Width and height are left to the picture itself. */
export function flacPicture(png: Buffer): Buffer {
  const mime = Buffer.from('image/png');
  return Buffer.concat([u32be(3), u32be(mime.length), mime, u32be(0), Buffer.alloc(16), u32be(png.length), png]);
}

/** A Vorbis comment: vendor, then `NAME=value` each with its length (https://xiph.org/vorbis/doc/v-comment.html). */
export function vorbisComment(spec: TrackSpec, { withPicture = false } = {}): Buffer {
  const fields: [string, string | number | undefined][] = [
    ['TITLE', spec.title],
    ['ARTIST', spec.artist],
    ['ALBUM', spec.album],
    ['ALBUMARTIST', spec.albumArtist],
    ...genresOf(spec).map((genre): [string, string] => ['GENRE', genre]),
    ['DATE', spec.year],
    ['TRACKNUMBER', spec.track],
    ['DISCNUMBER', spec.disc],
    ['ISRC', spec.isrc],
    ['MUSICBRAINZ_TRACKID', spec.mbid],
    ['METADATA_BLOCK_PICTURE', withPicture && spec.cover ? flacPicture(spec.cover).toString('base64') : undefined],
  ];
  const lines = fields
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => Buffer.from(`${name}=${value}`));
  const vendor = Buffer.from('stepheybot-music');
  return Buffer.concat([
    u32le(vendor.length),
    vendor,
    u32le(lines.length),
    ...lines.flatMap((line) => [u32le(line.length), line]),
  ]);
}

/** RIFF INFO fields for WAV; track numbers, discs and pictures have no place there and go into an ID3 chunk. */
export function riffInfo(spec: TrackSpec): Buffer {
  const fields: [string, string | number | undefined][] = [
    ['INAM', spec.title],
    ['IART', spec.artist],
    ['IPRD', spec.album],
    ['IGNR', genresOf(spec)[0]],
    ['ICRD', spec.year],
  ];
  const chunks = fields
    .filter(([, value]) => value !== undefined)
    .map(([id, value]) => {
      const text = Buffer.from(`${value}\0`);
      return Buffer.concat([Buffer.from(id, 'latin1'), u32le(text.length), text, Buffer.alloc(text.length % 2)]);
    });
  return chunks.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from('INFO', 'latin1'), ...chunks]);
}
