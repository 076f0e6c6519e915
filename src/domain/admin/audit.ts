import { epochSeconds } from '../ports.ts';
import type { AuditAction } from '#contract/admin.ts';
import type { TxCtx } from '../context.ts';

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
