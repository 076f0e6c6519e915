import { authRefresh, clockSync, presenceSet } from '#contract/presence.ts';
import { userUnwatch, userWatch } from '#contract/social.ts';
import { DomainError, notFound } from '#domain/errors.ts';
import { canSee, sightsOf } from '#domain/social/social.access.ts';
import { onEvent } from '../on-request.ts';
import type { OwnPresence } from '#contract/presence.ts';
import type { Actor } from '#domain/context.ts';
import type { Audiences } from '#rooms/audience.ts';
import type { Connections } from '#rooms/connections.ts';
import type { PresenceRoom } from '#rooms/presence/presence-room.ts';
import type { EventHandler } from '../on-request.ts';

export interface PresenceParts {
  presence: PresenceRoom;
  audiences: Audiences;
  connections: Connections;
  authenticateToken(token: string): Promise<Actor>;
  /** Ends the socket whose refresh was for somebody else. */
  setStatus(socketId: string, status: OwnPresence): void;
}

export function presenceEvents({
  presence,
  audiences,
  connections,
  authenticateToken,
  setStatus,
}: PresenceParts): EventHandler[] {
  return [
    onEvent(presenceSet, async (_ctx, _actor, { status }, socket) => {
      setStatus(socket.id, status);
      return { status };
    }),
    onEvent(clockSync, async (ctx, _actor, { t0_ms }) => ({
      t0_ms,
      t1_ms: ctx.clock.nowMs(),
      t2_ms: ctx.clock.nowMs(),
    })),
    onEvent(authRefresh, async (_ctx, actor, { token }, socket) => {
      const fresh = await authenticateToken(token);
      const isSame =
        fresh.user_id === actor.user_id &&
        fresh.credential.kind === 'token' &&
        actor.credential.kind === 'token' &&
        fresh.credential.sid === actor.credential.sid;
      if (!isSame || fresh.credential.kind !== 'token') {
        socket.disconnect(true);
        throw new DomainError('unauthenticated', 'That token is for somebody else, or for another session.');
      }
      connections.refresh(fresh);
      return { expires_at: fresh.credential.expires_at };
    }),
    onEvent(userWatch, async (ctx, actor, { user_id }) => {
      if (!(await sightsOf(ctx, actor.user_id, [user_id])).has(user_id)) throw notFound('person');
      await audiences.watch(actor.user_id, user_id);
      // Looked at again: what may be seen may have changed while the watch was set up.
      const sight = (await sightsOf(ctx, actor.user_id, [user_id])).get(user_id);
      if (sight === undefined) throw notFound('person');
      return {
        listening: canSee(sight, 'listening') ? presence.listeningOf(user_id) : null,
        presence: canSee(sight, 'presence') ? presence.statusOf(user_id) : 'offline',
      };
    }),
    onEvent(userUnwatch, async (_ctx, actor, { user_id }) => {
      await audiences.unwatch(actor.user_id, user_id);
      return {};
    }),
  ];
}
