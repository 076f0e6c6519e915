import { foldUsername } from './accounts.rules.ts';
import { presentUser } from './accounts.present.ts';
import type { User } from '#contract/accounts.ts';
import type { Schema } from '../database.ts';
import type { UserProfilesTable, UsersTable } from './accounts.table.ts';
import type { Kysely } from 'kysely';

/** PostgreSQL and SQLite both take far more, but a page never names more than this at once. */
const IDS_AT_ONCE = 500;

/** Names for ids, in one query a few hundred; ids of nobody are simply not in the map. */
export async function usersByIds(db: Kysely<Schema>, ids: Iterable<string>): Promise<Map<string, User>> {
  const wanted = [...new Set(ids)];
  const found = new Map<string, User>();
  for (let i = 0; i < wanted.length; i += IDS_AT_ONCE) {
    const rows = await db
      .selectFrom('users')
      .innerJoin('user_profiles', 'user_profiles.user_id', 'users.id')
      .select(['users.id', 'users.username', 'users.display_name', 'user_profiles.avatar_url'])
      .where('users.id', 'in', wanted.slice(i, i + IDS_AT_ONCE))
      .execute();
    for (const row of rows) found.set(row.id, presentUser(row));
  }
  return found;
}

/** An active person by their exact name, whatever its case. */
export async function findUserByUsername(db: Kysely<Schema>, username: string): Promise<User | null> {
  const row = await db
    .selectFrom('users')
    .innerJoin('user_profiles', 'user_profiles.user_id', 'users.id')
    .select(['users.id', 'users.username', 'users.display_name', 'user_profiles.avatar_url'])
    .where('users.username_key', '=', foldUsername(username))
    .where('users.is_active', '=', 1)
    .executeTakeFirst();
  return row === undefined ? null : presentUser(row);
}

/** The row of a sign-in's pair; null before first sight. */
export async function findUserBySubject(
  db: Kysely<Schema>,
  identity: { issuer: string; subject: string },
): Promise<UsersTable | null> {
  const row = await db
    .selectFrom('users')
    .selectAll()
    .where('issuer', '=', identity.issuer)
    .where('subject', '=', identity.subject)
    .executeTakeFirst();
  return row ?? null;
}

/** Whether a person is there and not disabled. */
export async function isUserActive(db: Kysely<Schema>, user_id: string): Promise<boolean> {
  const row = await db
    .selectFrom('users')
    .select('id')
    .where('id', '=', user_id)
    .where('is_active', '=', 1)
    .executeTakeFirst();
  return row !== undefined;
}

/** A person and their profile, as one row. */
export async function findUserWithProfile(
  db: Kysely<Schema>,
  user_id: string,
): Promise<(UsersTable & UserProfilesTable) | null> {
  const row = await db
    .selectFrom('users')
    .innerJoin('user_profiles', 'user_profiles.user_id', 'users.id')
    .selectAll()
    .where('users.id', '=', user_id)
    .executeTakeFirst();
  return row ?? null;
}

/** What a cookie's secret stands for, if the session is still good: the person, disabled or not, and the session. */
export async function findSession(db: Kysely<Schema>, secret_hash: string, now: number) {
  const row = await db
    .selectFrom('user_sessions')
    .innerJoin('users', 'users.id', 'user_sessions.user_id')
    .select([
      'user_sessions.id as session_id',
      'user_sessions.user_id',
      'user_sessions.realm_role',
      'user_sessions.last_used_at',
      'user_sessions.auth_time',
      'user_sessions.refresh_due_at',
      'users.username',
      'users.role',
      'users.is_active',
    ])
    .where('user_sessions.secret_hash', '=', secret_hash)
    .where('user_sessions.expires_at', '>', now)
    .executeTakeFirst();
  return row ?? null;
}

/** What a session keeps of the provider's tokens, sealed. */
export async function findProviderTokens(db: Kysely<Schema>, session_id: string) {
  const row = await db
    .selectFrom('user_sessions')
    .select(['refresh_token_encrypted', 'id_token_encrypted'])
    .where('id', '=', session_id)
    .executeTakeFirst();
  return row ?? null;
}

/** Which of these sessions the provider is to be asked about by now. */
export async function dueSessionIds(db: Kysely<Schema>, ids: readonly string[], now: number): Promise<string[]> {
  const due: string[] = [];
  for (let i = 0; i < ids.length; i += IDS_AT_ONCE) {
    const rows = await db
      .selectFrom('user_sessions')
      .select('id')
      .where('id', 'in', ids.slice(i, i + IDS_AT_ONCE))
      .where('refresh_due_at', '<=', now)
      .execute();
    due.push(...rows.map(({ id }) => id));
  }
  return due;
}

/** Whether a session is still there and its person active. */
export async function isSessionAlive(db: Kysely<Schema>, session_id: string, now: number): Promise<boolean> {
  const row = await db
    .selectFrom('user_sessions')
    .innerJoin('users', 'users.id', 'user_sessions.user_id')
    .select('user_sessions.id')
    .where('user_sessions.id', '=', session_id)
    .where('user_sessions.expires_at', '>', now)
    .where('users.is_active', '=', 1)
    .executeTakeFirst();
  return row !== undefined;
}

/** An account of the embedded provider, by id, if it may sign in. */
export async function findActiveLocalAccount(db: Kysely<Schema>, id: string) {
  const row = await db
    .selectFrom('local_accounts')
    .select(['id', 'username', 'email', 'display_name', 'role'])
    .where('id', '=', id)
    .where('is_active', '=', 1)
    .executeTakeFirst();
  return row ?? null;
}

/** Whether somebody can run this server yet. */
export async function hasLocalAdmin(db: Kysely<Schema>): Promise<boolean> {
  const row = await db
    .selectFrom('local_accounts')
    .select('id')
    .where('role', '=', 'admin')
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** What a password is checked against; null for nobody's name. */
export async function findPasswordHash(db: Kysely<Schema>, username: string) {
  const row = await db
    .selectFrom('local_accounts')
    .select(['id', 'password_hash', 'is_active'])
    .where('username_key', '=', foldUsername(username))
    .executeTakeFirst();
  return row ?? null;
}

/** Whether a first-run link is there and not too old. */
export async function hasSetupLink(db: Kysely<Schema>, hash: string, now: number): Promise<boolean> {
  const row = await db
    .selectFrom('one_time_links')
    .select('hash')
    .where('hash', '=', hash)
    .where('purpose', '=', 'setup')
    .where('expires_at', '>', now)
    .executeTakeFirst();
  return row !== undefined;
}

/** A record of the embedded provider, also one that has run out. */
export async function findOidcRecord(
  db: Kysely<Schema>,
  model: string,
  by: { column: 'id' | 'uid' | 'user_code'; value: string },
) {
  const row = await db
    .selectFrom('oidc_records')
    .select(['payload_json', 'consumed_at', 'expires_at'])
    .where('model', '=', model)
    .where(by.column, '=', by.value)
    .executeTakeFirst();
  return row ?? null;
}

/** A person's preferences as stored; null when they are gone. */
export async function findPreferencesJson(db: Kysely<Schema>, user_id: string): Promise<string | null> {
  const row = await db.selectFrom('users').select('preferences_json').where('id', '=', user_id).executeTakeFirst();
  return row?.preferences_json ?? null;
}
