import { epochSeconds } from '../ports.ts';
import { notFound } from '../errors.ts';
import { inTransaction, toStorageError } from '../unit-of-work.ts';
import { takeCheckpoint } from './checkpoints.ts';
import { countAnew, projectChanges } from './project-tracks.ts';
import { isOneUnit, turnStatements } from './turn-statements.ts';
import type { ChangeKind } from '#contract/playlists.ts';
import type { Ctx, TxCtx } from '../context.ts';
import type { Beside } from '../ports.ts';
import type { NewCheckpoint } from './checkpoints.ts';
import type { Change } from './project-tracks.ts';
import type { KnownList } from './turn-statements.ts';

/** Rows of one log before it is worth folding them into a snapshot. */
export const COMPACT_AFTER_ROWS = 200;

export interface LoadedLog extends KnownList {
  /** In order; the first may be a snapshot. */
  updates: Uint8Array[];
  last_seq: number;
  /** Whose each Yjs client id is. */
  clients: Map<number, string>;
  epoch: number;
  /** Client ids of earlier epochs. */
  retired: Set<number>;
  /** When the list was last kept as it was, in epoch seconds; 0: never. */
  checkpointed_at: number;
}

/** Whether a list has not been deleted. */
export async function isListThere(ctx: Ctx, playlist_id: string): Promise<boolean> {
  const row = await ctx.db.selectFrom('user_playlists').select('id').where('id', '=', playlist_id).executeTakeFirst();
  return row !== undefined;
}

/** All that is stored of a playlist's document. @throws DomainError not_found */
export async function loadLog(ctx: Ctx, playlist_id: string): Promise<LoadedLog> {
  const list = await ctx.db
    .selectFrom('user_playlists')
    .select(['epoch', 'version', 'user_id as owner_id'])
    .select((eb) =>
      eb
        .selectFrom('playlist_checkpoints')
        .select((inner) => inner.fn.max('created_at').as('at'))
        .whereRef('playlist_id', '=', 'user_playlists.id')
        .as('checkpointed_at'),
    )
    .where('id', '=', playlist_id)
    .executeTakeFirst();
  if (list === undefined) throw notFound('playlist');
  const { epoch, version, owner_id } = list;
  const rows = await ctx.db
    .selectFrom('playlist_updates')
    .select(['seq', 'bytes'])
    .where('playlist_id', '=', playlist_id)
    .orderBy('seq')
    .execute();
  const clients = await ctx.db
    .selectFrom('playlist_clients')
    .select(['client_id', 'user_id'])
    .where('playlist_id', '=', playlist_id)
    .execute();
  const retired =
    epoch === 1
      ? []
      : await ctx.db
          .selectFrom('playlist_retired_clients')
          .select('client_id')
          .where('playlist_id', '=', playlist_id)
          .execute();
  return {
    epoch,
    version,
    owner_id,
    retired: new Set(retired.map((row) => row.client_id)),
    checkpointed_at: list.checkpointed_at ?? 0,
    updates: rows.map((row) => row.bytes),
    last_seq: rows.at(-1)?.seq ?? 0,
    clients: new Map(clients.map((row) => [row.client_id, row.user_id])),
  };
}

/** What somebody did in one turn, for people to read. */
export interface ChangeFact {
  kind: ChangeKind;
  user_id: string;
  entry_ids: string[];
  details: Readonly<Record<string, string | boolean>> | null;
}

export interface Append {
  playlist_id: string;
  /** Of the document it was made in. */
  epoch: number;
  seq: number;
  /** What the document took in, as one Yjs update. */
  bytes: Uint8Array;
  /** Everybody whose edits were taken in one turn. */
  user_ids: ReadonlySet<string>;
  /** Client ids seen for the first time. */
  clients: readonly { client_id: number; user_id: string }[];
  change: Change;
  /** What the list gains by it: entries, and seconds of music. */
  counted: { tracks: number; seconds: number };
  /** Stored in the same transaction. */
  besides: readonly Beside[];
  facts: readonly ChangeFact[];
  /** Kept first, when the edit is one to go back from. */
  checkpoint: NewCheckpoint | null;
}

/** The document was begun anew: nothing of an earlier epoch is stored any more. */
export class SupersededError extends Error {
  override readonly name = 'SupersededError';
  constructor() {
    super('the document belongs to an earlier epoch');
  }
}

/** Somebody among the authors lost the right to edit before their edit was stored. */
export class RightsWithdrawnError extends Error {
  override readonly name = 'RightsWithdrawnError';
  readonly user_ids: ReadonlySet<string>;
  constructor(user_ids: ReadonlySet<string>) {
    super('an author may not edit this playlist any more');
    this.user_ids = user_ids;
  }
}

/**
 * [PL3] Stores an edit and the rows that follow from it in one transaction; resolves once both are on disk. Whether its authors
 * may still edit is asked in that transaction (AZ6), so that nothing is written after a right was taken away.
 * A list that is as `known` says is written in one message; the way with questions in between tells what is wrong.
 * @returns what is known of the list from now on
 * @throws RightsWithdrawnError, SupersededError, with nothing stored
 */
export async function appendUpdate(ctx: Ctx, append: Append, known: KnownList): Promise<KnownList> {
  if (isOneUnit(append) && (await appendUnit(ctx, append, known))) {
    const version = known.version + 1;
    await ctx.events.publish({
      name: 'playlist.changed',
      payload: { playlist_id: append.playlist_id, version },
    });
    return { ...known, version };
  }
  return appendAsking(ctx, append);
}

async function appendUnit(ctx: Ctx, append: Append, known: KnownList): Promise<boolean> {
  try {
    return await ctx.writeUnit(turnStatements(ctx.db, append, known, epochSeconds(ctx.clock)));
  } catch (error) {
    throw toStorageError(ctx, error);
  }
}

async function appendAsking(ctx: Ctx, append: Append): Promise<KnownList> {
  const { playlist_id, epoch, seq, bytes, user_ids, clients, change, facts, checkpoint, besides } = append;
  const user_id = user_ids.size === 1 ? [...user_ids][0]! : null;
  return inTransaction(ctx, async (tx) => {
    const now = epochSeconds(tx.clock);
    if (checkpoint !== null) await takeCheckpoint(tx, playlist_id, checkpoint);
    await tx.trx
      .insertInto('playlist_updates')
      .values({ playlist_id, seq, kind: 'update', bytes, user_id, created_at: now })
      .execute();
    // Bounded by the referee to a few an update, and by a turn to what came in at once.
    for (let i = 0; i < clients.length; i += 500) {
      await tx.trx
        .insertInto('playlist_clients')
        .values(clients.slice(i, i + 500).map((client) => ({ playlist_id, ...client, first_seen_at: now })))
        .execute();
    }
    await insertFacts(tx, { playlist_id, seq, created_at: now }, facts);
    const { version, owner_id, epoch: current } = await projectChanges(tx, playlist_id, change);
    if (current !== epoch) throw new SupersededError();
    await requireEditors(
      tx,
      playlist_id,
      [...user_ids].filter((author) => author !== owner_id),
    );
    for (const beside of besides) await beside(tx.trx);
    tx.publish({ name: 'playlist.changed', payload: { playlist_id, version } });
    return { owner_id, version };
  });
}

/** [PL26] Writes what each person did, a row for each kind of it. */
async function insertFacts(
  { trx }: TxCtx,
  turn: { playlist_id: string; seq: number; created_at: number },
  facts: readonly ChangeFact[],
): Promise<void> {
  for (let i = 0; i < facts.length; i += 200) {
    await trx
      .insertInto('playlist_changes')
      .values(
        facts.slice(i, i + 200).map(({ kind, user_id, entry_ids, details }, n) => ({
          ...turn,
          part: i + n,
          kind,
          user_id,
          entry_ids_json: JSON.stringify(entry_ids),
          details_json: details === null ? null : JSON.stringify(details),
        })),
      )
      .execute();
  }
}

/** Of people who do not own the list: keeps their memberships to this transaction. @throws RightsWithdrawnError */
async function requireEditors({ trx }: TxCtx, playlist_id: string, user_ids: readonly string[]): Promise<void> {
  if (user_ids.length === 0) return;
  const editors = await trx
    .updateTable('playlist_collaborators')
    .set((eb) => ({ role: eb.ref('role') }))
    .where('playlist_id', '=', playlist_id)
    .where('user_id', 'in', user_ids)
    .where('role', '=', 'editor')
    .returning('user_id')
    .execute();
  const left = new Set(editors.map((row) => row.user_id));
  const withdrawn = user_ids.filter((author) => !left.has(author));
  if (withdrawn.length > 0) throw new RightsWithdrawnError(new Set(withdrawn));
}

/** Replaces the log up to `seq` by one snapshot of the same content. @throws SupersededError, with nothing changed */
export async function compactLog(
  ctx: Ctx,
  { playlist_id, epoch, seq }: { playlist_id: string; epoch: number; seq: number },
  snapshot: Uint8Array,
): Promise<void> {
  await inTransaction(ctx, async (tx) => {
    // Kept to this transaction, so that no epoch begins between the look and the write.
    const current = await tx.trx
      .updateTable('user_playlists')
      .set((eb) => ({ epoch: eb.ref('epoch') }))
      .where('id', '=', playlist_id)
      .where('epoch', '=', epoch)
      .returning('id')
      .executeTakeFirst();
    if (current === undefined) throw new SupersededError();
    await tx.trx
      .deleteFrom('playlist_updates')
      .where('playlist_id', '=', playlist_id)
      .where('seq', '<=', seq)
      .execute();
    await tx.trx
      .insertInto('playlist_updates')
      .values({
        playlist_id,
        seq,
        kind: 'snapshot',
        bytes: snapshot,
        user_id: null,
        created_at: epochSeconds(tx.clock),
      })
      .execute();
    await countAnew(tx, playlist_id);
  });
}
