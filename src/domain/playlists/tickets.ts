import { z } from 'zod';
import { Role } from '#contract/accounts.ts';
import { createTicket as endpoint } from '#contract/playlists.ts';
import { Scope } from '#contract/security.ts';
import { DomainError } from '../errors.ts';
import { hashSecret } from '../hash-secret.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { requireListRight } from './playlists.access.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';

const TICKET_SECONDS = 30;

const Asker = z.object({
  username: z.string(),
  role: Role,
  provider_role: Role.nullable(),
  credential: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('session'), session_id: z.string(), auth_time: z.number() }),
    z.object({
      kind: z.literal('token'),
      sid: z.string().nullable(),
      issued_at: z.number(),
      expires_at: z.number(),
      auth_time: z.number().nullable(),
    }),
    z.object({
      kind: z.literal('api_token'),
      token_id: z.string(),
      scopes: z.array(Scope),
      expires_at: z.number().nullable(),
    }),
  ]),
});

/** A single-use key to one list for one connection; its socket lives as long as the credential it was asked with. */
export async function createTicket(
  ctx: Ctx,
  actor: Actor,
  { id }: Input<typeof endpoint>,
): Promise<Reply<typeof endpoint>> {
  await requireListRight(ctx.db, actor, endpoint, id);
  const ticket = ctx.ids.secret();
  const now = epochSeconds(ctx.clock);
  const expires_at = now + TICKET_SECONDS;
  await inTransaction(ctx, async (tx) => {
    await tx.trx.deleteFrom('playlist_tickets').where('expires_at', '<', now).execute();
    await tx.trx
      .insertInto('playlist_tickets')
      .values({
        hash: hashSecret(ticket),
        playlist_id: id,
        user_id: actor.user_id,
        asker_json: JSON.stringify(Asker.parse(actor)),
        expires_at,
      })
      .execute();
  });
  return { ticket, expires_at };
}

/**
 * Takes a ticket for a list and answers who asked for it; it is gone afterwards, whatever comes of it.
 * @throws DomainError unauthenticated
 */
export async function redeemTicket(ctx: Ctx, playlist_id: string, ticket: string): Promise<Actor> {
  const row = await inTransaction(ctx, (tx) =>
    tx.trx
      .deleteFrom('playlist_tickets')
      .where('hash', '=', hashSecret(ticket))
      .returning(['playlist_id', 'user_id', 'asker_json', 'expires_at'])
      .executeTakeFirst(),
  );
  if (row === undefined || row.playlist_id !== playlist_id || row.expires_at < epochSeconds(ctx.clock)) {
    throw new DomainError(
      'unauthenticated',
      'That ticket is used, too old, or for another playlist. Ask for a new one.',
    );
  }
  return { user_id: row.user_id, ...Asker.parse(JSON.parse(row.asker_json)) };
}
