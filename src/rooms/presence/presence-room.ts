import { randomInt } from 'node:crypto';
import { tracksByIds } from '#domain/library/library.queries.ts';
import { isShownSession } from '#domain/listens/listens.queries.ts';
import { privateUntil } from '#domain/listens/private-session.ts';
import { underWayMs } from '#domain/listens/under-way.rules.ts';
import type { ListeningUpdate } from '#contract/listens.ts';
import type { OwnPresence, PresenceStatus } from '#contract/presence.ts';
import type { Track } from '#contract/library.ts';
import type { Ctx } from '#domain/context.ts';
import type { DomainEvents } from '#domain/events.ts';
import type { Broadcaster } from '../broadcaster.ts';

/** Listeners are shown at most once a second a person. */
const COALESCE_MS = 1_000;
/** A report that tells of more than this ago was queued offline: it is not shown as now. */
const NOW_MS = 60_000;
/** Playbacks of one person remembered at once: as many as they may have sockets. */
const PLAYBACKS_MAX = 10;
/** [PR10-2] A departure shows at some moment within this, so that nobody reads from it when exactly a screen went dark. */
const OFFLINE_WITHIN_MS = 30_000;

type Progress = DomainEvents['listen.progressed'];

/** One device playing one track. */
interface Playing {
  progress: Progress;
  /** Undefined until it was looked up. */
  track: Track | null | undefined;
  /** Nobody else may see it, or it is not known yet whether they may. */
  isHidden: boolean;
  /** Rises with every playback that begins or goes on after a pause, of everybody. */
  turn: number;
  expiry: NodeJS.Timeout;
}

/** What one person hears, on all their devices. */
interface Listener {
  playing: Map<string, Playing>;
  /** What those who see it were told last; null when that was `stopped`, or nothing yet. */
  told: ListeningUpdate | null;
  toldMs: number;
  pending: NodeJS.Timeout | null;
}

/** One device's part in how its person stands. */
export interface PresenceSeat {
  set(status: OwnPresence): void;
  leave(): void;
}

/** Who is here and what they hear; kept in memory only, forgotten by timeout. */
export interface PresenceRoom {
  /** A device came; @returns what to call with its wishes and when it goes. */
  enter(user_id: string): PresenceSeat;
  /** How a person stands, as those who may see them were told. */
  statusOf(user_id: string): PresenceStatus;
  listeningOf(user_id: string): ListeningUpdate | null;
  progressed(progress: Progress): Promise<void>;
  /** What this person hears is to be looked at anew: who may see it has changed, and was told so. */
  withdraw(user_id: string): void;
  close(): void;
}

/** `offlineDelayMs` says, for each departure, when it shows. */
export function createPresenceRoom(
  ctx: Ctx,
  broadcaster: Broadcaster,
  { offlineDelayMs = () => randomInt(OFFLINE_WITHIN_MS + 1) }: { offlineDelayMs?: (() => number) | undefined } = {},
): PresenceRoom {
  const devices = new Map<string, Map<symbol, OwnPresence>>();
  const shown = new Map<string, PresenceStatus>();
  const departures = new Map<string, NodeJS.Timeout>();
  const listeners = new Map<string, Listener>();
  let lastTurn = 0;

  function wishedBy(wishes: readonly OwnPresence[]): PresenceStatus {
    // Hidden is a wish about the person, so one device that asks for it hides them all.
    if (wishes.length === 0 || wishes.includes('hidden')) return 'offline';
    return wishes.includes('online') ? 'online' : 'away';
  }

  const statusOf = (user_id: string): PresenceStatus => shown.get(user_id) ?? 'offline';

  function show(user_id: string): void {
    const wishes = [...(devices.get(user_id)?.values() ?? [])];
    const departure = departures.get(user_id);
    if (wishes.length === 0 && statusOf(user_id) !== 'offline') {
      if (departure !== undefined) return;
      const timer = setTimeout(() => {
        departures.delete(user_id);
        tell(user_id, 'offline');
      }, offlineDelayMs());
      timer.unref();
      departures.set(user_id, timer);
      return;
    }
    clearTimeout(departure);
    departures.delete(user_id);
    tell(user_id, wishedBy(wishes));
  }

  function tell(user_id: string, status: PresenceStatus): void {
    if (statusOf(user_id) === status) return;
    if (status === 'offline') shown.delete(user_id);
    else shown.set(user_id, status);
    broadcaster.emit(`presence:${user_id}`, 'presence:update', { user_id, status });
  }

  function updateOf({ progress, track = null }: Playing): ListeningUpdate {
    const { user_id, username, position_ms, at_ms, state, text } = progress;
    const named = track === null && text !== undefined ? { text } : {};
    return { user_id, username, track, ...named, position_ms, at_ms, state };
  }

  /** [PR10-5] Of several playbacks the one that began, or went on after a pause, last; a paused one if none plays. */
  function currentOf({ playing }: Listener): Playing | null {
    /** Those that play come before those that are paused. */
    const rankOf = ({ progress, turn }: Playing) => (progress.state === 'playing' ? lastTurn : 0) + turn;
    let current: Playing | null = null;
    for (const one of playing.values()) {
      if (!one.isHidden && (current === null || rankOf(one) > rankOf(current))) current = one;
    }
    return current;
  }

  function send(user_id: string, listener: Listener): void {
    listener.pending = null;
    const current = currentOf(listener);
    const nowMs = ctx.clock.nowMs();
    if (current !== null) listener.told = updateOf(current);
    else if (listener.told === null) return drop(user_id, listener);
    const update = current === null ? { ...listener.told!, state: 'stopped' as const, at_ms: nowMs } : listener.told!;
    if (current === null) listener.told = null;
    listener.toldMs = nowMs;
    broadcaster.emit(`listening:${user_id}`, 'listening:update', update);
    drop(user_id, listener);
  }

  /** Forgets a person of whom nothing is left to tell. */
  function drop(user_id: string, listener: Listener): void {
    // Kept for a second, lest somebody who begins anew at once is told of more than once a second.
    const isIdle = () => listener.playing.size === 0 && listener.pending === null && listener.told === null;
    if (!isIdle()) return;
    const timer = setTimeout(() => {
      if (isIdle() && listeners.get(user_id) === listener) listeners.delete(user_id);
    }, COALESCE_MS);
    timer.unref();
  }

  function sendSoon(user_id: string, listener: Listener): void {
    if (listener.pending !== null) return;
    const waitMs = listener.toldMs + COALESCE_MS - ctx.clock.nowMs();
    if (waitMs <= 0) send(user_id, listener);
    else listener.pending = setTimeout(() => send(user_id, listener), waitMs);
  }

  function end(user_id: string, listener: Listener, session_id: string): void {
    const ended = listener.playing.get(session_id);
    if (ended === undefined) return;
    const wasCurrent = currentOf(listener) === ended;
    clearTimeout(ended.expiry);
    listener.playing.delete(session_id);
    if (wasCurrent) sendSoon(user_id, listener);
    else drop(user_id, listener);
  }

  function expiryOf(listener: Listener, progress: Progress): NodeJS.Timeout {
    const { user_id, session_id } = progress;
    const timer = setTimeout(() => end(user_id, listener, session_id), underWayMs(progress));
    timer.unref();
    return timer;
  }

  /** A playback nobody here has heard of: whether it may be shown, and what it is of. */
  async function look(listener: Listener, one: Playing): Promise<void> {
    const { user_id, session_id, track_id, is_stored = true } = one.progress;
    const isShown = is_stored
      ? await isShownSession(ctx.db, session_id)
      : !(await privateUntil(ctx, user_id)).has(user_id);
    const track = isShown && track_id !== null ? ((await tracksByIds(ctx.db, [track_id])).get(track_id) ?? null) : null;
    // It may have ended, or been withdrawn, while it was looked up.
    if (listeners.get(user_id) !== listener || listener.playing.get(session_id) !== one) return;
    one.track = track;
    one.isHidden = !isShown;
    if (currentOf(listener) === one) sendSoon(user_id, listener);
  }

  function forgetAll(listener: Listener): void {
    for (const one of listener.playing.values()) clearTimeout(one.expiry);
    if (listener.pending !== null) clearTimeout(listener.pending);
    listener.pending = null;
    listener.playing.clear();
  }

  return {
    enter(user_id) {
      const device = Symbol(user_id);
      const mine = devices.get(user_id) ?? new Map<symbol, OwnPresence>();
      devices.set(user_id, mine);
      mine.set(device, 'online');
      show(user_id);
      return {
        set(status) {
          if (!mine.has(device)) return;
          mine.set(device, status);
          show(user_id);
        },
        leave() {
          mine.delete(device);
          if (mine.size === 0 && devices.get(user_id) === mine) devices.delete(user_id);
          show(user_id);
        },
      };
    },
    statusOf,
    listeningOf(user_id) {
      const listener = listeners.get(user_id);
      const current = listener === undefined ? null : currentOf(listener);
      return current === null ? null : updateOf(current);
    },
    async progressed(progress) {
      const { user_id, session_id, state } = progress;
      let listener = listeners.get(user_id);
      if (state === 'stopped') {
        if (listener !== undefined) end(user_id, listener, session_id);
        return;
      }
      if (ctx.clock.nowMs() - progress.at_ms > NOW_MS) return;
      if (listener === undefined) {
        listener = { playing: new Map(), told: null, toldMs: 0, pending: null };
        listeners.set(user_id, listener);
      }
      // Another program tells of one thing at a time.
      if (progress.is_stored === false) {
        for (const [id, other] of listener.playing) {
          if (id === session_id || other.progress.is_stored !== false) continue;
          clearTimeout(other.expiry);
          listener.playing.delete(id);
        }
      }
      const known = listener.playing.get(session_id);
      if (known === undefined) {
        const one = { progress, track: undefined, isHidden: true, turn: ++lastTurn, expiry: expiryOf(listener, progress) };
        listener.playing.set(session_id, one);
        if (listener.playing.size > PLAYBACKS_MAX) {
          const [oldest] = [...listener.playing].reduce((a, b) => (b[1].turn < a[1].turn ? b : a));
          end(user_id, listener, oldest);
        }
        return look(listener, one);
      }
      const before = currentOf(listener);
      clearTimeout(known.expiry);
      known.expiry = expiryOf(listener, progress);
      if (state === 'playing' && known.progress.state !== 'playing') known.turn = ++lastTurn;
      known.progress = progress;
      if (before === known || currentOf(listener) === known) sendSoon(user_id, listener);
    },
    withdraw(user_id) {
      const listener = listeners.get(user_id);
      if (listener === undefined) return;
      forgetAll(listener);
      listeners.delete(user_id);
    },
    close() {
      for (const listener of listeners.values()) forgetAll(listener);
      listeners.clear();
      for (const timer of departures.values()) clearTimeout(timer);
      departures.clear();
    },
  };
}
