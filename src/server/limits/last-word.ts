import type { Duplex } from 'node:stream';

/** What may still be on its way when a connection is refused or closed. */
const LAST_WORD_BYTES = 256 * 1024;
/** How long (ms) the other end may take to close its side. */
const LAST_WORD_MS = 2_000;

/**
 * Reads and forgets what still comes on a connection that is over for us, so that the other end can read our last word;
 * more than that, or longer, and it is cut. A connection is never left to whoever no longer may use it.
 */
export function readLastWord(socket: Duplex): void {
  let left = LAST_WORD_BYTES;
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) socket.destroy();
  });
  const timer = setTimeout(() => socket.destroy(), LAST_WORD_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}
