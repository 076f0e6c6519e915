/** Yjs updates written by hand, byte by byte, so that they can say what no honest client would. Layout: yjs src/utils/UpdateEncoder.js. */
import * as encoding from 'lib0/encoding';

type Place =
  | { root: string; key?: string }
  | { parent: [client: number, clock: number]; key?: string }
  | { origin: [client: number, clock: number]; right?: [client: number, clock: number]; key?: string }
  | { right: [client: number, clock: number] };

/** What an item holds, by the numbers Yjs gives its content classes. */
export type Content =
  | { any: unknown[] }
  | { deleted: number }
  | { json: unknown[] }
  | { binary: Uint8Array }
  | { string: string }
  | { embed: unknown }
  | { format: [string, unknown] }
  | { type: number; name?: string }
  | { subdoc: string }
  /** Bytes as they are, under any number. */
  | { ref: number; raw: Uint8Array };

export type HandStruct = { gc: number } | { skip: number } | (Content & { at: Place });

export interface HandClient {
  client: number;
  clock: number;
  structs: HandStruct[];
}
/** Deleted ranges by client. */
export type HandDeletes = [client: number, ranges: [clock: number, len: number][]][];

/** An object as lib0 writes it, with keys that JavaScript would not let one write down, such as `__proto__`. */
export class RawObject {
  readonly pairs: readonly [string, unknown][];
  constructor(pairs: readonly [string, unknown][]) {
    this.pairs = pairs;
  }
}

function writeAny(encoder: encoding.Encoder, value: unknown): void {
  if (value instanceof RawObject) {
    encoding.writeUint8(encoder, 118);
    encoding.writeVarUint(encoder, value.pairs.length);
    for (const [key, inner] of value.pairs) {
      encoding.writeVarString(encoder, key);
      writeAny(encoder, inner);
    }
  } else encoding.writeAny(encoder, value as never);
}

function writeId(encoder: encoding.Encoder, [client, clock]: readonly [number, number]): void {
  encoding.writeVarUint(encoder, client);
  encoding.writeVarUint(encoder, clock);
}

function refOf(content: Content): number {
  if ('deleted' in content) return 1;
  if ('json' in content) return 2;
  if ('binary' in content) return 3;
  if ('string' in content) return 4;
  if ('embed' in content) return 5;
  if ('format' in content) return 6;
  if ('type' in content) return 7;
  if ('any' in content) return 8;
  if ('subdoc' in content) return 9;
  return content.ref;
}

function writeContent(encoder: encoding.Encoder, content: Content): void {
  if ('deleted' in content) encoding.writeVarUint(encoder, content.deleted);
  else if ('json' in content) {
    encoding.writeVarUint(encoder, content.json.length);
    for (const value of content.json) encoding.writeVarString(encoder, JSON.stringify(value));
  } else if ('binary' in content) encoding.writeVarUint8Array(encoder, content.binary);
  else if ('string' in content) encoding.writeVarString(encoder, content.string);
  else if ('embed' in content) encoding.writeVarString(encoder, JSON.stringify(content.embed));
  else if ('format' in content) {
    encoding.writeVarString(encoder, content.format[0]);
    encoding.writeVarString(encoder, JSON.stringify(content.format[1]));
  } else if ('type' in content) {
    encoding.writeVarUint(encoder, content.type);
    if (content.name !== undefined) encoding.writeVarString(encoder, content.name);
  } else if ('any' in content) {
    encoding.writeVarUint(encoder, content.any.length);
    for (const value of content.any) writeAny(encoder, value);
  } else if ('subdoc' in content) {
    encoding.writeVarString(encoder, content.subdoc);
    encoding.writeAny(encoder, {});
  } else encoding.writeUint8Array(encoder, content.raw);
}

/** One V1 update of these structs and deletions. */
export function handUpdate(clients: readonly HandClient[], deletes: HandDeletes = []): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, clients.length);
  for (const { client, clock, structs } of clients) {
    encoding.writeVarUint(encoder, structs.length);
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, clock);
    for (const struct of structs) {
      if ('gc' in struct) {
        encoding.writeUint8(encoder, 0);
        encoding.writeVarUint(encoder, struct.gc);
      } else if ('skip' in struct) {
        encoding.writeUint8(encoder, 10);
        encoding.writeVarUint(encoder, struct.skip);
      } else {
        const { at, ...content } = struct;
        const origin = 'origin' in at ? at.origin : undefined;
        const right = 'right' in at ? at.right : undefined;
        const key = 'key' in at ? at.key : undefined;
        encoding.writeUint8(
          encoder,
          refOf(content) |
            (origin === undefined ? 0 : 0x80) |
            (right === undefined ? 0 : 0x40) |
            (key === undefined ? 0 : 0x20),
        );
        if (origin !== undefined) writeId(encoder, origin);
        if (right !== undefined) writeId(encoder, right);
        if (origin === undefined && right === undefined) {
          if ('root' in at) {
            encoding.writeVarUint(encoder, 1);
            encoding.writeVarString(encoder, at.root);
          } else if ('parent' in at) {
            encoding.writeVarUint(encoder, 0);
            writeId(encoder, at.parent);
          }
          if (key !== undefined) encoding.writeVarString(encoder, key);
        }
        writeContent(encoder, content);
      }
    }
  }
  encoding.writeVarUint(encoder, deletes.length);
  for (const [client, ranges] of deletes) {
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, ranges.length);
    for (const range of ranges) writeId(encoder, range);
  }
  return encoding.toUint8Array(encoder);
}

/** A sync frame: 0 step 1, 1 step 2, 2 update. */
export function syncFrame(step: number, bytes: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, 0);
  encoding.writeVarUint(encoder, step);
  encoding.writeVarUint8Array(encoder, bytes);
  return encoding.toUint8Array(encoder);
}

/** An awareness frame of (client id, clock, JSON text). */
export function awarenessFrame(
  states: readonly (readonly [number, number, string])[],
  count = states.length,
): Uint8Array {
  const inner = encoding.createEncoder();
  encoding.writeVarUint(inner, count);
  for (const [client, clock, json] of states) {
    encoding.writeVarUint(inner, client);
    encoding.writeVarUint(inner, clock);
    encoding.writeVarString(inner, json);
  }
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, 1);
  encoding.writeVarUint8Array(encoder, encoding.toUint8Array(inner));
  return encoding.toUint8Array(encoder);
}
