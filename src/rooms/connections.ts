import type { Actor } from '#domain/context.ts';
import type { Clock } from '#domain/ports.ts';

export type EndReason = 'signed_out' | 'expired' | 'disabled' | 'restart' | 'replaced';

/** A socket of either protocol, as far as who holds it matters. */
export interface Connection {
  /** Replaced by `refresh` and by role changes; read it anew for every message. */
  actor: Actor;
  /** Tells the reason and closes; nothing is taken from or sent to it afterwards. */
  end(reason: EndReason): void;
}

/** Every open socket by person, so that revocation is one call for both protocols. */
export interface Connections {
  /** @returns a function that forgets the connection */
  add(connection: Connection): () => void;
  all(): Connection[];
  /** Ends one session's sockets, or (null) all of a person's. */
  end(user_id: string, session_id: string | null, reason: EndReason): void;
  /** Extends every socket of the same person and provider session to the new token's end. */
  refresh(actor: Actor): void;
  endAll(reason: EndReason): void;
}

/** Timers hold at most 2^31-1 ms. */
const LONGEST_TIMER_MS = 2_147_483_647;

export function createConnections(clock: Clock): Connections {
  const byUser = new Map<string, Set<Connection>>();
  const timers = new Map<Connection, NodeJS.Timeout>();

  /** A token's sockets live until its `exp`. */
  function armExpiry(connection: Connection): void {
    clearTimeout(timers.get(connection));
    timers.delete(connection);
    const { credential } = connection.actor;
    if (credential.kind !== 'token') return;
    const leftMs = credential.expires_at * 1000 - clock.nowMs();
    const timer = setTimeout(
      () => (leftMs > LONGEST_TIMER_MS ? armExpiry(connection) : connection.end('expired')),
      Math.max(0, Math.min(leftMs, LONGEST_TIMER_MS)),
    );
    timer.unref();
    timers.set(connection, timer);
  }

  return {
    add(connection) {
      const { user_id } = connection.actor;
      const mine = byUser.get(user_id) ?? new Set();
      mine.add(connection);
      byUser.set(user_id, mine);
      armExpiry(connection);
      return () => {
        clearTimeout(timers.get(connection));
        timers.delete(connection);
        mine.delete(connection);
        if (mine.size === 0 && byUser.get(user_id) === mine) byUser.delete(user_id);
      };
    },
    all: () => [...byUser.values()].flatMap((mine) => [...mine]),
    end(user_id, session_id, reason) {
      for (const connection of [...(byUser.get(user_id) ?? [])]) {
        const { credential } = connection.actor;
        const isMeant =
          session_id === null ||
          (credential.kind === 'session' ? credential.session_id === session_id : credential.sid === session_id);
        if (isMeant) connection.end(reason);
      }
    },
    refresh(actor) {
      for (const connection of byUser.get(actor.user_id) ?? []) {
        const { credential } = connection.actor;
        if (credential.kind !== 'token' || actor.credential.kind !== 'token') continue;
        if (credential.sid !== actor.credential.sid) continue;
        connection.actor = actor;
        armExpiry(connection);
      }
    },
    endAll(reason) {
      for (const connection of this.all()) connection.end(reason);
    },
  };
}
