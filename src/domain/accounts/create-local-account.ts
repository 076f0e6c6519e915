import { DomainError } from '../errors.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { insertLocalAccount, isUsernameTaken } from './accounts.repository.ts';
import {
  isReservedUsername,
  normalizeUsername,
  passwordProblem,
  foldUsername,
  usernameProblem,
} from './accounts.rules.ts';
import { LOCAL_ISSUER, insertNewUser } from './ensure-user.ts';
import { hashPassword } from './password-hash.ts';
import { line } from '#contract/primitives.ts';
import type { Role } from '#contract/accounts.ts';
import type { FieldError } from '#contract/problems.ts';
import type { Ctx, TxCtx } from '../context.ts';

export interface NewLocalAccount {
  username: string;
  display_name?: string | undefined;
  email?: string | undefined;
  password: string;
  role: Role;
}

/** Longest display name, as the profile has it. */
const DisplayName = line(80, 0);

function checkInput(input: NewLocalAccount): void {
  const errors: FieldError[] = [];
  const username = normalizeUsername(input.username);
  const problem = usernameProblem(username);
  if (problem !== null) errors.push({ path: 'username', message: `The username ${problem}.` });
  else if (isReservedUsername(username, input.role)) {
    errors.push({ path: 'username', message: 'That username is reserved; choose another.' });
  }
  if (!DisplayName.safeParse(input.display_name ?? '').success) {
    errors.push({ path: 'display_name', message: 'The display name must be one line of at most 80 characters.' });
  }
  const weak = passwordProblem(input.password);
  if (weak !== null) errors.push({ path: 'password', message: `The password ${weak}.` });
  if (errors.length > 0) throw new DomainError('invalid', errors.map((error) => error.message).join(' '), { errors });
}

/**
 * Makes an account of the embedded provider together with its person, who can be followed and invited at once.
 * `first` and `last` run in the same transaction, before and after, and may refuse it all.
 * @throws DomainError `invalid`, `username_taken`.
 */
export async function createLocalAccount(
  ctx: Ctx,
  input: NewLocalAccount,
  around: {
    first?: (tx: TxCtx) => Promise<void>;
    last?: (tx: TxCtx, made: { user_id: string }) => Promise<void>;
  } = {},
): Promise<{ user_id: string; username: string }> {
  checkInput(input);
  const password_hash = await hashPassword(input.password);
  const username = normalizeUsername(input.username);
  const username_key = foldUsername(username);
  const display_name = input.display_name?.trim() || null;
  const taken = () =>
    new DomainError('username_taken', `The username “${username}” is taken, or looks like one that is.`, {
      errors: [{ path: 'username', message: 'That username is taken, or looks like one that is.' }],
    });
  try {
    return await inTransaction(ctx, async (tx) => {
      await around.first?.(tx);
      if (await isUsernameTaken(tx.trx, username)) throw taken();
      const account = {
        id: tx.ids.id(),
        username,
        username_key,
        email: input.email ?? null,
        display_name,
        role: input.role,
      };
      const user = await insertNewUser(tx, {
        issuer: LOCAL_ISSUER,
        subject: account.id,
        username,
        email: input.email,
        name: display_name ?? undefined,
        role: input.role,
      });
      await insertLocalAccount(tx.trx, {
        ...account,
        password_hash,
        is_active: 1,
        created_at: epochSeconds(tx.clock),
        password_changed_at: null,
        totp_secret_encrypted: null,
        totp_confirmed_at: null,
        totp_last_step: null,
      });
      await around.last?.(tx, { user_id: user.id });
      return { user_id: user.id, username };
    });
  } catch (error) {
    throw ctx.dialect.isUniqueViolation(error) ? taken() : error;
  }
}
