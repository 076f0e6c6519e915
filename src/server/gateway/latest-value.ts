import { WebSocket } from 'ws';
import type { Socket as Line } from 'engine.io';

/** FIN and opcode 1, a whole text message (RFC 6455 §5.2). */
const TEXT = 0x81;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** A notice as it goes over the line, once for everybody: engine.io's message of a Socket.IO event, in a frame of RFC 6455. */
export function frameOf(name: string, payload: unknown): Buffer {
  const text = `42${JSON.stringify([name, payload])}`;
  const length = Buffer.byteLength(text);
  const headLength = length < LENGTH_16 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headLength + length);
  frame[0] = TEXT;
  if (headLength === 2) frame[1] = length;
  else if (headLength === 4) {
    frame[1] = LENGTH_16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_64;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, headLength);
  return frame;
}

/**
 * Puts a frame on a line that has taken everything before it, and drops it otherwise: the next value replaces it. Without the
 * packet, callback and events that engine.io makes of each, a delivery costs a write. Nothing is compressed here, so ws puts
 * every frame on the line whole, and another may follow.
 * @returns whether it was sent
 */
export function sendLatest(line: Line, frame: Buffer): boolean {
  const { transport } = line;
  if (line.readyState !== 'open' || !transport.writable) return false;
  if ((transport as unknown as { socket: WebSocket }).socket.readyState !== WebSocket.OPEN) return false;
  const raw = line.request.socket;
  if (!raw.writable || raw.writableLength > 0) return false;
  raw.write(frame);
  return true;
}
