import { notFound } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { presentMe, presentProfile } from './accounts.present.ts';
import { findUserWithProfile } from './accounts.queries.ts';
import { updateUser, updateUserProfile } from './accounts.repository.ts';
import type { Me, Profile, updateProfile as endpoint } from '#contract/accounts.ts';
import type { Input } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type { UserProfilesTable } from './accounts.table.ts';

/** Who is calling. */
export async function readMe(ctx: Ctx, actor: Actor): Promise<Me> {
  const row = await findUserWithProfile(ctx.db, actor.user_id);
  if (row === null) throw notFound('person');
  return presentMe(row, actor.role);
}

/** The caller's own profile. */
export async function readProfile(ctx: Ctx, actor: Actor): Promise<Profile> {
  const row = await findUserWithProfile(ctx.db, actor.user_id);
  if (row === null) throw notFound('person');
  return presentProfile(row);
}

/** Changes the named fields of the caller's profile; returns once everybody who stopped seeing them has been told. */
export async function updateProfile(ctx: Ctx, actor: Actor, input: Input<typeof endpoint>): Promise<Profile> {
  await inTransaction(ctx, async (tx) => {
    const change: Partial<Omit<UserProfilesTable, 'user_id'>> = { updated_at: epochSeconds(tx.clock) };
    // An emptied field and one set to null are the same.
    if (input.bio !== undefined) change.bio = input.bio || null;
    if (input.location !== undefined) change.location = input.location || null;
    if (input.website !== undefined) change.website = input.website || null;
    if (input.privacy_level !== undefined) change.privacy_level = input.privacy_level;
    if (input.share_listening_history !== undefined)
      change.share_listening_history = input.share_listening_history ? 1 : 0;
    if (input.share_playlists !== undefined) change.share_playlists = input.share_playlists ? 1 : 0;
    await updateUserProfile(tx.trx, actor.user_id, change);
    if (input.display_name !== undefined) await updateUser(tx.trx, actor.user_id, { display_name: input.display_name });
    tx.publish({ name: 'profile.changed', payload: { user_id: actor.user_id } });
  });
  return readProfile(ctx, actor);
}
