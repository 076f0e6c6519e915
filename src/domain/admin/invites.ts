import { usersByIds } from '../accounts/accounts.queries.ts';
import { DomainError, notFound } from '../errors.ts';
import { hashSecret } from '../hash-secret.ts';
import { cutPage, readCursor } from '../page.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { presentInvite } from './admin.present.ts';
import { audit } from './audit.ts';
import type {
  AccountInvite,
  createInvite as createEndpoint,
  listInvites as listEndpoint,
  revokeInvite as revokeEndpoint,
} from '#contract/admin.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';

const SHOWN = ['id', 'role', 'note', 'created_by', 'created_at', 'expires_at', 'used_at', 'used_by'] as const;

/** Invitations, used, open and expired, the newest first. */
export async function listInvites(
  ctx: Ctx,
  { limit, cursor }: Input<typeof listEndpoint>,
): Promise<Reply<typeof listEndpoint>> {
  const after = readCursor<[number, string]>(cursor);
  let query = ctx.db.selectFrom('account_invites').select(SHOWN);
  if (after !== null) {
    const [at, id] = after;
    query = query.where((eb) =>
      eb.or([eb('created_at', '<', at), eb.and([eb('created_at', '=', at), eb('id', '<', id)])]),
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
    rows.flatMap((row) => [row.created_by, row.used_by].filter((id) => id !== null)),
  );
  const now = epochSeconds(ctx.clock);
  return { items: rows.map((row) => presentInvite(row, users, now)), next_cursor };
}

/**
 * [AD7] An invitation by which one person makes an account of the given role. The answer is the only place where its code is
 * shown: a hash of it is kept.
 * @throws DomainError `unprocessable` where accounts are made at an outside provider.
 */
export async function createInvite(
  ctx: Ctx,
  actor: Actor,
  { role, expires_in, note }: Input<typeof createEndpoint>,
  { hasLocalAccounts }: { hasLocalAccounts: boolean },
): Promise<AccountInvite & { code: string }> {
  if (!hasLocalAccounts) {
    throw new DomainError(
      'unprocessable',
      'Accounts of this server are made at its OpenID provider (OIDC_ISSUER): invite people there.',
    );
  }
  const code = ctx.ids.secret();
  const created_at = epochSeconds(ctx.clock);
  const row = {
    id: ctx.ids.id(),
    role,
    // An empty note says nothing.
    note: note || null,
    created_by: actor.user_id,
    created_at,
    expires_at: created_at + expires_in,
    used_at: null,
    used_by: null,
  };
  await inTransaction(ctx, async (tx) => {
    await tx.trx
      .insertInto('account_invites')
      .values({ ...row, code_hash: hashSecret(code) })
      .execute();
    await audit(tx, {
      action: 'invite.created',
      actor_id: actor.user_id,
      details: { invite_id: row.id, role, expires_at: row.expires_at },
    });
  });
  return { ...presentInvite(row, await usersByIds(ctx.db, [actor.user_id]), created_at), code };
}

/**
 * [AD8] Makes an open invitation void, or takes a used or expired one off the list; whoever came by it stays.
 * @throws DomainError `not_found`.
 */
export async function revokeInvite(ctx: Ctx, actor: Actor, { id }: Input<typeof revokeEndpoint>): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    const row = await tx.trx
      .deleteFrom('account_invites')
      .where('id', '=', id)
      .returning(['role', 'used_at', 'used_by'])
      .executeTakeFirst();
    if (row === undefined) throw notFound('invitation');
    await audit(tx, {
      action: 'invite.revoked',
      actor_id: actor.user_id,
      target_id: row.used_by,
      details: { invite_id: id, role: row.role, was_used: row.used_at !== null },
    });
  });
}
