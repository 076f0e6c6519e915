import { statementOf } from '#db/unit.ts';
import { notFound } from '../errors.ts';
import { lockUser } from './accounts.repository.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { TxCtx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { Kysely } from 'kysely';

const compiled = new WeakMap<Kysely<Schema>, (at: { user_id: string }) => UnitStatement>();

/** As `lockPerson`, as the first statement of a unit: one that comes later may wait for whoever waits for it. */
export function lockPersonStatement(db: Kysely<Schema>, user_id: string): UnitStatement {
  let make = compiled.get(db);
  if (make === undefined) {
    make = statementOf((at) =>
      db
        .updateTable('users')
        .set((eb) => ({ role: eb.ref('role') }))
        .where('id', '=', at.user_id),
    );
    compiled.set(db, make);
  }
  return make({ user_id });
}

/** Keeps a person's row to this transaction: of two that do so at once, the second sees what the first did. @throws DomainError not_found */
export async function lockPerson({ trx }: Pick<TxCtx, 'trx'>, user_id: string): Promise<void> {
  if ((await lockUser(trx, user_id)) === undefined) throw notFound('person');
}
