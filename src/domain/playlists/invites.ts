import {
  acceptInvite as acceptEndpoint,
  createPlaylistInvite as createEndpoint,
  listPlaylistInvites as listEndpoint,
  revokePlaylistInvite as revokeEndpoint,
} from '#contract/playlists.ts';
import { usersByIds } from '../accounts/accounts.queries.ts';
import { authorize } from '../authorize.ts';
import { DomainError, notFound } from '../errors.ts';
import { hashSecret } from '../hash-secret.ts';
import { cutPage, readCursor } from '../page.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { requireListRight, roleOf } from './playlists.access.ts';
import { showPlaylist } from './playlists.queries.ts';
import type { getInvite, MemberRole, PlaylistRole } from '#contract/playlists.ts';
import type { User } from '#contract/accounts.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx, TxCtx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { PlaylistInvitesTable } from './playlists.table.ts';
import type { Kysely, Selectable } from 'kysely';

/** Open invitations of one list: more than anybody hands out. */
const MAX_OPEN = 100;

const spent = () =>
  new DomainError('not_found', 'This invitation has already been used, was withdrawn, or is too old.');

type Shown = Pick<
  Selectable<PlaylistInvitesTable>,
  'id' | 'role' | 'created_at' | 'expires_at' | 'accepted_at' | 'accepted_by'
>;

function presentInvite(row: Shown, users: ReadonlyMap<string, User>): Reply<typeof listEndpoint>['items'][number] {
  const { id, role, created_at, expires_at, accepted_at, accepted_by } = row;
  return {
    id,
    role,
    created_at,
    expires_at,
    accepted_at,
    accepted_by: accepted_by === null ? null : (users.get(accepted_by) ?? null),
  };
}

/** The list with this id while the actor owns it, for the WHERE of what they do to its invitations. */
function mine(actor: Actor, playlist_id: string) {
  return (eb: Kysely<Schema>) =>
    eb
      .selectFrom('user_playlists')
      .select('id')
      .where('id', '=', playlist_id)
      .where('user_playlists.user_id', '=', actor.user_id);
}

/**
 * [PL20] A link by which one person joins the list. The answer is the only place where its code is shown: a hash of it is kept.
 * `expires_in` is in seconds.
 * @throws DomainError not_found, forbidden, conflict (too many that nobody has used)
 */
export async function createInvite(
  ctx: Ctx,
  actor: Actor,
  { id: playlist_id, role, expires_in }: Input<typeof createEndpoint>,
  publicUrl: string,
): Promise<Reply<typeof createEndpoint>> {
  await requireListRight(ctx.db, actor, createEndpoint, playlist_id);
  const code = ctx.ids.secret();
  const created_at = epochSeconds(ctx.clock);
  const row = {
    id: ctx.ids.id(),
    playlist_id,
    role,
    created_at,
    expires_at: created_at + expires_in,
    accepted_at: null,
    accepted_by: null,
  };
  await inTransaction(ctx, async ({ trx }) => {
    // Kept to this transaction: of two at once, the second counts the first.
    const list = await trx
      .updateTable('user_playlists')
      .set((eb) => ({ version: eb.ref('version') }))
      .where('id', 'in', mine(actor, playlist_id)(trx))
      .returning('id')
      .executeTakeFirst();
    if (list === undefined) throw notFound('playlist');
    const { open } = await trx
      .selectFrom('playlist_invites')
      .select((eb) => eb.fn.countAll<number>().as('open'))
      .where('playlist_id', '=', playlist_id)
      .where('accepted_at', 'is', null)
      .where('expires_at', '>', created_at)
      .executeTakeFirstOrThrow();
    if (Number(open) >= MAX_OPEN) {
      throw new DomainError('conflict', `This playlist has ${MAX_OPEN} open invitations. Withdraw some of them first.`);
    }
    await trx
      .insertInto('playlist_invites')
      .values({ ...row, code_hash: hashSecret(code) })
      .execute();
  });
  return { ...presentInvite(row, new Map()), code, url: `${publicUrl}/join/${code}` };
}

/** Invitations to a list, used, open and expired, the newest first. @throws DomainError not_found, forbidden */
export async function listInvites(
  ctx: Ctx,
  actor: Actor,
  { id, limit, cursor }: Input<typeof listEndpoint>,
): Promise<Reply<typeof listEndpoint>> {
  await requireListRight(ctx.db, actor, listEndpoint, id);
  const after = readCursor<[number, string]>(cursor);
  let query = ctx.db
    .selectFrom('playlist_invites')
    .select(['id', 'role', 'created_at', 'expires_at', 'accepted_at', 'accepted_by'])
    .where('playlist_id', 'in', mine(actor, id)(ctx.db));
  if (after !== null) {
    const [at, invite_id] = after;
    query = query.where((eb) =>
      eb.or([eb('created_at', '<', at), eb.and([eb('created_at', '=', at), eb('id', '<', invite_id)])]),
    );
  }
  const found = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const { rows, next_cursor } = cutPage(found, limit, (row) => [row.created_at, row.id]);
  const users = await usersByIds(
    ctx.db,
    rows.flatMap((row) => row.accepted_by ?? []),
  );
  return { items: rows.map((row) => presentInvite(row, users)), next_cursor };
}

/** [PL20] Makes an invitation void; whoever came by it stays. @throws DomainError not_found, forbidden */
export async function revokeInvite(
  ctx: Ctx,
  actor: Actor,
  { id, invite_id }: Input<typeof revokeEndpoint>,
): Promise<void> {
  await requireListRight(ctx.db, actor, revokeEndpoint, id);
  await inTransaction(ctx, async ({ trx }) => {
    const row = await trx
      .deleteFrom('playlist_invites')
      .where('id', '=', invite_id)
      .where('playlist_id', 'in', mine(actor, id)(trx))
      .returning('id')
      .executeTakeFirst();
    if (row === undefined) throw notFound('invitation');
  });
}

/** An invitation that works: not used, not run out, its list there and that list's owner let in. */
function openInvites(db: Kysely<Schema>, code: string, now: number) {
  return db
    .selectFrom('playlist_invites')
    .innerJoin('user_playlists', 'user_playlists.id', 'playlist_invites.playlist_id')
    .innerJoin('users', 'users.id', 'user_playlists.user_id')
    .where('playlist_invites.code_hash', '=', hashSecret(code))
    .where('playlist_invites.accepted_at', 'is', null)
    .where('playlist_invites.expires_at', '>', now)
    .where('users.is_active', '=', 1);
}

/** Guests change nothing, so that they become viewers only. */
function offeredTo(actor: Actor, role: MemberRole): MemberRole {
  return actor.role === 'guest' ? 'viewer' : role;
}

/** What an invitation offers the actor. @throws DomainError not_found, the same for wrong, spent and expired ones */
export async function showInvite(
  ctx: Ctx,
  actor: Actor,
  { code }: Input<typeof getInvite>,
): Promise<Reply<typeof getInvite>> {
  const row = await openInvites(ctx.db, code, epochSeconds(ctx.clock))
    .select([
      'user_playlists.id as playlist_id',
      'user_playlists.name',
      'user_playlists.user_id as owner_id',
      'playlist_invites.role',
      'playlist_invites.expires_at',
    ])
    .executeTakeFirst();
  const owner = row === undefined ? undefined : (await usersByIds(ctx.db, [row.owner_id])).get(row.owner_id);
  if (row === undefined || owner === undefined) throw spent();
  return {
    playlist_id: row.playlist_id,
    name: row.name,
    owner,
    role: offeredTo(actor, row.role),
    expires_at: row.expires_at,
    my_role: await roleOf(ctx.db, actor.user_id, row.playlist_id),
  };
}

/** Whether being `offered` is nothing new to somebody who is `held` to the list. */
function bringsNothing(held: PlaylistRole | null, offered: MemberRole): boolean {
  return held === 'owner' || held === 'editor' || held === offered;
}

/**
 * [PL21] Makes the actor a member and uses the invitation up in the same transaction; one that would bring a member nothing stays
 * open for somebody else.
 * @throws DomainError not_found, the same for wrong, spent and expired ones
 */
export async function acceptInvite(
  ctx: Ctx,
  actor: Actor,
  { code }: Input<typeof acceptEndpoint>,
): Promise<Reply<typeof acceptEndpoint>> {
  authorize(actor, acceptEndpoint);
  const { playlist_id, role } = await inTransaction(ctx, async (tx) => {
    const offered = await openInvites(tx.trx, code, epochSeconds(tx.clock))
      .select([
        'playlist_invites.id',
        'playlist_invites.role',
        'user_playlists.id as playlist_id',
        'user_playlists.user_id as owner_id',
      ])
      .executeTakeFirst();
    if (offered === undefined) throw spent();
    return join(tx, actor, offered);
  });
  return showPlaylist(ctx, actor, playlist_id, role);
}

async function join(
  tx: TxCtx,
  actor: Actor,
  offered: { id: string; role: MemberRole; playlist_id: string; owner_id: string },
): Promise<{ playlist_id: string; role: PlaylistRole }> {
  const { playlist_id, owner_id } = offered;
  const { user_id } = actor;
  const role = offeredTo(actor, offered.role);
  const now = epochSeconds(tx.clock);
  const before = await tx.trx
    .selectFrom('playlist_collaborators')
    .select('role')
    .where('playlist_id', '=', playlist_id)
    .where('user_id', '=', user_id)
    .executeTakeFirst();
  const held = owner_id === user_id ? 'owner' : (before?.role ?? null);
  if (held !== null && bringsNothing(held, role)) return { playlist_id, role: held };
  const taken = await tx.trx
    .updateTable('playlist_invites')
    .set({ accepted_at: now, accepted_by: user_id })
    .where('id', '=', offered.id)
    // Again on the row itself: of two at once, the second waits for the first and then sees it used.
    .where('accepted_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  if (taken === undefined) throw spent();
  await tx.trx
    .insertInto('playlist_collaborators')
    .values({ playlist_id, user_id, role, added_at: now, added_by_user_id: owner_id })
    .onConflict((conflict) => conflict.columns(['playlist_id', 'user_id']).doUpdateSet({ role }))
    .execute();
  tx.publish({ name: 'playlist.member_changed', payload: { playlist_id, user_id, role } });
  return { playlist_id, role };
}
