import { statementOf } from '#db/unit.ts';
import { epochSeconds } from '../ports.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Ctx } from '../context.ts';
import type { Schema } from '../database.ts';
import type { Kysely } from 'kysely';

/** A listen that began longer ago is none of the news, as what was queued offline for long, or is imported (seconds). */
const NEWS_FOR = 7 * 86_400;

/** A listen that is to be told of. */
interface ListenNews {
  user_id: string;
  session_id: string;
}
type NewItem = ListenNews & { id: string; created_at: number; oldest: number };

interface Statements {
  tick: UnitStatement;
  insert: (item: NewItem) => UnitStatement;
  remove: (item: { session_id: string }) => UnitStatement;
}
const compiled = new WeakMap<Kysely<Schema>, Statements>();

function statementsOf(db: Kysely<Schema>): Statements {
  const known = compiled.get(db);
  if (known !== undefined) return known;
  const made = {
    tick: statementOf((_none: object) =>
      db
        .updateTable('feed_clock')
        .set((eb) => ({ seq: eb('seq', '+', 1) }))
        .where('id', '=', 1),
    )({}),
    insert: statementOf<NewItem>((at) =>
      db
        .insertInto('feed_items')
        .columns(['seq', 'id', 'actor_id', 'type', 'session_id', 'created_at'])
        .expression((eb) =>
          eb
            .selectFrom(['feed_clock', 'listening_sessions'])
            .select(({ ref, val, cast }) => [
              ref('feed_clock.seq').as('seq'),
              cast<string>(val(at.id), 'text').as('id'),
              ref('listening_sessions.user_id').as('actor_id'),
              cast<'listen'>(val('listen'), 'text').as('type'),
              ref('listening_sessions.id').as('session_id'),
              cast<number>(val(at.created_at), 'bigint').as('created_at'),
            ])
            .where('feed_clock.id', '=', 1)
            .where('listening_sessions.id', '=', at.session_id)
            .where('listening_sessions.user_id', '=', at.user_id)
            .where('listening_sessions.counted', '=', 1)
            .where('listening_sessions.is_hidden', '=', 0)
            .where('listening_sessions.started_at', '>=', at.oldest),
        )
        .onConflict((conflict) => conflict.column('session_id').doNothing()),
    ),
    remove: statementOf<{ session_id: string }>((at) =>
      db.deleteFrom('feed_items').where('session_id', '=', at.session_id),
    ),
  };
  compiled.set(db, made);
  return made;
}

/**
 * [FE1-2] Tells followers of a listen, as the last part of the unit that makes it count: once, and not of a hidden one or one of
 * long ago. After the unit `listen.recorded` is to be published. The clock's row stays locked to the commit, so a unit that
 * waits for somebody else's rows after this would hold up everybody's.
 */
export function listenNewsStatements(ctx: Pick<Ctx, 'db' | 'clock' | 'ids'>, news: ListenNews): UnitStatement[] {
  const { tick, insert } = statementsOf(ctx.db);
  const now = epochSeconds(ctx.clock);
  return [tick, insert({ ...news, id: ctx.ids.id(), created_at: now, oldest: now - NEWS_FOR })];
}

/** A session that no longer counts is none of the news, in the unit that says so; when it counts again it is told anew. */
export function noNewsStatement(db: Kysely<Schema>, session_id: string): UnitStatement {
  return statementsOf(db).remove({ session_id });
}
