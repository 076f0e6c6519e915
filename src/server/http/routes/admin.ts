import * as admin from '#contract/admin.ts';
import { createPasswordReset } from '#domain/accounts/password-reset.ts';
import { removeSecondFactor } from '#domain/accounts/remove-second-factor.ts';
import { listAudit } from '#domain/admin/audit.queries.ts';
import { changeUser } from '#domain/admin/change-user.ts';
import { createInvite, listInvites, revokeInvite } from '#domain/admin/invites.ts';
import { listUsers } from '#domain/admin/users.queries.ts';
import { on } from '../mount.ts';
import type { Route } from '../mount.ts';

/** Administration; links it hands out lead to pages below `publicUrl`, which are there for accounts of this server only. */
export function adminRoutes({
  publicUrl,
  hasLocalAccounts,
}: {
  publicUrl: string;
  hasLocalAccounts: boolean;
}): Route[] {
  return [
    on(admin.listUsers, (ctx, _actor, input) => listUsers(ctx, input)),
    on(admin.changeUser, changeUser),
    on(admin.createPasswordReset, async (ctx, actor, { id }) => {
      const { token, expires_at } = await createPasswordReset(ctx, actor, { user_id: id });
      return { url: `${publicUrl}/reset?token=${token}`, expires_at };
    }),
    on(admin.removeSecondFactor, async (ctx, actor, { id }) => {
      await removeSecondFactor(ctx, actor.user_id, id);
    }),
    on(admin.listInvites, (ctx, _actor, input) => listInvites(ctx, input)),
    on(admin.createInvite, async (ctx, actor, input) => {
      const invite = await createInvite(ctx, actor, input, { hasLocalAccounts });
      return { ...invite, url: `${publicUrl}/invite/${invite.code}` };
    }),
    on(admin.revokeInvite, revokeInvite),
    on(admin.listAudit, (ctx, _actor, input) => listAudit(ctx, input)),
  ];
}
