import { audit } from '../admin/audit.ts';
import { DomainError } from '../errors.ts';
import { hashSecret } from '../hash-secret.ts';
import { epochSeconds } from '../ports.ts';
import { createLocalAccount } from './create-local-account.ts';
import type { Role } from '#contract/accounts.ts';
import type { Schema } from '../database.ts';
import type { Ctx } from '../context.ts';
import type { Kysely } from 'kysely';

const spent = () =>
  new DomainError('not_found', 'This invitation has already been used, was withdrawn, or is too old.');

/** An invitation that works: not used, not run out, and its maker, if known, still an administrator. */
function openInvites(db: Kysely<Schema>, code: string, now: number) {
  return db
    .selectFrom('account_invites')
    .leftJoin('users', 'users.id', 'account_invites.created_by')
    .where('account_invites.code_hash', '=', hashSecret(code))
    .where('account_invites.used_at', 'is', null)
    .where('account_invites.expires_at', '>', now)
    .where((eb) =>
      eb.or([
        eb('account_invites.created_by', 'is', null),
        eb.and([eb('users.role', '=', 'admin'), eb('users.is_active', '=', 1)]),
      ]),
    );
}

/** What an invitation offers; null for one that does not work (any more). */
export async function findOpenInvite(
  ctx: Ctx,
  code: string,
): Promise<{ role: Role; invited_by: string | null } | null> {
  const row = await openInvites(ctx.db, code, epochSeconds(ctx.clock))
    .select(['account_invites.role', 'users.display_name', 'users.username'])
    .executeTakeFirst();
  return row === undefined ? null : { role: row.role, invited_by: row.display_name ?? row.username };
}

/**
 * Makes an account with the role of an invitation and uses the invitation up in the same transaction.
 * @throws DomainError `not_found` for an invitation that does not work; `invalid` or `username_taken`, after which it can be
 * used again.
 */
export async function acceptInvite(
  ctx: Ctx,
  code: string,
  input: { username: string; display_name?: string | undefined; password: string },
): Promise<{ user_id: string; username: string }> {
  const offered = await findOpenInvite(ctx, code);
  if (offered === null) throw spent();
  const { role } = offered;
  let invite: { id: string; created_by: string | null };
  return createLocalAccount(
    ctx,
    { ...input, role },
    {
      async first({ trx, clock }) {
        const now = epochSeconds(clock);
        const taken = await trx
          .updateTable('account_invites')
          .set({ used_at: now })
          .where('id', 'in', openInvites(trx, code, now).select('account_invites.id'))
          // Again on the row itself: of two at once, the second waits for the first and then sees it used.
          .where('used_at', 'is', null)
          .where('role', '=', role)
          .returning(['id', 'created_by'])
          .executeTakeFirst();
        if (taken === undefined) throw spent();
        invite = taken;
      },
      async last(tx, { user_id }) {
        await tx.trx.updateTable('account_invites').set({ used_by: user_id }).where('id', '=', invite.id).execute();
        await audit(tx, {
          action: 'invite.accepted',
          actor_id: user_id,
          target_id: user_id,
          details: { role, invite_id: invite.id },
        });
      },
    },
  );
}
