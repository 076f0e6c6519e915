/**
 * What one turn of a playlist's room writes, as statements that are all known beforehand: the update itself, whose edits it
 * holds, and the rows that follow from it. Each touches the rows it names and no others, however long the list is.
 */
import { sql } from 'kysely';
import { POSITION_STEP } from './project-tracks.ts';
import type { UnitStatement } from '#db/unit.ts';
import type { Schema } from '../database.ts';
import type { Append } from './playlist-log.ts';
import type { PlacedEntry } from './project-tracks.ts';
import type { Kysely, RawBuilder } from 'kysely';

type Value = string | number | null | Uint8Array;
type Row = Readonly<Record<string, Value>>;

/** Statements are compiled for so many rows; a list between two of them is filled up with its own last row. */
const WIDTHS = [1, 4, 16, 64] as const;
/** More than this takes the way of many rows a statement (project-tracks.ts). */
export const ENTRIES_MAX = 64;

/** What of a list its room knows from its last turn, so that it need not be asked for. */
export interface KnownList {
  owner_id: string;
  version: number;
}

type Places = (name: string) => RawBuilder<unknown>;

/** Stands for a value while a statement is compiled: one of the whole, or of the row of that number. */
class Slot {
  readonly name: string;
  readonly row: number | null;
  constructor(name: string, row: number | null) {
    this.name = name;
    this.row = row;
  }
}

/** Compiles one statement a width, as it is needed. `build` gets a place for a value of the whole, and of each row. */
function wideStatement(
  db: Kysely<Schema>,
  build: (at: Places, rows: readonly Places[]) => RawBuilder<unknown>,
  more: Pick<UnitStatement, 'mustChange'> = {},
): (whole: Row, rows: readonly Row[]) => UnitStatement {
  const made = new Map<number, { sql: string; parameters: readonly unknown[] }>();
  return (whole, rows) => {
    const width = WIDTHS.find((one) => one >= rows.length);
    if (width === undefined) throw new Error('too many rows for one statement');
    let statement = made.get(width);
    if (statement === undefined) {
      const places = Array.from({ length: width }, (_, i) => (name: string) => sql`${new Slot(name, i)}`);
      const { sql: text, parameters } = build((name) => sql`${new Slot(name, null)}`, places).compile(db);
      statement = { sql: text, parameters };
      made.set(width, statement);
    }
    const last = rows.length - 1;
    const parameters = statement.parameters.map((parameter) => {
      if (!(parameter instanceof Slot)) return parameter;
      const from = parameter.row === null ? whole : rows[Math.min(parameter.row, last)];
      return from?.[parameter.name] ?? null;
    });
    return { sql: statement.sql, parameters, ...more };
  };
}

const listed = (rows: readonly Places[], name: string) => sql.join(rows.map((row) => row(name)));
const tuples = (at: Places, rows: readonly Places[], whole: readonly string[], own: readonly string[]) =>
  sql.join(rows.map((row) => sql`(${sql.join([...whole.map(at), ...own.map(row)])})`));

/** Where an entry belongs among the others: halfway between its neighbours, or a step beyond the last. */
function placeBetween(at: Places): RawBuilder<unknown> {
  const neighbour = (side: 'before' | 'behind') => {
    const [compare, direction] = side === 'before' ? [sql`<`, sql`desc`] : [sql`>`, sql`asc`];
    return sql`(
      select position from playlist_tracks
      where playlist_id = ${at('playlist_id')} and entry_id <> ${at('entry_id')}
        and coalesce(order_key, '~') ${compare}= ${at('sort_key')}
        and (coalesce(order_key, '~') ${compare} ${at('sort_key')} or entry_id ${compare} ${at('entry_id')})
      order by coalesce(order_key, '~') ${direction}, entry_id ${direction} limit 1
    )`;
  };
  const step = sql.lit(POSITION_STEP);
  return sql`(
    select (coalesce(before, behind - 2 * ${step}, -${step}) + coalesce(behind, before + 2 * ${step}, ${step})) / 2
    from (select ${neighbour('before')} as before, ${neighbour('behind')} as behind) as neighbours
  )`;
}

function compileFor(db: Kysely<Schema>) {
  return {
    ledger: wideStatement(
      db,
      (at, rows) => sql`
        insert into playlist_entries (playlist_id, added_at, entry_id, track_id, text_json, added_by_user_id)
        values ${tuples(at, rows, ['playlist_id', 'now'], ['entry_id', 'track_id', 'text_json', 'set_by'])}
        on conflict (playlist_id, entry_id) do nothing`,
    ),
    /** Keeps the memberships to this transaction, so that none is withdrawn between the look and the commit. */
    holdEditors: wideStatement(
      db,
      (at, rows) => sql`
        update playlist_collaborators set role = role
        where playlist_id = ${at('playlist_id')} and role = 'editor' and user_id in (${listed(rows, 'user_id')})`,
    ),
    /** Of authors who do not own the list: whether all of them may edit. */
    requireEditors: wideStatement(
      db,
      (at, rows) => sql`
        update user_playlists set version = version
        where id = ${at('playlist_id')} and ${at('count')} = (
          select count(*) from playlist_collaborators
          where playlist_id = ${at('playlist_id')} and role = 'editor' and user_id in (${listed(rows, 'user_id')})
        )`,
      { mustChange: true },
    ),
    list: wideStatement(
      db,
      (at) => sql`
        update user_playlists set version = version + 1, updated_at = ${at('now')},
          name = coalesce(${at('name')}, name), description = coalesce(${at('description')}, description)
        where id = ${at('playlist_id')} and epoch = ${at('epoch')} and version = ${at('version')}
          and user_id = ${at('owner_id')}`,
      { mustChange: true },
    ),
    /** Before its rows: what they will add to the list. */
    countAdded: wideStatement(
      db,
      (at, rows) => sql`
        update user_playlists set track_count = track_count + fresh.n, total_duration = total_duration + fresh.seconds
        from (
          select count(*) as n, coalesce(sum(tracks.duration), 0) as seconds
          from playlist_entries left join tracks on tracks.id = playlist_entries.track_id
          where playlist_entries.playlist_id = ${at('playlist_id')} and entry_id in (${listed(rows, 'entry_id')})
            and not exists (
              select 1 from playlist_tracks
              where playlist_tracks.playlist_id = playlist_entries.playlist_id
                and playlist_tracks.entry_id = playlist_entries.entry_id
            )
        ) as fresh
        where id = ${at('playlist_id')} and fresh.n > 0`,
    ),
    /** Before its rows go: what they will take from the list. */
    countRemoved: wideStatement(
      db,
      (at, rows) => sql`
        update user_playlists set track_count = track_count - gone.n, total_duration = total_duration - gone.seconds
        from (
          select count(*) as n, coalesce(sum(tracks.duration), 0) as seconds
          from playlist_tracks left join tracks on tracks.id = playlist_tracks.track_id
          where playlist_id = ${at('playlist_id')} and entry_id in (${listed(rows, 'entry_id')})
        ) as gone
        where id = ${at('playlist_id')} and gone.n > 0`,
    ),
    update: wideStatement(
      db,
      (at) => sql`
        insert into playlist_updates (playlist_id, seq, kind, bytes, user_id, created_at)
        values (${at('playlist_id')}, ${at('seq')}, 'update', ${at('bytes')}, ${at('user_id')}, ${at('now')})`,
    ),
    clients: wideStatement(
      db,
      (at, rows) => sql`
        insert into playlist_clients (playlist_id, first_seen_at, client_id, user_id)
        values ${tuples(at, rows, ['playlist_id', 'now'], ['client_id', 'user_id'])}
        on conflict (playlist_id, client_id) do nothing`,
    ),
    facts: wideStatement(
      db,
      (at, rows) => sql`
        insert into playlist_changes
          (playlist_id, seq, created_at, part, kind, user_id, entry_ids_json, details_json)
        values ${tuples(
          at,
          rows,
          ['playlist_id', 'seq', 'now'],
          ['part', 'kind', 'user_id', 'entry_ids_json', 'details_json'],
        )}
        on conflict (playlist_id, seq, part) do nothing`,
    ),
    remove: wideStatement(
      db,
      (at, rows) => sql`
        delete from playlist_tracks
        where playlist_id = ${at('playlist_id')} and entry_id in (${listed(rows, 'entry_id')})`,
    ),
    /** What the ledger says of an entry, at its place. */
    put: wideStatement(
      db,
      (at) => sql`
        insert into playlist_tracks
          (playlist_id, entry_id, track_id, text_json, added_by_user_id, added_at, order_key, position)
        select playlist_id, entry_id, track_id, text_json, added_by_user_id, added_at, ${at('order_key')}, ${placeBetween(at)}
        from playlist_entries where playlist_id = ${at('playlist_id')} and entry_id = ${at('entry_id')}
        on conflict (playlist_id, entry_id)
          do update set order_key = excluded.order_key, position = excluded.position`,
    ),
    move: wideStatement(
      db,
      (at) => sql`
        update playlist_tracks set order_key = ${at('order_key')}, position = ${placeBetween(at)}
        where playlist_id = ${at('playlist_id')} and entry_id = ${at('entry_id')}`,
    ),
    /** Where no room was left between two neighbours the whole list is spread out anew. */
    spread: wideStatement(
      db,
      (at, rows) => sql`
        update playlist_tracks set position = placed.n
        from (
          select entry_id,
            (row_number() over (order by coalesce(order_key, '~'), entry_id) - 1) * ${sql.lit(POSITION_STEP)} as n
          from (
            select 1 as found from playlist_tracks as placed
            inner join playlist_tracks as other
              on other.playlist_id = placed.playlist_id and other.position = placed.position
              and other.entry_id <> placed.entry_id
            where placed.playlist_id = ${at('playlist_id')} and placed.entry_id in (${listed(rows, 'entry_id')})
            limit 1
          ) as tie cross join playlist_tracks
          where playlist_id = ${at('playlist_id')}
        ) as placed
        where playlist_tracks.playlist_id = ${at('playlist_id')} and playlist_tracks.entry_id = placed.entry_id
          and playlist_tracks.position <> placed.n`,
    ),
  };
}

const compiled = new WeakMap<Kysely<Schema>, ReturnType<typeof compileFor>>();

/** The statements of this file, compiled once a database. */
function statementsFor(db: Kysely<Schema>): ReturnType<typeof compileFor> {
  const known = compiled.get(db) ?? compileFor(db);
  compiled.set(db, known);
  return known;
}

/** Whether a turn is small enough to be written as one unit. */
export function isOneUnit({ change, clients, facts, user_ids, checkpoint, besides }: Append): boolean {
  const counts = [change.upserted.length, change.removed.length, clients.length, facts.length, user_ids.size];
  return checkpoint === null && besides.length === 0 && Math.max(...counts) <= ENTRIES_MAX;
}

/**
 * The unit of a turn (`isOneUnit`). It changes nothing when the list is not as `known` says, belongs to another epoch, or an author
 * may not edit it any more.
 */
export function turnStatements(
  db: Kysely<Schema>,
  append: Append,
  { owner_id, version }: KnownList,
  now: number,
): UnitStatement[] {
  const { playlist_id, epoch, seq, bytes, user_ids, clients, change, facts } = append;
  const make = statementsFor(db);
  const author = user_ids.size === 1 ? [...user_ids][0]! : null;
  const editors = [...user_ids].filter((user_id) => user_id !== owner_id).map((user_id) => ({ user_id }));
  const set = change.upserted.filter((entry) => entry.isSet !== false);
  const removed = change.removed.map((entry_id) => ({ entry_id }));
  const { name = null, description = null } = change;
  const unit: UnitStatement[] = [
    make.list({ playlist_id, epoch, version, owner_id, now, name, description }, []),
    make.update({ playlist_id, seq, bytes, user_id: author, now }, []),
  ];
  if (editors.length > 0) {
    unit.push(make.holdEditors({ playlist_id }, editors));
    unit.push(make.requireEditors({ playlist_id, count: editors.length }, editors));
  }
  if (clients.length > 0) unit.push(make.clients({ playlist_id, now }, clients));
  if (facts.length > 0) {
    const rows = facts.map(({ kind, user_id, entry_ids, details }, part) => ({
      part,
      kind,
      user_id,
      entry_ids_json: JSON.stringify(entry_ids),
      details_json: details === null ? null : JSON.stringify(details),
    }));
    unit.push(make.facts({ playlist_id, seq, now }, rows));
  }
  if (removed.length > 0) {
    unit.push(make.countRemoved({ playlist_id }, removed));
    unit.push(make.remove({ playlist_id }, removed));
  }
  if (set.length > 0) {
    const rows = set.map(({ entry_id, track_id, text, set_by }) => ({
      entry_id,
      track_id,
      text_json: text === null ? null : JSON.stringify(text),
      set_by,
    }));
    unit.push(make.ledger({ playlist_id, now }, rows));
    unit.push(
      make.countAdded(
        { playlist_id },
        rows.map(({ entry_id }) => ({ entry_id })),
      ),
    );
  }
  for (const entry of change.upserted) {
    unit.push((entry.isSet === false ? make.move : make.put)(placeOf(playlist_id, entry), []));
  }
  if (change.upserted.length > 0) {
    unit.push(
      make.spread(
        { playlist_id },
        change.upserted.map(({ entry_id }) => ({ entry_id })),
      ),
    );
  }
  return unit;
}

const placeOf = (playlist_id: string, { entry_id, order_key }: PlacedEntry) => ({
  playlist_id,
  entry_id,
  order_key,
  sort_key: order_key ?? '~',
});
