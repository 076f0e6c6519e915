import { audit } from '../admin/audit.ts';
import { DomainError, notFound } from '../errors.ts';
import { hashSecret } from '../hash-secret.ts';
import { epochSeconds } from '../ports.ts';
import { inTransaction } from '../unit-of-work.ts';
import { countApiTokens, insertApiToken, lockUser } from './accounts.repository.ts';
import type { ApiToken, Scope } from '#contract/security.ts';
import type { Ctx } from '../context.ts';

/** By these first letters a leaked token is recognised, in a log or a repository, for what it is. */
export const API_TOKEN_PREFIX = 'sbm_';
/** A person has a few scripts; more than this is a script that makes a token each time it runs. */
export const API_TOKENS_MAX = 50;

export interface NewApiToken {
  name: string;
  scopes: readonly Scope[];
  /** Seconds it lives; absent: until it is revoked. */
  expires_in?: number | undefined;
}

/**
 * Makes a personal API token. The answer is the only place where it is shown: a hash of it is kept.
 * `actor_id` is who made it, null for the operator at the command line.
 * @throws DomainError `not_found`, `conflict` (too many).
 */
export async function createApiToken(
  ctx: Ctx,
  user_id: string,
  input: NewApiToken,
  actor_id: string | null = user_id,
): Promise<ApiToken & { token: string }> {
  const token = API_TOKEN_PREFIX + ctx.ids.secret();
  const scopes = [...new Set(input.scopes)];
  return inTransaction(ctx, async (tx) => {
    // Of two made at once, the second counts the first.
    if ((await lockUser(tx.trx, user_id)) === undefined) throw notFound('person');
    if ((await countApiTokens(tx.trx, user_id)) >= API_TOKENS_MAX) {
      throw new DomainError('conflict', `There are ${API_TOKENS_MAX} API tokens already: revoke one that is not used.`);
    }
    const created_at = epochSeconds(tx.clock);
    const shown = {
      id: tx.ids.id(),
      name: input.name,
      created_at,
      last_used_at: null,
      expires_at: input.expires_in === undefined ? null : created_at + input.expires_in,
    };
    await insertApiToken(tx.trx, { ...shown, user_id, token_hash: hashSecret(token), scopes: scopes.join(' ') });
    await audit(tx, {
      action: 'api_token.created',
      actor_id,
      target_id: user_id,
      details: { token_id: shown.id, scopes: scopes.join(' '), expires_at: shown.expires_at },
    });
    return { ...shown, scopes, token };
  });
}
