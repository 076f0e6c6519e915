import { createTokenBucket } from '#rooms/token-bucket.ts';
import { UNKNOWN_EVENT_COST } from '../limits/limits.ts';
import { readLastWord } from '../limits/last-word.ts';
import { PINGS } from '../limits/websocket.ts';
import type { Log } from '#domain/ports.ts';
import type { Rate, TokenBucket } from '#rooms/token-bucket.ts';
import type { Limiters } from '../limits/limiters.ts';
import type { Socket as Line } from 'engine.io';
import type { WebSocket } from 'ws';

/** What may wait for a slow reader (bytes), beside notices of which only the latest counts: those are dropped. */
const MAX_BEHIND_BYTES = 1024 * 1024;
/** What a waiting packet costs beside its text (bytes), so that very many small ones count for what they take. */
const PACKET_BYTES = 256;
/** How long (ms) something may wait without any of it being taken. A phone between two cells is back before. */
const MAX_STILL_MS = 10_000;
const LOOK_EVERY_MS = 1_000;

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
  close(): void;
}

/** One line, and how it is with what it was sent. */
interface Watched {
  bucket: TokenBucket;
  user_id: string | null;
  /** Bytes that were not handed to the network yet, as the line before them is still full. */
  waiting_bytes: number;
  /** What the network had not taken when it was last looked at (bytes), and since when (ms) it has taken nothing of it. */
  pending_bytes: number;
  stillSinceMs: number | null;
  webSocket: WebSocket;
}

export function createPacketLimit(rate: Rate, limiters: Limiters, log: Log): PacketLimit {
  const lines = new Map<Line, Watched>();

  /** Ends who has taken nothing for too long, though something waits; one look at each line, which is little. */
  function look(): void {
    const nowMs = performance.now();
    for (const [line, watched] of lines) {
      const pending_bytes = watched.webSocket.bufferedAmount;
      if (pending_bytes === 0) watched.stillSinceMs = null;
      else if (watched.stillSinceMs === null || pending_bytes < watched.pending_bytes) watched.stillSinceMs = nowMs;
      else if (nowMs - watched.stillSinceMs >= MAX_STILL_MS) end(line, 'takes nothing');
      watched.pending_bytes = pending_bytes;
    }
  }
  const looking = setInterval(look, LOOK_EVERY_MS);
  looking.unref();

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
    if (line.readyState === 'closed') return;
    log.info('a gateway socket was ended', { user_id: lines.get(line)?.user_id ?? null, why });
    // Nothing more is taken from it, not even what has arrived with this packet …
    line.close(true);
    // … and no closing handshake is waited for, during which it could go on sending.
    line.request.socket.destroy();
  }

  return {
    watch(line) {
      const { socket: webSocket } = line.transport as unknown as { socket: WebSocket };
      const watched: Watched = {
        bucket: createTokenBucket(rate, performance.now()),
        user_id: null,
        waiting_bytes: 0,
        pending_bytes: 0,
        stillSinceMs: null,
        webSocket,
      };
      lines.set(line, watched);
      line.on('packet', () => spend(line, watched.bucket, 1));
      line.on('flush', () => {
        watched.waiting_bytes = 0;
        // What went before it was all taken.
        watched.stillSinceMs = null;
      });
      line.on('packetCreate', (packet: { data?: string | Buffer }) => {
        watched.waiting_bytes += PACKET_BYTES + (packet.data?.length ?? 0);
        if (watched.waiting_bytes > MAX_BEHIND_BYTES) end(line, 'reads too slowly');
      });
      // Not a packet of engine.io's, but answered all the same.
      const pings = createTokenBucket(PINGS, performance.now());
      webSocket.on('ping', () => {
        if (!pings.take(performance.now())) flooded(line);
      });
      line.once('close', () => {
        lines.delete(line);
        readLastWord(line.request.socket);
      });
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
    close: () => clearInterval(looking),
  };
}
