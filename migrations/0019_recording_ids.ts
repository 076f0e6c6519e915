import type { Kysely } from 'kysely';

/** Which version of our reader read a file's tags. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // 0 is older than any: the next scan reads those files again.
  await db.schema
    .alterTable('tracks')
    .addColumn('reader_version', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
}
