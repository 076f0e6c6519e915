import { createTokenBucket } from '#rooms/token-bucket.ts';
import { UNKNOWN_EVENT_COST } from '../limits/limits.ts';
import { readLastWord } from '../limits/last-word.ts';
import { PINGS } from '../limits/websocket.ts';
import type { Log } from '#domain/ports.ts';
import type { Rate, TokenBucket } from '#rooms/token-bucket.ts';
import type { Limiters } from '../limits/limiters.ts';
import type { Socket as Line } from 'engine.io';
import type { WebSocket } from 'ws';

/** Packets that may wait for a slow reader, beside notices of which only the latest counts: those are dropped. */
const MAX_BEHIND = 1_000;

/** Ends lines that send too much, before anything they sent is looked at (trust.md C1), or do not take what they are sent. */
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

  function spend(line: Line, bucket: TokenBucket, cost: number): void {
    if (line.readyState === 'open' && !bucket.take(performance.now(), cost)) flooded(line);
  }

  function flooded(line: Line): void {
    const user_id = lines.get(line)?.user_id ?? null;
    end(line, 'sends too much');
    if (user_id === null) return;
    limiters.block('flood', user_id).catch((error: unknown) => log.error('nobody could be blocked', {}, error));
  }

  function end(line: Line, why: string): void {
    if (line.readyState !== 'open') return;
    log.info('a gateway socket was ended', { user_id: lines.get(line)?.user_id ?? null, why });
    // Nothing more is taken from it, not even what has arrived with this packet …
    line.close(true);
    // … and no closing handshake is waited for, during which it could go on sending.
    line.request.socket.destroy();
  }

  return {
    watch(line) {
      const bucket = createTokenBucket(rate, performance.now());
      lines.set(line, { bucket, user_id: null });
      line.on('packet', () => spend(line, bucket, 1));
      let behind = 0;
      line.on('flush', () => {
        behind = 0;
      });
      line.on('packetCreate', () => {
        behind += 1;
        if (behind > MAX_BEHIND) end(line, 'reads too slowly');
      });
      // Not a packet of engine.io's, but answered all the same.
      const pings = createTokenBucket(PINGS, performance.now());
      (line.transport as unknown as { socket: WebSocket }).socket.on('ping', () => {
        if (!pings.take(performance.now())) flooded(line);
      });
      line.once('close', () => readLastWord(line.request.socket));
    },
    async belongsTo(line, user_id) {
      const known = lines.get(line);
      if (known !== undefined) known.user_id = user_id;
      await limiters.refuseBlocked('flood', user_id);
    },
    answerAfterMs: (line) => lines.get(line)?.bucket.msUntilHalf(performance.now()) ?? 0,
    // The packet itself was counted when it came.
    unknownEvent(line) {
      const known = lines.get(line);
      if (known !== undefined) spend(line, known.bucket, UNKNOWN_EVENT_COST - 1);
    },
  };
}
