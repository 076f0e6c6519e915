import { notFound } from '../errors.ts';
import { foldUsername, usernameSkeleton } from './accounts.rules.ts';
import type { Role } from '#contract/accounts.ts';
import type { TxCtx } from '../context.ts';
import type {
  ApiTokensTable,
  AvatarsTable,
  LocalAccountsTable,
  LoginAttemptsTable,
  OidcRecordsTable,
  OneTimeLinksTable,
  UserProfilesTable,
  UserSessionsTable,
  UsersTable,
} from './accounts.table.ts';

type Trx = TxCtx['trx'];

/** Stores a person with the profile everybody starts with: friends see them, listening stays their own. */
export async function insertUser(trx: Trx, user: UsersTable): Promise<void> {
  await trx.insertInto('users').values(user).execute();
  await trx
    .insertInto('user_profiles')
    .values({
      user_id: user.id,
      bio: null,
      avatar_url: null,
      location: null,
      website: null,
      privacy_level: 1,
      share_listening_history: 0,
      share_playlists: 1,
      updated_at: user.created_at,
    })
    .execute();
}

/** Stores an account of the embedded provider. */
export async function insertLocalAccount(trx: Trx, account: LocalAccountsTable): Promise<void> {
  await trx.insertInto('local_accounts').values(account).execute();
}

/** Changes the named columns of a person; none named is no statement. */
export async function updateUser(
  trx: Trx,
  user_id: string,
  change: Partial<
    Pick<
      UsersTable,
      'email' | 'display_name' | 'role' | 'provider_role' | 'is_active' | 'last_active' | 'preferences_json'
    >
  >,
): Promise<void> {
  if (Object.keys(change).length === 0) return;
  await trx.updateTable('users').set(change).where('id', '=', user_id).execute();
}

/** Reads stored preferences and keeps their row to this transaction, so that of two merges at once neither is lost. */
export async function lockPreferences(trx: Trx, user_id: string): Promise<string> {
  const row = await trx
    .updateTable('users')
    .set((eb) => ({ preferences_json: eb.ref('preferences_json') }))
    .where('id', '=', user_id)
    .returning('preferences_json')
    .executeTakeFirst();
  if (row === undefined) throw notFound('person');
  return row.preferences_json;
}

/** Changes the named columns of a profile. */
export async function updateUserProfile(
  trx: Trx,
  user_id: string,
  change: Partial<Omit<UserProfilesTable, 'user_id'>>,
): Promise<void> {
  await trx.updateTable('user_profiles').set(change).where('user_id', '=', user_id).execute();
}

/** Whether any person or local account holds the name, or one that can be taken for it. */
export async function isUsernameTaken(trx: Trx, username: string): Promise<boolean> {
  const username_key = foldUsername(username);
  const user = await trx
    .selectFrom('users')
    .select('id')
    .where((eb) => eb.or({ username_key, username_skeleton: usernameSkeleton(username) }))
    .executeTakeFirst();
  if (user !== undefined) return true;
  const account = await trx
    .selectFrom('local_accounts')
    .select('id')
    .where('username_key', '=', username_key)
    .executeTakeFirst();
  return account !== undefined;
}

/** Stores a browser session. */
export async function insertSession(trx: Trx, session: UserSessionsTable): Promise<void> {
  await trx.insertInto('user_sessions').values(session).execute();
}

/** Notes a session's use, which prolongs it. */
export async function touchSession(
  trx: Trx,
  session_id: string,
  change: { last_used_at: number; expires_at: number },
): Promise<void> {
  await trx.updateTable('user_sessions').set(change).where('id', '=', session_id).execute();
}

/** Notes an API token's use. */
export async function touchApiToken(trx: Trx, token_id: string, last_used_at: number): Promise<void> {
  await trx.updateTable('api_tokens').set({ last_used_at }).where('id', '=', token_id).execute();
}

/**
 * Seconds a revocation is kept. How long its tokens live is the provider's to say (some give programs tokens for a year), and a
 * revoked one must not wake up when its row is swept.
 */
const REVOCATION_LIFE = 400 * 24 * 3600;

/** From now on refuses access tokens issued until now: of a provider's session, or all of a person. */
export async function revokeAccessTokens(
  trx: Trx,
  { kind, value, now }: { kind: 'sid' | 'user'; value: string; now: number },
): Promise<void> {
  // Times are whole seconds: what was issued within this one counts as before.
  const row = { kind, value, not_before: now + 1, expires_at: now + REVOCATION_LIFE };
  await trx
    .insertInto('token_revocations')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(['kind', 'value'])
        // An earlier note that reaches further stays.
        .doUpdateSet({ not_before: row.not_before, expires_at: row.expires_at })
        .where('token_revocations.not_before', '<=', row.not_before),
    )
    .execute();
}

interface EndedSession {
  id: string;
  user_id: string;
  provider_sid: string | null;
}

/** Removes one session by its id or by its secret; says what was removed. */
export async function deleteSession(
  trx: Trx,
  by: { id: string } | { secret_hash: string },
): Promise<EndedSession | undefined> {
  const query = trx.deleteFrom('user_sessions').returning(['id', 'user_id', 'provider_sid']);
  const one = 'id' in by ? query.where('id', '=', by.id) : query.where('secret_hash', '=', by.secret_hash);
  return one.executeTakeFirst();
}

/** Removes sessions that have run out; says which. */
export async function deleteExpiredSessions(trx: Trx, now: number): Promise<EndedSession[]> {
  return trx
    .deleteFrom('user_sessions')
    .where('expires_at', '<=', now)
    .returning(['id', 'user_id', 'provider_sid'])
    .execute();
}

/**
 * Moves the due time of a session that is due, so that of two takers at once one has it; says whose it is.
 * Times are epoch seconds.
 */
export async function claimDueSession(
  trx: Trx,
  by: { session_id: string; now: number; claimed_until: number },
): Promise<
  (Pick<UsersTable, 'subject' | 'email' | 'role'> & { user_id: string; realm_role: Role | null }) | undefined
> {
  const claimed = await trx
    .updateTable('user_sessions')
    .set({ refresh_due_at: by.claimed_until })
    .where('id', '=', by.session_id)
    .where('refresh_due_at', '<=', by.now)
    .where('expires_at', '>', by.now)
    .returning(['user_id', 'realm_role'])
    .executeTakeFirst();
  if (claimed === undefined) return undefined;
  const user = await trx
    .selectFrom('users')
    .select(['subject', 'email', 'role'])
    .where('id', '=', claimed.user_id)
    .executeTakeFirst();
  return user === undefined ? undefined : { ...claimed, ...user };
}

/** Changes a session whose renewal was claimed; false when the claim has passed on or the session is gone. */
export async function renewSession(
  trx: Trx,
  claim: { session_id: string; claimed_until: number },
  change: Partial<
    Pick<UserSessionsTable, 'realm_role' | 'refresh_token_encrypted' | 'id_token_encrypted' | 'refresh_due_at'>
  >,
): Promise<boolean> {
  const result = await trx
    .updateTable('user_sessions')
    .set(change)
    .where('id', '=', claim.session_id)
    .where('refresh_due_at', '=', claim.claimed_until)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Removes the sessions an outside provider ended: by its session, its subject, or both; says which. */
export async function deleteSessionsOfProvider(
  trx: Trx,
  by: { issuer: string; sid: string | null; subject: string | null },
): Promise<EndedSession[]> {
  // Without either it would be everybody's.
  if (by.sid === null && by.subject === null) return [];
  let people = trx.selectFrom('users').select('id').where('issuer', '=', by.issuer);
  if (by.subject !== null) people = people.where('subject', '=', by.subject);
  let sessions = trx.deleteFrom('user_sessions').where('user_id', 'in', people);
  if (by.sid !== null) sessions = sessions.where('provider_sid', '=', by.sid);
  return sessions.returning(['id', 'user_id', 'provider_sid']).execute();
}

/** The provider's own session behind ours ends too, or its cookie would sign the next visitor in without a question. */
export async function deleteProviderSession(trx: Trx, uid: string): Promise<void> {
  await trx.deleteFrom('oidc_records').where('model', '=', 'Session').where('uid', '=', uid).execute();
}

/** Changes the named columns of an account of the embedded provider. */
export async function updateLocalAccount(
  trx: Trx,
  account_id: string,
  change: Partial<Omit<LocalAccountsTable, 'id'>>,
): Promise<void> {
  await trx.updateTable('local_accounts').set(change).where('id', '=', account_id).execute();
}

/** Removes what has run out of the short-lived tables; a minute's grace keeps clock differences harmless. */
export async function deleteExpiredRecords(trx: Trx, now: number): Promise<void> {
  await trx
    .deleteFrom('login_attempts')
    .where('expires_at', '<=', now - 60)
    .execute();
  await trx
    .deleteFrom('one_time_links')
    .where('expires_at', '<=', now - 60)
    .execute();
  await trx
    .deleteFrom('oidc_records')
    .where('expires_at', '<=', now - 60)
    .execute();
  await trx
    .deleteFrom('pending_second_factors')
    .where('expires_at', '<=', now - 60)
    .execute();
  await trx
    .deleteFrom('token_revocations')
    .where('expires_at', '<=', now - 60)
    .execute();
}

/** Stores a sign-in under way. */
export async function insertLoginAttempt(trx: Trx, attempt: LoginAttemptsTable): Promise<void> {
  await trx.insertInto('login_attempts').values(attempt).execute();
}

/** Takes an attempt out in one statement, so that it can be had once. */
export async function takeAttempt(
  trx: Trx,
  by: { state_hash: string; browser_hash: string; now: number },
): Promise<LoginAttemptsTable | undefined> {
  return trx
    .deleteFrom('login_attempts')
    .where('state_hash', '=', by.state_hash)
    .where('browser_hash', '=', by.browser_hash)
    .where('expires_at', '>', by.now)
    .returningAll()
    .executeTakeFirst();
}

/** Stores a one-time link in place of earlier ones of its purpose. */
export async function replaceOneTimeLink(trx: Trx, one: OneTimeLinksTable): Promise<void> {
  await trx.deleteFrom('one_time_links').where('purpose', '=', one.purpose).execute();
  await trx.insertInto('one_time_links').values(one).execute();
}

/** Stores a link that sets an account's password, in place of an earlier one of that account. */
export async function insertResetLink(
  trx: Trx,
  link: { hash: string; account_id: string; created_at: number; expires_at: number },
): Promise<void> {
  await trx
    .deleteFrom('one_time_links')
    .where('purpose', '=', 'reset')
    .where('account_id', '=', link.account_id)
    .execute();
  await trx
    .insertInto('one_time_links')
    .values({ ...link, purpose: 'reset' })
    .execute();
}

/** Uses a one-time link up; false when it is not there or too old. */
export async function takeOneTimeLink(
  trx: Trx,
  by: Pick<OneTimeLinksTable, 'hash' | 'purpose'> & { now: number },
): Promise<boolean> {
  const taken = await trx
    .deleteFrom('one_time_links')
    .where('hash', '=', by.hash)
    .where('purpose', '=', by.purpose)
    .where('expires_at', '>', by.now)
    .returning('hash')
    .executeTakeFirst();
  return taken !== undefined;
}

/** Stores a record of the embedded provider, or replaces it and keeps whether it was used. */
export async function upsertOidcRecord(trx: Trx, row: Omit<OidcRecordsTable, 'consumed_at'>): Promise<void> {
  const { model: _model, id: _id, ...change } = row;
  await trx
    .insertInto('oidc_records')
    .values({ ...row, consumed_at: null })
    .onConflict((conflict) => conflict.columns(['model', 'id']).doUpdateSet(change))
    .execute();
}

/** Stores a bare record unless it is there; false when it was, also to the second of two at once. */
export async function insertOidcRecordOnce(
  trx: Trx,
  row: Pick<OidcRecordsTable, 'model' | 'id' | 'expires_at'>,
): Promise<boolean> {
  const inserted = await trx
    .insertInto('oidc_records')
    .values({ ...row, payload_json: '{}', grant_id: null, uid: null, user_code: null, consumed_at: null })
    .onConflict((conflict) => conflict.columns(['model', 'id']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

/** Marks a record as used; false when it already was. */
export async function markOidcRecordUsed(trx: Trx, by: { model: string; id: string; now: number }): Promise<boolean> {
  const result = await trx
    .updateTable('oidc_records')
    .set({ consumed_at: by.now })
    .where('model', '=', by.model)
    .where('id', '=', by.id)
    .where('consumed_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Removes one record of a model, or all that a grant led to. */
export async function deleteOidcRecords(
  trx: Trx,
  by: { model: string } & ({ id: string } | { grant_id: string }),
): Promise<void> {
  const query = trx.deleteFrom('oidc_records').where('model', '=', by.model);
  await ('id' in by ? query.where('id', '=', by.id) : query.where('grant_id', '=', by.grant_id)).execute();
}

/** Reads a person and keeps their row to this transaction, so that of two changes at once the second sees the first. */
export async function lockUser(trx: Trx, user_id: string): Promise<UsersTable | undefined> {
  return trx
    .updateTable('users')
    .set((eb) => ({ role: eb.ref('role') }))
    .where('id', '=', user_id)
    .returningAll()
    .executeTakeFirst();
}

/** Stores a personal API token. */
export async function insertApiToken(trx: Trx, token: ApiTokensTable): Promise<void> {
  await trx.insertInto('api_tokens').values(token).execute();
}

/** How many API tokens a person has, those that have run out included. */
export async function countApiTokens(trx: Trx, user_id: string): Promise<number> {
  const { count } = await trx
    .selectFrom('api_tokens')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('user_id', '=', user_id)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Stores a person's picture in place of an earlier one. */
export async function upsertAvatar(trx: Trx, avatar: AvatarsTable): Promise<void> {
  const { user_id: _user_id, ...change } = avatar;
  await trx
    .insertInto('avatars')
    .values(avatar)
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(change))
    .execute();
}

/** Removes a person's picture; false when there was none. */
export async function deleteAvatar(trx: Trx, user_id: string): Promise<boolean> {
  const { numDeletedRows } = await trx.deleteFrom('avatars').where('user_id', '=', user_id).executeTakeFirst();
  return numDeletedRows > 0n;
}
