import { audit } from '../admin/audit.ts';
import { inTransaction } from '../unit-of-work.ts';
import { findUserByUsername } from './accounts.queries.ts';
import type { Ctx } from '../context.ts';

/** Writes down that guessing at an account is being slowed; a name that is nobody's leaves no trace. */
export async function noteSlowedSignIns(ctx: Ctx, username: string): Promise<void> {
  const user = await findUserByUsername(ctx.db, username);
  if (user === null) return;
  await inTransaction(ctx, (tx) => audit(tx, { action: 'sign_in.slowed', actor_id: null, target_id: user.id }));
}
