/** Ogg pages (RFC 3533) for the Vorbis and Opus makers. */

const CRC_TABLE = Array.from({ length: 256 }, (_, n) => {
  let value = n << 24;
  for (let i = 0; i < 8; i++) value = (value & 0x80000000) !== 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

function oggCrc(page: Buffer): number {
  let value = 0;
  for (const byte of page) value = ((value << 8) ^ (CRC_TABLE[((value >>> 24) ^ byte) & 0xff] ?? 0)) >>> 0;
  return value;
}

export interface OggPage {
  flags: number;
  granule: bigint;
  serial: number;
  lacing: number[];
  payload: Buffer;
}

/** Bytes of a page, with its number and checksum. */
export function pageBytes(page: OggPage, number: number): Buffer {
  const head = Buffer.alloc(27);
  head.write('OggS', 'latin1');
  head[5] = page.flags;
  head.writeBigInt64LE(page.granule, 6);
  head.writeUInt32LE(page.serial, 14);
  head.writeUInt32LE(number, 18);
  head[26] = page.lacing.length;
  const bytes = Buffer.concat([head, Buffer.from(page.lacing), page.payload]);
  bytes.writeUInt32LE(oggCrc(bytes), 22);
  return bytes;
}

/** Puts packets onto as many pages as they need; all but the last page end inside a packet or carry `granule` too. */
export function paginate(
  packets: Buffer[],
  { serial, granule, flags = 0 }: { serial: number; granule: bigint; flags?: number },
): OggPage[] {
  const payload = Buffer.concat(packets);
  const lacing = packets.flatMap((packet) => [
    ...Array<number>(Math.floor(packet.length / 255)).fill(255),
    packet.length % 255,
  ]);
  const pages: OggPage[] = [];
  let at = 0;
  for (let i = 0; i < lacing.length; i += 255) {
    const some = lacing.slice(i, i + 255);
    const bytes = some.reduce((sum, n) => sum + n, 0);
    const isContinued = i > 0 && lacing[i - 1] === 255;
    const endsPacket = some.some((n) => n < 255);
    pages.push({
      flags: flags | (isContinued ? 1 : 0),
      granule: endsPacket ? granule : -1n,
      serial,
      lacing: some,
      payload: payload.subarray(at, at + bytes),
    });
    at += bytes;
  }
  return pages;
}

/** The pages of a whole Ogg file. */
export function readPages(file: Buffer): OggPage[] {
  const pages: OggPage[] = [];
  for (let at = 0; at < file.length;) {
    const count = file[at + 26] ?? 0;
    const lacing = [...file.subarray(at + 27, at + 27 + count)];
    const start = at + 27 + count;
    const end = start + lacing.reduce((sum, n) => sum + n, 0);
    pages.push({
      flags: file[at + 5] ?? 0,
      granule: file.readBigInt64LE(at + 6),
      serial: file.readUInt32LE(at + 14),
      lacing,
      payload: file.subarray(start, end),
    });
    at = end;
  }
  return pages;
}

/** The packets of some pages. */
export function packetsOf(pages: OggPage[]): Buffer[] {
  const packets: Buffer[] = [];
  let open: Buffer[] = [];
  for (const { lacing, payload } of pages) {
    let at = 0;
    for (const n of lacing) {
      open.push(payload.subarray(at, at + n));
      at += n;
      if (n < 255) {
        packets.push(Buffer.concat(open));
        open = [];
      }
    }
  }
  return packets;
}
