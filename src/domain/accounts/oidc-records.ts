import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { findOidcRecord } from './accounts.queries.ts';
import {
  deleteOidcRecords,
  deleteProviderSession,
  markOidcRecordUsed,
  upsertOidcRecord,
} from './accounts.repository.ts';
import type { Ctx } from '../context.ts';

/** What the embedded provider keeps of one thing, in its own words. */
export interface OidcPayload {
  grantId?: string | undefined;
  uid?: string | undefined;
  userCode?: string | undefined;
  [key: string]: unknown;
}

/** Stores or replaces a record of the embedded provider; `expiresIn` in seconds. */
export async function putOidcRecord(
  ctx: Ctx,
  model: string,
  id: string,
  payload: OidcPayload,
  expiresIn: number | undefined,
): Promise<void> {
  const row = {
    model,
    id,
    payload_json: JSON.stringify(payload),
    grant_id: payload.grantId ?? null,
    uid: payload.uid ?? null,
    user_code: payload.userCode ?? null,
    expires_at: expiresIn === undefined ? null : epochSeconds(ctx.clock) + expiresIn,
  };
  await inTransaction(ctx, ({ trx }) => upsertOidcRecord(trx, row));
}

/** A record that has not run out, with `consumed` once it was used. */
export async function getOidcRecord(
  ctx: Ctx,
  model: string,
  column: 'id' | 'uid' | 'user_code',
  value: string,
): Promise<OidcPayload | undefined> {
  const row = await findOidcRecord(ctx.db, model, { column, value });
  if (row === null || (row.expires_at !== null && row.expires_at <= epochSeconds(ctx.clock))) return undefined;
  const payload = JSON.parse(row.payload_json) as OidcPayload;
  return row.consumed_at === null ? payload : { ...payload, consumed: row.consumed_at };
}

/** Marks a record as used; false when it already was, so that of two takers at once one is told. */
export async function consumeOidcRecord(ctx: Ctx, model: string, id: string): Promise<boolean> {
  return inTransaction(ctx, ({ trx }) => markOidcRecordUsed(trx, { model, id, now: epochSeconds(ctx.clock) }));
}

/** Removes one record, or everything of a model that a grant led to. */
export async function removeOidcRecords(
  ctx: Ctx,
  model: string,
  by: { id: string } | { grant_id: string },
): Promise<void> {
  await inTransaction(ctx, ({ trx }) => deleteOidcRecords(trx, { model, ...by }));
}

/** Ends a session of the embedded provider: its cookie signs nobody in any more. */
export async function endProviderSession(ctx: Ctx, uid: string): Promise<void> {
  await inTransaction(ctx, ({ trx }) => deleteProviderSession(trx, uid));
}
