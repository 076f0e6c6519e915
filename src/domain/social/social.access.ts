import { expressionBuilder } from 'kysely';
import { SIGHT } from '../access-matrix.ts';
import { showsPresence } from '../accounts/preferences.ts';
import type { PrivacyLevel } from '#contract/accounts.ts';
import type { Ctx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { Kysely } from 'kysely';

/** `listening` is what somebody hears right now, `history` what they have heard: in the feed, in statistics. */
export type VisibleKind = 'profile' | 'presence' | 'listening' | 'history';

/** All that decides what a viewer may see of an owner. There is none of those who have blocked, or are blocked. */
export interface Sight {
  is_self: boolean;
  privacy_level: PrivacyLevel;
  share_listening_history: number;
  /** The owner lets others see that they are here. */
  shows_presence: boolean;
  /** The owner is in a private session. */
  is_private: boolean;
  /** Viewer follows owner. */
  follows: boolean;
  /** Owner follows viewer. */
  followed_back: boolean;
}

/** What the viewer is to the owner, in the words of the access table. */
function relationOf({ is_self, follows, followed_back }: Sight): 'self' | 'friend' | 'follower' | 'stranger' {
  if (is_self) return 'self';
  if (!follows) return 'stranger';
  return followed_back ? 'friend' : 'follower';
}

/** [SO2] The one rule for who may see whom (contract §6). */
export function canSee(sight: Sight, kind: VisibleKind): boolean {
  const relation = relationOf(sight);
  return (relation === 'self' || isShared(sight, kind)) && SIGHT[sight.privacy_level][relation] === 'yes';
}

/** Whether the owner shares this with others at all. */
function isShared(sight: Sight, kind: VisibleKind): boolean {
  switch (kind) {
    case 'profile':
      return true;
    case 'presence':
      return sight.shows_presence;
    case 'listening':
      return sight.share_listening_history === 1 && !sight.is_private;
    case 'history':
      return sight.share_listening_history === 1;
  }
}

/** [SO10-1] For the WHERE of what names people: whether either of the two has blocked the other; `other` is the column of an id. */
export function isBlocked(viewer_id: string, other: 'users.id' | 'user_playlists.user_id') {
  const eb = expressionBuilder<Schema, 'users' | 'user_playlists'>();
  return eb.exists(
    eb
      .selectFrom('user_blocks')
      .select('user_blocks.created_at')
      .where((or) =>
        or.or([
          or.and([or('blocker_id', '=', viewer_id), or('blocked_id', '=', or.ref(other))]),
          or.and([or('blocked_id', '=', viewer_id), or('blocker_id', '=', or.ref(other))]),
        ]),
      ),
  );
}

/** Whether one of the two has blocked the other. */
export async function areBlocked(db: Kysely<Schema>, one_id: string, other_id: string): Promise<boolean> {
  const row = await db
    .selectFrom('users')
    .select('id')
    .where('id', '=', other_id)
    .where(isBlocked(one_id, 'users.id'))
    .executeTakeFirst();
  return row !== undefined;
}

/** What `viewer_id` is to each of `owner_ids`; people who are gone, disabled, or blocked either way are left out. */
export async function sightsOf(
  { db, clock }: Pick<Ctx, 'db' | 'clock'>,
  viewer_id: string,
  owner_ids: readonly string[],
): Promise<Map<string, Sight>> {
  const sights = new Map<string, Sight>();
  if (owner_ids.length === 0) return sights;
  const rows = await db
    .selectFrom('users')
    .innerJoin('user_profiles', 'user_profiles.user_id', 'users.id')
    .leftJoin('user_follows as there', (join) =>
      join.onRef('there.following_id', '=', 'users.id').on('there.follower_id', '=', viewer_id),
    )
    .leftJoin('user_follows as back', (join) =>
      join.onRef('back.follower_id', '=', 'users.id').on('back.following_id', '=', viewer_id),
    )
    .select((eb) => [
      'users.id',
      'users.preferences_json',
      'user_profiles.privacy_level',
      'user_profiles.share_listening_history',
      'there.created_at as follows',
      'back.created_at as followed_back',
      eb
        .selectFrom('private_sessions')
        .select((max) => max.fn.max('private_sessions.ends_at_ms').as('ends_at_ms'))
        .whereRef('private_sessions.user_id', '=', 'users.id')
        .where('private_sessions.ends_at_ms', '>', clock.nowMs())
        .as('private_until_ms'),
    ])
    .where('users.id', 'in', owner_ids)
    .where('users.is_active', '=', 1)
    .where((eb) => eb.not(isBlocked(viewer_id, 'users.id')))
    .execute();
  for (const row of rows) {
    sights.set(row.id, {
      is_self: row.id === viewer_id,
      privacy_level: row.privacy_level,
      share_listening_history: row.share_listening_history,
      shows_presence: showsPresence(row.preferences_json),
      is_private: row.private_until_ms !== null,
      follows: row.follows !== null,
      followed_back: row.followed_back !== null,
    });
  }
  return sights;
}
