import { isEnded } from '#domain/accounts/accounts.rules.ts';
import type { Role } from '#contract/accounts.ts';
import type { SessionEndReason } from '#contract/presence.ts';
import type { EndedAccess } from '#domain/accounts/accounts.rules.ts';
import type { Actor } from '#domain/context.ts';
import type { Clock } from '#domain/ports.ts';

export type EndReason = SessionEndReason;

/** A socket of either protocol, as far as who holds it matters. */
export interface Connection {
  /** Replaced by `refresh` and by role changes; read it anew for every message. */
  actor: Actor;
  /** As the program named its device in the handshake; null for browsers and the nameless. */
  device_id: string | null;
  /** Of the gateway, and not of a playlist. */
  isGateway: boolean;
  /** Tells the reason and closes; nothing is taken from or sent to it afterwards. */
  end(reason: EndReason): void;
}

/** Every open socket by person, so that revocation is one call for both protocols. */
export interface Connections {
  /** @returns a function that forgets the connection */
  add(connection: Connection): () => void;
  all(): Connection[];
  /** Ends the sockets that came by what ended. */
  end(user_id: string, which: EndedAccess, reason: EndReason): void;
  /** A stored role counts from the next message, unless a provider named one. */
  setRole(user_id: string, role: Role): void;
  /** What the provider names for a session counts from the next message of its sockets. */
  setSessionRole(change: { user_id: string; session_id: string; role: Role; provider_role: Role | null }): void;
  /** Extends every socket of the same person and provider session to the new token's end. */
  refresh(actor: Actor): void;
  /** Ends what one device has open. */
  endDevice(user_id: string, device_id: string): void;
  of(user_id: string): Connection[];
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
    if (credential.kind === 'session' || credential.expires_at === null) return;
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
    end(user_id, which, reason) {
      for (const connection of [...(byUser.get(user_id) ?? [])]) {
        if (isEnded(connection.actor.credential, which)) connection.end(reason);
      }
    },
    setRole(user_id, role) {
      for (const connection of byUser.get(user_id) ?? []) {
        if (connection.actor.provider_role === null) connection.actor = { ...connection.actor, role };
      }
    },
    setSessionRole({ user_id, session_id, role, provider_role }) {
      for (const connection of byUser.get(user_id) ?? []) {
        const { credential } = connection.actor;
        if (credential.kind !== 'session' || credential.session_id !== session_id) continue;
        connection.actor = { ...connection.actor, role, provider_role };
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
    endDevice(user_id, device_id) {
      for (const connection of [...(byUser.get(user_id) ?? [])]) {
        if (connection.device_id === device_id) connection.end('revoked');
      }
    },
    of: (user_id) => [...(byUser.get(user_id) ?? [])],
    endAll(reason) {
      for (const connection of this.all()) connection.end(reason);
    },
  };
}
