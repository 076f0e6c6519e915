import { usersByIds } from '../accounts/accounts.queries.ts';
import { cutPage, readCursor } from '../page.ts';
import { presentAuditEvent } from './admin.present.ts';
import type { listAudit as endpoint } from '#contract/admin.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Ctx } from '../context.ts';

/** [AD9] What was done, the newest first; `user_id` is who did it or who it was done to. */
export async function listAudit(
  ctx: Ctx,
  { limit, cursor, action, user_id }: Input<typeof endpoint>,
): Promise<Reply<typeof endpoint>> {
  const after = readCursor<[number, string]>(cursor);
  let query = ctx.db.selectFrom('audit_events').selectAll();
  if (after !== null) {
    const [at, id] = after;
    query = query.where((eb) => eb.or([eb('at', '<', at), eb.and([eb('at', '=', at), eb('id', '<', id)])]));
  }
  if (action !== undefined) query = query.where('action', '=', action);
  if (user_id !== undefined) {
    query = query.where((eb) => eb.or([eb('actor_id', '=', user_id), eb('target_id', '=', user_id)]));
  }
  const found = await query
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const { rows, next_cursor } = cutPage(found, limit, (row) => [row.at, row.id]);
  const users = await usersByIds(
    ctx.db,
    rows.flatMap((row) => [row.actor_id, row.target_id].filter((id) => id !== null)),
  );
  return { items: rows.map((row) => presentAuditEvent(row, users)), next_cursor };
}
