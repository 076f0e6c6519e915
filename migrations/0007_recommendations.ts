import { sql } from 'kysely';
import { epoch, id, json, real } from './_columns.ts';
import type { Kysely } from 'kysely';

/** What to play next, and why. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('user_taste_profiles')
    .addColumn('user_id', id, (c) => c.primaryKey().references('users.id').onDelete('cascade'))
    .addColumn('favorite_genres_json', json, (c) => c.notNull().defaultTo('[]'))
    .addColumn('favorite_artists_json', json, (c) => c.notNull().defaultTo('[]'))
    .addColumn('audio_features_json', json, (c) => c.notNull().defaultTo('{}'))
    .addColumn('listening_patterns_json', json, (c) => c.notNull().defaultTo('{}'))
    .addColumn('recommendation_settings_json', json, (c) => c.notNull().defaultTo('{}'))
    .addColumn('last_updated', epoch, (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('user_recommendations')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('user_id', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('track_id', id, (c) => c.notNull().references('tracks.id'))
    .addColumn('recommendation_type', 'text', (c) => c.notNull())
    .addColumn('confidence_score', real, (c) => c.notNull().defaultTo(0))
    .addColumn('reason_json', json, (c) => c.notNull().defaultTo('{}'))
    .addColumn('generated_at', epoch, (c) => c.notNull())
    .addColumn('viewed_at', epoch)
    .addColumn('clicked_at', epoch)
    .addColumn('dismissed_at', epoch)
    .addColumn('feedback_rating', 'smallint')
    .execute();
  await db.schema
    .createIndex('idx_user_recommendations_user_id')
    .on('user_recommendations')
    .column('user_id')
    .execute();
  await db.schema
    .createIndex('idx_user_recommendations_type')
    .on('user_recommendations')
    .column('recommendation_type')
    .execute();
  await db.schema
    .createIndex('idx_user_recommendations_generated_at')
    .on('user_recommendations')
    .column('generated_at')
    .execute();

  // The key holds the kind of evidence too: two people can be alike by favourites and not by history.
  await db.schema
    .createTable('user_similarity')
    .addColumn('user_id_1', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('user_id_2', id, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('similarity_score', real, (c) => c.notNull())
    .addColumn('based_on', 'text', (c) => c.notNull())
    .addColumn('calculated_at', epoch, (c) => c.notNull())
    .addPrimaryKeyConstraint('user_similarity_pk', ['user_id_1', 'user_id_2', 'based_on'])
    .addCheckConstraint('user_similarity_ordered', sql`user_id_1 < user_id_2`)
    .execute();
}
