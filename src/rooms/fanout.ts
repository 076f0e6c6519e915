import { memberIds, versionOf } from '#domain/playlists/playlists.queries.ts';
import type { Ctx } from '#domain/context.ts';
import type { Audiences } from './audience.ts';
import type { Broadcaster } from './broadcaster.ts';
import type { Connections } from './connections.ts';
import type { FeedRoom } from './feed/feed-room.ts';
import type { PlaylistRooms } from './playlist/registry.ts';
import type { PresenceRoom } from './presence/presence-room.ts';
import type { PrivateSessions } from './private-sessions.ts';

export interface FanoutParts {
  broadcaster: Broadcaster;
  audiences: Audiences;
  presence: PresenceRoom;
  connections: Connections;
  playlistRooms: PlaylistRooms;
  feed: FeedRoom;
  privateSessions: PrivateSessions;
}

/** What each fact means for those who are here: one entry per domain event. */
export function startFanout(
  ctx: Ctx,
  { broadcaster, audiences, presence, connections, playlistRooms, feed, privateSessions }: FanoutParts,
): void {
  /** To everybody who belongs to a list, with it open or not, and to one who does no more: what a document does not say has changed. */
  async function tellMembers(playlist_id: string, former?: string): Promise<void> {
    const version = await versionOf(ctx.db, playlist_id);
    const members = new Set(await memberIds(ctx.db, playlist_id));
    for (const user_id of members) {
      broadcaster.emit(`user:${user_id}`, 'playlist:changed', { playlist_id, version });
    }
    if (former !== undefined && !members.has(former)) {
      broadcaster.emit(`user:${former}`, 'playlist:changed', { playlist_id, version: 0 });
    }
  }

  ctx.events.on('listen.progressed', (progress) => presence.progressed(progress));
  ctx.events.on('listen.recorded', () => feed.changed());
  ctx.events.on('private_session.changed', async ({ user_id, ends_at_ms }) => {
    privateSessions.changed(user_id, ends_at_ms);
    await audiences.refreshViewersOf(user_id);
    presence.withdraw(user_id);
    // What was read before it began may still be on its way.
    await feed.settled();
  });
  ctx.events.on('preferences.changed', ({ user_id }) => audiences.refreshViewersOf(user_id));
  ctx.events.on('block.created', async ({ blocker_id, blocked_id }) => {
    await Promise.all([audiences.refresh(blocker_id), audiences.refresh(blocked_id)]);
    await Promise.all([playlistRooms.recheckAllOwnedBy(blocker_id), playlistRooms.recheckAllOwnedBy(blocked_id)]);
  });
  ctx.events.on('block.removed', async ({ blocker_id, blocked_id }) => {
    await Promise.all([audiences.refresh(blocker_id), audiences.refresh(blocked_id)]);
  });
  ctx.events.on('follow.created', async ({ follower_id, following_id }) => {
    // Friendship works both ways: each may now see more of the other.
    await Promise.all([audiences.refresh(follower_id), audiences.refresh(following_id)]);
  });
  ctx.events.on('follow.removed', async ({ follower_id, following_id }) => {
    await Promise.all([audiences.refresh(follower_id), audiences.refresh(following_id)]);
  });
  ctx.events.on('profile.changed', async ({ user_id }) => {
    await audiences.refreshViewersOf(user_id);
    await playlistRooms.recheckAllOwnedBy(user_id);
  });
  ctx.events.on('access.ended', async ({ user_id, which, reason }) => {
    await connections.end(user_id, which, reason);
    // The public lists of somebody who is locked out are not shown any more.
    if (which.kind === 'everything') await playlistRooms.recheckAllOwnedBy(user_id);
  });
  ctx.events.on('device.forgotten', ({ user_id, device_id }) => connections.endDevice(user_id, device_id));
  ctx.events.on('role.changed', ({ user_id, role }) => connections.setRole(user_id, role));
  ctx.events.on('session.role_changed', (change) => connections.setSessionRole(change));
  ctx.events.on('job.progressed', ({ user_id, ...progress }) => {
    broadcaster.emit(`user:${user_id}`, 'job:progress', progress);
  });
  ctx.events.on('favorites.changed', (change) => {
    const { user_id } = change;
    const told =
      change.kind === 'track'
        ? {
            kind: change.kind,
            marks: change.marks.map(({ notes, ...mark }) => ({ ...mark, has_note: notes !== null })),
          }
        : {
            kind: change.kind,
            id: change.id,
            favorited_at: change.favorited_at,
            has_note: change.notes !== null,
            version: change.version,
          };
    broadcaster.emit(`user:${user_id}`, 'favorites:changed', told);
  });
  ctx.events.on('playlist.changed', async ({ playlist_id, version }) => {
    const open = playlistRooms.usersIn(playlist_id);
    for (const user_id of await memberIds(ctx.db, playlist_id)) {
      if (!open.has(user_id)) broadcaster.emit(`user:${user_id}`, 'playlist:changed', { playlist_id, version });
    }
  });
  ctx.events.on('playlist.member_changed', async ({ playlist_id, user_id }) => {
    await playlistRooms.recheck(playlist_id);
    await tellMembers(playlist_id, user_id);
  });
  ctx.events.on('playlist.owner_changed', async ({ playlist_id }) => {
    await playlistRooms.recheck(playlist_id);
    await tellMembers(playlist_id);
  });
  ctx.events.on('playlist.details_changed', ({ playlist_id }) => tellMembers(playlist_id));
  ctx.events.on('playlist.visibility_changed', async ({ playlist_id }) => {
    await playlistRooms.recheck(playlist_id);
    await tellMembers(playlist_id);
  });
  ctx.events.on('playlist.superseded', ({ playlist_id }) => playlistRooms.closeSuperseded(playlist_id));
  ctx.events.on('playlist.deleted', ({ playlist_id }) => playlistRooms.closeDeleted(playlist_id));
}
