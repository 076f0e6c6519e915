/** [LBZ1-10] When a listen that another program tells of is one we have already (docs/protocol.md). */

/** Clocks and ideas of when a track begins differ by this much (seconds) between two programs that watch the same player. */
const CLOSE_S = 10;

/** A listen as another program tells it. */
export interface ToldListen {
  /** Epoch seconds of its beginning. */
  started_at: number;
  /** How far off that may be (seconds): 60 where a service writes minutes. */
  precision_s: number;
  track_id: string | null;
  match_key: string;
}

/** A session of the same person that is there already. */
export interface KnownListen {
  session_id: string;
  started_at: number;
  precision_s: number;
  track_id: string | null;
  /** Null for one of our own player, which is known by its track. */
  match_key: string | null;
  /** Of our own player: counted, or still under way. */
  isLive: boolean;
  /** Seconds. */
  track_duration: number | null;
  /** Another told listen is it already. */
  isTaken: boolean;
}

const isSameMusic = (told: ToldListen, known: KnownListen) =>
  told.match_key === known.match_key || (told.track_id !== null && told.track_id === known.track_id);

/**
 * The session a told listen is, or null when it is another. Two programs that watched the same play differ by seconds, and by
 * what their services round to. Our own player was there itself: what another tells of the same track within that track's
 * length is the same play, once; a second one is a repeat.
 * @param isEachOnce a taken session is nobody's any more: within one import every row is a play of its own
 */
export function findSame(
  told: ToldListen,
  known: Iterable<KnownListen>,
  { isEachOnce }: { isEachOnce: boolean },
): KnownListen | null {
  let best: KnownListen | null = null;
  let bestDistance = Infinity;
  for (const one of known) {
    if (!isSameMusic(told, one) || (one.isTaken && isEachOnce)) continue;
    const distance = Math.abs(told.started_at - one.started_at);
    // A third program is as close as the second; a repeat that comes after it is not.
    const close = CLOSE_S + (one.isTaken ? 0 : told.precision_s + one.precision_s);
    const length = one.isLive && !one.isTaken ? (one.track_duration ?? 0) : 0;
    if (distance > close && distance >= length) continue;
    if (distance < bestDistance) [best, bestDistance] = [one, distance];
  }
  return best;
}

/** How far apart (seconds) two can be and still be one, at most. */
export const FARTHEST_S = 7_200;
