import { epochSeconds } from '../ports.ts';
import type { AuditAction } from '#contract/admin.ts';
import type { TxCtx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { Transaction } from 'kysely';

/** Seconds an act is kept: two years, in which what it led to has long come to light. */
const KEPT_S = 2 * 365 * 86_400;

export interface Act {
  action: AuditAction;
  /** Null: the operator at the command line, or the provider. */
  actor_id: string | null;
  /** Who it was done to, if anybody. */
  target_id?: string | null;
  /** Never a secret, address or title. */
  details?: Record<string, string | number | boolean | null>;
}

/** Writes down an act of an administrator, or one on security, in the transaction that does it. */
export async function audit(tx: TxCtx, { action, actor_id, target_id = null, details = {} }: Act): Promise<void> {
  await tx.trx
    .insertInto('audit_events')
    .values({
      id: tx.ids.id(),
      at: epochSeconds(tx.clock),
      action,
      actor_id,
      target_id,
      details_json: JSON.stringify(details),
    })
    .execute();
}

/** [OP24] Removes the acts of more than two years ago; `now` in epoch seconds. */
export async function dropOldActs(trx: Transaction<Schema>, now: number): Promise<void> {
  await trx
    .deleteFrom('audit_events')
    .where('at', '<', now - KEPT_S)
    .execute();
}
