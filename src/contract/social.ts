import { z } from 'zod';
import { Profile, User } from './accounts.ts';
import { defineEndpoint } from './endpoint.ts';
import { defineRequest } from './event.ts';
import { ListeningUpdate } from './listens.ts';
import { PresenceStatus } from './presence.ts';
import { Id, Nothing, PageQuery, page } from './primitives.ts';

const UserParams = z.strictObject({ user_id: Id });

/** A person I follow, with what they let me see right now. */
export const Followee = User.extend({
  follows_me: z.boolean(),
  followed_at: z.int(),
  presence: PresenceStatus,
  listening: ListeningUpdate.nullable(),
});
export type Followee = z.infer<typeof Followee>;
export const Follower = User.extend({ i_follow: z.boolean(), followed_at: z.int() });
export type Follower = z.infer<typeof Follower>;

/** A person as the caller may see them; profile fields are null where they may not. */
export const Person = User.extend({
  is_me: z.boolean(),
  i_follow: z.boolean(),
  follows_me: z.boolean(),
  profile: Profile.pick({ bio: true, location: true, website: true }).nullable(),
});
export type Person = z.infer<typeof Person>;

export const listFollowing = defineEndpoint({
  name: 'social.following',
  method: 'GET',
  path: '/social/following',
  access: 'guest',
  summary: 'People I follow, with presence and live listening as their privacy allows',
  query: PageQuery,
  reply: page(Followee),
});
export const listFollowers = defineEndpoint({
  name: 'social.followers',
  method: 'GET',
  path: '/social/followers',
  access: 'guest',
  summary: 'People who follow me',
  query: PageQuery,
  reply: page(Follower),
});
export const follow = defineEndpoint({
  name: 'social.follow',
  method: 'POST',
  path: '/social/follow/{user_id}',
  access: 'user',
  summary: 'Follow a person; following twice is following once',
  params: UserParams,
  status: 204,
  reply: Nothing,
  isRepeatable: () => true,
});
export const unfollow = defineEndpoint({
  name: 'social.unfollow',
  method: 'DELETE',
  path: '/social/follow/{user_id}',
  access: 'user',
  summary: 'Stop following a person',
  params: UserParams,
  status: 204,
  reply: Nothing,
  isRepeatable: () => true,
});
export const Blocked = User.extend({ blocked_at: z.int() });
export type Blocked = z.infer<typeof Blocked>;
export const listBlocked = defineEndpoint({
  name: 'social.blocked',
  method: 'GET',
  path: '/social/block',
  access: 'guest',
  summary: 'People I have blocked, newest first; nobody else learns of it',
  query: PageQuery,
  reply: page(Blocked),
});
export const block = defineEndpoint({
  name: 'social.block',
  method: 'POST',
  path: '/social/block/{user_id}',
  access: 'user',
  summary: 'Block a person: each is to the other as if not there; follows between the two end',
  params: UserParams,
  status: 204,
  reply: Nothing,
});
export const unblock = defineEndpoint({
  name: 'social.unblock',
  method: 'DELETE',
  path: '/social/block/{user_id}',
  access: 'user',
  summary: 'Take a block back',
  params: UserParams,
  status: 204,
  reply: Nothing,
});
export const searchUsers = defineEndpoint({
  name: 'users.search',
  method: 'GET',
  path: '/users/search',
  access: 'user',
  summary: 'People by the beginning of their name, 3 characters or more; private people by exact username only',
  query: z.strictObject({
    q: z.string().trim().min(1).max(100),
    limit: z.coerce.number().int().min(1).max(50).default(20),
  }),
  reply: z.object({ items: z.array(Person), next_cursor: z.null() }),
});
export const getPerson = defineEndpoint({
  name: 'users.get',
  method: 'GET',
  path: '/users/{username}',
  access: 'user',
  summary: 'One person, as far as I may see them',
  params: z.strictObject({ username: z.string().min(1).max(100) }),
  reply: Person,
});

export const userWatch = defineRequest({
  name: 'user:watch',
  access: 'guest',
  scope: 'read',
  payload: z.strictObject({ user_id: Id }),
  reply: z.object({ listening: ListeningUpdate.nullable(), presence: PresenceStatus }),
});
export const userUnwatch = defineRequest({
  name: 'user:unwatch',
  access: 'guest',
  scope: 'read',
  payload: z.strictObject({ user_id: Id }),
  reply: z.object({}),
});
