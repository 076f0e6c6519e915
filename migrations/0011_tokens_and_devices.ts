import { epoch, flag, id } from './_columns.ts';
import type { Kysely } from 'kysely';

/** Personal API tokens, devices, what a provider’s session needs, and tokens that ended before their time. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // What an outside provider last said: it holds for API tokens too, which bring no role of their own.
  await db.schema.alterTable('users').addColumn('provider_role', 'text').execute();

  await db.schema
    .createTable('api_tokens')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('token_hash', 'text', (c) => c.notNull().unique())
    .addColumn('scopes', 'text', (c) => c.notNull())
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addColumn('last_used_at', epoch)
    .addColumn('expires_at', epoch)
    .execute();
  await db.schema.createIndex('idx_api_tokens_user_id').on('api_tokens').column('user_id').execute();

  for (const [column, type] of [
    ['device_name', 'text'],
    ['refresh_token_encrypted', 'text'],
    ['id_token_encrypted', 'text'],
    // When the provider's access token behind the session ends: from then on the provider is asked again.
    ['refresh_due_at', epoch],
  ] as const) {
    await db.schema.alterTable('user_sessions').addColumn(column, type).execute();
  }
  await db.schema
    .createIndex('idx_user_sessions_refresh_due_at')
    .on('user_sessions')
    .column('refresh_due_at')
    .execute();

  await db.schema
    .createTable('user_devices')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('device_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('is_renamed', flag, (c) => c.notNull().defaultTo(0))
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addColumn('last_seen_at', epoch, (c) => c.notNull())
    .addUniqueConstraint('user_devices_user_device', ['user_id', 'device_id'])
    .execute();

  // Access tokens live on by themselves: what a sign-out must outlast is kept here.
  await db.schema
    .createTable('token_revocations')
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('value', 'text', (c) => c.notNull())
    .addColumn('not_before', epoch, (c) => c.notNull())
    .addColumn('expires_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('token_revocations_pk', ['kind', 'value'])
    .execute();
}
