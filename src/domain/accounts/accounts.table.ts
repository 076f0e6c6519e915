/** A person, known by the issuer and subject of their sign-in; the names may change, the pair does not. */
export interface UsersTable {
  id: string;
  /** `local` for the embedded provider, so that a new address of the server keeps its people. */
  issuer: string;
  subject: string;
  username: string;
  /** NFKC, case-folded: unique. */
  username_key: string;
  /** What the name looks like (Unicode UTS 39): unique; null for a name older than this rule that has a lookalike. */
  username_skeleton: string | null;
  email: string | null;
  display_name: string | null;
  role: 'admin' | 'user' | 'guest';
  /** What an outside provider said at the last sign-in; it holds for API tokens, which bring no role of their own. */
  provider_role: 'admin' | 'user' | 'guest' | null;
  created_at: number;
  last_active: number;
  is_active: number;
  preferences_json: string;
}

export interface UserProfilesTable {
  user_id: string;
  bio: string | null;
  avatar_url: string | null;
  location: string | null;
  website: string | null;
  privacy_level: 0 | 1 | 2;
  share_listening_history: number;
  share_playlists: number;
  updated_at: number;
}

/** Accounts of the embedded provider; `id` is their subject. Their `role` is copied to `users` and counts there. */
export interface LocalAccountsTable {
  id: string;
  username: string;
  username_key: string;
  /** PHC string of argon2id. */
  password_hash: string;
  email: string | null;
  display_name: string | null;
  role: 'admin' | 'user' | 'guest';
  is_active: number;
  created_at: number;
  /** Null: the password the account was made with. */
  password_changed_at: number | null;
  /** Sealed by the secret box; counts only once `totp_confirmed_at` is set. */
  totp_secret_encrypted: string | null;
  totp_confirmed_at: number | null;
  /** The time step of the last code that was taken: none is taken twice (RFC 6238 §5.2). */
  totp_last_step: number | null;
}

/** What lets somebody in whose second factor is lost; each works once. */
export interface RecoveryCodesTable {
  account_id: string;
  code_hash: string;
  used_at: number | null;
}

/** A sign-in whose password was right, waiting for the second factor. */
export interface PendingSecondFactorsTable {
  /** The embedded provider's name for the sign-in, bound to the browser by its signed cookie. */
  interaction_uid: string;
  account_id: string;
  /** Codes tried so far. */
  tries: number;
  expires_at: number;
}

/** Server-side browser sessions; the cookie holds a secret of which only the hash is kept. */
export interface UserSessionsTable {
  /** Named in listings and revocations. */
  id: string;
  secret_hash: string;
  user_id: string;
  /** The provider's session, for back-channel logout. */
  provider_sid: string | null;
  /** The role an outside provider gave at this sign-in; it wins over the stored one. Null when it gave none. */
  realm_role: 'admin' | 'user' | 'guest' | null;
  device: string;
  created_at: number;
  last_used_at: number;
  expires_at: number;
  /** When the person last proved who they are. */
  auth_time: number;
  /** What the person calls the device; null: by `device`, the browser's own words. */
  device_name: string | null;
  /** Of an outside provider, sealed by the secret box. */
  refresh_token_encrypted: string | null;
  id_token_encrypted: string | null;
  /** When the provider is to be asked again whether the session still stands; null: never. */
  refresh_due_at: number | null;
}

/** Keys for scripts and scrobblers, made by their person; only a hash is kept. */
export interface ApiTokensTable {
  id: string;
  user_id: string;
  name: string;
  token_hash: string;
  /** Separated by spaces. */
  scopes: string;
  created_at: number;
  last_used_at: number | null;
  expires_at: number | null;
}

/** Programs that named their device when they connected. */
export interface UserDevicesTable {
  id: string;
  user_id: string;
  /** As the program calls itself. */
  device_id: string;
  name: string;
  /** The person gave the name, so the program's own no longer counts. */
  is_renamed: number;
  created_at: number;
  last_seen_at: number;
}

/** Access tokens that ended before their `exp`: by provider session, or of a person up to a time. */
export interface TokenRevocationsTable {
  kind: 'sid' | 'user';
  /** The `sid`, or the person's id. */
  value: string;
  /** Tokens issued before this are refused. */
  not_before: number;
  expires_at: number;
}

/** The picture of a person, as it is served. */
export interface AvatarsTable {
  id: string;
  user_id: string;
  webp: Uint8Array;
  created_at: number;
}

/** A link by which one new person may make an account; only a hash of its code is kept. */
export interface AccountInvitesTable {
  id: string;
  code_hash: string;
  role: 'admin' | 'user' | 'guest';
  note: string | null;
  created_by: string | null;
  created_at: number;
  expires_at: number;
  used_at: number | null;
  used_by: string | null;
}

/** A sign-in under way: single use, bound to the browser that began it. */
export interface LoginAttemptsTable {
  state_hash: string;
  browser_hash: string;
  nonce: string;
  code_verifier: string;
  return_to: string;
  expires_at: number;
}

/** The embedded provider's own records (grants, codes, sessions, …). */
export interface OidcRecordsTable {
  model: string;
  id: string;
  payload_json: string;
  grant_id: string | null;
  uid: string | null;
  user_code: string | null;
  consumed_at: number | null;
  expires_at: number | null;
}

/** One-time links, such as the one that makes the first account; only a hash is kept. */
export interface OneTimeLinksTable {
  hash: string;
  purpose: 'setup' | 'reset';
  created_at: number;
  expires_at: number;
  /** Whose password a reset link sets. */
  account_id: string | null;
}

export interface AccountsTables {
  users: UsersTable;
  user_profiles: UserProfilesTable;
  local_accounts: LocalAccountsTable;
  user_sessions: UserSessionsTable;
  login_attempts: LoginAttemptsTable;
  oidc_records: OidcRecordsTable;
  one_time_links: OneTimeLinksTable;
  recovery_codes: RecoveryCodesTable;
  pending_second_factors: PendingSecondFactorsTable;
  api_tokens: ApiTokensTable;
  user_devices: UserDevicesTable;
  token_revocations: TokenRevocationsTable;
  avatars: AvatarsTable;
  account_invites: AccountInvitesTable;
}
