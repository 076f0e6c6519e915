import { DomainError } from '../errors.ts';
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

/** A person by their exact name, disabled or not, for the operator. @throws DomainError `not_found` naming them */
export async function requireUserByName(
  db: Kysely<Schema>,
  username: string,
): Promise<Pick<UsersTable, 'id' | 'username' | 'issuer' | 'subject'>> {
  const row = await db
    .selectFrom('users')
    .select(['id', 'username', 'issuer', 'subject'])
    .where('username_key', '=', foldUsername(username))
    .executeTakeFirst();
  if (row === undefined) throw new DomainError('not_found', `There is nobody called “${username}”.`);
  return row;
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
      'user_sessions.expires_at',
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

/** Asks for a few hundred ids at a time. */
async function inParts<T, R>(wanted: ReadonlySet<T>, ask: (part: T[]) => Promise<R[]>): Promise<R[]> {
  const all = [...wanted];
  const found: R[] = [];
  for (let i = 0; i < all.length; i += IDS_AT_ONCE) found.push(...(await ask(all.slice(i, i + IDS_AT_ONCE))));
  return found;
}

/** Of these people the ones who are not disabled, with their stored role. */
export async function activePeople(
  db: Kysely<Schema>,
  ids: ReadonlySet<string>,
): Promise<Map<string, Pick<UsersTable, 'id' | 'role' | 'provider_role'>>> {
  const rows = await inParts(ids, (part) =>
    db
      .selectFrom('users')
      .select(['id', 'role', 'provider_role'])
      .where('id', 'in', part)
      .where('is_active', '=', 1)
      .execute(),
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** Of these sessions the ones that have not ended. */
export async function liveSessions(db: Kysely<Schema>, ids: ReadonlySet<string>, now: number): Promise<Set<string>> {
  const rows = await inParts(ids, (part) =>
    db.selectFrom('user_sessions').select('id').where('id', 'in', part).where('expires_at', '>', now).execute(),
  );
  return new Set(rows.map((row) => row.id));
}

/** Of these API tokens the ones that are neither revoked nor over. */
export async function liveApiTokens(db: Kysely<Schema>, ids: ReadonlySet<string>, now: number): Promise<Set<string>> {
  const rows = await inParts(ids, (part) =>
    db
      .selectFrom('api_tokens')
      .select('id')
      .where('id', 'in', part)
      .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
      .execute(),
  );
  return new Set(rows.map((row) => row.id));
}

/** What a personal API token stands for, if it is still good: the person, disabled or not, and what it may do. */
export async function findApiToken(db: Kysely<Schema>, token_hash: string, now: number) {
  const row = await db
    .selectFrom('api_tokens')
    .innerJoin('users', 'users.id', 'api_tokens.user_id')
    .select([
      'api_tokens.id as token_id',
      'api_tokens.user_id',
      'api_tokens.scopes',
      'api_tokens.last_used_at',
      'api_tokens.expires_at',
      'users.username',
      'users.role',
      'users.provider_role',
      'users.is_active',
      'users.last_active',
    ])
    .where('api_tokens.token_hash', '=', token_hash)
    .where((eb) => eb.or([eb('api_tokens.expires_at', 'is', null), eb('api_tokens.expires_at', '>', now)]))
    .executeTakeFirst();
  return row ?? null;
}

/** Looks up what ended before its time among these; answers who may ask of each token whether it is among them. */
export async function revokedTokens(
  db: Kysely<Schema>,
  tokens: readonly { user_id: string; sid: string | null }[],
): Promise<(token: { user_id: string; sid: string | null; issued_at: number }) => boolean> {
  const values = new Set(tokens.flatMap(({ user_id, sid }) => (sid === null ? [user_id] : [user_id, sid])));
  const rows = await inParts(values, (part) =>
    db.selectFrom('token_revocations').select(['kind', 'value', 'not_before']).where('value', 'in', part).execute(),
  );
  return ({ user_id, sid, issued_at }) =>
    rows.some(({ kind, value, not_before }) =>
      kind === 'sid' ? value === sid : value === user_id && issued_at < not_before,
    );
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
    .select(['id', 'password_hash', 'is_active', 'totp_confirmed_at'])
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

/** A picture by its id, as it is served; null when it is not there any more. */
export async function findAvatar(db: Kysely<Schema>, id: string): Promise<Buffer | null> {
  const row = await db.selectFrom('avatars').select('webp').where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : Buffer.from(row.webp);
}
