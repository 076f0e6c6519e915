import { hasScope } from '../authorize.ts';
import { notFound, DomainError } from '../errors.ts';
import type { PlaylistRole } from '#contract/playlists.ts';
import type { Schema } from '../database.ts';
import type { Actor } from '../context.ts';
import type { Kysely } from 'kysely';

/** [PL2] What a person is to a list: owner, editor, viewer, `public` (reads a public list), or null: as if it were not there. */
export async function roleOf(db: Kysely<Schema>, user_id: string, playlist_id: string): Promise<PlaylistRole | null> {
  const row = await db
    .selectFrom('user_playlists')
    .innerJoin('user_profiles as owner', 'owner.user_id', 'user_playlists.user_id')
    .innerJoin('users', 'users.id', 'user_playlists.user_id')
    .leftJoin('playlist_collaborators as mine', (join) =>
      join.onRef('mine.playlist_id', '=', 'user_playlists.id').on('mine.user_id', '=', user_id),
    )
    .select([
      'user_playlists.user_id as owner_id',
      'is_public',
      'owner.share_playlists',
      'owner.privacy_level',
      'mine.role',
      'users.is_active',
    ])
    .where('user_playlists.id', '=', playlist_id)
    .executeTakeFirst();
  if (row === undefined) return null;
  if (row.owner_id === user_id) return 'owner';
  if (row.role !== null) return row.role;
  // "Public" is the owner's own word about this list, so friends-only profiles have public lists too; private ones do not.
  const isShown = row.share_playlists === 1 && row.privacy_level > 0 && row.is_active === 1;
  return row.is_public === 1 && isShown ? 'public' : null;
}

/** A guest, or an API token that may only read, changes nothing, whatever a list says of them. */
export function canEdit(actor: Actor, role: PlaylistRole | null): boolean {
  return actor.role !== 'guest' && hasScope(actor, 'write') && (role === 'owner' || role === 'editor');
}

/** @throws DomainError not_found for those who may not know of the list */
export async function requireReader(db: Kysely<Schema>, actor: Actor, playlist_id: string): Promise<PlaylistRole> {
  const role = await roleOf(db, actor.user_id, playlist_id);
  if (role === null) throw notFound('playlist');
  return role;
}

/** @throws DomainError not_found, forbidden */
export async function requireEditor(db: Kysely<Schema>, actor: Actor, playlist_id: string): Promise<PlaylistRole> {
  const role = await requireReader(db, actor, playlist_id);
  if (!canEdit(actor, role)) throw new DomainError('forbidden', 'You may read this playlist, but not change it.');
  return role;
}

/** @throws DomainError not_found, forbidden */
export async function requireOwner(db: Kysely<Schema>, actor: Actor, playlist_id: string): Promise<void> {
  const role = await requireReader(db, actor, playlist_id);
  if (role !== 'owner') throw new DomainError('forbidden', 'Only the owner of this playlist may do this.');
}
