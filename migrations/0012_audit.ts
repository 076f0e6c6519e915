import { epoch, id, json } from './_columns.ts';
import type { Kysely } from 'kysely';

/** Who did what to whom. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('audit_events')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('at', epoch, (c) => c.notNull())
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('actor_id', id, (c) => c.references('users.id').onDelete('set null'))
    .addColumn('target_id', id, (c) => c.references('users.id').onDelete('set null'))
    .addColumn('details_json', json, (c) => c.notNull().defaultTo('{}'))
    .execute();
  await db.schema.createIndex('idx_audit_events_at').on('audit_events').columns(['at', 'id']).execute();
}
