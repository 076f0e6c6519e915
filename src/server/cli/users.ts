import { parseArgs } from 'node:util';
import { z } from 'zod';
import { Role } from '#contract/accounts.ts';
import { requireUserByName } from '#domain/accounts/accounts.queries.ts';
import { createLocalAccount } from '#domain/accounts/create-local-account.ts';
import { disableUser, enableUser } from '#domain/accounts/disable-user.ts';
import { createPasswordReset } from '#domain/accounts/password-reset.ts';
import { removeSecondFactor } from '#domain/accounts/remove-second-factor.ts';
import { setRole } from '#domain/accounts/set-role.ts';
import { obtainPassword } from './password.ts';
import { RefusedError, UsageError, onlyWords, say, withCtx, words } from './terminal.ts';
import type { Config } from '../config.ts';
import type { Verb } from './terminal.ts';

function parseRole(value: string): Role {
  const role = Role.safeParse(value);
  if (!role.success) throw new UsageError(`ROLE is admin, user or guest, not "${value}"`);
  return role.data;
}

const create: Verb = async (args, settings) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      role: { type: 'string', default: 'user' },
      'display-name': { type: 'string' },
      email: { type: 'string' },
      'password-stdin': { type: 'boolean', default: false },
    },
  });
  const { NAME } = words(positionals, 'NAME');
  const role = parseRole(values.role);
  if (values.email !== undefined && !z.email().safeParse(values.email).success) {
    throw new UsageError(`--email "${values.email}" is not an e-mail address`);
  }
  const config = settings();
  if (config.oidcIssuer !== null) {
    throw new RefusedError('Accounts of this server are made at its OpenID provider (OIDC_ISSUER).');
  }
  const { password, isMadeUp } = await obtainPassword(values['password-stdin']);
  const { username } = await withCtx(config, (ctx) =>
    createLocalAccount(ctx, {
      username: NAME,
      role,
      password,
      display_name: values['display-name'],
      email: values.email,
    }),
  );
  say(`Made ${username} (${role}).`);
  if (isMadeUp) say(`Password, shown this once: ${password}`);
  return 0;
};

const disable: Verb = async (args, settings) => {
  const { NAME } = onlyWords(args, 'NAME');
  const { username, was_active } = await withCtx(settings(), (ctx) => disableUser(ctx, { username: NAME }));
  say(was_active ? `${username} is disabled and signed out everywhere.` : `${username} was disabled already.`);
  return 0;
};

const enable: Verb = async (args, settings) => {
  const { NAME } = onlyWords(args, 'NAME');
  const { username, was_active } = await withCtx(settings(), (ctx) => enableUser(ctx, { username: NAME }));
  say(was_active ? `${username} was not disabled.` : `${username} may sign in again.`);
  return 0;
};

const role: Verb = async (args, settings) => {
  const { NAME, ROLE } = onlyWords(args, 'NAME', 'ROLE');
  const wanted = parseRole(ROLE);
  const changed = await withCtx(settings(), (ctx) => setRole(ctx, { username: NAME, role: wanted }));
  say(
    changed.previous === wanted
      ? `${changed.username} was ${wanted} already.`
      : `${changed.username} is ${wanted} now.`,
  );
  if (!changed.is_local) say('A role that the OpenID provider names at sign-in wins over this one.');
  return 0;
};

/** Where the server is for browsers; a port that is picked at each start cannot be known here. */
function publicUrlOf({ publicUrl, port }: Config): string {
  if (publicUrl !== null) return publicUrl;
  if (port === 0) throw new RefusedError('PUBLIC_URL is not set, and PORT is 0: set one, so that a link can be made.');
  return `http://127.0.0.1:${port}`;
}

const reset: Verb = async (args, settings) => {
  const { NAME } = onlyWords(args, 'NAME');
  const config = settings();
  const publicUrl = publicUrlOf(config);
  const { username, token, expires_at } = await withCtx(config, async (ctx) => {
    const { id, username } = await requireUserByName(ctx.db, NAME);
    return { username, ...(await createPasswordReset(ctx, null, { user_id: id })) };
  });
  say(`A link for ${username} to set a new password, once, until ${new Date(expires_at * 1000).toISOString()}:`);
  say(`${publicUrl}/reset?token=${token}`);
  return 0;
};

const takeOffSecondFactor: Verb = async (args, settings) => {
  const { NAME } = onlyWords(args, 'NAME');
  const { username, wasThere } = await withCtx(settings(), async (ctx) => {
    const { id, username } = await requireUserByName(ctx.db, NAME);
    return { username, wasThere: await removeSecondFactor(ctx, null, id) };
  });
  say(wasThere ? `${username} signs in by password alone now.` : `${username} had no second factor.`);
  return 0;
};

/** `user …`, by the word after it. */
export const userVerbs: Readonly<Record<string, Verb>> = {
  create,
  disable,
  enable,
  role,
  reset,
  'remove-second-factor': takeOffSecondFactor,
};
