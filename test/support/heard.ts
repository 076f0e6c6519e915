import { listenNewsStatements } from '#domain/feed/listen-news.ts';
import type { Ctx } from '#domain/context.ts';

/** A listen of somebody's that counted at the clock's time, told of as the unit that counts it does. @returns its session's id */
export async function putListen(
  ctx: Pick<Ctx, 'db' | 'ids' | 'write' | 'writeUnit' | 'clock'>,
  user_id: string,
  track_id: string,
  more: { is_hidden?: 0 | 1; started_at?: number } = {},
): Promise<string> {
  const id = ctx.ids.id();
  const now = Math.floor(ctx.clock.nowMs() / 1000);
  await ctx.write((trx) =>
    trx
      .insertInto('listening_sessions')
      .values({
        id,
        user_id,
        track_id,
        client_session_id: null,
        external_key: null,
        started_at: now,
        ended_at: now,
        local_day: 0,
        duration_played: 60,
        completed: 1,
        counted: 1,
        source: 'api',
        client_info_json: '{}',
        last_seq: 1,
        position_ms: 0,
        reported_at_ms: now * 1000,
        state: 'stopped',
        rate: 1,
        spans_json: '[]',
        inserted_at: now,
        ...more,
      })
      .execute(),
  );
  await ctx.writeUnit(listenNewsStatements(ctx, { session_id: id, user_id }));
  return id;
}
