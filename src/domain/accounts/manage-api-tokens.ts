import { audit } from '../admin/audit.ts';
import { notFound } from '../errors.ts';
import { cutPage, readCursor } from '../page.ts';
import { inTransaction } from '../unit-of-work.ts';
import type { Input } from '#contract/endpoint.ts';
import type { listTokens, revokeToken as revokeEndpoint } from '#contract/security.ts';
import type { Actor, Ctx } from '../context.ts';
import type { ApiTokensTable } from './accounts.table.ts';

export type ShownApiToken = Omit<ApiTokensTable, 'token_hash' | 'user_id'>;

/** The caller's API tokens, the newest first; their hashes stay where they are. */
export async function apiTokensOf(
  ctx: Ctx,
  actor: Actor,
  { limit, cursor }: Input<typeof listTokens>,
): Promise<{ items: ShownApiToken[]; next_cursor: string | null }> {
  const after = readCursor<[number, string]>(cursor);
  let query = ctx.db
    .selectFrom('api_tokens')
    .select(['id', 'name', 'scopes', 'created_at', 'last_used_at', 'expires_at'])
    .where('user_id', '=', actor.user_id);
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
  return { items: rows, next_cursor };
}

/** Revokes one of the caller's API tokens; its sockets are closed before this returns. @throws DomainError not_found */
export async function revokeApiToken(ctx: Ctx, actor: Actor, { id }: Input<typeof revokeEndpoint>): Promise<void> {
  if ((await revoke(ctx, actor, id)) === 0) throw notFound('API token');
}

/** Revokes all of the caller's API tokens. */
export async function revokeAllApiTokens(ctx: Ctx, actor: Actor): Promise<void> {
  await revoke(ctx, actor, null);
}

async function revoke(ctx: Ctx, { user_id }: Actor, id: string | null): Promise<number> {
  return inTransaction(ctx, async (tx) => {
    const query = tx.trx.deleteFrom('api_tokens').where('user_id', '=', user_id).returning('id');
    const revoked = await (id === null ? query : query.where('id', '=', id)).execute();
    for (const { id: token_id } of revoked) {
      await audit(tx, {
        action: 'api_token.revoked',
        actor_id: user_id,
        target_id: user_id,
        details: { token_id },
      });
      tx.publish({
        name: 'access.ended',
        payload: { user_id, which: { kind: 'api_token', token_id }, reason: 'revoked' },
      });
    }
    return revoked.length;
  });
}
