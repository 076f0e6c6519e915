import type { Kysely } from 'kysely';

/** What tags say of which recording a track is, and which version of our reader read them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('tracks').addColumn('isrc', 'text').execute();
  await db.schema.alterTable('tracks').addColumn('recording_mbid', 'text').execute();
  // 0 is older than any: the next scan reads those files again.
  await db.schema
    .alterTable('tracks')
    .addColumn('reader_version', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
}
