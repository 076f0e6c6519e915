import { audit } from '../admin/audit.ts';
import { notFound } from '../errors.ts';
import { lockUser, updateLocalAccount, updateUser } from './accounts.repository.ts';
import { requireAnotherAdministrator } from './administrators.ts';
import { deleteSignIns } from './end-sign-ins.ts';
import { LOCAL_ISSUER } from './ensure-user.ts';
import type { Role } from '#contract/accounts.ts';
import type { TxCtx } from '../context.ts';
import type { Changer } from './administrators.ts';
import type { UsersTable } from './accounts.table.ts';

export interface AccessChange {
  role?: Role | undefined;
  is_active?: boolean | undefined;
}

/**
 * Gives a person another stored role, or locks them out or in; what is so already changes nothing. One function for the
 * administrators' door and the command line (`by` null): sockets follow before the caller is answered, by the events.
 * A role that an outside provider names wins over the stored one as long as it names one.
 * @returns the person as they were
 * @throws DomainError `not_found`, `conflict` (the last administrator).
 */
export async function changeAccess(
  tx: TxCtx,
  by: Changer,
  user_id: string,
  { role, is_active }: AccessChange,
): Promise<UsersTable> {
  // First, so that everybody who could take the last administrator away waits in the same line.
  if ((role !== undefined && role !== 'admin') || is_active === false)
    await requireAnotherAdministrator(tx, by, user_id);
  const actor_id = by?.user_id ?? null;
  const user = await lockUser(tx.trx, user_id);
  if (user === undefined) throw notFound('person');
  if (role !== undefined) await giveRole(tx, actor_id, user, role);
  if (is_active === true) await letIn(tx, actor_id, user);
  if (is_active === false) await lockOut(tx, actor_id, user);
  return user;
}

async function giveRole(tx: TxCtx, actor_id: string | null, user: UsersTable, role: Role): Promise<void> {
  // The embedded provider tells its own copy at the next sign-in: it must not bring the old role back.
  if (user.issuer === LOCAL_ISSUER) await updateLocalAccount(tx.trx, user.subject, { role });
  if (user.role === role) return;
  await updateUser(tx.trx, user.id, { role });
  await audit(tx, {
    action: 'user.role_changed',
    actor_id,
    target_id: user.id,
    details: { from: user.role, to: role },
  });
  tx.publish({ name: 'role.changed', payload: { user_id: user.id, role } });
}

async function letIn(tx: TxCtx, actor_id: string | null, user: UsersTable): Promise<void> {
  if (user.issuer === LOCAL_ISSUER) await updateLocalAccount(tx.trx, user.subject, { is_active: 1 });
  if (user.is_active === 1) return;
  await updateUser(tx.trx, user.id, { is_active: 1 });
  await audit(tx, { action: 'user.enabled', actor_id, target_id: user.id });
}

/** Sessions and access tokens end for good: an account that is let in again one day must not wake them up. */
async function lockOut(tx: TxCtx, actor_id: string | null, user: UsersTable): Promise<void> {
  const account_id = user.issuer === LOCAL_ISSUER ? user.subject : null;
  await updateUser(tx.trx, user.id, { is_active: 0 });
  if (account_id !== null) await updateLocalAccount(tx.trx, account_id, { is_active: 0 });
  const sessions = await deleteSignIns(tx, { user_id: user.id, account_id, except_session_id: null });
  if (user.is_active === 1) {
    await audit(tx, { action: 'user.disabled', actor_id, target_id: user.id, details: { sessions } });
  }
  tx.publish({
    name: 'access.ended',
    payload: { user_id: user.id, which: { kind: 'everything' }, reason: 'disabled' },
  });
}
