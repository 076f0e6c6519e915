import { epoch, flag, id, json } from './_columns.ts';
import type { Kysely } from 'kysely';

/** Other services people connect. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('user_integrations')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('service_name', 'text', (c) => c.notNull())
    .addColumn('service_user_id', 'text')
    .addColumn('api_token_encrypted', 'text')
    .addColumn('refresh_token_encrypted', 'text')
    .addColumn('enabled', flag, (c) => c.notNull().defaultTo(1))
    .addColumn('last_sync', epoch)
    .addColumn('sync_settings_json', json, (c) => c.notNull().defaultTo('{}'))
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addUniqueConstraint('user_integrations_user_service', ['user_id', 'service_name'])
    .execute();
}
