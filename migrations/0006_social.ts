import { sql } from 'kysely';
import { epoch, id } from './_columns.ts';
import type { Kysely } from 'kysely';

/** Who follows whom. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('user_follows')
    .addColumn('follower_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('following_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('created_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('user_follows_pk', ['follower_id', 'following_id'])
    .addCheckConstraint('user_follows_not_self', sql`follower_id <> following_id`)
    .execute();
  await db.schema.createIndex('idx_user_follows_follower').on('user_follows').column('follower_id').execute();
  await db.schema.createIndex('idx_user_follows_following').on('user_follows').column('following_id').execute();
}
