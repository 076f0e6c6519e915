import { parseArgs } from 'node:util';
import { Scope, createToken } from '#contract/security.ts';
import { requireUserByName } from '#domain/accounts/accounts.queries.ts';
import { createApiToken } from '#domain/accounts/api-tokens.ts';
import { UsageError, complain, say, withCtx, words } from './terminal.ts';
import type { Verb } from './terminal.ts';

const DAY = 24 * 3600;

function parseScope(value: string): Scope {
  const scope = Scope.safeParse(value);
  if (!scope.success) throw new UsageError(`--scope is ${Scope.options.join(', ')}, not "${value}"`);
  return scope.data;
}

function parseDays(value: string): number {
  const seconds = Number(value) * DAY;
  if (!/^\d+$/.test(value) || !createToken.body.shape.expires_in.safeParse(seconds).success) {
    throw new UsageError(`--expires-in-days is a whole number of days from 1 to 3660, not "${value}"`);
  }
  return seconds;
}

/** The token alone is on stdout, so that a script can take it from there. */
const create: Verb = async (args, settings) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      scope: { type: 'string', multiple: true },
      'expires-in-days': { type: 'string' },
    },
  });
  const { NAME } = words(positionals, 'NAME');
  if (values.scope === undefined) throw new UsageError('--scope is missing');
  const scopes = values.scope.flatMap((part) => part.split(',')).map(parseScope);
  const days = values['expires-in-days'];
  const expires_in = days === undefined ? undefined : parseDays(days);
  if (values.name === undefined) throw new UsageError('--name is missing');
  const name = createToken.body.shape.name.safeParse(values.name);
  if (!name.success) throw new UsageError('--name is one line of 1 to 60 characters');
  const made = await withCtx(settings(), async (ctx) => {
    const { id, username } = await requireUserByName(ctx.db, NAME);
    return { username, ...(await createApiToken(ctx, id, { name: name.data, scopes, expires_in }, null)) };
  });
  complain(`API token “${made.name}” of ${made.username} (${made.scopes.join(', ')}), shown this once:`);
  say(made.token);
  return 0;
};

/** `token …`, by the word after it. */
export const tokenVerbs: Readonly<Record<string, Verb>> = { create };
