import { createTokenBucket } from '#rooms/token-bucket.ts';
import { UNKNOWN_EVENT_COST } from '../limits/limits.ts';
import type { Log } from '#domain/ports.ts';
import type { Rate, TokenBucket } from '#rooms/token-bucket.ts';
import type { Limiters } from '../limits/limiters.ts';
import type { Socket as Line } from 'engine.io';

/** What may still be on its way when a line is closed. */
const LAST_WORD_BYTES = 64 * 1024;

/** Ends lines that send too much, before anything they sent is looked at (trust.md C1). */
export interface PacketLimit {
  /** Counts every packet of a line from now on. */
  watch(line: Line): void;
  /** From now on it is known whose line this is. @throws DomainError `too_many` shortly after one of theirs was ended. */
  belongsTo(line: Line, user_id: string): Promise<void>;
  /**
   * How long (ms) the next answer is to be kept back, so that a client that waits for its answers, as one that sends what it
   * queued offline, is slowed to the steady rate and never ended.
   */
  answerAfterMs(line: Line): number;
  /** An event that does not exist costs more. */
  unknownEvent(line: Line): void;
}

export function createPacketLimit(rate: Rate, limiters: Limiters, log: Log): PacketLimit {
  const lines = new WeakMap<Line, { bucket: TokenBucket; user_id: string | null }>();

  function spend(line: Line, cost: number): void {
    const known = lines.get(line);
    if (known === undefined || line.readyState !== 'open') return;
    if (!known.bucket.take(performance.now(), cost)) end(line, known.user_id);
  }

  /** A line that was closed is read until the other end has closed too: it has a last word, not more. */
  function endReading(line: Line): void {
    const { socket } = line.request;
    let left = LAST_WORD_BYTES;
    socket.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) socket.destroy();
    });
  }

  function end(line: Line, user_id: string | null): void {
    log.info('a gateway socket sent too much and was ended', { user_id });
    // Nothing more is taken from it, not even what has arrived with this packet …
    line.close(true);
    // … and no closing handshake is waited for, during which it could go on sending.
    line.request.socket.destroy();
    if (user_id === null) return;
    limiters.block('flood', user_id).catch((error: unknown) => log.error('nobody could be blocked', {}, error));
  }

  return {
    watch(line) {
      lines.set(line, { bucket: createTokenBucket(rate, performance.now()), user_id: null });
      line.on('packet', () => spend(line, 1));
      line.once('close', () => endReading(line));
    },
    async belongsTo(line, user_id) {
      const known = lines.get(line);
      if (known !== undefined) known.user_id = user_id;
      await limiters.refuseBlocked('flood', user_id);
    },
    answerAfterMs: (line) => lines.get(line)?.bucket.msUntilHalf(performance.now()) ?? 0,
    // The packet itself was counted when it came.
    unknownEvent: (line) => spend(line, UNKNOWN_EVENT_COST - 1),
  };
}
