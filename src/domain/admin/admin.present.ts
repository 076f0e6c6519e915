import { presentUser } from '../accounts/accounts.present.ts';
import { LOCAL_ISSUER } from '../accounts/ensure-user.ts';
import { AuditEvent } from '#contract/admin.ts';
import type { AccountInvite, AdminUser, AuditAction } from '#contract/admin.ts';
import type { Role, User } from '#contract/accounts.ts';
import type { AuditEventsTable } from './admin.table.ts';

interface Person {
  id: string;
  username: string;
  display_name: string | null;
  avatar_url: string | null;
  email: string | null;
  role: Role;
  provider_role: Role | null;
  is_active: number;
  created_at: number;
  last_active: number;
  issuer: string;
  totp_confirmed_at: number | null;
  /** PostgreSQL's counts are of a kind that drivers hand on as text. */
  session_count: number | string | bigint | null;
}

/** A person as administrators see them. */
export function presentAdminUser(row: Person): AdminUser {
  return {
    ...presentUser(row),
    email: row.email,
    role: row.role,
    provider_role: row.provider_role,
    is_active: row.is_active === 1,
    created_at: row.created_at,
    last_active: row.last_active,
    source: row.issuer === LOCAL_ISSUER ? 'local' : 'provider',
    has_second_factor: row.totp_confirmed_at !== null,
    session_count: Number(row.session_count ?? 0),
  };
}

interface Invite {
  id: string;
  role: Role;
  note: string | null;
  created_by: string | null;
  created_at: number;
  expires_at: number;
  used_at: number | null;
  used_by: string | null;
}

/** An invitation, with the people it names; its code is not among it. `now` in epoch seconds. */
export function presentInvite(row: Invite, users: ReadonlyMap<string, User>, now: number): AccountInvite {
  return {
    id: row.id,
    role: row.role,
    note: row.note,
    created_by: users.get(row.created_by ?? '') ?? null,
    created_at: row.created_at,
    expires_at: row.expires_at,
    used_at: row.used_at,
    used_by: users.get(row.used_by ?? '') ?? null,
    state: row.used_at !== null ? 'used' : row.expires_at > now ? 'open' : 'expired',
  };
}

/** An act, with the people it names. */
export function presentAuditEvent(row: AuditEventsTable, users: ReadonlyMap<string, User>): AuditEvent {
  return {
    id: row.id,
    at: row.at,
    // `audit` takes no other.
    action: row.action as AuditAction,
    actor: users.get(row.actor_id ?? '') ?? null,
    target: users.get(row.target_id ?? '') ?? null,
    details: AuditEvent.shape.details.parse(JSON.parse(row.details_json)),
  };
}
