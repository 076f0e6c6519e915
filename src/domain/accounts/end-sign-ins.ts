import { sql } from 'kysely';
import { escapeLike } from '../like.ts';
import { epochSeconds } from '../ports.ts';
import { revokeAccessTokens } from './accounts.repository.ts';
import type { TxCtx } from '../context.ts';
import type { SqlBool } from 'kysely';

export interface SignIns {
  user_id: string;
  /** Their account at the embedded provider; null for who signs in elsewhere. */
  account_id: string | null;
  /** The session that goes on; null: none. */
  except_session_id: string | null;
}

/**
 * Ends every way in that a person's old password opened, but one session: sessions here and at the embedded provider, its
 * sign-ins under way, and access tokens. Personal API tokens stay: they are not made with the password.
 */
export async function endSignIns(tx: TxCtx, which: SignIns): Promise<void> {
  await deleteSignIns(tx, which);
  const { user_id, except_session_id } = which;
  tx.publish({
    name: 'access.ended',
    payload: { user_id, which: { kind: 'sign_ins', except_session_id }, reason: 'revoked' },
  });
}

/** What `endSignIns` does to the database, for who says in other words why. @returns how many sessions ended */
export async function deleteSignIns(tx: TxCtx, { user_id, account_id, except_session_id }: SignIns): Promise<number> {
  const { trx } = tx;
  const kept =
    except_session_id === null
      ? undefined
      : await trx
          .selectFrom('user_sessions')
          .select('provider_sid')
          .where('id', '=', except_session_id)
          .where('user_id', '=', user_id)
          .executeTakeFirst();
  let sessions = trx.deleteFrom('user_sessions').where('user_id', '=', user_id);
  if (kept !== undefined) sessions = sessions.where('id', '!=', except_session_id);
  const { numDeletedRows } = await sessions.executeTakeFirst();
  await revokeAccessTokens(trx, { kind: 'user', value: user_id, now: epochSeconds(tx.clock) });
  if (account_id === null) return Number(numDeletedRows);

  // The provider's records are its own JSON, a few for each browser that signed in lately; a browser may hold one without
  // having any session of ours. Its own session goes by the uid.
  const mention = `%"accountId":${escapeLike(JSON.stringify(account_id))}%`;
  let records = trx
    .deleteFrom('oidc_records')
    .where((eb) => sql<SqlBool>`${eb.ref('payload_json')} like ${mention} escape '\\'`);
  const keptUid = kept?.provider_sid ?? null;
  if (keptUid !== null) records = records.where((eb) => eb.or([eb('uid', 'is', null), eb('uid', '!=', keptUid)]));
  await records.execute();
  await trx.deleteFrom('pending_second_factors').where('account_id', '=', account_id).execute();
  await trx.deleteFrom('one_time_links').where('purpose', '=', 'reset').where('account_id', '=', account_id).execute();
  return Number(numDeletedRows);
}
