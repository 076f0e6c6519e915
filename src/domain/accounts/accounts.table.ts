/** A person, known by the issuer and subject of their sign-in; the names may change, the pair does not. */
export interface UsersTable {
  id: string;
  /** `local` for the embedded provider, so that a new address of the server keeps its people. */
  issuer: string;
  subject: string;
  username: string;
  /** NFKC, case-folded: unique. */
  username_key: string;
  email: string | null;
  display_name: string | null;
  role: 'admin' | 'user' | 'guest';
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
  purpose: 'setup';
  created_at: number;
  expires_at: number;
}

export interface AccountsTables {
  users: UsersTable;
  user_profiles: UserProfilesTable;
  local_accounts: LocalAccountsTable;
  user_sessions: UserSessionsTable;
  login_attempts: LoginAttemptsTable;
  oidc_records: OidcRecordsTable;
  one_time_links: OneTimeLinksTable;
}
