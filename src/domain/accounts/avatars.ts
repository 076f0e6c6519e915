import { inTransaction } from '../unit-of-work.ts';
import { epochSeconds } from '../ports.ts';
import { deleteAvatar, upsertAvatar, updateUserProfile } from './accounts.repository.ts';
import { readProfile } from './update-profile.ts';
import type { Profile } from '#contract/accounts.ts';
import type { Actor, Ctx } from '../context.ts';

/** Pixels of a side of the square that is kept. */
export const AVATAR_SIZE = 256;

/**
 * Gives the caller a picture, a webp already made harmless, in place of an earlier one. It gets a fresh id, so that its address
 * never shows another picture.
 */
export async function setAvatar(ctx: Ctx, actor: Actor, webp: Uint8Array): Promise<Profile> {
  await inTransaction(ctx, async (tx) => {
    const id = tx.ids.id();
    const now = epochSeconds(tx.clock);
    await upsertAvatar(tx.trx, { id, user_id: actor.user_id, webp, created_at: now });
    await updateUserProfile(tx.trx, actor.user_id, { avatar_url: `/api/v1/avatars/${id}`, updated_at: now });
    tx.publish({ name: 'profile.changed', payload: { user_id: actor.user_id } });
  });
  return readProfile(ctx, actor);
}

/** Removes the caller's picture; without one nothing happens. */
export async function removeAvatar(ctx: Ctx, actor: Actor): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    if (!(await deleteAvatar(tx.trx, actor.user_id))) return;
    await updateUserProfile(tx.trx, actor.user_id, { avatar_url: null, updated_at: epochSeconds(tx.clock) });
    tx.publish({ name: 'profile.changed', payload: { user_id: actor.user_id } });
  });
}
