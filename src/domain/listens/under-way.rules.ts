/** A playback whose client fell silent ends when its track would have, plus this. */
const PLAYING_GRACE_MS = 10_000;
const PAUSED_KEPT_MS = 30 * 60_000;
/** Of a track of unknown length. */
const UNKNOWN_LENGTH_MS = 10 * 60_000;

/** A playback as its last report left it. */
export interface LastReport {
  state: 'playing' | 'paused' | 'stopped';
  /** Seconds; null when unknown. */
  track_duration: number | null;
  position_ms: number;
  rate: number;
}

/** [PR4] How long after its last report a playback is still taken to be under way (ms). */
export function underWayMs({ state, track_duration, position_ms, rate }: LastReport): number {
  if (state === 'stopped') return 0;
  if (state === 'paused') return PAUSED_KEPT_MS;
  if (track_duration === null) return UNKNOWN_LENGTH_MS;
  return Math.max(0, track_duration * 1000 - position_ms) / rate + PLAYING_GRACE_MS;
}
