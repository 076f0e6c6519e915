import { audit } from '../admin/audit.ts';
import { DomainError } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { findUserBySubject } from './accounts.queries.ts';
import { insertUser, isUsernameTaken, updateUser } from './accounts.repository.ts';
import { usernameFromClaims, foldUsername, usernameSkeleton, withSuffix } from './accounts.rules.ts';
import type { Role } from '#contract/accounts.ts';
import type { Ctx, TxCtx } from '../context.ts';
import type { UsersTable } from './accounts.table.ts';

/** The embedded provider's people, whatever address the server has today. */
export const LOCAL_ISSUER = 'local';
/** `last_active` is written at most this often, in seconds. */
export const ACTIVITY_STEP = 300;

export interface SeenIdentity {
  issuer: string;
  subject: string;
  username?: string | undefined;
  email?: string | undefined;
  name?: string | undefined;
  /** Only of the embedded provider: its roles are ours to store. */
  local_role?: Role | undefined;
  /** Of an outside provider at a sign-in; null when it named none. */
  provider_role?: Role | null | undefined;
  /** A sign-in brings the provider's current e-mail and name; an access token in passing changes nothing. */
  is_sign_in: boolean;
}

/**
 * The person behind an issuer and subject; first sight makes them. An equal username or e-mail never leads to somebody
 * else's account: the newcomer gets a suffixed name. Afterwards the username stays, the e-mail follows the provider at each
 * sign-in, and the provider's name is taken only while the person has no display name.
 * @throws DomainError `account_disabled`.
 */
export async function ensureUser(ctx: Ctx, seen: SeenIdentity): Promise<UsersTable> {
  const known = (await findUserBySubject(ctx.db, seen)) ?? (await makeUser(ctx, seen));
  if (known.is_active !== 1)
    throw new DomainError('account_disabled', 'This account has been disabled by an administrator.');
  const change = changesFor(ctx, known, seen);
  if (Object.keys(change).length === 0) return known;
  await inTransaction(ctx, (tx) => updateUser(tx.trx, known.id, change));
  return { ...known, ...change };
}

function changesFor(ctx: Ctx, known: UsersTable, seen: SeenIdentity) {
  const change: Partial<Pick<UsersTable, 'email' | 'display_name' | 'role' | 'provider_role' | 'last_active'>> = {};
  const now = epochSeconds(ctx.clock);
  if (now - known.last_active >= ACTIVITY_STEP) change.last_active = now;
  if (!seen.is_sign_in) return change;
  if (seen.email !== undefined && seen.email !== known.email) change.email = seen.email;
  if (known.display_name === null && seen.name !== undefined) change.display_name = seen.name;
  if (seen.local_role !== undefined && seen.local_role !== known.role) change.role = seen.local_role;
  if (seen.provider_role !== undefined && seen.provider_role !== known.provider_role) {
    change.provider_role = seen.provider_role;
  }
  return change;
}

async function makeUser(ctx: Ctx, seen: SeenIdentity): Promise<UsersTable> {
  // Two first sights at once: the loser of either unique index looks again and finds the winner, or takes the next suffix.
  for (let attempt = 1; ; attempt++) {
    try {
      return await inTransaction(ctx, async (tx) => {
        const raced = await findUserBySubject(tx.trx, seen);
        if (raced !== null) return raced;
        return insertNewUser(tx, { ...seen, username: usernameFromClaims(seen), role: seen.local_role ?? 'user' });
      });
    } catch (error) {
      if (attempt === 5 || !ctx.dialect.isUniqueViolation(error)) throw error;
    }
  }
}

/** Stores a new person under the wanted username, or the first free suffixed one. */
export async function insertNewUser(
  tx: TxCtx,
  wanted: {
    issuer: string;
    subject: string;
    username: string;
    email?: string | undefined;
    name?: string | undefined;
    role: Role;
    provider_role?: Role | null | undefined;
  },
): Promise<UsersTable> {
  let n = 1;
  while (await isUsernameTaken(tx.trx, withSuffix(wanted.username, n))) n++;
  const username = withSuffix(wanted.username, n);
  const now = epochSeconds(tx.clock);
  const user: UsersTable = {
    id: tx.ids.id(),
    issuer: wanted.issuer,
    subject: wanted.subject,
    username,
    username_key: foldUsername(username),
    username_skeleton: usernameSkeleton(username),
    email: wanted.email ?? null,
    display_name: wanted.name ?? null,
    role: wanted.role,
    provider_role: wanted.provider_role ?? null,
    created_at: now,
    last_active: now,
    is_active: 1,
    preferences_json: '{}',
  };
  await insertUser(tx.trx, user);
  await audit(tx, {
    action: 'user.created',
    actor_id: null,
    target_id: user.id,
    details: { role: user.role, source: user.issuer === LOCAL_ISSUER ? 'local' : 'provider' },
  });
  return user;
}
