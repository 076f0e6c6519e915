import { z } from 'zod';
import { Role, User } from './accounts.ts';
import { defineEndpoint } from './endpoint.ts';
import { EpochSeconds, Id, Nothing, PageQuery, QueryFlag, line, page } from './primitives.ts';

const byId = z.strictObject({ id: Id });

/** A person as administrators see them. What they listen to is not among it. */
export const AdminUser = User.extend({
  email: z.string().nullable(),
  /** As stored here. */
  role: Role,
  /** What an outside provider said at the last sign-in: while it says anything, that counts and not `role`. */
  provider_role: Role.nullable(),
  is_active: z.boolean(),
  created_at: EpochSeconds,
  last_active: EpochSeconds,
  /** `local`: an account of this server; `provider`: it lives at the OpenID provider. */
  source: z.enum(['local', 'provider']),
  has_second_factor: z.boolean(),
  session_count: z.int(),
});
export type AdminUser = z.infer<typeof AdminUser>;

export const listUsers = defineEndpoint({
  name: 'admin.users',
  method: 'GET',
  path: '/admin/users',
  access: 'admin',
  scope: 'never',
  summary: 'Everybody, by username; q finds by the beginning of a name',
  query: PageQuery.extend({
    q: z.string().trim().max(100).optional(),
    role: Role.optional(),
    is_active: QueryFlag.optional(),
  }),
  reply: page(AdminUser),
});
export const changeUser = defineEndpoint({
  name: 'admin.users.change',
  method: 'PATCH',
  path: '/admin/users/{id}',
  access: 'admin',
  scope: 'never',
  summary:
    'Give a person another stored role, or lock them out or in; it holds in their open sockets before this answers',
  params: byId,
  body: z.strictObject({ role: Role.optional(), is_active: z.boolean().optional() }),
  reply: AdminUser,
});
export const createPasswordReset = defineEndpoint({
  name: 'admin.users.password_reset',
  showsSecret: true,
  method: 'POST',
  path: '/admin/users/{id}/password-reset',
  access: 'admin',
  scope: 'never',
  summary: 'A one-time link by which a person sets a new password; it replaces an earlier one',
  params: byId,
  status: 201,
  reply: z.object({ url: z.string(), expires_at: EpochSeconds }),
});
export const removeSecondFactor = defineEndpoint({
  name: 'admin.users.second_factor.remove',
  method: 'DELETE',
  path: '/admin/users/{id}/second-factor',
  access: 'admin',
  scope: 'never',
  summary: 'Take off the second factor of somebody who lost it',
  params: byId,
  status: 204,
  reply: Nothing,
});

export const AccountInvite = z.object({
  id: Id,
  role: Role,
  note: z.string().nullable(),
  created_by: User.nullable(),
  created_at: EpochSeconds,
  expires_at: EpochSeconds,
  used_at: EpochSeconds.nullable(),
  used_by: User.nullable(),
  state: z.enum(['open', 'used', 'expired']),
});
export type AccountInvite = z.infer<typeof AccountInvite>;

/** Seconds an invitation works: an hour to thirty days, a week by default. */
const InviteLife = z
  .int()
  .min(3600)
  .max(30 * 24 * 3600)
  .default(7 * 24 * 3600);

export const listInvites = defineEndpoint({
  name: 'admin.invites',
  method: 'GET',
  path: '/admin/invites',
  access: 'admin',
  scope: 'never',
  summary: 'Invitations to make an account, the newest first',
  query: PageQuery,
  reply: page(AccountInvite),
});
export const createInvite = defineEndpoint({
  name: 'admin.invites.create',
  showsSecret: true,
  method: 'POST',
  path: '/admin/invites',
  access: 'admin',
  scope: 'never',
  summary: 'A link by which one person makes an account; this answer is the only place where it is shown',
  body: z.strictObject({ role: Role.default('user'), expires_in: InviteLife, note: line(100, 0).optional() }),
  status: 201,
  reply: AccountInvite.extend({ code: z.string(), url: z.string() }),
});
export const revokeInvite = defineEndpoint({
  name: 'admin.invites.revoke',
  method: 'DELETE',
  path: '/admin/invites/{id}',
  access: 'admin',
  scope: 'never',
  summary: 'Make an open invitation void, or take a used one off the list',
  params: byId,
  status: 204,
  reply: Nothing,
});

/** Acts of administrators, and acts on security of everybody. */
export const AUDIT_ACTIONS = [
  'user.created',
  'user.role_changed',
  'user.disabled',
  'user.enabled',
  'invite.created',
  'invite.revoked',
  'invite.accepted',
  'password_reset.created',
  'password.reset',
  'password.changed',
  'second_factor.enabled',
  'second_factor.disabled',
  'second_factor.removed',
  'recovery_codes.renewed',
  'recovery_code.used',
  'sign_in.succeeded',
  'sign_in.slowed',
  'session.ended',
  'sessions.ended',
  'api_token.created',
  'api_token.revoked',
  'device.forgotten',
  'backchannel_logout',
  'keys.rotated',
  'library.scan_started',
] as const;
export const AuditAction = z.enum(AUDIT_ACTIONS);
export type AuditAction = z.infer<typeof AuditAction>;

export const AuditEvent = z.object({
  id: Id,
  at: EpochSeconds,
  action: AuditAction,
  /** Null: the operator at the command line, the provider, or somebody who is gone. */
  actor: User.nullable(),
  target: User.nullable(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});
export type AuditEvent = z.infer<typeof AuditEvent>;

export const listAudit = defineEndpoint({
  name: 'admin.audit',
  method: 'GET',
  path: '/admin/audit',
  access: 'admin',
  scope: 'never',
  summary: 'Who did what, the newest first',
  query: PageQuery.extend({ action: AuditAction.optional(), user_id: Id.optional() }),
  reply: page(AuditEvent),
});
