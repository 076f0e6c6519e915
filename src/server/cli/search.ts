import { rebuildSearch as rebuild } from '#domain/search/rebuild-search.ts';
import { UsageError, complain, say, withCtx } from './terminal.ts';
import type { Verb } from './terminal.ts';

/** Makes what the library is searched by anew, beside a running server. */
export const rebuildSearch: Verb = async (args, settings) => {
  if (args.length > 0) throw new UsageError(`"${args[0]}" is one word too many`);
  return withCtx(settings(), async (ctx) => {
    const things = await rebuild(ctx, {
      onProgress: (done) => {
        if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${done} tracks, albums and artists`);
      },
    });
    if (process.stderr.isTTY && things > 0) complain('');
    say(`${things} ${things === 1 ? 'thing' : 'things'} of the library made findable anew.`);
    return 0;
  });
};
