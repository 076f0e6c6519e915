import { epoch, id } from './_columns.ts';
import type { Kysely } from 'kysely';

/** Second factors, password resets and invitations. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const [column, type] of [
    ['password_changed_at', epoch],
    ['totp_secret_encrypted', 'text'],
    ['totp_confirmed_at', epoch],
    ['totp_last_step', 'bigint'],
  ] as const) {
    await db.schema.alterTable('local_accounts').addColumn(column, type).execute();
  }
  await db.schema
    .createTable('recovery_codes')
    .addColumn('account_id', id, (c) => c.notNull().references('local_accounts.id').onDelete('cascade'))
    .addColumn('code_hash', 'text', (c) => c.notNull())
    .addColumn('used_at', epoch)
    .addPrimaryKeyConstraint('recovery_codes_pk', ['account_id', 'code_hash'])
    .execute();

  // Whose password was right in a sign-in that still lacks its second factor; tries are counted before they are made.
  await db.schema
    .createTable('pending_second_factors')
    .addColumn('interaction_uid', 'text', (c) => c.primaryKey())
    .addColumn('account_id', id, (c) => c.notNull().references('local_accounts.id').onDelete('cascade'))
    .addColumn('tries', 'integer', (c) => c.notNull())
    .addColumn('expires_at', epoch, (c) => c.notNull())
    .execute();

  await db.schema
    .alterTable('one_time_links')
    .addColumn('account_id', id, (c) => c.references('local_accounts.id').onDelete('cascade'))
    .execute();

  await db.schema
    .createTable('account_invites')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('code_hash', 'text', (c) => c.notNull().unique())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('note', 'text')
    .addColumn('created_by', id, (c) => c.references('users.id').onDelete('set null'))
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addColumn('expires_at', epoch, (c) => c.notNull())
    .addColumn('used_at', epoch)
    .addColumn('used_by', id, (c) => c.references('users.id').onDelete('set null'))
    .execute();
}
