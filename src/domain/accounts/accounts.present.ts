import type { Me, Profile, Role, User } from '#contract/accounts.ts';
import type { UserProfilesTable, UsersTable } from './accounts.table.ts';

type Named = Pick<UsersTable, 'id' | 'username' | 'display_name'> & Pick<UserProfilesTable, 'avatar_url'>;

/** How a person is named where others see them. */
export function presentUser(row: Named): User {
  return {
    id: row.id,
    username: row.username,
    display_name: row.display_name ?? row.username,
    avatar_url: row.avatar_url,
  };
}

/** Who I am; `role` is the one that counts for this call, which a provider may have given. */
export function presentMe(row: Named & Pick<UsersTable, 'email'>, role: Role): Me {
  return { ...presentUser(row), email: row.email, roles: [role] };
}

/** My own profile. */
export function presentProfile(row: Named & UserProfilesTable): Profile {
  return {
    display_name: row.display_name ?? row.username,
    bio: row.bio,
    avatar_url: row.avatar_url,
    location: row.location,
    website: row.website,
    privacy_level: row.privacy_level,
    share_listening_history: row.share_listening_history === 1,
    share_playlists: row.share_playlists === 1,
  };
}
