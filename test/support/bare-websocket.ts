/** A WebSocket written by hand on a bare connection: as many frames as fit, in any shape, at once. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** One client frame (RFC 6455 §5.2), masked with zeros so that the payload stands as it is. */
export function frame(payload: string | Uint8Array, { opcode = 1, isFinal = true } = {}): Buffer {
  const body = Buffer.from(payload);
  const head = [(isFinal ? 0x80 : 0) | opcode];
  if (body.length < 126) head.push(0x80 | body.length);
  else if (body.length < 65_536) head.push(0x80 | 126, body.length >> 8, body.length & 255);
  else head.push(0x80 | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((bits) => (body.length >>> bits) & 255));
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), body]);
}

export interface BareSocket {
  socket: Socket;
  /** What came so far, frames and all, as text. */
  received(): string;
  /** Resolves when the text has come. */
  heard(text: string): Promise<void>;
  closed: Promise<void>;
}

/** Asks for an upgrade and, without waiting for any answer, sends `rest` behind it. */
export function bareSocket(
  url: string,
  path: string,
  { headers = {}, rest = Buffer.alloc(0) }: { headers?: Record<string, string>; rest?: Buffer } = {},
): BareSocket {
  const { port, host } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  // A reset is one way to be refused.
  socket.on('error', () => socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${lines.join('')}\r\n`,
  );
  if (rest.length > 0) socket.write(rest);
  return {
    socket,
    received: () => received,
    closed,
    heard(text) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`"${text}" did not come, but "${received.slice(-300)}"`)),
          10_000,
        );
        const look = () => {
          if (!received.includes(text)) return;
          clearTimeout(timer);
          socket.off('data', look);
          resolve();
        };
        socket.on('data', look);
        look();
      });
    },
  };
}

export const GATEWAY_PATH = '/socket.io/?EIO=4&transport=websocket';

/** A gateway line that is let in. */
export async function bareGateway(url: string, token: string): Promise<BareSocket> {
  const line = bareSocket(url, GATEWAY_PATH);
  await line.heard('"pingInterval"');
  line.socket.write(frame(`40${JSON.stringify({ token })}`));
  await line.heard('40{"sid"');
  return line;
}
