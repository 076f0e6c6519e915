import { Scope } from '#contract/security.ts';
import { deviceFromUserAgent } from './accounts.rules.ts';
import type { ApiToken, Device, SignInSession } from '#contract/security.ts';
import type { Actor } from '../context.ts';
import type { ApiTokensTable, UserDevicesTable } from './accounts.table.ts';
import type { ShownApiToken } from './manage-api-tokens.ts';
import type { OwnSession } from './manage-sessions.ts';

/** A session in its person's list. */
export function presentSession(row: OwnSession, { credential }: Actor, is_online: boolean): SignInSession {
  return {
    id: row.id,
    device_name: row.device_name ?? deviceFromUserAgent(row.device),
    user_agent: row.device,
    created_at: row.created_at,
    last_used_at: row.last_used_at,
    expires_at: row.expires_at,
    is_current: credential.kind === 'session' && credential.session_id === row.id,
    is_online,
  };
}

/** A device in its person's list. */
export function presentDevice(row: UserDevicesTable, is_online: boolean): Device {
  const { id, name, created_at, last_seen_at } = row;
  return { id, name, created_at, last_seen_at, is_online };
}

/** An API token in its person's list, never with what it is. */
export function presentApiToken(row: ShownApiToken): ApiToken {
  const { id, name, created_at, last_used_at, expires_at } = row;
  return { id, name, scopes: scopesOf(row), created_at, last_used_at, expires_at };
}

/** What a token may do; a scope that is no longer known is none. */
export function scopesOf({ scopes }: Pick<ApiTokensTable, 'scopes'>): Scope[] {
  return scopes.split(' ').filter((scope): scope is Scope => Scope.safeParse(scope).success);
}
