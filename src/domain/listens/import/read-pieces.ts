/** Cuts a stream into lines, or a JSON array into its elements, holding one of them at a time. */

/** A line or element; null: larger than is taken, and left out. `place` is its number, from 1. */
export interface Piece {
  place: number;
  bytes: Buffer | null;
}

type Bytes = AsyncIterable<Buffer>;

/** Gathers a piece up to a limit. */
function gatherer(max: number) {
  let parts: Buffer[] = [];
  let size = 0;
  return {
    add(part: Buffer) {
      size += part.length;
      if (size <= max) parts.push(part);
      else parts = [];
    },
    get isEmpty() {
      return size === 0;
    },
    take(): Buffer | null {
      const bytes = size > max ? null : Buffer.concat(parts);
      parts = [];
      size = 0;
      return bytes;
    },
  };
}

const NEWLINE = 0x0a;

/** Lines, without their ends; empty ones too. */
export async function* linesOf(stream: Bytes, max: number): AsyncGenerator<Piece> {
  const gathered = gatherer(max);
  let place = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      gathered.add(chunk.subarray(from, at));
      yield { place: ++place, bytes: gathered.take() };
      from = at + 1;
    }
    if (from < chunk.length) gathered.add(chunk.subarray(from));
  }
  if (!gathered.isEmpty) yield { place: ++place, bytes: gathered.take() };
}

const [QUOTE, BACKSLASH, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d];

/** The objects of a JSON array, each as its text; what is not an object is passed over. */
export async function* elementsOf(stream: Bytes, max: number): AsyncGenerator<Piece> {
  const gathered = gatherer(max);
  let place = 0;
  let depth = 0;
  let isInText = false;
  let isEscaped = false;
  for await (const chunk of stream) {
    // Where in this chunk the open element goes on.
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (isInText) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) isInText = false;
      } else if (byte === QUOTE) isInText = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        // Depth 1 is the array itself.
        if (depth === 1) from = at;
        depth++;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        depth--;
        if (depth === 1) {
          gathered.add(chunk.subarray(from, at + 1));
          yield { place: ++place, bytes: gathered.take() };
        }
        if (depth <= 0) return;
      }
    }
    if (depth > 1) gathered.add(chunk.subarray(from));
  }
  // The file ends in the middle of an element.
  if (!gathered.isEmpty) yield { place: ++place, bytes: gathered.take() };
}
