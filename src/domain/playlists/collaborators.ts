import {
  leavePlaylist as leaveEndpoint,
  removeCollaborator as removeEndpoint,
  setCollaborator as setEndpoint,
  transferPlaylist as transferEndpoint,
} from '#contract/playlists.ts';
import { usersByIds } from '../accounts/accounts.queries.ts';
import { DomainError, notFound } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { areBlocked, isBlocked } from '../social/social.access.ts';
import { requireListRight } from './playlists.access.ts';
import { showPlaylist } from './playlists.queries.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { MemberRole } from '#contract/playlists.ts';
import type { Actor, Ctx } from '../context.ts';

/**
 * Adds a person to a list, or changes their role; it counts from their next edit.
 * @throws DomainError not_found, forbidden, unprocessable (the owner)
 */
export async function setCollaborator(
  ctx: Ctx,
  actor: Actor,
  { id, user_id, role }: Input<typeof setEndpoint>,
): Promise<Reply<typeof setEndpoint>> {
  await requireListRight(ctx.db, actor, setEndpoint, id);
  if (user_id === actor.user_id) throw new DomainError('unprocessable', 'You own this playlist already.');
  const person = (await usersByIds(ctx.db, [user_id])).get(user_id);
  if (person === undefined || (await areBlocked(ctx.db, actor.user_id, user_id))) throw notFound('person');
  const added_at = await inTransaction(ctx, async (tx) => {
    const now = epochSeconds(tx.clock);
    const row = await tx.trx
      .insertInto('playlist_collaborators')
      .columns(['playlist_id', 'user_id', 'role', 'added_at', 'added_by_user_id'])
      // Only of a list that is the actor's as this is written.
      .expression((eb) =>
        eb
          .selectFrom('user_playlists')
          .select(({ ref, val, cast }) => [
            ref('user_playlists.id').as('playlist_id'),
            cast<string>(val(user_id), 'text').as('user_id'),
            cast<MemberRole>(val(role), 'text').as('role'),
            cast<number>(val(now), 'bigint').as('added_at'),
            ref('user_playlists.user_id').as('added_by_user_id'),
          ])
          .where('user_playlists.id', '=', id)
          .where('user_playlists.user_id', '=', actor.user_id)
          .where((not) => not.not(isBlocked(user_id, 'user_playlists.user_id'))),
      )
      .onConflict((conflict) => conflict.columns(['playlist_id', 'user_id']).doUpdateSet({ role }))
      .returning('added_at')
      .executeTakeFirst();
    if (row === undefined) throw notFound('playlist');
    tx.publish({ name: 'playlist.member_changed', payload: { playlist_id: id, user_id, role } });
    return row.added_at;
  });
  return { ...person, role, added_at };
}

/** Takes a person off a list; what they added stays, their open copies close. @throws DomainError not_found, forbidden */
export async function removeCollaborator(
  ctx: Ctx,
  actor: Actor,
  { id, user_id }: Input<typeof removeEndpoint>,
): Promise<void> {
  await requireListRight(ctx.db, actor, removeEndpoint, id);
  await inTransaction(ctx, async (tx) => {
    const row = await tx.trx
      .deleteFrom('playlist_collaborators')
      .where('playlist_id', '=', id)
      .where('user_id', '=', user_id)
      .where((eb) =>
        eb.exists(
          eb.selectFrom('user_playlists').select('id').where('id', '=', id).where('user_id', '=', actor.user_id),
        ),
      )
      .returning('user_id')
      .executeTakeFirst();
    if (row === undefined) throw notFound('collaborator');
    tx.publish({ name: 'playlist.member_changed', payload: { playlist_id: id, user_id, role: null } });
  });
}

/** [PL23] Takes the actor off a list; what they added stays, their open copies close. @throws DomainError not_found, forbidden, unprocessable (the owner) */
export async function leavePlaylist(ctx: Ctx, actor: Actor, { id }: Input<typeof leaveEndpoint>): Promise<void> {
  await requireListRight(ctx.db, actor, leaveEndpoint, id);
  await inTransaction(ctx, async (tx) => {
    const row = await tx.trx
      .deleteFrom('playlist_collaborators')
      .where('playlist_id', '=', id)
      .where('user_id', '=', actor.user_id)
      .returning('user_id')
      .executeTakeFirst();
    if (row === undefined) throw notFound('playlist');
    tx.publish({ name: 'playlist.member_changed', payload: { playlist_id: id, user_id: actor.user_id, role: null } });
  });
}

/**
 * [PL24] Makes one of the members the owner, and the owner an editor. Open invitations end: they were the old owner's word.
 * @throws DomainError not_found, forbidden, unprocessable (nobody who could own it)
 */
export async function transferPlaylist(
  ctx: Ctx,
  actor: Actor,
  { id, user_id }: Input<typeof transferEndpoint>,
): Promise<Reply<typeof transferEndpoint>> {
  await requireListRight(ctx.db, actor, transferEndpoint, id);
  if (user_id === actor.user_id) throw new DomainError('unprocessable', 'You own this playlist already.');
  await inTransaction(ctx, async (tx) => {
    const now = epochSeconds(tx.clock);
    const list = await tx.trx
      .updateTable('user_playlists')
      .set({ updated_at: now })
      .where('id', '=', id)
      .where('user_id', '=', actor.user_id)
      .returning('id')
      .executeTakeFirst();
    if (list === undefined) throw notFound('playlist');
    const member = await tx.trx
      .deleteFrom('playlist_collaborators')
      .where('playlist_id', '=', id)
      .where('user_id', '=', user_id)
      // Guests change nothing, and who is locked out could not hand it on.
      .where('user_id', 'in', (eb) =>
        eb.selectFrom('users').select('id').where('role', '<>', 'guest').where('is_active', '=', 1),
      )
      .returning('user_id')
      .executeTakeFirst();
    if (member === undefined) {
      throw new DomainError('unprocessable', 'A playlist is handed over to one of its members, who must be no guest.', {
        errors: [{ path: 'user_id', message: 'is no member who could own it' }],
      });
    }
    await tx.trx.updateTable('user_playlists').set({ user_id }).where('id', '=', id).execute();
    await tx.trx
      .insertInto('playlist_collaborators')
      .values({ playlist_id: id, user_id: actor.user_id, role: 'editor', added_at: now, added_by_user_id: user_id })
      .execute();
    await tx.trx
      .deleteFrom('playlist_invites')
      .where('playlist_id', '=', id)
      .where('accepted_at', 'is', null)
      .execute();
    tx.publish({ name: 'playlist.owner_changed', payload: { playlist_id: id, from: actor.user_id, to: user_id } });
  });
  return showPlaylist(ctx, actor, id, 'editor');
}
