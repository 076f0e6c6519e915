import { requireUserByName } from '#domain/accounts/accounts.queries.ts';
import { listenerIds, rebuildStats as rebuild } from '#domain/stats/rebuild-stats.ts';
import { parseArgs } from 'node:util';
import { UsageError, complain, say, withCtx } from './terminal.ts';
import type { Verb } from './terminal.ts';

/** Makes the statistics of a person, or of everybody, anew from what they heard, beside a running server. */
export const rebuildStats: Verb = async (args, settings) => {
  const [name, ...more] = parseArgs({ args, allowPositionals: true, options: {} }).positionals;
  if (more.length > 0) throw new UsageError(`"${more[0]}" is one word too many`);
  return withCtx(settings(), async (ctx) => {
    const ids = name === undefined ? await listenerIds(ctx) : [(await requireUserByName(ctx.db, name)).id];
    let allDays = 0;
    for (const [i, user_id] of ids.entries()) {
      let days = 0;
      await rebuild(ctx, user_id, ({ done, total }) => {
        days = total;
        // A terminal gets one line that is written over; a file gets only what came of it.
        if (process.stderr.isTTY)
          process.stderr.write(`\r\x1b[KPerson ${i + 1} of ${ids.length}: day ${done} of ${total}`);
      });
      allDays += days;
    }
    if (process.stderr.isTTY && ids.length > 0) complain('');
    say(
      `${allDays} ${allDays === 1 ? 'day' : 'days'} of ${ids.length} ${ids.length === 1 ? 'person' : 'people'} summed anew.`,
    );
    return 0;
  });
};
