import { sql } from 'kysely';
import { epoch, id } from './_columns.ts';
import type { Kysely } from 'kysely';

/** What people love: a heart, stars, or both. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('user_favorites')
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('track_id', id, (c) => c.notNull().references('tracks.id'))
    .addColumn('rating', 'smallint', (c) => c.check(sql`rating >= 1 and rating <= 5`))
    .addColumn('favorited_at', epoch)
    .addColumn('notes', 'text')
    .addPrimaryKeyConstraint('user_favorites_pk', ['user_id', 'track_id'])
    .execute();
}
