import { privateUntil } from '#domain/listens/private-session.ts';
import type { Ctx } from '#domain/context.ts';

/** Timers hold at most 2^31-1 ms. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** Knows when private sessions end by themselves. What may be seen is decided by the time, whether or not this has noticed. */
export interface PrivateSessions {
  /** Looks up those that are on, as the server starts. */
  start(): Promise<void>;
  /** One began, or ends at another time; null: it is over. */
  changed(user_id: string, ends_at_ms: number | null): void;
  close(): void;
}

export function createPrivateSessions(ctx: Ctx, onEnd: (user_id: string) => Promise<void>): PrivateSessions {
  const timers = new Map<string, NodeJS.Timeout>();
  let isClosed = false;

  function arm(user_id: string, ends_at_ms: number): void {
    if (isClosed) return;
    const leftMs = Math.max(0, ends_at_ms - ctx.clock.nowMs());
    const timer = setTimeout(
      () => {
        if (leftMs > LONGEST_TIMER_MS) return arm(user_id, ends_at_ms);
        timers.delete(user_id);
        onEnd(user_id).catch((error: unknown) => ctx.log.error('the end of a private session was not told', {}, error));
      },
      Math.min(leftMs, LONGEST_TIMER_MS),
    );
    timer.unref();
    timers.set(user_id, timer);
  }

  function changed(user_id: string, ends_at_ms: number | null): void {
    clearTimeout(timers.get(user_id));
    timers.delete(user_id);
    if (ends_at_ms !== null) arm(user_id, ends_at_ms);
  }

  return {
    async start() {
      for (const [user_id, ends_at_ms] of await privateUntil(ctx)) {
        // What was said meanwhile is newer.
        if (!timers.has(user_id)) arm(user_id, ends_at_ms);
      }
    },
    changed,
    close() {
      isClosed = true;
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
