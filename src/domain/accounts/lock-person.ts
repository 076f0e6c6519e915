import { notFound } from '../errors.ts';
import { lockUser } from './accounts.repository.ts';
import type { TxCtx } from '../context.ts';

/** Keeps a person's row to this transaction: of two that do so at once, the second sees what the first did. @throws DomainError not_found */
export async function lockPerson({ trx }: Pick<TxCtx, 'trx'>, user_id: string): Promise<void> {
  if ((await lockUser(trx, user_id)) === undefined) throw notFound('person');
}
