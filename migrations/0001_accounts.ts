import { epoch, flag, id, json } from './_columns.ts';
import type { Kysely } from 'kysely';

/** People, their profiles, and how they sign in. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('users')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('issuer', 'text', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('username', 'text', (c) => c.notNull())
    .addColumn('username_key', 'text', (c) => c.notNull().unique())
    .addColumn('email', 'text')
    .addColumn('display_name', 'text')
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addColumn('last_active', epoch, (c) => c.notNull())
    .addColumn('is_active', flag, (c) => c.notNull().defaultTo(1))
    .addColumn('preferences_json', json, (c) => c.notNull().defaultTo('{}'))
    .execute();
  // The design document's index by identity: a subject is unique within its issuer only.
  await db.schema.createIndex('idx_users_keycloak_id').unique().on('users').columns(['issuer', 'subject']).execute();
  await db.schema.createIndex('idx_users_username').on('users').column('username').execute();
  await db.schema.createIndex('idx_users_last_active').on('users').column('last_active').execute();

  await db.schema
    .createTable('user_profiles')
    .addColumn('user_id', id, (c) => c.primaryKey().references('users.id').onDelete('cascade'))
    .addColumn('bio', 'text')
    .addColumn('avatar_url', 'text')
    .addColumn('location', 'text')
    .addColumn('website', 'text')
    .addColumn('privacy_level', 'smallint', (c) => c.notNull().defaultTo(1))
    .addColumn('share_listening_history', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('share_playlists', flag, (c) => c.notNull().defaultTo(1))
    .addColumn('updated_at', epoch, (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('local_accounts')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('username', 'text', (c) => c.notNull())
    .addColumn('username_key', 'text', (c) => c.notNull().unique())
    .addColumn('password_hash', 'text', (c) => c.notNull())
    .addColumn('email', 'text')
    .addColumn('display_name', 'text')
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('is_active', flag, (c) => c.notNull().defaultTo(1))
    .addColumn('created_at', epoch, (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('user_sessions')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('secret_hash', 'text', (c) => c.notNull().unique())
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('provider_sid', 'text')
    .addColumn('realm_role', 'text')
    .addColumn('device', 'text', (c) => c.notNull())
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addColumn('last_used_at', epoch, (c) => c.notNull())
    .addColumn('expires_at', epoch, (c) => c.notNull())
    .addColumn('auth_time', epoch, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('idx_user_sessions_user_id').on('user_sessions').column('user_id').execute();
  await db.schema.createIndex('idx_user_sessions_provider_sid').on('user_sessions').column('provider_sid').execute();
  await db.schema.createIndex('idx_user_sessions_expires_at').on('user_sessions').column('expires_at').execute();

  await db.schema
    .createTable('login_attempts')
    .addColumn('state_hash', 'text', (c) => c.primaryKey())
    .addColumn('browser_hash', 'text', (c) => c.notNull())
    .addColumn('nonce', 'text', (c) => c.notNull())
    .addColumn('code_verifier', 'text', (c) => c.notNull())
    .addColumn('return_to', 'text', (c) => c.notNull())
    .addColumn('expires_at', epoch, (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('oidc_records')
    .addColumn('model', 'text', (c) => c.notNull())
    .addColumn('id', 'text', (c) => c.notNull())
    .addColumn('payload_json', json, (c) => c.notNull())
    .addColumn('grant_id', 'text')
    .addColumn('uid', 'text')
    .addColumn('user_code', 'text')
    .addColumn('consumed_at', epoch)
    .addColumn('expires_at', epoch)
    .addPrimaryKeyConstraint('oidc_records_pk', ['model', 'id'])
    .execute();
  await db.schema.createIndex('idx_oidc_records_grant_id').on('oidc_records').column('grant_id').execute();
  await db.schema.createIndex('idx_oidc_records_uid').on('oidc_records').column('uid').execute();
  await db.schema.createIndex('idx_oidc_records_expires_at').on('oidc_records').column('expires_at').execute();

  await db.schema
    .createTable('one_time_links')
    .addColumn('hash', 'text', (c) => c.primaryKey())
    .addColumn('purpose', 'text', (c) => c.notNull())
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addColumn('expires_at', epoch, (c) => c.notNull())
    .execute();
}
