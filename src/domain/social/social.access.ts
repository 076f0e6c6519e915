import { SIGHT } from '../access-matrix.ts';
import type { PrivacyLevel } from '#contract/accounts.ts';
import type { Schema } from '../database.ts';
import type { Kysely } from 'kysely';

export type VisibleKind = 'profile' | 'presence' | 'listening';

/** All that decides what a viewer may see of an owner. */
export interface Sight {
  is_self: boolean;
  privacy_level: PrivacyLevel;
  share_listening_history: number;
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
  const isShared = kind !== 'listening' || relation === 'self' || sight.share_listening_history === 1;
  return isShared && SIGHT[sight.privacy_level][relation] === 'yes';
}

/** What `viewer_id` is to each of `owner_ids`; people who are gone or disabled are left out. */
export async function sightsOf(
  db: Kysely<Schema>,
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
    .select([
      'users.id',
      'user_profiles.privacy_level',
      'user_profiles.share_listening_history',
      'there.created_at as follows',
      'back.created_at as followed_back',
    ])
    .where('users.id', 'in', owner_ids)
    .where('users.is_active', '=', 1)
    .execute();
  for (const row of rows) {
    sights.set(row.id, {
      is_self: row.id === viewer_id,
      privacy_level: row.privacy_level,
      share_listening_history: row.share_listening_history,
      follows: row.follows !== null,
      followed_back: row.followed_back !== null,
    });
  }
  return sights;
}
