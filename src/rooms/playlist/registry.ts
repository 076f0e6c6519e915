import { roleOf } from '#domain/playlists/playlists.access.ts';
import { epochsOf, playlistIdsOwnedBy } from '#domain/playlists/playlists.queries.ts';
import { openPlaylistRoom } from './playlist-room.ts';
import type { CloseReason } from '#contract/close-codes.ts';
import type { PlaylistRole } from '#contract/playlists.ts';
import type { Ctx } from '#domain/context.ts';
import type { PlaylistDocs } from '#domain/ports.ts';
import type { Peer, PlaylistRoom, RoomRates, Seat } from './playlist-room.ts';

/** An empty room is kept this long for the next visitor. */
const IDLE_MS = 30_000;

/** The live playlists of this process: at most one room each, loaded once however many ask. */
export interface PlaylistRooms extends PlaylistDocs {
  /** Loads the room, then lets `accept` make the peer and seats it in the same turn, so that no frame is missed. */
  join(playlist_id: string, role: PlaylistRole, accept: () => Peer | null): Promise<Seat | null>;
  usersIn(playlist_id: string): Set<string>;
  /** Lists whose document is in memory. */
  openCount(): number;
  /** Rises whenever anybody's right to any list may have changed: a role found before is to be looked up again. */
  readonly revision: number;
  /** Lets changed rights take effect on everybody who has the list open. */
  recheck(playlist_id: string): Promise<void>;
  recheckAllOwnedBy(user_id: string): Promise<void>;
  closeDeleted(playlist_id: string): Promise<void>;
  /** Throws away a room whose document was begun anew; the next visitor loads that. */
  closeSuperseded(playlist_id: string): Promise<void>;
  /** Throws away rooms whose document was begun anew by another process. */
  lookAtEpochs(): Promise<void>;
  close(): Promise<void>;
}

type Slot =
  | { state: 'loading'; room: Promise<PlaylistRoom> }
  | { state: 'open'; room: PlaylistRoom; idle: NodeJS.Timeout | null }
  | { state: 'closing'; done: Promise<void> };

export interface PlaylistRoomsOptions extends Partial<RoomRates> {
  /** Milliseconds an empty room is kept for the next visitor. */
  idleMs?: number;
}

export function createPlaylistRooms(
  ctx: () => Ctx,
  { idleMs = IDLE_MS, ...rates }: PlaylistRoomsOptions = {},
): PlaylistRooms {
  const slots = new Map<string, Slot>();
  const looks = new Map<string, Promise<void>>();
  let revision = 0;

  async function roomOf(playlist_id: string): Promise<PlaylistRoom> {
    const slot = slots.get(playlist_id);
    if (slot?.state === 'open') {
      if (slot.idle !== null) clearTimeout(slot.idle);
      slot.idle = null;
      return slot.room;
    }
    if (slot?.state === 'loading') return slot.room;
    if (slot?.state === 'closing') {
      await slot.done;
      return roomOf(playlist_id);
    }
    const onBroken = () => slots.delete(playlist_id);
    const loading = openPlaylistRoom(ctx(), playlist_id, onBroken, rates, () => settle(playlist_id));
    slots.set(playlist_id, { state: 'loading', room: loading });
    try {
      const room = await loading;
      slots.set(playlist_id, { state: 'open', room, idle: null });
      return room;
    } catch (error) {
      slots.delete(playlist_id);
      throw error;
    }
  }

  function settle(playlist_id: string): void {
    const slot = slots.get(playlist_id);
    if (slot?.state !== 'open' || slot.idle !== null || !slot.room.isEmpty()) return;
    slot.idle = setTimeout(() => {
      if (slots.get(playlist_id) !== slot) return;
      slot.idle = null;
      if (slot.room.isEmpty()) void unload(playlist_id, slot.room);
    }, idleMs);
    slot.idle.unref();
  }

  async function unload(playlist_id: string, room: PlaylistRoom): Promise<void> {
    const done = room.unload().finally(() => slots.delete(playlist_id));
    slots.set(playlist_id, { state: 'closing', done });
    await done;
  }

  /** Lets go of a room without storing anything more of it. */
  async function drop(playlist_id: string, reason: CloseReason): Promise<void> {
    revision += 1;
    const slot = slots.get(playlist_id);
    if (slot?.state !== 'open') return;
    slots.delete(playlist_id);
    if (slot.idle !== null) clearTimeout(slot.idle);
    slot.room.closePeers(reason);
  }

  function openRoom(playlist_id: string): PlaylistRoom | null {
    const slot = slots.get(playlist_id);
    return slot?.state === 'open' ? slot.room : null;
  }

  async function look(playlist_id: string): Promise<void> {
    const room = openRoom(playlist_id);
    if (room === null) return;
    try {
      for (const { peer, seat } of room.peers()) {
        seat.setRole(await roleOf(ctx().db, peer.actor().user_id, playlist_id));
      }
    } catch (error) {
      // Who may still be here cannot be told: they come back and are looked at anew.
      room.closePeers('restart');
      throw error;
    }
    // What was taken under an earlier right is stored before whoever withdrew it is answered.
    await room.settled();
  }

  /** One look after the other, so that what was read before a change never overrides what was read after it. */
  function recheck(playlist_id: string): Promise<void> {
    revision += 1;
    const before = looks.get(playlist_id) ?? Promise.resolve();
    const again = () => look(playlist_id);
    const turn = before.then(again, again);
    looks.set(playlist_id, turn);
    return turn.finally(() => {
      if (looks.get(playlist_id) === turn) looks.delete(playlist_id);
    });
  }

  return {
    async join(playlist_id, role, accept) {
      const room = await roomOf(playlist_id);
      const peer = accept();
      if (peer === null) {
        settle(playlist_id);
        return null;
      }
      return room.join(peer, role);
    },
    async transact(playlist_id, user_id, edit, more) {
      const room = await roomOf(playlist_id);
      try {
        return await room.transact(user_id, edit, more);
      } finally {
        // After the turn has ended, not within it.
        setImmediate(() => settle(playlist_id));
      }
    },
    openCount: () => slots.size,
    usersIn: (playlist_id) => new Set((openRoom(playlist_id)?.peers() ?? []).map(({ peer }) => peer.actor().user_id)),
    get revision() {
      return revision;
    },
    recheck,
    async recheckAllOwnedBy(user_id) {
      revision += 1;
      if (slots.size === 0) return;
      for (const id of await playlistIdsOwnedBy(ctx().db, user_id)) await recheck(id);
    },
    closeDeleted: (playlist_id) => drop(playlist_id, 'not_found'),
    closeSuperseded: (playlist_id) => drop(playlist_id, 'superseded'),
    async lookAtEpochs() {
      const open = [...slots].flatMap(([id, slot]) => (slot.state === 'open' ? [{ id, room: slot.room }] : []));
      if (open.length === 0) return;
      const epochs = await epochsOf(
        ctx().db,
        open.map(({ id }) => id),
      );
      for (const { id, room } of open) {
        const epoch = epochs.get(id);
        // A list that is gone may have gone with its owner, whose sockets are closed for that reason; the room may be another by now.
        if (epoch === undefined || epoch === room.epoch || openRoom(id) !== room) continue;
        await drop(id, 'superseded');
      }
    },
    async close() {
      for (const [playlist_id, slot] of [...slots]) {
        if (slot.state === 'open') {
          if (slot.idle !== null) clearTimeout(slot.idle);
          slot.room.closePeers('restart');
          await unload(playlist_id, slot.room);
        } else if (slot.state === 'closing') await slot.done;
      }
    },
  };
}
