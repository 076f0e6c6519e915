import type { Actor } from '#domain/context.ts';
import type { EventBus } from '#domain/events.ts';

/**
 * How long an answer about a caller is good without asking the database: another process may end somebody's access without
 * a word to this one, and that must hold within a second, in sockets too (revocation-watch.ts looks every 0.6 s).
 */
const FRESH_MS = 250;
/** Callers remembered at once; beyond it the one remembered longest is asked about again. */
const KEPT = 10_000;

export interface Answer {
  actor: Actor;
  ends_at: number | null;
}

/** Who stands behind a credential, remembered for a moment; what this process itself changes counts at once. */
export interface Remembered {
  /** Rises whenever anybody's access ends or changes: whoever was looked at before is to be looked at again. */
  readonly revision: number;
  /** @param key the kind of credential and a hash of it; `nowMs` is the time by which credentials end */
  find(key: string, nowMs: number): Actor | null;
  /**
   * Keeps an answer, unless something has changed since `revision`, when it was asked for. `ends_at` (epoch seconds, null:
   * never) is when it has to be asked again at the latest.
   */
  keep(key: string, answer: Answer, revision: number): void;
  /** Another process changed something about this person. */
  forget(user_id: string): void;
}

export function createRemembered(events: EventBus): Remembered {
  const kept = new Map<string, Answer & { untilMs: number }>();
  const keysOf = new Map<string, Set<string>>();
  let revision = 0;

  function drop(key: string): void {
    const user_id = kept.get(key)?.actor.user_id;
    kept.delete(key);
    if (user_id === undefined) return;
    const keys = keysOf.get(user_id);
    keys?.delete(key);
    if (keys?.size === 0) keysOf.delete(user_id);
  }

  function forget(user_id: string): void {
    revision += 1;
    for (const key of keysOf.get(user_id) ?? []) kept.delete(key);
    keysOf.delete(user_id);
  }

  events.on('access.ended', ({ user_id }) => forget(user_id));
  events.on('role.changed', ({ user_id }) => forget(user_id));
  events.on('session.role_changed', ({ user_id }) => forget(user_id));

  return {
    get revision() {
      return revision;
    },
    find(key, nowMs) {
      const found = kept.get(key);
      if (found === undefined) return null;
      const isOver = found.ends_at !== null && found.ends_at * 1000 <= nowMs;
      // Wall time may jump; this clock does not.
      if (!isOver && performance.now() < found.untilMs) return found.actor;
      drop(key);
      return null;
    },
    keep(key, answer, askedAt) {
      if (askedAt !== revision) return;
      if (kept.size >= KEPT) {
        const oldest = kept.keys().next();
        if (!oldest.done) drop(oldest.value);
      }
      kept.set(key, { ...answer, untilMs: performance.now() + FRESH_MS });
      const { user_id } = answer.actor;
      keysOf.set(user_id, (keysOf.get(user_id) ?? new Set()).add(key));
    },
    forget,
  };
}
