/**
 * How finely a WebSocket message may be cut. A message of a million fragments of one byte is small, and costs a hundred times
 * its size in memory (CVE-2026-48779); browsers and client libraries send messages of our sizes whole.
 */
export const PIECES = {
  /** Fragments a message. */
  maxFragments: 128,
  /** Pieces of a frame as the network brings them: 1 MiB in packets of 128 bytes. */
  maxBufferedChunks: 8 * 1024,
} as const;
