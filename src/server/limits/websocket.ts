import type { Rate } from '#rooms/token-bucket.ts';

/** What a WebSocket of either protocol may be like, beside how large its messages may be. */
export const WEBSOCKET = {
  /**
   * Fragments a message. A million fragments of one byte are a small message that costs a hundred times its size in memory
   * (CVE-2026-48779); browsers and client libraries send messages of our sizes whole.
   */
  maxFragments: 128,
  /** Pieces of a frame as the network brings them: 1 MiB in packets of 128 bytes. */
  maxBufferedChunks: 8 * 1024,
  /** How long (ms) the other end may take to close too; until then what it sends is still read. */
  closeTimeout: 2_000,
} as const;

/** Pings of the protocol itself, each of which is answered: programs send one in some seconds, browsers none. */
export const PINGS: Rate = { per_second: 2, burst: 20 };
