import { statementOf } from '#db/unit.ts';
import { inTransaction } from '../unit-of-work.ts';
import { markStaleDays } from './stale-days.ts';
import { underWayMs } from './under-way.rules.ts';
import type { PrivateSession, beginPrivateSession as beginEndpoint } from '#contract/history.ts';
import type { Input } from '#contract/endpoint.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Actor, Ctx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { ExpressionBuilder, Kysely, Transaction } from 'kysely';

/** The longest a playback is under way without a report: a day is longer than any track. */
const LONGEST_MS = 86_400_000;

/** Whether a private session is on, and until when. */
export async function readPrivateSession(ctx: Pick<Ctx, 'db' | 'clock'>, actor: Actor): Promise<PrivateSession> {
  const ends_at_ms = (await privateUntil(ctx, actor.user_id)).get(actor.user_id);
  return ends_at_ms === undefined
    ? { active: false, ends_at: null }
    : { active: true, ends_at: Math.ceil(ends_at_ms / 1000) };
}

/** When the private sessions that are on end (ms), by person; of one, or of everybody. */
export async function privateUntil(ctx: Pick<Ctx, 'db' | 'clock'>, user_id?: string): Promise<Map<string, number>> {
  const rows = await ctx.db
    .selectFrom('private_sessions')
    .select((eb) => ['user_id', eb.fn.max('ends_at_ms').as('ends_at_ms')])
    .where('ends_at_ms', '>', ctx.clock.nowMs())
    .$if(user_id !== undefined, (query) => query.where('user_id', '=', user_id!))
    .groupBy('user_id')
    .execute();
  return new Map(rows.map((row) => [row.user_id, Number(row.ends_at_ms)]));
}

/**
 * [LP40] Begins a private session, or makes the one that is on end then. What is under way is hidden for good, and everybody who
 * saw it has stopped seeing it when this returns.
 */
export async function beginPrivateSession(
  ctx: Ctx,
  actor: Actor,
  { minutes }: Input<typeof beginEndpoint>,
): Promise<PrivateSession> {
  const { user_id } = actor;
  const nowMs = ctx.clock.nowMs();
  const ends_at_ms = nowMs + minutes * 60_000;
  await inTransaction(ctx, async (tx) => {
    const on = await tx.trx
      .updateTable('private_sessions')
      .set({ ends_at_ms })
      .where('user_id', '=', user_id)
      .where('ends_at_ms', '>', nowMs)
      .returning('user_id')
      .execute();
    if (on.length === 0) {
      await tx.trx
        .insertInto('private_sessions')
        .values({ user_id, started_at_ms: nowMs, ends_at_ms })
        .onConflict((conflict) => conflict.columns(['user_id', 'started_at_ms']).doUpdateSet({ ends_at_ms }))
        .execute();
    }
    await hideUnderWay(tx.trx, user_id, nowMs);
    tx.publish({ name: 'private_session.changed', payload: { user_id, ends_at_ms } });
  });
  // What another process began while the first look was not yet there for it to see.
  await inTransaction(ctx, ({ trx }) => hideUnderWay(trx, user_id, nowMs));
  return { active: true, ends_at: Math.ceil(ends_at_ms / 1000) };
}

/** Ends the private session; it is no error if none is on. What was heard in it stays hidden. */
export async function endPrivateSession(ctx: Ctx, actor: Actor): Promise<void> {
  const { user_id } = actor;
  const nowMs = ctx.clock.nowMs();
  await inTransaction(ctx, async (tx) => {
    const ended = await tx.trx
      .updateTable('private_sessions')
      .set({ ends_at_ms: nowMs })
      .where('user_id', '=', user_id)
      .where('ends_at_ms', '>', nowMs)
      .returning('user_id')
      .execute();
    if (ended.length > 0) tx.publish({ name: 'private_session.changed', payload: { user_id, ends_at_ms: null } });
  });
}

async function hideUnderWay(trx: Transaction<Schema>, user_id: string, nowMs: number): Promise<void> {
  const rows = await trx
    .selectFrom('listening_sessions')
    .leftJoin('tracks', 'tracks.id', 'listening_sessions.track_id')
    .select([
      'listening_sessions.id',
      'local_day',
      'state',
      'position_ms',
      'reported_at_ms',
      'rate',
      'tracks.duration as track_duration',
    ])
    .where('user_id', '=', user_id)
    .where('is_hidden', '=', 0)
    .where('state', '<>', 'stopped')
    .where('reported_at_ms', '>', nowMs - LONGEST_MS)
    .execute();
  const underWay = rows.filter((row) => row.reported_at_ms + underWayMs(row) >= nowMs);
  if (underWay.length === 0) return;
  const ids = underWay.map((row) => row.id);
  await trx.updateTable('listening_sessions').set({ is_hidden: 1 }).where('id', 'in', ids).execute();
  await trx.deleteFrom('feed_items').where('session_id', 'in', ids).execute();
  await markStaleDays(
    trx,
    user_id,
    underWay.map((row) => row.local_day),
  );
}

/** A session by its id, as far as server time `to_ms`. */
interface Stretch {
  id: string;
  user_id: string;
  to_ms: number;
}

const compiled = new WeakMap<
  Kysely<Schema>,
  { begun: (session: Stretch) => UnitStatement; counted: (session: Stretch) => UnitStatement }
>();

function statementsOf(db: Kysely<Schema>) {
  const known = compiled.get(db);
  if (known !== undefined) return known;
  type Eb = ExpressionBuilder<Schema, 'listening_sessions'>;
  const hide = (at: Stretch, from: (eb: Eb) => ReturnType<Eb>) =>
    db
      .updateTable('listening_sessions')
      .set({ is_hidden: 1 })
      .where('id', '=', at.id)
      .where('user_id', '=', at.user_id)
      .where('is_hidden', '=', 0)
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom('private_sessions')
            .select('private_sessions.user_id')
            .where('private_sessions.user_id', '=', at.user_id)
            .where('private_sessions.started_at_ms', '<=', at.to_ms)
            .where('private_sessions.ends_at_ms', '>', from(eb) as never),
        ),
      );
  const made = {
    begun: statementOf<Stretch>((at) => hide(at, (eb) => eb.val(at.to_ms) as never)),
    counted: statementOf<Stretch>((at) =>
      // It began within that second: to its end, for what began right after a private session.
      hide(at, (eb) => eb(eb('listening_sessions.started_at', '*', 1000), '+', 999) as never),
    ),
  };
  compiled.set(db, made);
  return made;
}

/** [LP41] Hides a session that began in private: part of the unit that begins it at `to_ms`. */
export function hideBegunStatement(db: Kysely<Schema>, session: Stretch): UnitStatement {
  return statementsOf(db).begun(session);
}

/**
 * [LP41] Hides a session that was, up to its report at `to_ms`, at some time private: part of the unit that makes it count, before
 * its news, for what was queued offline while a private session began elsewhere.
 */
export function hideCountedStatement(db: Kysely<Schema>, session: Stretch): UnitStatement {
  return statementsOf(db).counted(session);
}

/** [LP41] Hides those of a person's sessions that came whole and were, at some time, private: before anybody is told of them. */
export async function hideWhole(trx: Transaction<Schema>, user_id: string, ids: readonly string[]): Promise<void> {
  for (let i = 0; i < ids.length; i += 500) {
    await trx
      .updateTable('listening_sessions')
      .set({ is_hidden: 1 })
      .where('user_id', '=', user_id)
      .where('id', 'in', ids.slice(i, i + 500))
      .where('is_hidden', '=', 0)
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom('private_sessions')
            .select('private_sessions.user_id')
            .where('private_sessions.user_id', '=', user_id)
            .whereRef('private_sessions.started_at_ms', '<=', 'listening_sessions.reported_at_ms')
            .where((at) =>
              at('private_sessions.ends_at_ms', '>', at(at.ref('listening_sessions.started_at'), '*', 1000) as never),
            ),
        ),
      )
      .execute();
  }
}
