import { endsAtMs, isEnded } from '#domain/accounts/accounts.rules.ts';
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
  /** Resolves once what it sent before this moment is taken or refused. */
  settled(): Promise<void>;
}

/** Every open socket by person, so that revocation is one call for both protocols. */
export interface Connections {
  /** @returns a function that forgets the connection */
  add(connection: Connection): () => void;
  all(): Connection[];
  /** Ends the sockets that came by what ended; resolves once nothing they sent can take effect any more. */
  end(user_id: string, which: EndedAccess, reason: EndReason): Promise<void>;
  /** A stored role counts from the next message, unless a provider named one; resolves once no earlier message is under way. */
  setRole(user_id: string, role: Role): Promise<void>;
  /** What the provider names for a session counts from the next message of its sockets; resolves as `setRole` does. */
  setSessionRole(change: {
    user_id: string;
    session_id: string;
    role: Role;
    provider_role: Role | null;
  }): Promise<void>;
  /** Extends every socket of the same person and provider session to the new token's end. */
  refresh(actor: Actor): void;
  /** Ends what one device has open; resolves as `end` does. */
  endDevice(user_id: string, device_id: string): Promise<void>;
  of(user_id: string): Connection[];
  endAll(reason: EndReason): void;
}

/** Connections that end at one moment, in milliseconds of the epoch. */
interface Ending {
  atMs: number;
  connections: Set<Connection>;
  timer: NodeJS.Timeout | null;
}

/** Timers hold at most 2^31-1 ms. */
const LONGEST_TIMER_MS = 2_147_483_647;
/** The longest a message may be under way: what the database or a provider is given. Who ends access waits no longer. */
const SETTLE_MS = 5_000;

/** Waits for what these have under way: a message that was in before the end is stored before its answer, or not at all. */
async function allSettled(connections: readonly Connection[]): Promise<void> {
  if (connections.length === 0) return;
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, SETTLE_MS);
  });
  await Promise.race([Promise.all(connections.map((connection) => connection.settled())), patience]);
  clearTimeout(timer);
}

export function createConnections(clock: Clock): Connections {
  const byUser = new Map<string, Set<Connection>>();
  /** One timer for all that end at the same moment, as the sockets of one token do. */
  const endings = new Map<number, Ending>();
  const endingOf = new Map<Connection, Ending>();

  /**
   * Closed with messages still under way, by their own end, by its client or by whoever looked and found its access gone: who ends
   * that access has to wait for these as well.
   */
  const leaving = new Map<string, Set<Connection>>();

  function leave(user_id: string, connection: Connection): void {
    const mine = leaving.get(user_id) ?? new Set();
    leaving.set(user_id, mine.add(connection));
    const left = () => {
      mine.delete(connection);
      if (mine.size === 0 && leaving.get(user_id) === mine) leaving.delete(user_id);
    };
    connection.settled().then(left, left);
  }

  /** A token's sockets live until its `exp`. */
  function armExpiry(connection: Connection): void {
    disarm(connection);
    const atMs = endsAtMs(connection.actor.credential);
    if (atMs === Infinity) return;
    const ending = endings.get(atMs) ?? { atMs, connections: new Set(), timer: null };
    endings.set(atMs, ending);
    ending.connections.add(connection);
    endingOf.set(connection, ending);
    if (ending.timer === null) waitFor(ending);
  }

  function disarm(connection: Connection): void {
    const ending = endingOf.get(connection);
    if (ending === undefined) return;
    endingOf.delete(connection);
    ending.connections.delete(connection);
    if (ending.connections.size > 0) return;
    if (ending.timer !== null) clearTimeout(ending.timer);
    endings.delete(ending.atMs);
  }

  function waitFor(ending: Ending): void {
    const leftMs = ending.atMs - clock.nowMs();
    ending.timer = setTimeout(
      () => {
        // It may have been too long for one timer, and timers run a millisecond ahead of the clock at times.
        if (ending.atMs > clock.nowMs()) waitFor(ending);
        else for (const connection of [...ending.connections]) connection.end('expired');
      },
      Math.max(0, Math.min(leftMs, LONGEST_TIMER_MS)),
    );
    ending.timer.unref();
  }

  const of = (user_id: string): Connection[] => [...(byUser.get(user_id) ?? [])];

  /** Does it to those of a person's open connections, and waits for what these and the ones just closed have under way. */
  function change(
    user_id: string,
    isMeant: (connection: Connection) => boolean,
    does: (connection: Connection) => void,
  ): Promise<void> {
    const closed = [...(leaving.get(user_id) ?? [])].filter(isMeant);
    const open = of(user_id).filter(isMeant);
    for (const connection of open) does(connection);
    return allSettled([...closed, ...open]);
  }

  return {
    add(connection) {
      const { user_id } = connection.actor;
      const mine = byUser.get(user_id) ?? new Set();
      mine.add(connection);
      byUser.set(user_id, mine);
      armExpiry(connection);
      return () => {
        disarm(connection);
        mine.delete(connection);
        if (mine.size === 0 && byUser.get(user_id) === mine) byUser.delete(user_id);
        leave(user_id, connection);
      };
    },
    all: () => [...byUser.values()].flatMap((mine) => [...mine]),
    end: (user_id, which, reason) =>
      change(
        user_id,
        ({ actor }) => isEnded(actor.credential, which),
        (connection) => connection.end(reason),
      ),
    setRole: (user_id, role) =>
      change(
        user_id,
        ({ actor }) => actor.provider_role === null,
        (connection) => void (connection.actor = { ...connection.actor, role }),
      ),
    setSessionRole: ({ user_id, session_id, role, provider_role }) =>
      change(
        user_id,
        ({ actor: { credential } }) => credential.kind === 'session' && credential.session_id === session_id,
        (connection) => void (connection.actor = { ...connection.actor, role, provider_role }),
      ),
    refresh(actor) {
      for (const connection of byUser.get(actor.user_id) ?? []) {
        const { credential } = connection.actor;
        if (credential.kind !== 'token' || actor.credential.kind !== 'token') continue;
        if (credential.sid !== actor.credential.sid) continue;
        connection.actor = actor;
        armExpiry(connection);
      }
    },
    endDevice: (user_id, device_id) =>
      change(
        user_id,
        (connection) => connection.device_id === device_id,
        (connection) => connection.end('revoked'),
      ),
    of,
    endAll(reason) {
      for (const connection of this.all()) connection.end(reason);
    },
  };
}
