import type { SecretPlace } from '../ports.ts';

/** A column that holds texts sealed by the secret box, in rows that have an `id`. */
export interface SealedColumn {
  table: string;
  column: string;
  /** The column whose value is the `user_id` of the place. */
  owner: string;
  /** A further column that tells an owner's rows apart, such as the service a token is for. */
  kind?: string;
}

/** Every column that ends in `_encrypted`: a change of keys seals these anew. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  { table: 'local_accounts', column: 'totp_secret_encrypted', owner: 'id' },
  { table: 'user_sessions', column: 'refresh_token_encrypted', owner: 'user_id' },
  { table: 'user_sessions', column: 'id_token_encrypted', owner: 'user_id' },
  { table: 'user_integrations', column: 'api_token_encrypted', owner: 'user_id', kind: 'service_name' },
  { table: 'user_integrations', column: 'refresh_token_encrypted', owner: 'user_id', kind: 'service_name' },
];

/** Where a sealed text of a row belongs: whoever seals or opens it names the same place. */
export function sealedPlace(
  sealed: SealedColumn,
  row: { owner: string; kind?: string | null | undefined },
): SecretPlace {
  const table = sealed.kind === undefined ? sealed.table : `${sealed.table}/${row.kind ?? ''}`;
  return { user_id: row.owner, table, column: sealed.column };
}
