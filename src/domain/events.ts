import type { Role } from '#contract/accounts.ts';
import type { Mark } from '#contract/favorites.ts';
import type { JobKind, JobState } from '#contract/jobs.ts';
import type { PlaybackState } from '#contract/listens.ts';
import type { MemberRole } from '#contract/playlists.ts';
import type { HeardText } from '#contract/stats.ts';
import type { EndedAccess } from './accounts/accounts.rules.ts';
import type { LikedKind, LikedRow } from './favorites/favorites.repository.ts';

/** Everything that can have happened, in the past tense. Published after commit, before the caller gets its answer. */
export interface DomainEvents {
  /** A report was taken, at server time `at_ms`. */
  'listen.progressed': {
    user_id: string;
    username: string;
    session_id: string;
    /** Null for music that is not in the library: then `text` says what it is. */
    track_id: string | null;
    text?: HeardText;
    /** False for what another program says is playing now: there is no session of it. */
    is_stored?: boolean;
    /** Seconds; null when unknown. */
    track_duration: number | null;
    position_ms: number;
    at_ms: number;
    rate: number;
    state: PlaybackState;
  };
  /** A session has just come to count as a listen. */
  'listen.recorded': { user_id: string; session_id: string; track_id: string | null };
  'follow.created': { follower_id: string; following_id: string };
  'follow.removed': { follower_id: string; following_id: string };
  /** Who may see this person may have changed. */
  'profile.changed': { user_id: string };
  /** What a person lets others see of their presence may have changed. */
  'preferences.changed': { user_id: string };
  /** A private session began, or ends at another time; null: it is over. */
  'private_session.changed': { user_id: string; ends_at_ms: number | null };
  /** One of the two has blocked the other. */
  'block.created': { blocker_id: string; blocked_id: string };
  'block.removed': { blocker_id: string; blocked_id: string };
  /** A person's way in ended, or several: whoever came by it is let go before the caller gets its answer. */
  'access.ended': { user_id: string; which: EndedAccess; reason: 'signed_out' | 'expired' | 'disabled' | 'revoked' };
  /** A person took a device off their list: what it has open is closed. */
  'device.forgotten': { user_id: string; device_id: string };
  /** The stored role of a person is another; one that a provider named still wins. */
  'role.changed': { user_id: string; role: Role };
  /** An outside provider names another role for one session (null: none, so the stored one counts). */
  'session.role_changed': { user_id: string; session_id: string; role: Role; provider_role: Role | null };
  'playlist.changed': { playlist_id: string; version: number };
  'playlist.member_changed': { playlist_id: string; user_id: string; role: MemberRole | null };
  'playlist.owner_changed': { playlist_id: string; from: string; to: string };
  /** Something beside the document is another, such as its cover: those who have it open learn of it too. */
  'playlist.details_changed': { playlist_id: string };
  /** The document was begun anew: open copies of it are old ones. */
  'playlist.superseded': { playlist_id: string };
  'playlist.visibility_changed': { playlist_id: string };
  'playlist.deleted': { playlist_id: string };
  /** What a person holds dear is another: what they hold now, for their own devices. */
  'favorites.changed': { user_id: string } & (
    { kind: 'track'; marks: readonly Mark[] } | ({ kind: LikedKind; id: string } & LikedRow)
  );
  /** There is work for whoever runs jobs. */
  'job.queued': { job_id: string };
  /** A job has come to its end by its owner's wish: whoever runs it is to stop. */
  'job.cancelled': { job_id: string };
  /** How a job stands, for its owner's open clients. */
  'job.progressed': {
    user_id: string;
    job_id: string;
    kind: JobKind;
    done: number;
    total: number | null;
    state: JobState;
  };
  /** The scanner finished or moved on; for progress in open clients. */
  'library.scanned': { added: number; updated: number; moved: number; missing: number };
}

export type EventName = keyof DomainEvents;
export type DomainEvent = { [N in EventName]: { name: N; payload: DomainEvents[N] } }[EventName];
type Handler<N extends EventName> = (payload: DomainEvents[N]) => void | Promise<void>;

export interface EventBus {
  on<N extends EventName>(name: N, handler: Handler<N>): void;
  /** Runs every handler in turn and waits; a handler that fails is reported and stops no other. */
  publish(event: DomainEvent): Promise<void>;
}

/** An event bus within this process. */
export function createEventBus(onError: (error: unknown, name: EventName) => void): EventBus {
  const handlers = new Map<EventName, ((payload: never) => void | Promise<void>)[]>();
  return {
    on(name, handler) {
      const known = handlers.get(name) ?? [];
      handlers.set(name, [...known, handler as (payload: never) => void | Promise<void>]);
    },
    async publish({ name, payload }) {
      for (const handler of handlers.get(name) ?? []) {
        try {
          await handler(payload as never);
        } catch (error) {
          onError(error, name);
        }
      }
    },
  };
}
