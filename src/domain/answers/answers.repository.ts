import { unitStatement } from '#db/unit.ts';
import type { Schema } from '../database.ts';
import type { KeptAnswersTable } from './answers.table.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Kysely, Transaction } from 'kysely';

/** Which call: the key is the person's own. */
export type CallName = Pick<KeptAnswersTable, 'user_id' | 'idempotency_key'>;
type Held = CallName & Pick<KeptAnswersTable, 'run_id'>;

export async function findAnswer(db: Kysely<Schema>, call: CallName): Promise<KeptAnswersTable | undefined> {
  return db
    .selectFrom('kept_answers')
    .selectAll()
    .where('user_id', '=', call.user_id)
    .where('idempotency_key', '=', call.idempotency_key)
    .executeTakeFirst();
}

/** Takes a key, unless it is taken. */
export function claimStatement(db: Kysely<Schema>, row: KeptAnswersTable): UnitStatement {
  const query = db
    .insertInto('kept_answers')
    .values(row)
    .onConflict((conflict) => conflict.doNothing());
  return unitStatement(query, { mustChange: true });
}

/** Takes over what a process left that is gone, as it left it. */
export function takeOverStatement(
  db: Kysely<Schema>,
  { user_id, idempotency_key, run_id, state }: Held & Pick<KeptAnswersTable, 'state'>,
  by: Pick<KeptAnswersTable, 'run_id' | 'created_at'>,
): UnitStatement {
  const query = db
    .updateTable('kept_answers')
    .set({ ...by, state: 'running' })
    .where('user_id', '=', user_id)
    .where('idempotency_key', '=', idempotency_key)
    .where('run_id', '=', run_id)
    .where('state', '=', state);
  return unitStatement(query, { mustChange: true });
}

/** Part of every unit that a call with a key stores: from then on it is not run again. */
export const changedStatement = (db: Kysely<Schema>, call: CallName): UnitStatement => unitStatement(change(db, call));

/** As `changedStatement`, within a transaction. */
export async function markChanged(trx: Transaction<Schema>, call: CallName): Promise<void> {
  await change(trx, call).execute();
}

function change(db: Kysely<Schema>, { user_id, idempotency_key }: CallName) {
  return db
    .updateTable('kept_answers')
    .set({ state: 'changed' })
    .where('user_id', '=', user_id)
    .where('idempotency_key', '=', idempotency_key)
    .where('state', '=', 'running');
}

export function doneStatement(
  db: Kysely<Schema>,
  { user_id, idempotency_key, run_id }: Held,
  answer: Pick<KeptAnswersTable, 'status' | 'body'>,
): UnitStatement {
  const query = db
    .updateTable('kept_answers')
    .set({ state: 'done', ...answer })
    .where('user_id', '=', user_id)
    .where('idempotency_key', '=', idempotency_key)
    .where('run_id', '=', run_id);
  return unitStatement(query);
}

/** Lets a key go under which nothing was changed. */
export function releaseStatement(db: Kysely<Schema>, { user_id, idempotency_key, run_id }: Held): UnitStatement {
  const query = db
    .deleteFrom('kept_answers')
    .where('user_id', '=', user_id)
    .where('idempotency_key', '=', idempotency_key)
    .where('run_id', '=', run_id)
    .where('state', '=', 'running');
  return unitStatement(query);
}

export function releaseAllStatement(db: Kysely<Schema>): UnitStatement {
  return unitStatement(db.deleteFrom('kept_answers').where('state', '=', 'running'));
}

export function dropStatement(db: Kysely<Schema>, before: number): UnitStatement {
  return unitStatement(db.deleteFrom('kept_answers').where('created_at', '<', before));
}
