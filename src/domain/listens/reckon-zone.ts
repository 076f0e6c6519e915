import { setImmediate } from 'node:timers/promises';
import { statementOf } from '#db/unit.ts';
import { localDay, localTime } from './local-time.rules.ts';
import { staleDayStatement } from './stale-days.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Ctx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { LocalTime } from './local-time.rules.ts';
import type { Kysely, Transaction } from 'kysely';

/** Where nobody has said where they are. */
export const DEFAULT_ZONE = 'UTC';
/** Sessions moved in one unit: no other write waits long for it. */
const SESSIONS_AT_ONCE = 500;
/** Every zone's offset has changed at a whole quarter of an hour. */
const QUARTER_S = 900;

type Moved = LocalTime & { id: string; user_id: string };
const compiled = new WeakMap<Kysely<Schema>, (moved: Moved) => UnitStatement>();

function moveStatement(db: Kysely<Schema>, moved: Moved): UnitStatement {
  let make = compiled.get(db);
  if (make === undefined) {
    make = statementOf<Moved>((at) =>
      db
        .updateTable('listening_sessions')
        .set({ utc_offset_s: at.utc_offset_s, local_day: at.local_day })
        .where('id', '=', at.id)
        .where('user_id', '=', at.user_id)
        .where('time_zone', 'is', null),
    );
    compiled.set(db, make);
  }
  return make(moved);
}

/** [ST4] Says, in the transaction that changes it, that a person's days are to be reckoned by another zone from now on. */
export async function markStaleZone(trx: Transaction<Schema>, user_id: string, time_zone: string): Promise<void> {
  await trx
    .insertInto('stale_zones')
    .values({ user_id, time_zone })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ time_zone }))
    .execute();
}

/**
 * [ST4] Reckons the local days of a person's sessions that name no zone of their own by the one the person has moved to, if they
 * have; both days of each that moves are stale then. Piece by piece: broken off, it goes on the next time.
 */
export async function reckonZone(ctx: Pick<Ctx, 'db' | 'writeUnit'>, user_id: string): Promise<void> {
  for (;;) {
    const stale = await ctx.db
      .selectFrom('stale_zones')
      .select('time_zone')
      .where('user_id', '=', user_id)
      .executeTakeFirst();
    if (stale === undefined) return;
    const { time_zone } = stale;
    await moveSessions(ctx, user_id, time_zone);
    // Unless they have moved on meanwhile.
    const { sql, parameters } = ctx.db
      .deleteFrom('stale_zones')
      .where('user_id', '=', user_id)
      .where('time_zone', '=', time_zone)
      .compile();
    await ctx.writeUnit([{ sql, parameters }]);
  }
}

async function moveSessions(ctx: Pick<Ctx, 'db' | 'writeUnit'>, user_id: string, time_zone: string): Promise<void> {
  const known = new Map<number, number>();
  const offsetAt = (at: number): number => {
    const quarter = Math.floor(at / QUARTER_S);
    const offset = known.get(quarter) ?? localTime(time_zone, quarter * QUARTER_S).utc_offset_s;
    known.set(quarter, offset);
    return offset;
  };
  let after: { started_at: number; id: string } | null = null;
  for (;;) {
    let query = ctx.db
      .selectFrom('listening_sessions')
      .select(['id', 'started_at', 'utc_offset_s', 'local_day', 'time_zone'])
      .where('user_id', '=', user_id)
      .orderBy('started_at')
      .orderBy('id')
      .limit(SESSIONS_AT_ONCE);
    if (after !== null) {
      const { started_at, id } = after;
      query = query.where((eb) => eb(eb.refTuple('started_at', 'id'), '>', eb.tuple(started_at, id)));
    }
    const rows = await query.execute();
    const moved = rows.flatMap(({ id, started_at, utc_offset_s, local_day, time_zone: own }) => {
      const offset = offsetAt(started_at);
      if (own !== null || offset === utc_offset_s) return [];
      const day = localDay(started_at, offset);
      return [{ id, user_id, utc_offset_s: offset, local_day: day, days: [local_day, day] }];
    });
    if (moved.length > 0) {
      const days = new Set(moved.flatMap((one) => one.days));
      await ctx.writeUnit([
        ...[...days].map((local_day) => staleDayStatement(ctx.db, { user_id, local_day })),
        ...moved.map((one) => moveStatement(ctx.db, one)),
      ]);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < SESSIONS_AT_ONCE) return;
    after = last;
    await setImmediate();
  }
}
