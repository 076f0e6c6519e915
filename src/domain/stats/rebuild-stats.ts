import { markAllDaysStatement } from '../listens/stale-days.ts';
import { toStorageError } from '../unit-of-work.ts';
import { settleDays } from './settle-days.ts';
import { statsStatements } from './stats.repository.ts';
import type { Ctx } from '../context.ts';
import type { SettleProgress } from './settle-days.ts';

/**
 * [ST9] Makes a person's sums anew from their sessions. Broken off, the rest is made when they are next read.
 * @throws DomainError unavailable, disk_full
 */
export async function rebuildStats(
  ctx: Ctx,
  user_id: string,
  onProgress: (progress: SettleProgress) => void = () => {},
): Promise<void> {
  const { goOn, begin, dropAllDays, dropAllRollups } = statsStatements(ctx.db);
  try {
    for (;;) {
      const sums = await ctx.db
        .selectFrom('listen_sums')
        .select('version')
        .where('user_id', '=', user_id)
        .executeTakeFirst();
      const next = { user_id, version: ctx.ids.id(), settled_at_ms: ctx.clock.nowMs() };
      // Another version, so that whoever is settling a day of theirs begins again.
      const isDropped = await ctx.writeUnit([
        sums === undefined ? begin(next) : goOn({ ...next, builds_on: sums.version }),
        dropAllDays({ user_id }),
        dropAllRollups({ user_id }),
        markAllDaysStatement(ctx.db, user_id),
      ]);
      if (isDropped) break;
    }
  } catch (error) {
    throw toStorageError(ctx, error);
  }
  await settleDays(ctx, user_id, onProgress);
}

/** Everybody who has heard anything, or of whom sums are kept. */
export async function listenerIds(ctx: Ctx): Promise<string[]> {
  const rows = await ctx.db
    .selectFrom('users')
    .select('id')
    .where((eb) =>
      eb.or([
        eb.exists(
          eb
            .selectFrom('listening_sessions')
            .select('listening_sessions.id')
            .whereRef('listening_sessions.user_id', '=', 'users.id'),
        ),
        eb.exists(eb.selectFrom('listen_sums').select('version').whereRef('listen_sums.user_id', '=', 'users.id')),
      ]),
    )
    .orderBy('username_key')
    .execute();
  return rows.map(({ id }) => id);
}
