import { DomainError } from '../errors.ts';
import type { TxCtx } from '../context.ts';

/**
 * Refuses what would leave the server without an active administrator. The administrators' rows are kept to this
 * transaction, so that of two demotions at once the second sees the first.
 * @throws DomainError `conflict`.
 */
export async function requireAnotherAdministrator({ trx }: TxCtx, user_id: string): Promise<void> {
  const administrators = await trx
    .updateTable('users')
    .set((eb) => ({ role: eb.ref('role') }))
    .where('role', '=', 'admin')
    .where('is_active', '=', 1)
    .returning('id')
    .execute();
  const isOne = administrators.some(({ id }) => id === user_id);
  if (isOne && administrators.length === 1) {
    throw new DomainError('conflict', 'This is the last administrator: make somebody else one first.');
  }
}
