import unhomoglyph from 'unhomoglyph';
import { bytes, epoch, id } from './_columns.ts';
import type { Kysely } from 'kysely';

type Names = { id: string; username: string; username_skeleton: string | null };

/** Usernames that may not look alike, and pictures. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Names that look alike (Unicode UTS 39 §4) must not stand side by side; null where older names already do.
  await db.schema.alterTable('users').addColumn('username_skeleton', 'text').execute();
  const people = db as Kysely<{ users: Names }>;
  const seen = new Set<string>();
  for (const { id: user_id, username } of await people.selectFrom('users').select(['id', 'username']).execute()) {
    const username_skeleton = unhomoglyph(unhomoglyph(username.normalize('NFKC').trim()).toLowerCase()).replace(
      /([ijl])\u0307+/g,
      '$1',
    );
    if (seen.has(username_skeleton)) continue;
    seen.add(username_skeleton);
    await people.updateTable('users').set({ username_skeleton }).where('id', '=', user_id).execute();
  }
  await db.schema.createIndex('users_username_skeleton').unique().on('users').column('username_skeleton').execute();

  // The picture itself; its id is in the address, and a new picture has a new one.
  await db.schema
    .createTable('avatars')
    .addColumn('id', id, (c) => c.primaryKey())
    .addColumn('user_id', id, (c) => c.notNull().unique().references('users.id').onDelete('cascade'))
    .addColumn('webp', bytes, (c) => c.notNull())
    .addColumn('created_at', epoch, (c) => c.notNull())
    .execute();
}
