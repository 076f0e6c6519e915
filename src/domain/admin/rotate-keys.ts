import { sql } from 'kysely';
import { inTransaction } from '../unit-of-work.ts';
import { audit } from './audit.ts';
import { SEALED_COLUMNS, sealedPlace } from './sealed-columns.ts';
import type { Ctx } from '../context.ts';
import type { SealedColumn } from './sealed-columns.ts';

/** Rows sealed anew in one transaction: others' writes wait for a few milliseconds at most. */
const BATCH = 50;

export interface RotationReport {
  /** The key that seals now. */
  key_id: string;
  /** False when the operator keeps the keys, or an earlier run is resumed. */
  has_new_key: boolean;
  /** Rows sealed anew. */
  resealed: number;
  /** Rows whose key is not here: they are left as they are. */
  locked: number;
  /** Rows that were changed or moved by other hands: no key opens them, and they are left as they are. */
  broken: number;
  /** Rows that were written with an older key meanwhile: another run takes them. */
  left: number;
}

interface SealedRow {
  id: string;
  owner: string;
  kind: string | null;
  sealed: string;
}

/** Not LIKE, which does not tell capitals apart on SQLite. */
const isUnder = ({ column }: SealedColumn, key_id: string) =>
  sql`substr(${sql.ref(column)}, 1, ${key_id.length + 1}) = ${`${key_id}.`}`;

async function olderRows(ctx: Ctx, one: SealedColumn, key_id: string, after: string): Promise<SealedRow[]> {
  const kind = one.kind === undefined ? sql`null` : sql.ref(one.kind);
  const { rows } = await sql<SealedRow>`
    select id, ${sql.ref(one.owner)} as owner, ${kind} as kind, ${sql.ref(one.column)} as sealed
    from ${sql.table(one.table)}
    where ${sql.ref(one.column)} is not null and not ${isUnder(one, key_id)} and id > ${after}
    order by id limit ${BATCH}`.execute(ctx.db);
  return rows;
}

/** What became of a row's secret: the text to store, or why it stays. */
function sealAnew(ctx: Ctx, one: SealedColumn, row: SealedRow): { sealed: string } | 'locked' | 'broken' {
  const place = sealedPlace(one, row);
  let text: string | null;
  try {
    text = ctx.secrets.open(row.sealed, place);
  } catch (error) {
    ctx.log.error('a sealed secret does not open', { table: one.table, column: one.column, id: row.id }, error);
    return 'broken';
  }
  return text === null ? 'locked' : { sealed: ctx.secrets.seal(text, place) };
}

/** Goes once through what is not under `key_id`. */
async function pass(ctx: Ctx, key_id: string): Promise<Pick<RotationReport, 'resealed' | 'locked' | 'broken'>> {
  const count = { resealed: 0, locked: 0, broken: 0 };
  for (const one of SEALED_COLUMNS) {
    let after = '';
    for (;;) {
      const rows = await olderRows(ctx, one, key_id, after);
      const last = rows.at(-1);
      if (last === undefined) break;
      after = last.id;
      const changes = rows.flatMap((row) => {
        const anew = sealAnew(ctx, one, row);
        if (typeof anew === 'object') return [{ ...row, to: anew.sealed }];
        count[anew] += 1;
        return [];
      });
      count.resealed += await inTransaction(ctx, async ({ trx }) => {
        let written = 0n;
        for (const { id, sealed, to } of changes) {
          // Only over what was read: somebody's newer secret must not be lost.
          const { numAffectedRows } = await sql`
            update ${sql.table(one.table)} set ${sql.ref(one.column)} = ${to}
            where id = ${id} and ${sql.ref(one.column)} = ${sealed}`.execute(trx);
          written += numAffectedRows ?? 0n;
        }
        return Number(written);
      });
    }
  }
  return count;
}

/** How many sealed texts are not under `key_id`. */
export async function countOlderSecrets(ctx: Ctx, key_id: string): Promise<number> {
  let older = 0;
  for (const one of SEALED_COLUMNS) {
    const { rows } = await sql<{ count: number | string }>`
      select count(*) as count from ${sql.table(one.table)}
      where ${sql.ref(one.column)} is not null and not ${isUnder(one, key_id)}`.execute(ctx.db);
    older += Number(rows[0]?.count ?? 0);
  }
  return older;
}

/**
 * [AD12] Puts a new key in front, unless `isResumed`, and seals every secret in the database anew with the first key, in small
 * transactions beside a running server; running it again, or after a crash, does what is left. Older keys stay, since a backup may
 * need them.
 * `settle` resolves when whoever took the older key just before has written what they sealed with it; then a second look is taken.
 */
export async function rotateKeys(
  ctx: Ctx,
  { isResumed, settle }: { isResumed: boolean; settle(): Promise<void> },
): Promise<RotationReport> {
  const has_new_key = !isResumed && ctx.secrets.addKey();
  const key_id = ctx.secrets.keyId;
  const first = await pass(ctx, key_id);
  await settle();
  const second = await pass(ctx, key_id);
  const { locked, broken } = second;
  const report: RotationReport = {
    key_id,
    has_new_key,
    resealed: first.resealed + second.resealed,
    locked,
    broken,
    left: Math.max(0, (await countOlderSecrets(ctx, key_id)) - locked - broken),
  };
  await inTransaction(ctx, (tx) => audit(tx, { action: 'keys.rotated', actor_id: null, details: { ...report } }));
  return report;
}
