import type { ListeningUpdate } from '#contract/listens.ts';

/** A listener without a word for this long after their track should have ended is taken as gone. */
export const STALE_MS = 30_000;

/** Where a listener is in their track now, in seconds, going on from the last word by the server's clock. */
export function livePosition(update: ListeningUpdate, serverNowMs: number): number {
  const sinceMs = update.state === 'playing' ? Math.max(0, serverNowMs - update.at_ms) : 0;
  const seconds = (update.position_ms + sinceMs) / 1000;
  const duration = update.track?.duration ?? null;
  return Math.max(0, duration === null ? seconds : Math.min(seconds, duration));
}

/** Whether an update still tells something: a track, not stopped, and not over for long. */
export function isLive(update: ListeningUpdate | null | undefined, serverNowMs: number): update is ListeningUpdate {
  if (!update?.track || update.state === 'stopped') return false;
  if (update.state === 'paused') return true;
  const leftMs = Math.max(0, (update.track.duration ?? 0) * 1000 - update.position_ms);
  return serverNowMs - update.at_ms < leftMs + STALE_MS;
}

/** Whether a newer word replaces an older one: the server's time decides, late ones lose. */
export function isNewer(update: ListeningUpdate, known: ListeningUpdate | undefined): boolean {
  return known === undefined || update.at_ms >= known.at_ms;
}
