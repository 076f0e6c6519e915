import { epoch, id } from './_columns.ts';
import type { Kysely } from 'kysely';

/** What was answered to calls that came with an `Idempotency-Key`, so that the same call again gets the same answer. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kept_answers')
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('idempotency_key', 'text', (c) => c.notNull())
    .addColumn('request_hash', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('run_id', id, (c) => c.notNull())
    .addColumn('status', 'smallint')
    .addColumn('body', 'text')
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('kept_answers_pk', ['user_id', 'idempotency_key'])
    .execute();
  await db.schema.createIndex('idx_kept_answers_created_at').on('kept_answers').column('created_at').execute();
}
