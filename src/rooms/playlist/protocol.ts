/** The y-websocket wire (y-protocols PROTOCOL.md): one message a frame. */
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { Refusal } from './referee.ts';

const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
const QUERY_AWARENESS = 3;
const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;

/** Awareness states one frame may carry: an honest client sends its own and echoes those it knows. */
const MAX_STATES = 1_000;
const MAX_STATE_BYTES = 2_048;

export interface AwarenessEntry {
  client_id: number;
  clock: number;
  /** JSON; `null` says the client is gone. */
  json: string;
}

export type Frame =
  | { kind: 'step1'; stateVector: Uint8Array }
  /** `isSync`: the answer to our step 1, which holds all the client has. */
  | { kind: 'update'; bytes: Uint8Array; isSync: boolean }
  | { kind: 'awareness'; entries: AwarenessEntry[] }
  | { kind: 'query' }
  | { kind: 'unknown' };

/** Reads one frame. @throws Refusal malformed, too_large */
export function decodeFrame(data: Uint8Array): Frame {
  try {
    const decoder = decoding.createDecoder(data);
    const type = decoding.readVarUint(decoder);
    if (type === SYNC) {
      const step = decoding.readVarUint(decoder);
      const bytes = decoding.readVarUint8Array(decoder);
      if (step === STEP_1) return { kind: 'step1', stateVector: bytes };
      if (step === STEP_2 || step === UPDATE) return { kind: 'update', bytes, isSync: step === STEP_2 };
      throw new Refusal('malformed', 'no such sync message');
    }
    if (type === AWARENESS) return { kind: 'awareness', entries: decodeAwareness(decoding.readVarUint8Array(decoder)) };
    if (type === QUERY_AWARENESS) return { kind: 'query' };
    if (type === AUTH) throw new Refusal('malformed', 'only the server sends that');
    return { kind: 'unknown' };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal('malformed', 'a frame that ends too early');
  }
}

function decodeAwareness(data: Uint8Array): AwarenessEntry[] {
  const decoder = decoding.createDecoder(data);
  const count = decoding.readVarUint(decoder);
  if (count > MAX_STATES) throw new Refusal('malformed', 'too many awareness states');
  const entries: AwarenessEntry[] = [];
  for (let i = 0; i < count; i++) {
    const client_id = decoding.readVarUint(decoder);
    const clock = decoding.readVarUint(decoder);
    const json = decoding.readVarString(decoder);
    if (json.length > MAX_STATE_BYTES) throw new Refusal('too_large', 'an awareness state holds at most 2 KiB');
    entries.push({ client_id, clock, json });
  }
  return entries;
}

function encodeSync(step: number, bytes: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, SYNC);
  encoding.writeVarUint(encoder, step);
  encoding.writeVarUint8Array(encoder, bytes);
  return encoding.toUint8Array(encoder);
}

export function encodeStep1(stateVector: Uint8Array): Uint8Array {
  return encodeSync(STEP_1, stateVector);
}
export function encodeStep2(update: Uint8Array): Uint8Array {
  return encodeSync(STEP_2, update);
}
export function encodeUpdate(update: Uint8Array): Uint8Array {
  return encodeSync(UPDATE, update);
}

export function encodeAwareness(entries: readonly AwarenessEntry[]): Uint8Array {
  const inner = encoding.createEncoder();
  encoding.writeVarUint(inner, entries.length);
  for (const { client_id, clock, json } of entries) {
    encoding.writeVarUint(inner, client_id);
    encoding.writeVarUint(inner, clock);
    encoding.writeVarString(inner, json);
  }
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, AWARENESS);
  encoding.writeVarUint8Array(encoder, encoding.toUint8Array(inner));
  return encoding.toUint8Array(encoder);
}
