import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { rotateKeys as rotate } from '#domain/admin/rotate-keys.ts';
import { complain, say, withCtx, words } from './terminal.ts';
import type { Verb } from './terminal.ts';

/** A server that sealed something with the older key has long written it by then, or failed to. */
const SETTLE_MS = 2_000;

/** Makes a new key and seals what the database holds with it, beside a running server. */
export const rotateKeys: Verb = async (args, settings) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { resume: { type: 'boolean', default: false } },
  });
  words(positionals);
  const report = await withCtx(settings(), (ctx) =>
    rotate(ctx, { isResumed: values.resume, settle: () => setTimeout(SETTLE_MS) }),
  );
  const { key_id, resealed, locked, broken, left } = report;
  say(
    report.has_new_key
      ? `A new key, ${key_id}, seals from now on.`
      : `The key ${key_id} seals${values.resume ? '' : ': it is the first of SECRET_KEYS'}.`,
  );
  say(`${resealed} sealed anew, ${locked} of a key that is not here, ${broken} that do not open, ${left} left.`);
  if (locked > 0) complain('Put the missing keys back, after the first, and run this with --resume.');
  if (left > 0) complain('Some were written meanwhile: run this with --resume.');
  return locked + broken + left === 0 ? 0 : 1;
};
