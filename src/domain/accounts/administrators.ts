import { DomainError } from '../errors.ts';
import type { Actor, TxCtx } from '../context.ts';

/** Who changes somebody's access; null: the operator at the command line. */
export type Changer = Pick<Actor, 'user_id' | 'provider_role'> | null;

/**
 * Refuses what would leave the server without an active administrator. The administrators' rows are kept to this
 * transaction, so that of two demotions at once the second sees the first. As at the doors, what an outside provider said
 * counts before the stored role: at the last sign-in, or, of who asks, for this call.
 * @throws DomainError `conflict`.
 */
export async function requireAnotherAdministrator({ trx }: TxCtx, by: Changer, user_id: string): Promise<void> {
  const asks = by?.provider_role === 'admin' ? by.user_id : '';
  // In one statement, the person to be changed too: nobody holds one of these rows and waits for another.
  const rows = await trx
    .updateTable('users')
    .set((eb) => ({ role: eb.ref('role') }))
    .where((eb) => eb.or([eb(eb.fn.coalesce('provider_role', 'role'), '=', 'admin'), eb('id', 'in', [asks, user_id])]))
    .where('is_active', '=', 1)
    .returning(['id', 'role', 'provider_role'])
    .execute();
  const administrators = rows.filter((row) => row.id === asks || (row.provider_role ?? row.role) === 'admin');
  const isOne = administrators.some(({ id }) => id === user_id);
  if (isOne && administrators.length === 1) {
    throw new DomainError('conflict', 'This is the last administrator: make somebody else one first.');
  }
  // Whoever asks was locked out a moment ago, by somebody they would now lock out.
  if (asks !== '' && !administrators.some(({ id }) => id === asks)) {
    throw new DomainError('conflict', 'You are no administrator any more.');
  }
}
