import type { NoticeName } from '#contract/gateway.ts';
import type { Audience, Broadcaster } from '#rooms/broadcaster.ts';

/** A viewer's one socket, as far as the rooms are concerned. */
export interface FakeSocket {
  isFeedLive: boolean;
  heard: { name: NoticeName; payload: unknown }[];
}

/** The gateway's part towards the rooms, without a network: whoever is online hears what their audiences say. */
export function fakeGateway(): {
  broadcaster: Broadcaster;
  connect(user_id: string): FakeSocket;
  disconnect(user_id: string): void;
} {
  const sockets = new Map<string, FakeSocket>();
  const audiences = new Map<string, ReadonlySet<Audience>>();
  const hears = (user_id: string, socket: FakeSocket, audience: Audience) =>
    audiences.get(user_id)?.has(audience) === true && (socket.isFeedLive || !audience.startsWith('feed:'));
  return {
    broadcaster: {
      emit(audience, name, payload) {
        for (const [user_id, socket] of sockets) {
          if (hears(user_id, socket, audience)) socket.heard.push({ name, payload });
        }
      },
      setAudiences(user_id, set) {
        if (sockets.has(user_id)) audiences.set(user_id, set);
      },
      mayHear: (user_id, audience) => audiences.get(user_id)?.has(audience) ?? false,
      hasListeners: (audience) => [...sockets].some(([user_id, socket]) => hears(user_id, socket, audience)),
      onlineUsers: () => [...sockets.keys()],
    },
    connect(user_id) {
      const socket: FakeSocket = { isFeedLive: false, heard: [] };
      sockets.set(user_id, socket);
      return socket;
    },
    disconnect(user_id) {
      sockets.delete(user_id);
      audiences.delete(user_id);
    },
  };
}
