import { audit } from '../admin/audit.ts';
import { notFound } from '../errors.ts';
import { cutPage, readCursor } from '../page.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { deleteProviderSession, revokeAccessTokens } from './accounts.repository.ts';
import type { Input } from '#contract/endpoint.ts';
import type {
  endAllSessions as endAllEndpoint,
  endOneSession as endOneEndpoint,
  listSessions,
  nameSession as nameEndpoint,
} from '#contract/security.ts';
import type { Actor, Ctx } from '../context.ts';

const SHOWN = ['id', 'device', 'device_name', 'created_at', 'last_used_at', 'expires_at'] as const;

/** A session as its person may see it; the secret's hash and the provider's tokens are not among it. */
export interface OwnSession {
  id: string;
  device: string;
  device_name: string | null;
  created_at: number;
  last_used_at: number;
  expires_at: number;
}

/** Where the caller is signed in, the latest used first. */
export async function sessionsOf(
  ctx: Ctx,
  actor: Actor,
  { limit, cursor }: Input<typeof listSessions>,
): Promise<{ items: OwnSession[]; next_cursor: string | null }> {
  const after = readCursor<[number, string]>(cursor);
  let query = ctx.db
    .selectFrom('user_sessions')
    .select(SHOWN)
    .where('user_id', '=', actor.user_id)
    .where('expires_at', '>', epochSeconds(ctx.clock));
  if (after !== null) {
    const [at, id] = after;
    query = query.where((eb) =>
      eb.or([eb('last_used_at', '<', at), eb.and([eb('last_used_at', '=', at), eb('id', '<', id)])]),
    );
  }
  const found = await query
    .orderBy('last_used_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const { rows, next_cursor } = cutPage(found, limit, (row) => [row.last_used_at, row.id]);
  return { items: rows, next_cursor };
}

/** Gives the device of one of the caller's sessions a name. @throws DomainError not_found */
export async function nameSession(
  ctx: Ctx,
  actor: Actor,
  { id, device_name }: Input<typeof nameEndpoint>,
): Promise<OwnSession> {
  const row = await inTransaction(ctx, ({ trx }) =>
    trx
      .updateTable('user_sessions')
      .set({ device_name })
      .where('id', '=', id)
      .where('user_id', '=', actor.user_id)
      .returning(SHOWN)
      .executeTakeFirst(),
  );
  if (row === undefined) throw notFound('session');
  return row;
}

/** Signs one of the caller's devices out; its sockets are closed before this returns. @throws DomainError not_found */
export async function endOneSession(ctx: Ctx, actor: Actor, { id }: Input<typeof endOneEndpoint>): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    const ended = await tx.trx
      .deleteFrom('user_sessions')
      .where('id', '=', id)
      .where('user_id', '=', actor.user_id)
      .returning('provider_sid')
      .executeTakeFirst();
    if (ended === undefined) throw notFound('session');
    if (ended.provider_sid !== null) await deleteProviderSession(tx.trx, ended.provider_sid);
    await audit(tx, { action: 'session.ended', actor_id: actor.user_id, target_id: actor.user_id });
    tx.publish({
      name: 'access.ended',
      payload: { user_id: actor.user_id, which: { kind: 'session', session_id: id }, reason: 'signed_out' },
    });
  });
}

/**
 * Signs the caller out everywhere, or everywhere else: sessions and access tokens end, API tokens stay. All their sockets
 * are closed before this returns.
 */
export async function endAllSessions(
  ctx: Ctx,
  actor: Actor,
  { keep_current }: Input<typeof endAllEndpoint>,
): Promise<void> {
  const { credential } = actor;
  const except_session_id = keep_current && credential.kind === 'session' ? credential.session_id : null;
  await inTransaction(ctx, async (tx) => {
    let query = tx.trx.deleteFrom('user_sessions').where('user_id', '=', actor.user_id).returning('provider_sid');
    if (except_session_id !== null) query = query.where('id', '!=', except_session_id);
    const ended = await query.execute();
    for (const { provider_sid } of ended) {
      if (provider_sid !== null) await deleteProviderSession(tx.trx, provider_sid);
    }
    await revokeAccessTokens(tx.trx, { kind: 'user', value: actor.user_id, now: epochSeconds(tx.clock) });
    await audit(tx, {
      action: 'sessions.ended',
      actor_id: actor.user_id,
      target_id: actor.user_id,
      details: { count: ended.length },
    });
    tx.publish({
      name: 'access.ended',
      payload: { user_id: actor.user_id, which: { kind: 'sign_ins', except_session_id }, reason: 'signed_out' },
    });
  });
}
