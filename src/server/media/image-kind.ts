/** What a picture is by its own first bytes, whatever it is called; null for everything but the three kinds we take. */
export function imageKind(bytes: Buffer): 'png' | 'jpeg' | 'webp' | null {
  if (bytes.subarray(0, 8).equals(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))) return 'png';
  if (bytes.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))) return 'jpeg';
  if (bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP') return 'webp';
  return null;
}

/**
 * How many frames a picture of these kinds has, as its own chunks say; 1 for a still one. Only headers are looked at, so a
 * picture of thousands costs nothing.
 */
export function frameCount(bytes: Buffer): number {
  switch (imageKind(bytes)) {
    case 'png':
      return pngFrames(bytes);
    case 'webp':
      return webpFrames(bytes);
    default:
      return 1;
  }
}

/** PNG (W3C, third edition) §11.3.6: `acTL` comes before the first `IDAT` and begins with the number of frames. */
function pngFrames(bytes: Buffer): number {
  for (let at = 8; at + 12 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'acTL') return bytes.readUInt32BE(at + 8);
    if (type === 'IDAT') return 1;
  }
  return 1;
}

/** RFC 9649 §2.7: chunks of four letters, a length and an even number of bytes; each `ANMF` is a frame. */
function webpFrames(bytes: Buffer): number {
  let frames = 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    if (bytes.toString('latin1', at, at + 4) === 'ANMF') frames++;
    const length = bytes.readUInt32LE(at + 4);
    at += 8 + length + (length % 2);
  }
  return Math.max(1, frames);
}
