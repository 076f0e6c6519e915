import { expressionBuilder } from 'kysely';
import { authorize, verdictOf } from '../authorize.ts';
import { notFound, DomainError } from '../errors.ts';
import { isBlocked } from '../social/social.access.ts';
import type { Operation } from '#contract/endpoint.ts';
import type { MemberRole, PlaylistRole } from '#contract/playlists.ts';
import type { ListOperationName, Verdict } from '../access-matrix.ts';
import type { Schema } from '../database.ts';
import type { Actor } from '../context.ts';
import type { ExpressionBuilder, Kysely } from 'kysely';

type ListOperation = Operation<ListOperationName>;

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
      isBlocked(user_id, 'users.id').as('is_blocked'),
    ])
    .where('user_playlists.id', '=', playlist_id)
    .executeTakeFirst();
  if (row === undefined) return null;
  if (row.owner_id === user_id) return 'owner';
  if (row.role !== null) return row.role;
  if (Boolean(row.is_blocked)) return null;
  // "Public" is the owner's own word about this list, so friends-only profiles have public lists too; private ones do not.
  const isShown = row.share_playlists === 1 && row.privacy_level > 0 && row.is_active === 1;
  return row.is_public === 1 && isShown ? 'public' : null;
}

/**
 * For the WHERE of what reads a list somebody was just told they may see: whether they still may as it is read. `list` is the
 * column of its id.
 */
export function isShownTo(
  user_id: string,
  list: 'user_playlists.id' | 'playlist_tracks.playlist_id' | 'playlist_collaborators.playlist_id',
) {
  return (eb: ExpressionBuilder<Schema, 'user_playlists' | 'playlist_tracks' | 'playlist_collaborators'>) =>
    eb.exists(
      eb
        .selectFrom('user_playlists as seen')
        .innerJoin('user_profiles as owner', 'owner.user_id', 'seen.user_id')
        .innerJoin('users', 'users.id', 'seen.user_id')
        .leftJoin('playlist_collaborators as mine', (join) =>
          join.onRef('mine.playlist_id', '=', 'seen.id').on('mine.user_id', '=', user_id),
        )
        .select('seen.id')
        .whereRef('seen.id', '=', list)
        .where((or) =>
          or.or([
            or('seen.user_id', '=', user_id),
            or('mine.role', 'is not', null),
            or.and([
              or('seen.is_public', '=', 1),
              or('owner.share_playlists', '=', 1),
              or('owner.privacy_level', '>', 0),
              or('users.is_active', '=', 1),
              or.not(isBlocked(user_id, 'users.id')),
            ]),
          ]),
        ),
    );
}

/** For the WHERE of what only members do or see: whether they still are one, as `roles` has it, as it is read or written. */
export function isMemberOf(user_id: string, playlist_id: string, roles: readonly MemberRole[] = ['editor', 'viewer']) {
  const eb = expressionBuilder<Schema, never>();
  return eb.or([
    eb.exists(
      eb
        .selectFrom('user_playlists as own')
        .select('own.id')
        .where('own.id', '=', playlist_id)
        .where('own.user_id', '=', user_id),
    ),
    eb.exists(
      eb
        .selectFrom('playlist_collaborators as mine')
        .select('mine.user_id')
        .where('mine.playlist_id', '=', playlist_id)
        .where('mine.user_id', '=', user_id)
        .where('mine.role', 'in', roles),
    ),
  ]);
}

/** What the table says of somebody who is this to a list; the access table's `stranger` stands for all who are no members. */
export function listVerdict(actor: Actor, operation: ListOperation, role: PlaylistRole | null): Verdict {
  const state = role === 'public' ? 'public' : 'private';
  // Members are the same to a public list as to a private one.
  return verdictOf(operation, actor, { state, relation: role === null || role === 'public' ? 'stranger' : role });
}

/**
 * Asks whether the actor may do this to that list, role and token scope included.
 * @returns what they are to it
 * @throws DomainError forbidden; unprocessable for what an owner cannot do; not_found for those who may not know of the list
 */
export async function requireListRight(
  db: Kysely<Schema>,
  actor: Actor,
  operation: ListOperation,
  playlist_id: string,
): Promise<PlaylistRole> {
  authorize(actor, operation);
  const role = await roleOf(db, actor.user_id, playlist_id);
  const verdict = listVerdict(actor, operation, role);
  if (role === null || verdict === 'hidden') throw notFound('playlist');
  if (verdict === 'yes') return role;
  if (verdict === 'senseless') {
    throw new DomainError('unprocessable', 'You own this playlist: hand it over to one of its members, or delete it.');
  }
  throw new DomainError(
    'forbidden',
    role === 'editor'
      ? 'Only the owner of this playlist may do this.'
      : role === 'public'
        ? 'You may read this playlist, but you do not belong to it.'
        : 'You may read this playlist, but not change it.',
  );
}
