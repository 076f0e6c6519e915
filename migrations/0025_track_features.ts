import { bytes, epoch, id, real } from './_columns.ts';
import type { Kysely } from 'kysely';

/** How tracks sound, in numbers computed from their audio; derived, so they go with their track. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('track_features')
    .addColumn('track_id', id, (c) => c.primaryKey().references('tracks.id').onDelete('cascade'))
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('audio_hash', 'text', (c) => c.notNull())
    .addColumn('loudness', real)
    .addColumn('peak', real)
    .addColumn('loudness_blocks', bytes)
    .addColumn('tempo', real)
    .addColumn('tempo_confidence', real)
    .addColumn('chroma', bytes)
    .addColumn('brightness', real)
    .addColumn('dynamics', real)
    .addColumn('vector', bytes)
    .addColumn('problem', 'text')
    .addColumn('computed_at', epoch, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('idx_track_features_audio')
    .on('track_features')
    .columns(['audio_hash', 'version'])
    .execute();
  await db.schema
    .createIndex('idx_track_features_computed')
    .on('track_features')
    .columns(['computed_at', 'track_id'])
    .execute();
}
