import { tracksByIds } from '#domain/library/library.queries.ts';
import type { NoticePayload } from '#contract/gateway.ts';
import type { ListeningUpdate } from '#contract/listens.ts';
import type { OwnPresence, PresenceStatus } from '#contract/presence.ts';
import type { Ctx } from '#domain/context.ts';
import type { DomainEvents } from '#domain/events.ts';
import type { Broadcaster } from '../broadcaster.ts';

/** Listeners are shown at most once a second a person. */
const COALESCE_MS = 1_000;
/** A playback whose client fell silent ends when its track would have, plus this. */
const PLAYING_GRACE_MS = 10_000;
const PAUSED_KEPT_MS = 30 * 60_000;
/** A listener of a track of unknown length is forgotten after this without a report. */
const UNKNOWN_LENGTH_MS = 10 * 60_000;

type Progress = DomainEvents['listen.progressed'];

interface NowPlaying {
  session_id: string;
  update: ListeningUpdate;
  expiry: NodeJS.Timeout;
  lastSentMs: number;
  pending: NodeJS.Timeout | null;
}

/** Who is here and what they hear; kept in memory only, forgotten by timeout. */
/** One device's part in how its person stands. */
export interface PresenceSeat {
  set(status: OwnPresence): void;
  leave(): void;
}

export interface PresenceRoom {
  /** A device came; @returns what to call with its wishes and when it goes. */
  enter(user_id: string): PresenceSeat;
  statusOf(user_id: string): PresenceStatus;
  listeningOf(user_id: string): ListeningUpdate | null;
  progressed(progress: Progress): Promise<void>;
  close(): void;
}

export function createPresenceRoom(ctx: Ctx, broadcaster: Broadcaster): PresenceRoom {
  const devices = new Map<string, Map<symbol, OwnPresence>>();
  const shown = new Map<string, PresenceStatus>();
  const playing = new Map<string, NowPlaying>();

  function statusOf(user_id: string): PresenceStatus {
    const wishes = [...(devices.get(user_id)?.values() ?? [])];
    // Hidden is a wish about the person, so one device that asks for it hides them all.
    if (wishes.length === 0 || wishes.includes('hidden')) return 'offline';
    return wishes.includes('online') ? 'online' : 'away';
  }

  function show(user_id: string): void {
    const status = statusOf(user_id);
    if ((shown.get(user_id) ?? 'offline') === status) return;
    if (status === 'offline') shown.delete(user_id);
    else shown.set(user_id, status);
    broadcaster.emit(`presence:${user_id}`, 'presence:update', { user_id, status });
  }

  function send(now: NowPlaying): void {
    now.pending = null;
    now.lastSentMs = ctx.clock.nowMs();
    const payload: NoticePayload<'listening:update'> = now.update;
    broadcaster.emit(`listening:${now.update.user_id}`, 'listening:update', payload);
  }

  function sendSoon(now: NowPlaying): void {
    if (now.pending !== null) return;
    const waitMs = now.lastSentMs + COALESCE_MS - ctx.clock.nowMs();
    if (waitMs <= 0) send(now);
    else now.pending = setTimeout(() => send(now), waitMs);
  }

  function forget(user_id: string): void {
    const now = playing.get(user_id);
    if (now === undefined) return;
    clearTimeout(now.expiry);
    playing.delete(user_id);
    now.update = { ...now.update, state: 'stopped', at_ms: ctx.clock.nowMs() };
    // The last word must not be swallowed by the one before it.
    if (now.pending !== null) clearTimeout(now.pending);
    send(now);
  }

  function keptMs({ state, track_duration, position_ms, rate }: Progress): number {
    if (state === 'paused') return PAUSED_KEPT_MS;
    if (track_duration === null) return UNKNOWN_LENGTH_MS;
    return Math.max(0, track_duration * 1000 - position_ms) / rate + PLAYING_GRACE_MS;
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
          if (mine.size === 0) devices.delete(user_id);
          show(user_id);
        },
      };
    },
    statusOf,
    listeningOf: (user_id) => playing.get(user_id)?.update ?? null,
    async progressed(progress) {
      const { user_id, session_id, state } = progress;
      const before = playing.get(user_id);
      // [PR3] The end of an earlier playback does not end the current one, and a paused one does not displace a playing one.
      if (before !== undefined && before.session_id !== session_id) {
        if (state === 'stopped') return;
        if (state === 'paused' && before.update.state === 'playing') return;
      }
      if (before === undefined && state === 'stopped') return;
      // A report queued offline tells of the past, not of now.
      if (ctx.clock.nowMs() - progress.at_ms > 60_000) return;
      const { track_id } = progress;
      const isSameTrack = track_id !== null && before?.update.track?.id === track_id;
      const track = isSameTrack
        ? before.update.track
        : track_id === null
          ? null
          : ((await tracksByIds(ctx.db, [track_id])).get(track_id) ?? null);
      const update: ListeningUpdate = {
        user_id,
        username: progress.username,
        track,
        ...(track === null && progress.text !== undefined ? { text: progress.text } : {}),
        position_ms: progress.position_ms,
        at_ms: progress.at_ms,
        state,
      };
      const current = playing.get(user_id);
      if (state === 'stopped') {
        if (current === undefined) return;
        current.update = update;
        forget(user_id);
        return;
      }
      if (current !== undefined) clearTimeout(current.expiry);
      const duration = progress.track_duration ?? track?.duration ?? null;
      const expiry = setTimeout(() => forget(user_id), keptMs({ ...progress, track_duration: duration }));
      expiry.unref();
      const now: NowPlaying =
        current === undefined
          ? { session_id, update, expiry, lastSentMs: 0, pending: null }
          : Object.assign(current, { session_id, update, expiry });
      playing.set(user_id, now);
      sendSoon(now);
    },
    close() {
      for (const now of playing.values()) {
        clearTimeout(now.expiry);
        if (now.pending !== null) clearTimeout(now.pending);
      }
      playing.clear();
    },
  };
}
