import { sql } from 'kysely';
import { CHANGE_ENTRIES_SHOWN, playlistHistory as endpoint } from '#contract/playlists.ts';
import { usersByIds } from '../accounts/accounts.queries.ts';
import { tracksByIds } from '../library/library.queries.ts';
import { cutPage, readCursor } from '../page.ts';
import { isMemberOf, requireListRight } from './playlists.access.ts';
import { ledgerEntries } from './playlists.queries.ts';
import { changesOf } from './history.rules.ts';
import type { HistoryItem } from '#contract/playlists.ts';
import type { Input, Reply } from '#contract/endpoint.ts';
import type { Actor, Ctx } from '../context.ts';
import type { EntryTextValue } from '#contract/playlist-doc.ts';
import type { MergedChange } from './history.rules.ts';

/** One line of a history before it is filled: a person's minute, or a checkpoint. */
interface Line {
  minute: number;
  /** Within a minute edits come before the checkpoint they were made after. */
  kind: 'edits' | 'checkpoint';
  /** Whose minute ('' for nobody who is here), or which checkpoint. */
  key: string;
}

/**
 * [PL26] Who did what to a list, by minute and person, with the checkpoints between, the newest first; `user_id` narrows it to one
 * person's.
 * @throws DomainError not_found, forbidden
 */
export async function playlistHistory(
  ctx: Ctx,
  actor: Actor,
  { id, limit, cursor, user_id }: Input<typeof endpoint>,
): Promise<Reply<typeof endpoint>> {
  await requireListRight(ctx.db, actor, endpoint, id);
  const after = readCursor<[number, string, string]>(cursor, ['number', 'string', 'string']);
  const isWanted = user_id === undefined ? sql`1 = 1` : sql`user_id = ${user_id}`;
  const isAfter =
    after === null
      ? sql`1 = 1`
      : sql`minute < ${after[0]} or (minute = ${after[0]} and (kind < ${after[1]} or (kind = ${after[1]} and line_key < ${after[2]})))`;
  const { rows: found } = await sql<{ minute: number; kind: Line['kind']; line_key: string }>`
    select minute, kind, line_key from (
      select created_at / 60 as minute, 'edits' as kind, coalesce(user_id, '') as line_key
      from playlist_changes where playlist_id = ${id} and ${isWanted}
      group by created_at / 60, coalesce(user_id, '')
      union all
      select created_at / 60 as minute, 'checkpoint' as kind, id as line_key
      from playlist_checkpoints where playlist_id = ${id} and ${isWanted}
    ) as line
    where ${isAfter}
    order by minute desc, kind desc, line_key desc
    limit ${limit + 1}
  `.execute(ctx.db);
  const lines = found.map(({ minute, kind, line_key }): Line => ({ minute: Number(minute), kind, key: line_key }));
  const { rows, next_cursor } = cutPage(lines, limit, (line) => [line.minute, line.kind, line.key]);
  return { items: await fill(ctx, actor, id, rows), next_cursor };
}

type EditsItem = Extract<HistoryItem, { type: 'edits' }>;

async function fill(ctx: Ctx, actor: Actor, playlist_id: string, lines: readonly Line[]): Promise<HistoryItem[]> {
  const [newest, oldest] = [lines[0], lines.at(-1)];
  if (newest === undefined || oldest === undefined) return [];
  const changes = await ctx.db
    .selectFrom('playlist_changes')
    .selectAll()
    .where('playlist_id', '=', playlist_id)
    .where('created_at', '>=', oldest.minute * 60)
    .where('created_at', '<', (newest.minute + 1) * 60)
    // As they are read, not as they were when the right was asked for.
    .where(isMemberOf(actor.user_id, playlist_id))
    .orderBy('seq')
    .orderBy('part')
    .execute();
  const checkpointIds = lines.flatMap((line) => (line.kind === 'checkpoint' ? line.key : []));
  const checkpoints =
    checkpointIds.length === 0
      ? []
      : await ctx.db
          .selectFrom('playlist_checkpoints')
          .select(['id', 'reason', 'user_id', 'created_at', 'name', 'track_count'])
          .where('id', 'in', checkpointIds)
          .where(isMemberOf(actor.user_id, playlist_id))
          .execute();
  const byLine = Map.groupBy(changes, (row) => `${Math.floor(row.created_at / 60)} ${row.user_id ?? ''}`);
  const merged = new Map([...byLine].map(([key, some]) => [key, changesOf(some)]));
  const name = await entryNames(ctx, playlist_id, [...merged.values()].flat());
  const users = await usersByIds(ctx.db, [
    ...new Set([...changes, ...checkpoints].flatMap((row) => row.user_id ?? [])),
  ]);
  const userOf = (user_id: string | null) => (user_id === null ? null : (users.get(user_id) ?? null));
  const byId = new Map(checkpoints.map((row) => [row.id, row]));
  return lines.flatMap((line): HistoryItem[] => {
    if (line.kind === 'checkpoint') {
      const row = byId.get(line.key);
      if (row === undefined) return [];
      const { id, reason, created_at: at, track_count } = row;
      return [{ type: 'checkpoint', id, reason, user: userOf(row.user_id), at, name: row.name, track_count }];
    }
    const key = `${line.minute} ${line.key}`;
    const some = byLine.get(key);
    const [first, last] = [some?.[0], some?.at(-1)];
    if (first === undefined || last === undefined) return [];
    const shown: EditsItem['changes'] = (merged.get(key) ?? []).map(({ entry_ids, ...change }) => ({
      ...change,
      count: entry_ids.length,
      entries: entry_ids.slice(0, CHANGE_ENTRIES_SHOWN).map(name),
    }));
    return [
      {
        type: 'edits',
        user: userOf(first.user_id),
        first_at: first.created_at,
        last_at: last.created_at,
        changes: shown,
      },
    ];
  });
}

/** What entries are called, also those that are not in the list any more: by the library, or what was known of them. */
async function entryNames(
  ctx: Ctx,
  playlist_id: string,
  changes: readonly MergedChange[],
): Promise<(entry_id: string) => EditsItem['changes'][number]['entries'][number]> {
  const ids = new Set(changes.flatMap(({ entry_ids }) => entry_ids.slice(0, CHANGE_ENTRIES_SHOWN)));
  const ledger = await ledgerEntries(ctx.db, playlist_id, [...ids]);
  const tracks = await tracksByIds(
    ctx.db,
    ledger.flatMap((row) => row.track_id ?? []),
  );
  const byId = new Map(ledger.map((row) => [row.entry_id, row]));
  return (entry_id) => {
    const row = byId.get(entry_id);
    const track = row?.track_id === undefined || row.track_id === null ? undefined : tracks.get(row.track_id);
    const text = row === undefined || row.text_json === null ? null : (JSON.parse(row.text_json) as EntryTextValue);
    return {
      entry_id,
      track_id: row?.track_id ?? null,
      title: track?.title ?? text?.title ?? null,
      artist: track?.artist ?? text?.artist ?? null,
    };
  };
}
