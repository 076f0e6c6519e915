import { setImmediate } from 'node:timers/promises';
import { notFound } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { toStorageError } from '../unit-of-work.ts';
import { settleDays } from '../stats/settle-days.ts';
import { staleDayStatement } from './stale-days.ts';
import type {
  deleteHistory as deleteHistoryEndpoint,
  deleteListen as deleteListenEndpoint,
} from '#contract/history.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';

/** Sessions deleted in one unit: no other write waits long for it. */
const SESSIONS_AT_ONCE = 500;

/**
 * [LP32] Deletes one of my plays, with all that was derived from it; later reports of it find nothing.
 * @throws DomainError not_found (also for somebody else's), unavailable, disk_full
 */
export async function deleteListen(ctx: Ctx, actor: Actor, { id }: Input<typeof deleteListenEndpoint>): Promise<void> {
  const { user_id } = actor;
  const row = await ctx.db
    .selectFrom('listening_sessions')
    .select(['id', 'local_day'])
    .where('id', '=', id)
    .where('user_id', '=', user_id)
    .executeTakeFirst();
  if (row === undefined) throw notFound('listening session');
  await deleteSessions(ctx, user_id, [row]);
}

/**
 * [LP33] Deletes all a person has heard until now, with all that was derived from it. What begins while this runs stays.
 * @throws DomainError unavailable, disk_full; what was deleted until then stays so
 */
export async function deleteHistory(ctx: Ctx, actor: Actor): Promise<Reply<typeof deleteHistoryEndpoint>> {
  const { user_id } = actor;
  const now = epochSeconds(ctx.clock);
  let deleted = 0;
  for (;;) {
    const rows = await ctx.db
      .selectFrom('listening_sessions')
      .select(['id', 'local_day'])
      .where('user_id', '=', user_id)
      .where('started_at', '<=', now)
      // What was queued offline and comes only now is later too.
      .where('inserted_at', '<=', now)
      .orderBy('started_at')
      .orderBy('id')
      .limit(SESSIONS_AT_ONCE)
      .execute();
    if (rows.length === 0) break;
    await deleteSessions(ctx, user_id, rows);
    deleted += rows.length;
    await setImmediate();
  }
  // Not left to whoever reads next: what somebody deletes is gone when they are told so.
  await settleDays(ctx, user_id);
  return { deleted };
}

async function deleteSessions(
  ctx: Ctx,
  user_id: string,
  rows: readonly { id: string; local_day: number }[],
): Promise<void> {
  const days = new Set(rows.map(({ local_day }) => local_day));
  const { sql: text, parameters } = ctx.db
    .deleteFrom('listening_sessions')
    // By id alone, which are this person's: SQLite would look through all of their sessions for them.
    .where(
      'id',
      'in',
      rows.map(({ id }) => id),
    )
    .compile();
  // Before, so that no report builds on it; and after, should one have opened it meanwhile.
  ctx.playbacks.forgetPerson(user_id);
  try {
    await ctx.writeUnit([
      ...[...days].map((local_day) => staleDayStatement(ctx.db, { user_id, local_day })),
      { sql: text, parameters },
    ]);
  } catch (error) {
    throw toStorageError(ctx, error);
  } finally {
    ctx.playbacks.forgetPerson(user_id);
  }
}
