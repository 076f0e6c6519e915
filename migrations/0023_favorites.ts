import { sql } from 'kysely';
import { epoch, id } from './_columns.ts';
import type { Kysely } from 'kysely';

/** Hearts of albums and artists; and of everything a person marks a version, so that two devices end equal. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('user_favorites')
    .addColumn('version', 'integer', (c) => c.notNull().defaultTo(1))
    .execute();
  await sql`create index idx_user_favorites_hearts on user_favorites (user_id, favorited_at, track_id)
    where favorited_at is not null`.execute(db);
  await sql`create index idx_user_favorites_stars on user_favorites (user_id, rating, track_id)
    where rating is not null`.execute(db);
  await sql`create index idx_user_favorites_track on user_favorites (track_id)`.execute(db);

  for (const [table, column, of] of [
    ['user_favorite_albums', 'album_id', 'albums.id'],
    ['user_favorite_artists', 'artist_id', 'artists.id'],
  ] as const) {
    await db.schema
      .createTable(table)
      .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
      .addColumn(column, id, (c) => c.notNull().references(of))
      .addColumn('favorited_at', epoch)
      .addColumn('notes', 'text')
      .addColumn('version', 'integer', (c) => c.notNull().defaultTo(1))
      .addPrimaryKeyConstraint(`${table}_pk`, ['user_id', column])
      .execute();
    await db.schema.createIndex(`idx_${table}_hearts`).on(table).columns(['user_id', 'favorited_at', column]).execute();
    await db.schema.createIndex(`idx_${table}_of`).on(table).column(column).execute();
  }
}
