import { listFeed } from '#contract/feed.ts';
import {
  block,
  follow,
  getPerson,
  listBlocked,
  listFollowers,
  listFollowing,
  searchUsers,
  unblock,
  unfollow,
} from '#contract/social.ts';
import { feed } from '#domain/feed/feed.queries.ts';
import { blockUser, unblockUser } from '#domain/social/block-user.ts';
import { followUser, unfollowUser } from '#domain/social/follow-user.ts';
import { canSee } from '#domain/social/social.access.ts';
import { blockedPeople, findPeople, followers, followingPage, personByName } from '#domain/social/social.queries.ts';
import { on } from '../mount.ts';
import type { PresenceRoom } from '#rooms/presence/presence-room.ts';
import type { Route } from '../mount.ts';

export function socialRoutes(presence: PresenceRoom): Route[] {
  return [
    on(listFollowing, async (ctx, actor, input) => {
      const { people, next_cursor } = await followingPage(ctx, actor, input);
      const items = people.map(({ user, sight, followed_at }) => ({
        ...user,
        follows_me: sight.followed_back,
        followed_at,
        presence: canSee(sight, 'presence') ? presence.statusOf(user.id) : ('offline' as const),
        listening: canSee(sight, 'listening') ? presence.listeningOf(user.id) : null,
      }));
      return { items, next_cursor };
    }),
    on(listFollowers, followers),
    on(follow, followUser),
    on(unfollow, unfollowUser),
    on(listBlocked, blockedPeople),
    on(block, blockUser),
    on(unblock, unblockUser),
    on(listFeed, feed),
    on(searchUsers, findPeople),
    on(getPerson, personByName),
  ];
}
